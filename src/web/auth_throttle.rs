//! Throttles failed authentication: each failure is delayed, and failures are delayed one after the
//! other. Requests with the right token are never delayed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::proto::limits::{GUESS_MS, GUESSES_WAITING_MAX};

/// The queue of delayed attempts.
#[derive(Default)]
pub(super) struct AuthThrottle {
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

impl AuthThrottle {
    /// Delays one failed attempt by [`GUESS_MS`].
    ///
    /// Attempts queue up, so that guessing in parallel gains nothing. Past [`GUESSES_WAITING_MAX`]
    /// they do not queue: a long queue would hold a connection for every attempt.
    pub(super) async fn delay(&self) {
        let waiting = QueueGuard::new(&self.waiting);
        let _turn = if waiting.before < GUESSES_WAITING_MAX { Some(self.turn.lock().await) } else { None };
        sleep(Duration::from_millis(GUESS_MS)).await;
    }
}

/// Counts one queued attempt until it is dropped, also if its connection ends early.
struct QueueGuard<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> QueueGuard<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for QueueGuard<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(flavor = "current_thread")]
    async fn failed_attempts_are_delayed_in_turn() {
        let slow = AuthThrottle::default();
        let begun = Instant::now();
        tokio::join!(slow.delay(), slow.delay(), slow.delay());
        assert!(begun.elapsed() >= Duration::from_millis(3 * GUESS_MS));
        assert_eq!(slow.waiting.load(Ordering::Relaxed), 0);
    }
}
