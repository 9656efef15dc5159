//! Which units of some content are held and verified: one bit for each unit of 16 KiB.

use crate::proto::limits::{GROUP_BYTES, GROUPS_PER_PART, PART_BYTES};

/// The verified units of content of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSet {
    size: u64,
    held: u64,
    bits: Vec<u8>,
}

impl GroupSet {
    /// No unit of content of `size` bytes.
    pub fn none(size: u64) -> Self {
        let bytes = usize::try_from(groups_of(size).div_ceil(8)).unwrap_or(usize::MAX);
        Self { size, held: 0, bits: vec![0; bytes] }
    }

    /// All units.
    pub fn all(size: u64) -> Self {
        let mut set = Self::none(size);
        set.insert(0, set.groups());
        set
    }

    /// Reads what [`GroupSet::bytes`] wrote. Bits that are missing are not set, and bits beyond the
    /// content are ignored.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Self {
        let mut set = Self::none(size);
        for group in 0..set.groups() {
            let (byte, bit) = place(group);
            if bytes.get(byte).is_some_and(|bits| bits & bit != 0) {
                set.insert(group, 1);
            }
        }
        set
    }

    /// The bits, the lowest of each byte first.
    pub fn bytes(&self) -> &[u8] {
        &self.bits
    }

    /// The size of the content in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The number of units of the content. Empty content has one.
    pub fn groups(&self) -> u64 {
        groups_of(self.size)
    }

    /// The bytes of the content that are held.
    pub fn bytes_held(&self) -> u64 {
        let last = self.groups() - 1;
        let whole = self.held * GROUP_BYTES;
        if self.contains(last) { whole - (self.groups() * GROUP_BYTES - self.size) } else { whole }
    }

    /// Returns true if all of the content is held.
    pub fn is_complete(&self) -> bool {
        self.held == self.groups()
    }

    /// Returns true if a unit is held.
    pub fn contains(&self, group: u64) -> bool {
        let (byte, bit) = place(group);
        self.bits.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// Adds `count` units from `first` on.
    pub fn insert(&mut self, first: u64, count: u64) {
        for group in first..first.saturating_add(count).min(self.groups()) {
            let (byte, bit) = place(group);
            if let Some(bits) = self.bits.get_mut(byte)
                && *bits & bit == 0
            {
                *bits |= bit;
                self.held += 1;
            }
        }
    }

    /// Removes `count` units from `first` on.
    pub fn remove(&mut self, first: u64, count: u64) {
        for group in first..first.saturating_add(count).min(self.groups()) {
            let (byte, bit) = place(group);
            if let Some(bits) = self.bits.get_mut(byte)
                && *bits & bit != 0
            {
                *bits &= !bit;
                self.held -= 1;
            }
        }
    }

    /// Returns true if `count` units from `first` on are all held.
    pub fn contains_all(&self, first: u64, count: u64) -> bool {
        let end = first.saturating_add(count);
        end <= self.groups() && (first..end).all(|group| self.contains(group))
    }

    /// The first unit of a part that is not held.
    pub fn first_missing(&self, part: u64) -> Option<u64> {
        let groups = groups_of_part(self.size, part);
        // A byte has the bits of 8 units, and a part has whole bytes.
        let full = (groups.start / 8..groups.end.div_ceil(8)).take_while(|byte| {
            usize::try_from(*byte).ok().and_then(|byte| self.bits.get(byte)).is_some_and(|bits| *bits == u8::MAX)
        });
        let skipped = full.count() as u64 * 8;
        (groups.start + skipped..groups.end).find(|group| !self.contains(*group))
    }

    /// The parts that are held completely, one bit each, the lowest of each byte first.
    pub fn parts(&self) -> Vec<u8> {
        let parts = parts_of(self.size);
        let mut bits = vec![0; usize::try_from(parts.div_ceil(8)).unwrap_or(usize::MAX)];
        for part in (0..parts).filter(|part| self.first_missing(*part).is_none()) {
            let (byte, bit) = place(part);
            bits[byte] |= bit;
        }
        bits
    }
}

/// The byte of a bit, and its value there.
fn place(number: u64) -> (usize, u8) {
    (usize::try_from(number / 8).unwrap_or(usize::MAX), 1 << (number % 8))
}

/// The number of units of content. Empty content has one.
pub fn groups_of(size: u64) -> u64 {
    size.div_ceil(GROUP_BYTES).max(1)
}

/// The number of parts of content. Empty content has one.
pub fn parts_of(size: u64) -> u64 {
    size.div_ceil(PART_BYTES).max(1)
}

/// The units of a part.
pub fn groups_of_part(size: u64, part: u64) -> std::ops::Range<u64> {
    let first = part.saturating_mul(GROUPS_PER_PART).min(groups_of(size));
    first..first.saturating_add(GROUPS_PER_PART).min(groups_of(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_unit_may_be_short() {
        let mut set = GroupSet::none(2 * GROUP_BYTES + 1);
        assert_eq!((set.groups(), set.bytes_held()), (3, 0));
        set.insert(2, 1);
        assert_eq!(set.bytes_held(), 1);
        set.insert(0, 2);
        assert!(set.is_complete() && set.bytes_held() == set.size());
        set.remove(0, 1);
        assert_eq!(set.bytes_held(), GROUP_BYTES + 1);
        assert_eq!(GroupSet::from_bytes(set.size(), set.bytes()), set);
    }

    #[test]
    fn empty_content_has_one_unit() {
        assert!(!GroupSet::none(0).is_complete());
        let all = GroupSet::all(0);
        assert!(all.is_complete() && all.bytes_held() == 0 && all.parts() == [1]);
    }

    #[test]
    fn parts_count_when_they_are_whole() {
        let mut set = GroupSet::none(9 * PART_BYTES + 5);
        set.insert(1, GROUPS_PER_PART);
        assert_eq!(set.parts(), [0, 0]);
        assert_eq!((set.first_missing(0), set.first_missing(1)), (Some(0), Some(GROUPS_PER_PART + 1)));
        set.insert(0, 1);
        set.insert(9 * GROUPS_PER_PART, 1);
        assert_eq!(set.parts(), [1, 2]);
    }

    #[test]
    fn bits_beyond_the_content_are_ignored() {
        let set = GroupSet::from_bytes(GROUP_BYTES, &[0xff, 0xff]);
        assert_eq!((set.bytes_held(), set.bytes()), (GROUP_BYTES, &[1][..]));
    }
}
