//! Limits what is kept of authors whose key no link has proved: this node knows of them from others
//! alone.
//!
//! A member can make up any number of keys and pass on what they sign. An author that this node
//! met, by a link that proves the key or through a peer, never counts.

use std::collections::BTreeSet;

use crate::proto::ids::NodeId;
use crate::proto::limits::{UNMET_AUTHORS_MAX, UNMET_LOGS_MAX};

/// The authors that this node met, and how much is kept of all others.
#[derive(Debug)]
pub(super) struct UnverifiedQuota {
    met: BTreeSet<NodeId>,
    authors: usize,
    logs: usize,
}

impl UnverifiedQuota {
    /// Only the own id is verified at first.
    pub(super) fn new(own: NodeId) -> Self {
        Self { met: [own].into(), authors: 0, logs: 0 }
    }

    /// Counts one more log of an author that had `before` logs.
    pub(super) fn count_log(&mut self, author: NodeId, before: usize) {
        if !self.met.contains(&author) {
            self.authors += usize::from(before == 0);
            self.logs += 1;
        }
    }

    /// An author was met, and its logs count no more. Returns false if it was met before.
    pub(super) fn mark_verified(&mut self, id: NodeId, logs: Option<usize>) -> bool {
        let is_new = self.met.insert(id);
        if let Some(logs) = logs.filter(|_| is_new) {
            self.authors -= 1;
            self.logs -= logs;
        }
        is_new
    }

    pub(super) fn is_met(&self, id: NodeId) -> bool {
        self.met.contains(&id)
    }

    /// Returns true if one more log of an unverified author may be kept.
    pub(super) fn has_room_for_logs(&self) -> bool {
        self.logs < UNMET_LOGS_MAX
    }

    /// Returns true if one more unverified author may be kept.
    pub(super) fn has_room_for_authors(&self) -> bool {
        self.authors < UNMET_AUTHORS_MAX && self.has_room_for_logs()
    }
}
