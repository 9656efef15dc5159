//! Logs that a node takes no further, and why. They are left out of what it compares with others, or two nodes that
//! hold different parts of them would compare for ever.
//!
//! A reason concerns an author, not one log: what fills a disk is somebody, in as many logs as they like.

use std::collections::BTreeSet;

use super::ids::NodeId;
use super::refusal::Cause;

/// Why a node takes nothing more of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closed {
    /// Their logs take as much as one member may.
    Quota,
    /// They have begun more logs than one member may.
    Logs,
    /// This node never met them, and keeps as much of such authors as it will.
    Unmet,
    /// There is little room on the disk, for anybody but this node's own user.
    Disk,
}

impl Closed {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Logs => "logs",
            Self::Unmet => "unmet",
            Self::Disk => "disk",
        }
    }

    /// Whether it follows from what this author has written, whoever else there is.
    pub fn is_their_doing(self) -> bool {
        match self {
            Self::Quota | Self::Logs => true,
            Self::Unmet | Self::Disk => false,
        }
    }

    /// Under which cause a batch is counted that was not taken for it.
    pub fn cause(self) -> Cause {
        match self {
            Self::Quota => Cause::Quota,
            Self::Logs => Cause::TooManyLogs,
            Self::Unmet => Cause::Unmet,
            Self::Disk => Cause::LittleDisk,
        }
    }
}

/// Whose logs a node takes no further, as it tells its peers. Its own are never among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closings {
    /// Those of everybody else.
    pub others: bool,
    /// Those of these authors.
    pub authors: BTreeSet<NodeId>,
}

impl Closings {
    /// Whether `teller`, who said this, takes nothing more of `author`.
    pub fn cover(&self, teller: NodeId, author: NodeId) -> bool {
        author != teller && (self.others || self.authors.contains(&author))
    }

    /// Whether there is anybody of whom more is taken than before.
    pub fn open_since(&self, before: &Self) -> bool {
        (before.others && !self.others) || !before.authors.is_subset(&self.authors)
    }
}
