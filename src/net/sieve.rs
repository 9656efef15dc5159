//! How many packets on the beacons' port are looked at: so many a second from one address, and so many in all.
//!
//! A flood is let go before anything is made of it, so that it costs this task a system call each and the engine nothing.
//! Which of the beacons matter is still the engine's to say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::proto::bucket::Bucket;
use crate::proto::limits::{ADDRESSES_MAX, PACKETS, PACKETS_PER_ADDRESS};

/// All of the last second, by address.
pub(super) struct Sieve {
    begun: Instant,
    all: Bucket,
    from: BTreeMap<IpAddr, Bucket>,
}

impl Sieve {
    /// Nothing has come yet.
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), all: a_second(PACKETS), from: BTreeMap::new() }
    }

    /// Whether a packet from there is looked at now.
    pub(super) fn admits(&mut self, source: IpAddr) -> bool {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.admits_at(source, ms)
    }

    fn admits_at(&mut self, source: IpAddr, ms: u64) -> bool {
        if self.from.len() >= ADDRESSES_MAX && !self.from.contains_key(&source) {
            self.from.retain(|_, bucket| bucket.left(ms) < PACKETS_PER_ADDRESS);
            if self.from.len() >= ADDRESSES_MAX {
                self.from.clear();
            }
        }
        self.from.entry(source).or_insert_with(|| a_second(PACKETS_PER_ADDRESS)).take(ms) && self.all.take(ms)
    }
}

/// A bucket that is filled once in a second.
fn a_second(most: u64) -> Bucket {
    Bucket::new(most, 1_000_u64.div_ceil(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(number: u64) -> IpAddr {
        let [.., high, low] = number.to_be_bytes();
        IpAddr::from([10, 0, high, low])
    }

    #[test]
    fn a_flood_from_one_address_leaves_the_others_their_share() {
        let mut sieve = Sieve::new();
        let admitted = (0..50_000).filter(|packet| sieve.admits_at(from(1), packet / 50)).count() as u64;
        assert!((PACKETS_PER_ADDRESS..=3 * PACKETS_PER_ADDRESS).contains(&admitted), "{admitted} in a second");
        assert!(sieve.admits_at(from(2), 1_000));
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_in_all_and_in_memory() {
        let mut sieve = Sieve::new();
        let admitted = (0..50_000).filter(|packet| sieve.admits_at(from(*packet), packet / 50)).count() as u64;
        assert!((PACKETS..=3 * PACKETS).contains(&admitted), "{admitted} in a second");
        assert!(sieve.from.len() <= ADDRESSES_MAX);
        assert!(sieve.admits_at(from(1), 10_000), "and it passes");
    }
}
