//! When to send the own beacon: a burst at the start, then at growing intervals, and early where it
//! helps.

use crate::proto::limits::{
    BEACON_BURST_MS, BEACON_EARLY_MS, BEACON_FAST_MS, BEACON_FAST_UNTIL_MS, BEACON_JITTER_PER_CENT, BEACON_SLOW_MS,
};

/// The beacon schedule of a node. All times are monotonic milliseconds.
#[derive(Debug)]
pub struct BeaconSchedule {
    started_ms: u64,
    sent: usize,
    next_ms: u64,
    last_ms: Option<u64>,
}

impl BeaconSchedule {
    /// Creates a schedule that begins now.
    pub fn new(mono_ms: u64) -> Self {
        Self { started_ms: mono_ms, sent: 0, next_ms: mono_ms, last_ms: None }
    }

    /// When the next beacon is due.
    pub fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// Returns true if a beacon is due, and schedules the next one. `jitter` is a random number
    /// that lengthens the interval by up to [`BEACON_JITTER_PER_CENT`].
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

    /// Restarts the burst, since the network changed.
    pub fn restart(&mut self, mono_ms: u64) {
        *self = Self { last_ms: self.last_ms, ..Self::new(mono_ms) };
    }

    /// Schedules an early beacon, at most one a second. A node that cannot be dialled may be able
    /// to dial this one.
    pub fn announce_soon(&mut self, mono_ms: u64) {
        let earliest_ms = self.last_ms.map_or(mono_ms, |last_ms| last_ms + BEACON_EARLY_MS).max(mono_ms);
        self.next_ms = self.next_ms.min(earliest_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times at which beacons are sent up to `to_ms`, without jitter.
    fn times(schedule: &mut BeaconSchedule, to_ms: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while schedule.next_ms() <= to_ms {
            let now = schedule.next_ms();
            assert!(schedule.is_due(now, 0));
            times.push(now);
        }
        times
    }

    #[test]
    fn burst_then_slow() {
        let mut schedule = BeaconSchedule::new(1_000);
        let expected = [1_000, 1_300, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 17_000, 22_000];
        assert_eq!(times(&mut schedule, 25_000), expected);
        assert!(!schedule.is_due(25_000, 0));
    }

    #[test]
    fn early_at_most_once_a_second() {
        let mut schedule = BeaconSchedule::new(0);
        times(&mut schedule, 30_000);
        schedule.announce_soon(30_100);
        let early = schedule.next_ms();
        assert_eq!(early, 30_100);
        assert!(schedule.is_due(early, 0));
        schedule.announce_soon(30_200);
        assert_eq!(schedule.next_ms(), 31_100);
    }

    #[test]
    fn changed_network_is_announced_at_once() {
        let mut schedule = BeaconSchedule::new(0);
        times(&mut schedule, 30_000);
        schedule.restart(31_000);
        assert_eq!(times(&mut schedule, 32_500), [31_000, 31_300, 32_000]);
    }
}
