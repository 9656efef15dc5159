//! What a wrong token costs: time, taken in turn by all who guess, and never by who has the right one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::proto::limits::{GUESS_MS, GUESSES_WAITING_MAX};

/// The queue of those who showed a wrong token.
#[derive(Default)]
pub(super) struct Slow {
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

impl Slow {
    /// Lets a guesser wait. Beyond a short queue they don't wait for each other, or they could fill the house.
    pub(super) async fn pay(&self) {
        let waiting = Waiting::new(&self.waiting);
        let _turn = if waiting.before < GUESSES_WAITING_MAX { Some(self.turn.lock().await) } else { None };
        sleep(Duration::from_millis(GUESS_MS)).await;
    }
}

/// Counts one who waits, for as long as it lives: a guesser may hang up.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(flavor = "current_thread")]
    async fn guessers_wait_in_turn() {
        let slow = Slow::default();
        let begun = Instant::now();
        tokio::join!(slow.pay(), slow.pay(), slow.pay());
        assert!(begun.elapsed() >= Duration::from_millis(3 * GUESS_MS));
        assert_eq!(slow.waiting.load(Ordering::Relaxed), 0);
    }
}
