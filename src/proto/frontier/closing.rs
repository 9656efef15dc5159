//! Authors of whom nothing more is taken: because of what they have written, or for want of room. What two nodes compare
//! leaves out those that either of them has closed, so each is told of the other's.

use super::Frontier;
use crate::proto::closed::{Closed, Closings};
use crate::proto::ids::{LogKey, NodeId};
use crate::proto::limits::{AUTHOR_BYTES_STEP, BATCH_BYTES_MAX, FRAME_CLOSED_MAX};

/// What was told of an author: whether it is closed, and about how much its logs take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noticed {
    closed: Option<Closed>,
    steps: u64,
}

impl Frontier {
    /// Why nothing more of an author is taken; `None`: it is. What this node's own user says always is.
    pub fn closed(&self, author: NodeId) -> Option<Closed> {
        if author == self.own {
            return None;
        }
        self.closed_by_themselves(author).or(self.little_disk.then_some(Closed::Disk))
    }

    /// Why nothing more of an author is taken, if that is because of what they have written.
    fn closed_by_themselves(&self, author: NodeId) -> Option<Closed> {
        if self.passes_over(author) {
            return Some(Closed::Unmet);
        }
        let known = self.authors.get(&author).filter(|_| author != self.own)?;
        // Before the longest batch would be too much: so whether one is taken does not depend on which of them comes first.
        if known.bytes + BATCH_BYTES_MAX as u64 > self.quota {
            return Some(Closed::Quota);
        }
        known.crowded
    }

    /// The same of one log, which may be one too many.
    pub(super) fn closed_to(&self, key: LogKey) -> Option<Closed> {
        self.closed(key.author).or(self.one_too_many(key))
    }

    /// There is such a log. If it is one too many, all of its author's are taken no further: each node would hold others.
    pub fn sees(&mut self, key: LogKey) {
        if let Some(closed) = self.one_too_many(key)
            && let Some(author) = self.authors.get_mut(&key.author)
        {
            author.crowded = Some(closed);
            self.notice(key.author);
        }
    }

    /// Whether there is room on the disk for the own user only.
    pub fn set_little_disk(&mut self, is_little: bool) {
        self.little_disk = is_little;
        let ids: Vec<NodeId> = self.authors.keys().copied().collect();
        ids.into_iter().for_each(|id| self.notice(id));
    }

    /// How many bytes the logs of an author take, with what is on its way to the disk.
    pub fn bytes(&self, author: NodeId) -> u64 {
        self.authors.get(&author).map_or(0, |author| author.bytes)
    }

    /// Remembers that there is something to tell of an author, if there is.
    pub(super) fn notice(&mut self, id: NodeId) {
        let closed = self.closed(id);
        let Some(author) = self.authors.get_mut(&id) else { return };
        let noticed = Noticed { closed, steps: author.bytes / AUTHOR_BYTES_STEP };
        if author.noticed != noticed {
            author.noticed = noticed;
            self.news.insert(id);
        }
    }

    /// The authors who closed or opened since this was asked last, or take noticeably more.
    pub fn news(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.news).into_iter().collect()
    }

    /// Whose logs this node takes no further, for its peers.
    pub fn closings(&self) -> Closings {
        let closed = self.authors.keys().copied().filter(|author| self.closed_by_themselves(*author).is_some());
        Closings { others: self.little_disk, authors: closed.take(FRAME_CLOSED_MAX).collect() }
    }

    /// A peer takes the logs of these no further; after its link is gone, of nobody.
    pub fn closings_told(&mut self, peer: NodeId, closings: Closings) {
        if closings == Closings::default() {
            self.told.remove(&peer);
        } else {
            self.told.insert(peer, closings);
        }
    }

    /// Whether a peer takes no more of what this node's own user says.
    pub fn is_closed_by(&self, peer: NodeId) -> bool {
        self.told.get(&peer).is_some_and(|told| told.cover(peer, self.own))
    }

    /// Whether the logs of an author are part of what is compared with a peer: both take more of them.
    pub(super) fn is_compared(&self, peer: NodeId, author: NodeId) -> bool {
        let closed_there = self.told.get(&peer).is_some_and(|told| told.cover(peer, author));
        !closed_there && self.closed(author).is_none()
    }
}
