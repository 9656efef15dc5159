//! Limits attempts with a wrong room key per address, and warns the user at most once a minute.
//!
//! A key of 128 random bits cannot be guessed. The limit saves the cost of the handshakes of an
//! attacker, or of a member with a mistyped key.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::logging::throttle::WarnThrottle;
use crate::proto::limits::{ADDRESSES_MAX, WRONG_KEYS_EVERY_MS, WRONG_KEYS_MAX};

/// Failures of the last minute, by address.
#[derive(Default)]
pub(super) struct AuthFailures(Mutex<AuthFailureState>);

#[derive(Default)]
struct AuthFailureState {
    failed: BTreeMap<IpAddr, VecDeque<Instant>>,
    warned: WarnThrottle,
}

impl AuthFailures {
    /// Returns true if connections from `address` are accepted now.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.lock().recent(address, Instant::now()) < WRONG_KEYS_MAX
    }

    /// Checks a proof. At the limit it fails unchecked, so that parallel connections gain no extra
    /// attempts.
    pub(super) fn check(&self, address: IpAddr, is_right: impl FnOnce() -> bool) -> bool {
        let mut state = self.lock();
        if state.recent(address, Instant::now()) >= WRONG_KEYS_MAX {
            return false;
        }
        let right = is_right();
        if !right {
            state.count(address, Instant::now());
        }
        right
    }

    /// Counts a peer that rejected our proof without giving one: it is treated as a wrong proof.
    pub(super) fn refused(&self, address: IpAddr) {
        self.lock().count(address, Instant::now());
    }

    /// Warns the user, at most once a minute.
    pub(super) fn warn(&self, address: IpAddr) {
        let mut state = self.lock();
        if !state.warned.permits(()) {
            return;
        }
        drop(state);
        tracing::warn!(
            "a node at {address} has a different room key, or only one of you has one; everyone in this room needs \
             the same key"
        );
    }

    fn lock(&self) -> MutexGuard<'_, AuthFailureState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuthFailureState {
    /// The number of failures of an address within the last minute.
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
    fn address_may_fail_five_times_a_minute() {
        let keys = AuthFailures::default();
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
        let mut state = keys.lock();
        let later = Instant::now() + Duration::from_millis(WRONG_KEYS_EVERY_MS);
        assert_eq!(state.recent(from(1), later), 0);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut state = AuthFailureState::default();
        let begun = Instant::now();
        for number in 0..2_000_u16 {
            let [high, low] = number.to_be_bytes();
            state.count(IpAddr::from([10, 0, high, low]), begun + Duration::from_millis(number.into()));
        }
        assert_eq!(state.failed.len(), ADDRESSES_MAX);
        assert!(state.failed.contains_key(&IpAddr::from([10, 0, 7, 207])), "the oldest went");
    }
}
