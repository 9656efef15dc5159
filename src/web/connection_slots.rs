//! Limits concurrent connections to [`WEB_CONNECTIONS_MAX`]. At the limit, the connection that has
//! been idle longest is evicted. If none is idle, the new connection is refused.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bounded_slots::{BoundedSlots, Slot};
use crate::proto::limits::WEB_CONNECTIONS_MAX;

/// The slots of all connections. Clones share their state.
#[derive(Clone)]
pub(super) struct ConnectionSlots(BoundedSlots<IdleSince>);

/// The time since which a connection is idle; none while it serves a request.
type IdleSince = Option<Instant>;

impl Default for ConnectionSlots {
    fn default() -> Self {
        Self(BoundedSlots::new(WEB_CONNECTIONS_MAX))
    }
}

impl ConnectionSlots {
    /// Takes a slot for a new connection, evicting the longest idle one if all are in use. Returns
    /// none if all are busy.
    pub(super) fn take(&self) -> Option<SlotGuard> {
        let slot = self.0.take(Some(Instant::now()), CancellationToken::new(), longest_idle_or_newcomer);
        (!slot.is_evicted()).then(|| SlotGuard(Arc::new(slot)))
    }

    pub(super) fn evict_all(&self) {
        self.0.evict_all();
    }
}

/// Picks the connection to evict, of `idle_since` with the oldest first and the newcomer last.
fn longest_idle_or_newcomer(idle_since: &[&IdleSince]) -> usize {
    let newcomer = idle_since.len() - 1;
    let idle = idle_since[..newcomer].iter().enumerate().filter_map(|(index, since)| Some((since.as_ref()?, index)));
    idle.min().map_or(newcomer, |(_, index)| index)
}

/// The slot of a connection, released with its last clone.
#[derive(Clone)]
pub(super) struct SlotGuard(Arc<Slot<IdleSince>>);

impl SlotGuard {
    /// Marks the connection as idle: it may be evicted.
    pub(super) fn set_idle(&self) {
        self.0.update(|idle_since| *idle_since = Some(Instant::now()));
    }

    /// Marks the connection as busy: it keeps its slot.
    pub(super) fn set_busy(&self) {
        self.0.update(|idle_since| *idle_since = None);
    }

    /// Returns true if the connection was evicted.
    pub(super) fn is_evicted(&self) -> bool {
        self.0.is_evicted()
    }

    /// Runs a future until it completes or the connection is evicted.
    pub(super) async fn run_until_evicted<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_evicted(future).await
    }
}

/// Keeps a connection from being evicted while a body lasts: the connection is marked as idle when
/// the answer begins.
pub(super) struct BusySlot(SlotGuard);

impl BusySlot {
    pub(super) fn new(slot: SlotGuard) -> Self {
        Self(slot)
    }

    /// Marks the connection as busy until the drop.
    pub(super) fn renew(&self) {
        self.0.set_busy();
    }
}

impl Drop for BusySlot {
    fn drop(&mut self) {
        self.0.set_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn longest_idle_connection_is_evicted() {
        let slots = ConnectionSlots::default();
        let mut taken: Vec<_> = (0..WEB_CONNECTIONS_MAX).filter_map(|_| slots.take()).collect();
        assert_eq!(taken.len(), WEB_CONNECTIONS_MAX);
        taken[0].set_busy();
        let newcomer = slots.take().expect("number 1 makes room");
        assert!(!taken[0].is_evicted() && taken[1].is_evicted() && !taken[2].is_evicted());
        taken.iter().chain([&newcomer]).for_each(SlotGuard::set_busy);
        assert!(slots.take().is_none(), "none is evicted while it is busy");
        drop(taken.pop());
        assert!(slots.take().is_some());
    }
}
