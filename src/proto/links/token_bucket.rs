//! Token buckets for rate limits, on the engine's monotonic clock.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::proto::limits::ADDRESSES_MAX;

/// A token bucket: holds up to `most` tokens and gains one every `refill_ms`.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    left: u64,
    most: u64,
    refill_ms: u64,
    counted_ms: u64,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub fn new(most: u64, refill_ms: u64) -> Self {
        Self { left: most, most, refill_ms, counted_ms: 0 }
    }

    /// Refills the bucket and returns its tokens.
    pub fn remaining(&mut self, mono_ms: u64) -> u64 {
        let refilled = mono_ms.saturating_sub(self.counted_ms) / self.refill_ms;
        self.counted_ms += refilled * self.refill_ms;
        self.left = self.most.min(self.left.saturating_add(refilled));
        self.left
    }

    /// Returns true if the bucket is full.
    pub fn is_full(&mut self, mono_ms: u64) -> bool {
        self.remaining(mono_ms) == self.most
    }

    /// Returns when the next token can be taken, as of the last refill.
    pub fn next_ms(&self) -> u64 {
        if self.left > 0 { self.counted_ms } else { self.counted_ms.saturating_add(self.refill_ms) }
    }

    /// Takes a token. Returns false if the bucket is empty.
    pub fn take(&mut self, mono_ms: u64) -> bool {
        let is_available = self.remaining(mono_ms) > 0;
        self.left -= u64::from(is_available);
        is_available
    }
}

/// One bucket per address, or per another key.
///
/// When there are too many, full buckets are removed, and only those: an attacker with many
/// addresses cannot refill another address's bucket.
#[derive(Clone, Debug)]
pub struct TokenBuckets<K = IpAddr>(BTreeMap<K, TokenBucket>);

impl<K> Default for TokenBuckets<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> TokenBuckets<K> {
    /// Takes a token from the bucket of `address`, which begins as `full`. Returns false if it is
    /// empty, or if there is no bucket yet and too many others are not full.
    pub fn take(&mut self, address: K, mono_ms: u64, full: TokenBucket) -> bool {
        if self.0.len() >= ADDRESSES_MAX && !self.0.contains_key(&address) {
            self.0.retain(|_, bucket| bucket.remaining(mono_ms) < bucket.most);
            if self.0.len() >= ADDRESSES_MAX {
                return false;
            }
        }
        self.0.entry(address).or_insert(full).take(mono_ms)
    }

    /// The tokens left for an address. `None`: it has no bucket, so as many as in a full one.
    pub fn remaining(&mut self, address: K, mono_ms: u64) -> Option<u64> {
        self.0.get_mut(&address).map(|bucket| bucket.remaining(mono_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        IpAddr::from([10, 0, (number >> 8) as u8, number as u8])
    }

    #[test]
    fn many_addresses_refill_no_other_bucket() {
        let mut buckets = TokenBuckets::default();
        let full = || TokenBucket::new(2, 100);
        let mut take = |number, mono_ms| buckets.take(address(number), mono_ms, full());
        assert_eq!([(); 3].map(|()| take(0, 1_000)), [true, true, false]);
        for number in 1..ADDRESSES_MAX {
            assert!(take(number, 1_000));
        }
        assert!(!take(ADDRESSES_MAX, 1_000), "no place");
        assert!(!take(0, 1_000), "still empty");
        assert!(take(1, 1_000), "a known one goes on");
        // All but the two that were emptied are full again.
        assert!(take(ADDRESSES_MAX, 1_100));
        assert_eq!(buckets.remaining(address(0), 1_100), Some(1));
        assert_eq!(buckets.remaining(address(2), 1_100), None);
    }

    #[test]
    fn bucket_empties_and_refills() {
        let mut bucket = TokenBucket::new(2, 100);
        assert_eq!([(); 3].map(|()| bucket.take(1_000)), [true, true, false]);
        assert!(!bucket.take(1_099));
        assert!(bucket.take(1_100));
        assert!(!bucket.take(1_150));
        assert_eq!(bucket.remaining(9_000), 2);
    }
}
