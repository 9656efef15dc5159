//! The protocol versions that a node speaks.

/// The protocol versions that this program speaks.
pub const PROTOCOL_VERSIONS: VersionRange = VersionRange::new(1, 2);

/// The protocol version from which a batch may be longer because of deletions in it.
pub const STRIPPED_BATCHES_VERSION: u64 = 2;

/// All versions from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The lowest version.
    pub lowest: u64,
    /// The highest version. Received from a peer it may be below the lowest: the range is empty.
    pub highest: u64,
}

impl VersionRange {
    /// Returns the range from `lowest` to `highest`.
    pub const fn new(lowest: u64, highest: u64) -> Self {
        Self { lowest, highest }
    }

    /// Returns the highest version that is in both ranges, or `None`.
    pub fn highest_common(self, other: Self) -> Option<u64> {
        let highest = self.highest.min(other.highest);
        (self.lowest.max(other.lowest) <= highest).then_some(highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_meet_at_the_highest_of_both() {
        let common = |ours: (u64, u64), theirs: (u64, u64)| {
            VersionRange::new(ours.0, ours.1).highest_common(VersionRange::new(theirs.0, theirs.1))
        };
        assert_eq!(common((1, 1), (1, 1)), Some(1));
        assert_eq!(common((1, 3), (2, 5)), Some(3));
        assert_eq!(common((1, 2), (3, 4)), None);
        assert_eq!(common((3, 4), (1, 2)), None);
        assert_eq!(common((1, 1), (1, 0)), None);
    }
}
