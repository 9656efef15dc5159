//! Throttles warnings: of one cause at most one a minute, so that a lasting failure or a peer
//! cannot fill the disk.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::proto::limits::WARN_EVERY_MS;

/// The causes that were logged within the last [`WARN_EVERY_MS`]. A throttle of a single cause has
/// the key `()`.
#[derive(Debug)]
pub struct WarnThrottle<K = ()>(BTreeMap<K, Instant>);

impl<K> Default for WarnThrottle<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> WarnThrottle<K> {
    /// Returns true if a warning of this cause is due, and counts it as logged.
    pub fn permits(&mut self, cause: K) -> bool {
        self.permits_at(cause, Instant::now())
    }

    fn permits_at(&mut self, cause: K, now: Instant) -> bool {
        // Forgets what no longer counts, so that causes named by peers do not accumulate.
        self.0.retain(|_, logged| now.duration_since(*logged) < Duration::from_millis(WARN_EVERY_MS));
        let is_due = !self.0.contains_key(&cause);
        if is_due {
            self.0.insert(cause, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_logged_once_a_minute() {
        let (mut throttle, now) = (WarnThrottle::default(), Instant::now());
        let mut due = |cause, ms| throttle.permits_at(cause, now + Duration::from_millis(ms));
        assert!(due("disk", 0) && due("network", 1));
        assert!(!due("disk", WARN_EVERY_MS - 1) && !due("network", WARN_EVERY_MS));
        assert!(due("disk", WARN_EVERY_MS) && !due("disk", WARN_EVERY_MS + 1));
        assert!(due("disk", 2 * WARN_EVERY_MS));
        assert_eq!(throttle.0.len(), 1, "old causes are forgotten");
    }
}
