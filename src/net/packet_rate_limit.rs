//! Rate limits for packets on the beacon port: per source address and in total.
//!
//! A packet over the limit is dropped before it is decoded, so a flood costs one system call per
//! packet. Which beacons matter is the engine's decision.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::proto::limits::{ADDRESSES_MAX, PACKETS, PACKETS_PER_ADDRESS};
use crate::proto::links::token_bucket::TokenBucket;

/// Token buckets of the last second, by address.
pub(super) struct PacketRateLimit {
    begun: Instant,
    all: TokenBucket,
    from: BTreeMap<IpAddr, TokenBucket>,
}

impl PacketRateLimit {
    /// Creates full buckets.
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), all: a_second(PACKETS), from: BTreeMap::new() }
    }

    /// Returns true if a packet from `source` may be processed now.
    pub(super) fn admits(&mut self, source: IpAddr) -> bool {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.admits_at(source, ms)
    }

    fn admits_at(&mut self, source: IpAddr, ms: u64) -> bool {
        if self.from.len() >= ADDRESSES_MAX && !self.from.contains_key(&source) {
            self.from.retain(|_, bucket| bucket.remaining(ms) < PACKETS_PER_ADDRESS);
            if self.from.len() >= ADDRESSES_MAX {
                self.from.clear();
            }
        }
        self.from.entry(source).or_insert_with(|| a_second(PACKETS_PER_ADDRESS)).take(ms) && self.all.take(ms)
    }
}

/// A token bucket that refills fully within a second.
fn a_second(most: u64) -> TokenBucket {
    TokenBucket::new(most, 1_000_u64.div_ceil(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(number: u64) -> IpAddr {
        let [.., high, low] = number.to_be_bytes();
        IpAddr::from([10, 0, high, low])
    }

    #[test]
    fn flood_of_one_address_leaves_others_their_share() {
        let mut sieve = PacketRateLimit::new();
        let admitted = (0..50_000).filter(|packet| sieve.admits_at(from(1), packet / 50)).count() as u64;
        assert!((PACKETS_PER_ADDRESS..=3 * PACKETS_PER_ADDRESS).contains(&admitted), "{admitted} in a second");
        assert!(sieve.admits_at(from(2), 1_000));
    }

    #[test]
    fn flood_of_many_addresses_is_bounded() {
        let mut sieve = PacketRateLimit::new();
        let admitted = (0..50_000).filter(|packet| sieve.admits_at(from(*packet), packet / 50)).count() as u64;
        assert!((PACKETS..=3 * PACKETS).contains(&admitted), "{admitted} in a second");
        assert!(sieve.from.len() <= ADDRESSES_MAX);
        assert!(sieve.admits_at(from(1), 10_000), "and it passes");
    }
}
