//! What the tasks about files report to the event loop.

use bytes::Bytes;

use crate::proto::ids::{Hash, LinkId};
use crate::proto::transfer::NewTransfer;

/// Something that a task or the thread for files reports to the event loop.
#[derive(Debug)]
pub(in crate::node) enum FileEvent {
    /// A transfer was prepared.
    Prepared { content: Hash, new: NewTransfer },
    /// Data was verified and stored, or not.
    Written { job: WriteJob, outcome: WriteOutcome },
    /// Some content is kept otherwise than before.
    Changed(Hash),
    /// A message that names some content is on the disk.
    Named(Hash),
    /// A page wants no more of some content.
    Cancelled(Hash),
}

/// Data that is to be verified and stored.
#[derive(Debug)]
pub(in crate::node) struct WriteJob {
    pub(super) link: LinkId,
    pub(super) content: Hash,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) bytes: Bytes,
}

/// The result of a [`WriteJob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum WriteOutcome {
    Stored,
    Complete,
    Bad,
    Failed,
}
