//! Time values and the hybrid logical clock. Nothing here reads a clock: the driver passes the time
//! with every input.

use crate::proto::limits::CLOCK_AHEAD_MS_MAX;

/// The current time, passed by the driver with every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic milliseconds. All timeouts use this clock.
    pub mono_ms: u64,
    /// Milliseconds since 1970 (UTC) by this machine's clock; may jump in both directions.
    pub wall_ms: u64,
}

/// A hybrid logical timestamp: milliseconds × 65,536 + a counter, below 2^62.
///
/// Source: Kulkarni et al., "Logical Physical Clocks", 2014.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The first value that is not a valid timestamp.
    pub const END: u64 = 1 << 62;

    /// The first stamp of a millisecond.
    pub fn from_ms(ms: u64) -> Self {
        Self((ms.min((Self::END >> 16) - 1)) << 16)
    }

    /// The stamp's milliseconds since 1970.
    pub fn ms(self) -> u64 {
        self.0 >> 16
    }
}

/// Returns the timestamp for the next own entry: at least `wall_ms`, above `last`, and above
/// `seen`, the greatest from others, unless that is more than 60 s ahead of the wall clock.
///
/// Returns `None` if `last` itself is more than 60 s ahead, because the wall clock was set back.
/// Times in a log must grow, so the author then begins a new log.
pub fn next_stamp(wall_ms: u64, last: Option<Stamp>, seen: Stamp) -> Option<Stamp> {
    let limit = Stamp::from_ms(wall_ms + CLOCK_AHEAD_MS_MAX);
    let after_seen = Stamp(seen.0 + 1);
    let mut next = Stamp::from_ms(wall_ms);
    if after_seen <= limit {
        next = next.max(after_seen);
    }
    if let Some(last) = last {
        next = next.max(Stamp(last.0 + 1));
    }
    (next <= limit).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_800_000_000_000;

    #[track_caller]
    fn check(last: Option<u64>, seen: u64, expected: Option<Stamp>) {
        let last = last.map(Stamp::from_ms);
        assert_eq!(next_stamp(NOON, last, Stamp::from_ms(seen)), expected);
    }

    #[test]
    fn stamp_follows_the_wall_clock() {
        check(None, 0, Some(Stamp::from_ms(NOON)));
        check(Some(NOON - 5), NOON - 5, Some(Stamp::from_ms(NOON)));
    }

    #[test]
    fn stamp_grows_within_a_log() {
        check(Some(NOON), 0, Some(Stamp(Stamp::from_ms(NOON).0 + 1)));
        check(Some(NOON + 3), 0, Some(Stamp(Stamp::from_ms(NOON + 3).0 + 1)));
    }

    #[test]
    fn stamp_follows_others_by_a_minute_at_most() {
        check(None, NOON + 59_000, Some(Stamp(Stamp::from_ms(NOON + 59_000).0 + 1)));
        check(None, NOON + 61_000, Some(Stamp::from_ms(NOON)));
    }

    #[test]
    fn log_ahead_of_a_reset_clock_ends() {
        check(Some(NOON + 61_000), 0, None);
    }

    #[test]
    fn no_stamp_reaches_the_end() {
        assert!(Stamp::from_ms(u64::MAX >> 1).0 < Stamp::END);
    }
}
