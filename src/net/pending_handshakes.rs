//! Limits connections that have not finished their handshake, and evicts fairly by address when the
//! limit is reached.
//!
//! An evicted connection no longer counts, but its file descriptor stays open until its task has
//! closed it. So each connection also holds a slot for as long as its socket is open.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::proto::links::address_group::Crowding;

/// All pending handshakes, oldest first.
#[derive(Clone)]
pub(super) struct PendingHandshakes {
    most: usize,
    slots: Arc<Semaphore>,
    waiting: Arc<Mutex<Handshakes>>,
}

#[derive(Default)]
struct Handshakes {
    next: u64,
    entries: Vec<PendingHandshake>,
}

#[derive(Clone)]
struct PendingHandshake {
    number: u64,
    address: IpAddr,
    heard: Arc<AtomicBool>,
    stop: CancellationToken,
}

/// One pending handshake. Dropping it removes it from the list.
pub(super) struct HandshakePermit {
    pending: PendingHandshakes,
    entry: PendingHandshake,
}

impl PendingHandshakes {
    /// Allows `most` pending handshakes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, slots: Arc::new(Semaphore::new(most)), waiting: Arc::default() }
    }

    /// Takes a slot for the socket of a connection, waiting until one is free. Returns `None` if
    /// the connection was evicted meanwhile.
    pub(super) async fn slot(&self, permit: &HandshakePermit) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        permit.entry.stop.run_until_cancelled(self.slots.clone().acquire_owned()).await?.ok()
    }

    /// Registers a connection from `address`. At the limit, another connection is evicted.
    pub(super) fn enter(&self, address: IpAddr, stop: CancellationToken) -> HandshakePermit {
        let mut waiting = self.lock();
        waiting.next += 1;
        let entry = PendingHandshake { number: waiting.next, address, heard: Arc::default(), stop };
        waiting.entries.push(entry.clone());
        if waiting.entries.len() > self.most {
            let victim = pick_victim(&waiting.entries);
            waiting.entries.remove(victim).stop.cancel();
        }
        HandshakePermit { pending: self.clone(), entry }
    }

    fn lock(&self) -> MutexGuard<'_, Handshakes> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandshakePermit {
    /// Marks that the peer has sent something. Silent connections are evicted first.
    pub(super) fn heard(&self) {
        self.entry.heard.store(true, Ordering::Relaxed);
    }

    /// Resolves when this connection is evicted.
    pub(super) async fn taken(&self) {
        self.entry.stop.cancelled().await;
    }
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        self.pending.lock().entries.retain(|entry| entry.number != self.entry.number);
    }
}

/// Picks the entry to evict from `entries`, oldest first and not empty: of the address that has the
/// most, the first silent one, else the oldest.
fn pick_victim(entries: &[PendingHandshake]) -> usize {
    let held = Crowding::new(entries.iter().map(|entry| entry.address));
    let most = entries.iter().map(|entry| held.of(entry.address)).max().unwrap_or_default();
    let candidates = || entries.iter().enumerate().filter(|(_, entry)| held.of(entry.address) == most);
    let silent = candidates().find(|(_, entry)| !entry.heard.load(Ordering::Relaxed));
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

    fn is_taken(permit: &HandshakePermit) -> bool {
        permit.entry.stop.is_cancelled()
    }

    #[test]
    fn crowded_address_evicts_its_own() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let honest = enter(&pending, 1);
        let flood: Vec<_> = (0..200).map(|_| enter(&pending, 2)).collect();
        assert!(!is_taken(&honest));
        assert_eq!(flood.iter().filter(|permit| !is_taken(permit)).count(), HANDSHAKES_MAX - 1);
        assert!(!is_taken(&flood[199]), "the newest stays");
    }

    #[test]
    fn addresses_of_an_ipv6_network_count_as_one() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let honest = enter(&pending, 1);
        let v6 = |last| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        let flood: Vec<_> = (0..200).map(|last| pending.enter(v6(last), CancellationToken::new())).collect();
        assert!(!is_taken(&honest));
        let neighbours: Vec<_> = (0..8).map(|_| enter(&pending, 1)).collect();
        assert!(neighbours.iter().all(|permit| !is_taken(permit)) && is_taken(&flood[144]));
    }

    #[test]
    fn silent_then_oldest_handshake_is_evicted() {
        let pending = PendingHandshakes::new(HANDSHAKES_MAX);
        let tickets: Vec<_> = (0..HANDSHAKES_MAX).map(|_| enter(&pending, 1)).collect();
        tickets.iter().filter(|permit| permit.entry.number != 5).for_each(HandshakePermit::heard);
        let more = enter(&pending, 1);
        assert!(is_taken(&tickets[4]));
        more.heard();
        // All others have sent something now, so the newcomer is the silent one.
        assert!(is_taken(&enter(&pending, 1)) && !is_taken(&tickets[0]));
        let entries = pending.lock().entries.clone();
        assert_eq!(pick_victim(&entries), 0, "the oldest, where none is silent");
    }

    #[tokio::test]
    async fn evicted_connection_holds_its_slot_until_closed() {
        let pending = PendingHandshakes::new(1);
        let first = enter(&pending, 1);
        let slot = pending.slot(&first).await.expect("the only slot");
        let second = enter(&pending, 1);
        assert!(is_taken(&first));
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
        assert!(!is_taken(&first));
        assert_eq!(pending.lock().entries.len(), 1);
    }
}
