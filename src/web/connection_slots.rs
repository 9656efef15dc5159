//! Limits concurrent connections to [`WEB_CONNECTIONS_MAX`]. At the limit, the connection that has
//! been idle longest is evicted. If none is idle, the new connection is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::proto::limits::WEB_CONNECTIONS_MAX;

/// The slots of all connections. Clones share their state.
#[derive(Clone, Default)]
pub(super) struct ConnectionSlots(Arc<Mutex<Slots>>);

#[derive(Default)]
struct Slots {
    next: u64,
    seats: BTreeMap<u64, SlotState>,
}

struct SlotState {
    /// The time since which the connection is idle; none while it serves a request.
    waits_since: Option<Instant>,
    displaced: CancellationToken,
}

impl ConnectionSlots {
    /// Takes a slot for a new connection, evicting the longest idle one if all are in use. Returns
    /// none if all are busy.
    pub(super) fn take(&self) -> Option<SlotGuard> {
        let mut taken = self.lock();
        if taken.seats.len() >= WEB_CONNECTIONS_MAX {
            let waiting = taken.seats.iter().filter_map(|(no, state)| Some((state.waits_since?, *no)));
            let (_, longest) = waiting.min()?;
            taken.seats.remove(&longest).inspect(|state| state.displaced.cancel());
        }
        let no = taken.next;
        taken.next += 1;
        let displaced = CancellationToken::new();
        taken.seats.insert(no, SlotState { waits_since: Some(Instant::now()), displaced: displaced.clone() });
        Some(SlotGuard(Arc::new(SlotInner { no, seats: self.clone(), displaced })))
    }

    pub(super) fn evict_all(&self) {
        self.lock().seats.values().for_each(|state| state.displaced.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of a connection, released with its last clone.
#[derive(Clone)]
pub(super) struct SlotGuard(Arc<SlotInner>);

struct SlotInner {
    no: u64,
    seats: ConnectionSlots,
    displaced: CancellationToken,
}

impl SlotGuard {
    /// Marks the connection as idle: it may be evicted.
    pub(super) fn set_idle(&self) {
        self.set(Some(Instant::now()));
    }

    /// Marks the connection as busy: it keeps its slot.
    pub(super) fn set_busy(&self) {
        self.set(None);
    }

    fn set(&self, waits_since: Option<Instant>) {
        if let Some(state) = self.0.seats.lock().seats.get_mut(&self.0.no) {
            state.waits_since = waits_since;
        }
    }

    /// Returns true if the connection was evicted.
    pub(super) fn is_evicted(&self) -> bool {
        self.0.displaced.is_cancelled()
    }

    /// Runs a future until it completes or the connection is evicted.
    pub(super) async fn run_until_evicted<T>(&self, done: impl Future<Output = T>) -> Option<T> {
        self.0.displaced.run_until_cancelled(done).await
    }
}

impl Drop for SlotInner {
    fn drop(&mut self) {
        self.seats.lock().seats.remove(&self.no);
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
        let seats = ConnectionSlots::default();
        let mut taken: Vec<_> = (0..WEB_CONNECTIONS_MAX).filter_map(|_| seats.take()).collect();
        assert_eq!(taken.len(), WEB_CONNECTIONS_MAX);
        taken[0].set_busy();
        let newcomer = seats.take().expect("number 1 makes room");
        assert!(!taken[0].is_evicted() && taken[1].is_evicted() && !taken[2].is_evicted());
        taken.iter().chain([&newcomer]).for_each(SlotGuard::set_busy);
        assert!(seats.take().is_none(), "nobody is displaced at work");
        drop(taken.pop());
        assert!(seats.take().is_some());
    }
}
