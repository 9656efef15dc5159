//! Connections that have not finished their greeting: so many and no more, and no address can crowd out the others.
//!
//! The place of a connection is free for another as soon as it is evicted, but its descriptor only once
//! its task has closed it. So each connection also holds a slot as long as its socket is open.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::proto::address_group::Crowding;

/// All of them, oldest first.
#[derive(Clone)]
pub(super) struct Pending {
    most: usize,
    slots: Arc<Semaphore>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    number: u64,
    address: IpAddr,
    heard: Arc<AtomicBool>,
    stop: CancellationToken,
}

/// A place among the unfinished; it is free again when this is dropped.
pub(super) struct Ticket {
    pending: Pending,
    entry: Entry,
}

impl Pending {
    /// Room for `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self { most, slots: Arc::new(Semaphore::new(most)), waiting: Arc::default() }
    }

    /// A slot for the socket of a connection, as soon as one is free. `None` if the connection was evicted meanwhile.
    pub(super) async fn slot(&self, ticket: &Ticket) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        ticket.entry.stop.run_until_cancelled(self.slots.clone().acquire_owned()).await?.ok()
    }

    /// Takes a place for a connection from `address`. Where all are taken, another connection loses its own.
    pub(super) fn enter(&self, address: IpAddr, stop: CancellationToken) -> Ticket {
        let mut waiting = self.lock();
        waiting.next += 1;
        let entry = Entry { number: waiting.next, address, heard: Arc::default(), stop };
        waiting.entries.push(entry.clone());
        if waiting.entries.len() > self.most {
            let loser = loser(&waiting.entries);
            waiting.entries.remove(loser).stop.cancel();
        }
        Ticket { pending: self.clone(), entry }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The other side has sent something: those who have not go first.
    pub(super) fn heard(&self) {
        self.entry.heard.store(true, Ordering::Relaxed);
    }

    /// Resolves when the place was taken away.
    pub(super) async fn taken(&self) {
        self.entry.stop.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pending.lock().entries.retain(|entry| entry.number != self.entry.number);
    }
}

/// Which of `entries`, oldest first and not empty, has to go: of the most crowded address the first that has sent
/// nothing, else its oldest.
fn loser(entries: &[Entry]) -> usize {
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

    fn enter(pending: &Pending, last: u8) -> Ticket {
        pending.enter(from(last), CancellationToken::new())
    }

    fn is_taken(ticket: &Ticket) -> bool {
        ticket.entry.stop.is_cancelled()
    }

    #[test]
    fn one_address_crowds_out_only_itself() {
        let pending = Pending::new(HANDSHAKES_MAX);
        let honest = enter(&pending, 1);
        let flood: Vec<_> = (0..200).map(|_| enter(&pending, 2)).collect();
        assert!(!is_taken(&honest));
        assert_eq!(flood.iter().filter(|ticket| !is_taken(ticket)).count(), HANDSHAKES_MAX - 1);
        assert!(!is_taken(&flood[199]), "the newest stays");
    }

    #[test]
    fn addresses_of_an_ipv6_network_count_as_one() {
        let pending = Pending::new(HANDSHAKES_MAX);
        let honest = enter(&pending, 1);
        let v6 = |last| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        let flood: Vec<_> = (0..200).map(|last| pending.enter(v6(last), CancellationToken::new())).collect();
        assert!(!is_taken(&honest));
        let neighbours: Vec<_> = (0..8).map(|_| enter(&pending, 1)).collect();
        assert!(neighbours.iter().all(|ticket| !is_taken(ticket)) && is_taken(&flood[144]));
    }

    #[test]
    fn the_silent_go_first_then_the_oldest() {
        let pending = Pending::new(HANDSHAKES_MAX);
        let tickets: Vec<_> = (0..HANDSHAKES_MAX).map(|_| enter(&pending, 1)).collect();
        tickets.iter().filter(|ticket| ticket.entry.number != 5).for_each(Ticket::heard);
        let more = enter(&pending, 1);
        assert!(is_taken(&tickets[4]));
        more.heard();
        // All others have sent something now, so the newcomer is the silent one.
        assert!(is_taken(&enter(&pending, 1)) && !is_taken(&tickets[0]));
        let entries = pending.lock().entries.clone();
        assert_eq!(loser(&entries), 0, "the oldest, where none is silent");
    }

    #[tokio::test]
    async fn evicted_connection_keeps_its_slot_until_it_is_closed() {
        let pending = Pending::new(1);
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
    fn a_finished_one_frees_its_place() {
        let pending = Pending::new(HANDSHAKES_MAX);
        let first = enter(&pending, 1);
        for _ in 0..1000 {
            drop(enter(&pending, 1));
        }
        assert!(!is_taken(&first));
        assert_eq!(pending.lock().entries.len(), 1);
    }
}
