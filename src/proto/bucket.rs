//! Token buckets on the engine's own clock: so many at once, one more every so often.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::limits::ADDRESSES_MAX;

/// Counts what may still be done.
#[derive(Clone, Debug)]
pub struct Bucket {
    left: u64,
    most: u64,
    refill_ms: u64,
    counted_ms: u64,
}

impl Bucket {
    /// A full bucket of `most`, with one more every `refill_ms`.
    pub fn new(most: u64, refill_ms: u64) -> Self {
        Self { left: most, most, refill_ms, counted_ms: 0 }
    }

    /// How much is in it now.
    pub fn left(&mut self, mono_ms: u64) -> u64 {
        let grown = mono_ms.saturating_sub(self.counted_ms) / self.refill_ms;
        self.counted_ms += grown * self.refill_ms;
        self.left = self.most.min(self.left.saturating_add(grown));
        self.left
    }

    /// Returns true if nothing is missing from it.
    pub fn is_full(&mut self, mono_ms: u64) -> bool {
        self.left(mono_ms) == self.most
    }

    /// Returns when the next one can be taken, as far as it was counted.
    pub fn next_ms(&self) -> u64 {
        if self.left > 0 { self.counted_ms } else { self.counted_ms.saturating_add(self.refill_ms) }
    }

    /// Takes one out; false where it is empty.
    pub fn take(&mut self, mono_ms: u64) -> bool {
        let some = self.left(mono_ms) > 0;
        self.left -= u64::from(some);
        some
    }
}

/// A bucket for each address, or group of addresses, from which something was taken lately. Those that are full again are forgotten when there
/// are too many, and only those: whoever comes from many addresses fills nobody's bucket.
#[derive(Clone, Debug)]
pub struct Buckets<K = IpAddr>(BTreeMap<K, Bucket>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Buckets<K> {
    /// Takes one out of the bucket of an address, at first `full`; false where it is empty, and where so many other
    /// addresses have buckets that are not full that there is no place for it.
    pub fn take(&mut self, address: K, mono_ms: u64, full: Bucket) -> bool {
        if self.0.len() >= ADDRESSES_MAX && !self.0.contains_key(&address) {
            self.0.retain(|_, bucket| bucket.left(mono_ms) < bucket.most);
            if self.0.len() >= ADDRESSES_MAX {
                return false;
            }
        }
        self.0.entry(address).or_insert(full).take(mono_ms)
    }

    /// How much is left for an address; none: as much as in a full bucket.
    pub fn left(&mut self, address: K, mono_ms: u64) -> Option<u64> {
        self.0.get_mut(&address).map(|bucket| bucket.left(mono_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        IpAddr::from([10, 0, (number >> 8) as u8, number as u8])
    }

    #[test]
    fn many_addresses_fill_nobodys_bucket() {
        let mut buckets = Buckets::default();
        let full = || Bucket::new(2, 100);
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
        assert_eq!(buckets.left(address(0), 1_100), Some(1));
        assert_eq!(buckets.left(address(2), 1_100), None);
    }

    #[test]
    fn empties_and_refills() {
        let mut bucket = Bucket::new(2, 100);
        assert_eq!([(); 3].map(|()| bucket.take(1_000)), [true, true, false]);
        assert!(!bucket.take(1_099));
        assert!(bucket.take(1_100));
        assert!(!bucket.take(1_150));
        assert_eq!(bucket.left(9_000), 2);
    }
}
