//! Units that a peer was asked for.

use crate::proto::ids::Hash;
use crate::proto::limits::{GROUP_BYTES, GROUPS_PER_PART, TRANSFER_OVERDUE_MS};

/// Units of one part that a peer was asked for and has not sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartRequest {
    pub(super) content: Hash,
    /// The next unit that is expected.
    pub(super) first: u64,
    pub(super) count: u64,
    /// When it was asked for, on the monotonic clock.
    pub(super) asked_ms: u64,
}

impl PartRequest {
    /// The bytes that are still to come, the last unit counted as a whole one.
    pub(super) fn bytes(&self) -> u64 {
        self.count * GROUP_BYTES
    }

    /// The part that the units belong to.
    pub(super) fn part(&self) -> u64 {
        self.first / GROUPS_PER_PART
    }

    /// Returns true if other links may be asked as well.
    pub(super) fn is_overdue(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.asked_ms) >= TRANSFER_OVERDUE_MS
    }
}
