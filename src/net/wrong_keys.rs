//! Who came with another room key: so many times a minute and no more, and said to the user once a minute.
//!
//! A key of 128 random bits can't be guessed at any rate; this keeps those who try, or who were given another key by
//! mistake, from costing a handshake each time.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::proto::limits::{ADDRESSES_MAX, WARN_EVERY_MS, WRONG_KEYS_EVERY_MS, WRONG_KEYS_MAX};

/// All of the last minute, by address.
#[derive(Default)]
pub(super) struct WrongKeys(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    failed: BTreeMap<IpAddr, VecDeque<Instant>>,
    warned: Option<Instant>,
}

impl WrongKeys {
    /// Whether connections from an address are answered now.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.lock().recent(address, Instant::now()) < WRONG_KEYS_MAX
    }

    /// Whether a proof is right. At the limit none is looked at: many that come at once are as many tries.
    pub(super) fn check(&self, address: IpAddr, is_right: impl FnOnce() -> bool) -> bool {
        let mut inner = self.lock();
        if inner.recent(address, Instant::now()) >= WRONG_KEYS_MAX {
            return false;
        }
        let right = is_right();
        if !right {
            inner.count(address, Instant::now());
        }
        right
    }

    /// The other side found our proof wrong and gave none itself: as good as a wrong one.
    pub(super) fn refused(&self, address: IpAddr) {
        self.lock().count(address, Instant::now());
    }

    /// Tells the user, at most once a minute.
    pub(super) fn warn(&self, address: IpAddr) {
        let mut inner = self.lock();
        if inner.warned.is_some_and(|at| at.elapsed() < Duration::from_millis(WARN_EVERY_MS)) {
            return;
        }
        inner.warned = Some(Instant::now());
        drop(inner);
        tracing::warn!(
            "somebody at {address} has another room key, or one of you has none; whoever belongs to this room needs the same"
        );
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How many came from an address within the last minute.
    fn recent(&mut self, address: IpAddr, now: Instant) -> usize {
        let Some(times) = self.failed.get_mut(&address) else { return 0 };
        while times.front().is_some_and(|at| now - *at >= Duration::from_millis(WRONG_KEYS_EVERY_MS)) {
            times.pop_front();
        }
        times.len()
    }

    fn count(&mut self, address: IpAddr, now: Instant) {
        if self.failed.len() >= ADDRESSES_MAX && !self.failed.contains_key(&address) {
            let oldest = self.failed.iter().min_by_key(|(_, times)| times.back().copied()).map(|(address, _)| *address);
            oldest.map(|oldest| self.failed.remove(&oldest));
        }
        let times = self.failed.entry(address).or_default();
        times.push_back(now);
        if times.len() > WRONG_KEYS_MAX {
            times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn five_a_minute_from_one_address() {
        let keys = WrongKeys::default();
        let looked_at = (0..1_000).filter(|_| {
            let mut looked = false;
            keys.check(from(1), || {
                looked = true;
                false
            });
            looked
        });
        assert_eq!(looked_at.count(), WRONG_KEYS_MAX);
        assert!(!keys.admits(from(1)) && keys.admits(from(2)));
        assert!(keys.check(from(2), || true));
        let mut inner = keys.lock();
        let later = Instant::now() + Duration::from_millis(WRONG_KEYS_EVERY_MS);
        assert_eq!(inner.recent(from(1), later), 0);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut inner = Inner::default();
        let begun = Instant::now();
        for number in 0..2_000_u16 {
            let [high, low] = number.to_be_bytes();
            inner.count(IpAddr::from([10, 0, high, low]), begun + Duration::from_millis(number.into()));
        }
        assert_eq!(inner.failed.len(), ADDRESSES_MAX);
        assert!(inner.failed.contains_key(&IpAddr::from([10, 0, 7, 207])), "the oldest went");
    }
}
