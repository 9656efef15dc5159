//! When to send the own beacon: a short burst at the start, then ever less often, and early where it helps.

use super::limits::{
    BEACON_BURST_MS, BEACON_EARLY_MS, BEACON_FAST_MS, BEACON_FAST_UNTIL_MS, BEACON_JITTER_PER_CENT, BEACON_SLOW_MS,
};

/// The schedule of one node's beacons. All times are monotonic milliseconds.
#[derive(Debug)]
pub struct Announcer {
    started_ms: u64,
    sent: usize,
    next_ms: u64,
    last_ms: Option<u64>,
}

impl Announcer {
    /// A schedule that begins now.
    pub fn new(mono_ms: u64) -> Self {
        Self { started_ms: mono_ms, sent: 0, next_ms: mono_ms, last_ms: None }
    }

    /// When the next beacon is due.
    pub fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// Whether to send one now. `jitter` is a random number; the same share of the wait is added each time.
    pub fn is_due(&mut self, mono_ms: u64, jitter: u64) -> bool {
        if mono_ms < self.next_ms {
            return false;
        }
        self.sent += 1;
        self.last_ms = Some(mono_ms);
        self.next_ms = match BEACON_BURST_MS.get(self.sent) {
            Some(after_start_ms) => (self.started_ms + after_start_ms).max(mono_ms + 1),
            None => {
                let fast = mono_ms - self.started_ms < BEACON_FAST_UNTIL_MS;
                let wait_ms = if fast { BEACON_FAST_MS } else { BEACON_SLOW_MS };
                mono_ms + wait_ms + wait_ms * (jitter % (BEACON_JITTER_PER_CENT + 1)) / 100
            }
        };
        true
    }

    /// The network changed: the burst begins anew.
    pub fn restart(&mut self, mono_ms: u64) {
        *self = Self { last_ms: self.last_ms, ..Self::new(mono_ms) };
    }

    /// Somebody can't be reached: perhaps they can reach us. At most one early beacon a second.
    pub fn hurry(&mut self, mono_ms: u64) {
        let earliest_ms = self.last_ms.map_or(mono_ms, |last_ms| last_ms + BEACON_EARLY_MS).max(mono_ms);
        self.next_ms = self.next_ms.min(earliest_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times at which beacons go out from `from_ms` to `to_ms`, without jitter.
    fn times(announcer: &mut Announcer, to_ms: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while announcer.next_ms() <= to_ms {
            let now = announcer.next_ms();
            assert!(announcer.is_due(now, 0));
            times.push(now);
        }
        times
    }

    #[test]
    fn burst_then_slow() {
        let mut announcer = Announcer::new(1_000);
        let expected = [1_000, 1_300, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 17_000, 22_000];
        assert_eq!(times(&mut announcer, 25_000), expected);
        assert!(!announcer.is_due(25_000, 0));
    }

    #[test]
    fn early_at_most_once_a_second() {
        let mut announcer = Announcer::new(0);
        times(&mut announcer, 30_000);
        announcer.hurry(30_100);
        let early = announcer.next_ms();
        assert_eq!(early, 30_100);
        assert!(announcer.is_due(early, 0));
        announcer.hurry(30_200);
        assert_eq!(announcer.next_ms(), 31_100);
    }

    #[test]
    fn a_changed_network_is_told_at_once() {
        let mut announcer = Announcer::new(0);
        times(&mut announcer, 30_000);
        announcer.restart(31_000);
        assert_eq!(times(&mut announcer, 32_500), [31_000, 31_300, 32_000]);
    }
}
