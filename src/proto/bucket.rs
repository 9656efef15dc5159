//! A token bucket on the engine's own clock: so many at once, one more every so often.

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

    /// Takes one out; false where it is empty.
    pub fn take(&mut self, mono_ms: u64) -> bool {
        let some = self.left(mono_ms) > 0;
        self.left -= u64::from(some);
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
