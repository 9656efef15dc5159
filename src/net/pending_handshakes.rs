//! Limits connections that have not finished their handshake, and evicts fairly by address when the
//! limit is reached.
//!
//! An evicted connection no longer counts, but its file descriptor stays open until its task has
//! closed it. So each connection also holds a slot for as long as its socket is open.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::bounded_slots::{BoundedSlots, Slot};
use crate::proto::links::address_group::Crowding;

/// All pending handshakes.
#[derive(Clone)]
pub(super) struct PendingHandshakes {
    sockets: Arc<Semaphore>,
    pending: BoundedSlots<PendingHandshake>,
}

struct PendingHandshake {
    address: IpAddr,
    /// True once the peer has sent something.
    heard: bool,
}

/// One pending handshake. Dropping it removes it.
pub(super) struct HandshakePermit(Slot<PendingHandshake>);

impl PendingHandshakes {
    /// Allows `most` pending handshakes.
    pub(super) fn new(most: usize) -> Self {
        Self { sockets: Arc::new(Semaphore::new(most)), pending: BoundedSlots::new(most) }
    }

    /// Takes a slot for the socket of a connection, waiting until one is free. Returns `None` if
    /// the connection was evicted meanwhile.
    pub(super) async fn slot(&self, permit: &HandshakePermit) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        permit.0.run_until_evicted(self.sockets.clone().acquire_owned()).await?.ok()
    }

    /// Registers a connection from `address`. At the limit, one connection is evicted: `evicted` of
    /// that one is cancelled.
    pub(super) fn enter(&self, address: IpAddr, evicted: CancellationToken) -> HandshakePermit {
        HandshakePermit(self.pending.take(PendingHandshake { address, heard: false }, evicted, pick_victim))
    }
}

impl HandshakePermit {
    /// Marks that the peer has sent something. Silent connections are evicted first.
    pub(super) fn heard(&self) {
        self.0.update(|handshake| handshake.heard = true);
    }

    /// Resolves when this connection is evicted.
    pub(super) async fn evicted(&self) {
        self.0.evicted().await;
    }
}

/// Picks the handshake to evict, of `handshakes` with the oldest first: of the address that has the
/// most, the first silent one, else the oldest.
fn pick_victim(handshakes: &[&PendingHandshake]) -> usize {
    let held = Crowding::new(handshakes.iter().map(|handshake| handshake.address));
    let most = handshakes.iter().map(|handshake| held.of(handshake.address)).max().unwrap_or_default();
    let candidates = || handshakes.iter().enumerate().filter(|(_, handshake)| held.of(handshake.address) == most);
    let silent = candidates().find(|(_, handshake)| !handshake.heard);
    silent.or_else(|| candidates().next()).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::proto::limits::HANDSHAKES_MAX;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn enter(pending: &PendingHandshakes, last: u8) -> HandshakePermit {
        pending.enter(from(last), CancellationToken::new())
    }

    fn is_evicted(permit: &HandshakePermit) -> bool {
        permit.0.is_evicted()
    }

    #[test]
    fn crowded_address_evicts_its_own() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let honest = enter(&pending, 1);
        let flood: Vec<_> = (0..200).map(|_| enter(&pending, 2)).collect();
        assert!(!is_evicted(&honest));
        assert_eq!(flood.iter().filter(|permit| !is_evicted(permit)).count(), HANDSHAKES_MAX - 1);
        assert!(!is_evicted(&flood[199]), "the newest stays");
    }

    #[test]
    fn addresses_of_an_ipv6_network_count_as_one() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let honest = enter(&pending, 1);
        let v6 = |last| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        let flood: Vec<_> = (0..200).map(|last| pending.enter(v6(last), CancellationToken::new())).collect();
        assert!(!is_evicted(&honest));
        let neighbours: Vec<_> = (0..8).map(|_| enter(&pending, 1)).collect();
        assert!(neighbours.iter().all(|permit| !is_evicted(permit)) && is_evicted(&flood[144]));
    }

    #[test]
    fn silent_then_oldest_handshake_is_evicted() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let permits: Vec<_> = (0..HANDSHAKES_MAX).map(|_| enter(&pending, 1)).collect();
        permits.iter().enumerate().filter(|(index, _)| *index != 4).for_each(|(_, permit)| permit.heard());
        let more = enter(&pending, 1);
        assert!(is_evicted(&permits[4]));
        more.heard();
        // All others have sent something now, so the newcomer is the silent one.
        assert!(is_evicted(&enter(&pending, 1)) && !is_evicted(&permits[0]));
        // The evicted newcomer is gone, and all others are heard except the newest.
        let newest = enter(&pending, 1);
        assert!(is_evicted(&newest) && !is_evicted(&permits[0]), "the silent newcomer");
    }

    #[test]
    fn oldest_handshake_is_evicted_if_none_is_silent() {
        let heard = |last| PendingHandshake { address: from(last), heard: true };
        assert_eq!(pick_victim(&[&heard(2), &heard(1), &heard(1)]), 1);
    }

    #[tokio::test]
    async fn evicted_connection_holds_its_slot_until_closed() {
        let pending = PendingHandshakes::new(1);
        let first = enter(&pending, 1);
        let slot = pending.slot(&first).await.expect("the only slot");
        let second = enter(&pending, 1);
        assert!(is_evicted(&first));
        let mut waits = std::pin::pin!(pending.slot(&second));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(slot);
        let slot = waits.await.expect("it is closed");
        let third = enter(&pending, 1);
        assert!(pending.slot(&second).await.is_none(), "evicted while it waited");
        drop(slot);
        assert!(pending.slot(&third).await.is_some());
    }

    #[test]
    fn finished_handshake_frees_its_place() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let first = enter(&pending, 1);
        for _ in 0..1000 {
            drop(enter(&pending, 1));
        }
        assert!(!is_evicted(&first));
    }
}
