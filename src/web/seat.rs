//! The places that connections to the page take: so many, and who only waits makes room for others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::proto::limits::WEB_CONNECTIONS_MAX;

/// The places of all connections.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, State>,
}

struct State {
    /// Since when it waits for its headers; none while it works.
    waits_since: Option<Instant>,
    displaced: CancellationToken,
}

impl Seats {
    /// A seat for a new connection. If all are taken, the one that waits longest for its headers makes room; none if
    /// all of them work.
    pub(super) fn take(&self) -> Option<Seat> {
        let mut taken = self.lock();
        if taken.seats.len() >= WEB_CONNECTIONS_MAX {
            let waiting = taken.seats.iter().filter_map(|(no, state)| Some((state.waits_since?, *no)));
            let (_, longest) = waiting.min()?;
            taken.seats.remove(&longest).inspect(|state| state.displaced.cancel());
        }
        let no = taken.next;
        taken.next += 1;
        let displaced = CancellationToken::new();
        taken.seats.insert(no, State { waits_since: Some(Instant::now()), displaced: displaced.clone() });
        Some(Seat(Arc::new(Place { no, seats: self.clone(), displaced })))
    }

    pub(super) fn displace_all(&self) {
        self.lock().seats.values().for_each(|state| state.displaced.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among all, given back with its last clone.
#[derive(Clone)]
pub(super) struct Seat(Arc<Place>);

struct Place {
    no: u64,
    seats: Seats,
    displaced: CancellationToken,
}

impl Seat {
    /// From now on it waits for headers, or for something that is no more urgent: it may be displaced.
    pub(super) fn waits(&self) {
        self.set(Some(Instant::now()));
    }

    /// From now on it works, and keeps its place.
    pub(super) fn works(&self) {
        self.set(None);
    }

    fn set(&self, waits_since: Option<Instant>) {
        if let Some(state) = self.0.seats.lock().seats.get_mut(&self.0.no) {
            state.waits_since = waits_since;
        }
    }

    /// Whether it had to make room.
    pub(super) fn is_displaced(&self) -> bool {
        self.0.displaced.is_cancelled()
    }

    /// Does something until it is done, or there is no place for it any more.
    pub(super) async fn unless_displaced<T>(&self, done: impl Future<Output = T>) -> Option<T> {
        self.0.displaced.run_until_cancelled(done).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.seats.lock().seats.remove(&self.no);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_longest_makes_room() {
        let seats = Seats::default();
        let mut taken: Vec<_> = (0..WEB_CONNECTIONS_MAX).filter_map(|_| seats.take()).collect();
        assert_eq!(taken.len(), WEB_CONNECTIONS_MAX);
        taken[0].works();
        let newcomer = seats.take().expect("number 1 makes room");
        assert!(!taken[0].is_displaced() && taken[1].is_displaced() && !taken[2].is_displaced());
        taken.iter().chain([&newcomer]).for_each(Seat::works);
        assert!(seats.take().is_none(), "nobody is displaced at work");
        drop(taken.pop());
        assert!(seats.take().is_some());
    }
}
