//! Limits per author: why a node accepts no more entries of an author, and how it tells its peers.
//!
//! Limited authors are left out of comparisons. Otherwise two nodes that hold different parts of
//! their logs would never agree.
//!
//! A limit applies to an author, not to one log: an author can begin as many logs as it likes.

use std::collections::BTreeSet;

use super::drop_reason::DropReason;
use crate::proto::ids::NodeId;

/// Why a node accepts no more entries of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitReason {
    /// The author's logs have reached the size limit.
    Quota,
    /// The author exceeds the limit of logs.
    Logs,
    /// This node never met the author, and holds as much of such authors as it may.
    Unmet,
    /// Disk space is low. Applies to all authors but the local user.
    Disk,
}

impl LimitReason {
    /// The name of the reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Logs => "logs",
            Self::Unmet => "unmet",
            Self::Disk => "disk",
        }
    }

    /// Returns true if the reason follows from the author's own entries alone.
    pub fn is_deterministic(self) -> bool {
        match self {
            Self::Quota | Self::Logs => true,
            Self::Unmet | Self::Disk => false,
        }
    }

    /// The drop reason of a batch that is refused because of this limit.
    pub fn cause(self) -> DropReason {
        match self {
            Self::Quota => DropReason::Quota,
            Self::Logs => DropReason::TooManyLogs,
            Self::Unmet => DropReason::Unmet,
            Self::Disk => DropReason::LittleDisk,
        }
    }
}

/// The authors whose entries a node no longer accepts, as it tells its peers. It is never one of
/// them itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitedAuthors {
    /// True if it accepts entries of no other author at all.
    pub others: bool,
    /// The limited authors, besides.
    pub authors: BTreeSet<NodeId>,
}

impl LimitedAuthors {
    /// Returns true if `teller`, who sent this, accepts no more entries of `author`.
    pub fn contains(&self, teller: NodeId, author: NodeId) -> bool {
        author != teller && (self.others || self.authors.contains(&author))
    }

    /// Returns true if any author that was limited in `before` is no longer limited.
    pub fn has_reopened(&self, before: &Self) -> bool {
        (before.others && !self.others) || !before.authors.is_subset(&self.authors)
    }
}
