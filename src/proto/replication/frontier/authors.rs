//! What is known of each author, and why no more of an author is taken: because of what it has
//! written, or for want of room.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::super::author_limits::{LimitReason, LimitedAuthors};
use super::super::log::LogState;
use super::unverified::UnverifiedQuota;
use crate::proto::ids::{Hash, LogId, LogKey, NodeId};
use crate::proto::limits::{AUTHOR_BYTES_STEP, BATCH_BYTES_MAX, FRAME_CLOSED_MAX, LOGS_PER_AUTHOR_MAX};

/// The state of one author.
#[derive(Debug, Default)]
pub(super) struct AuthorState {
    pub(super) logs: BTreeMap<LogId, LogState>,
    /// The hash over the logs for the whole room, until one of them changes.
    pub(super) room_hash: Option<Hash>,
    /// The bytes of its logs, with those on their way to the disk.
    bytes: u64,
    /// The reason why no further log is begun, if one too many was announced.
    log_limit: Option<LimitReason>,
    published: PublishedLimit,
}

/// The limit of an author as published last: why no more of it is taken, and about how much its
/// logs take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PublishedLimit {
    closed: Option<LimitReason>,
    steps: u64,
}

/// The state of each author, and the room that its logs take.
#[derive(Debug)]
pub(super) struct Authors {
    own: NodeId,
    by_id: BTreeMap<NodeId, AuthorState>,
    /// The most bytes that the logs of one other author may take.
    quota: u64,
    /// True if the rest of the disk is kept for the own user.
    is_disk_low: bool,
    unverified: UnverifiedQuota,
    /// Authors whose limit changed, or that take noticeably more, since this was asked last.
    changed: BTreeSet<NodeId>,
}

impl Authors {
    pub(super) fn new(own: NodeId, quota: u64) -> Self {
        let (by_id, unverified, changed) = (BTreeMap::new(), UnverifiedQuota::new(own), BTreeSet::new());
        Self { own, by_id, quota, is_disk_low: false, unverified, changed }
    }

    pub(super) fn get(&self, author: NodeId) -> Option<&AuthorState> {
        self.by_id.get(&author)
    }

    pub(super) fn get_mut(&mut self, author: NodeId) -> Option<&mut AuthorState> {
        self.by_id.get_mut(&author)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &AuthorState)> {
        self.by_id.iter().map(|(id, author)| (*id, author))
    }

    /// The ids greater than `from`, ascending.
    pub(super) fn ids_after(&self, from: Option<NodeId>) -> Vec<NodeId> {
        let start = from.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id.range((start, Bound::Unbounded)).map(|(id, _)| *id).collect()
    }

    pub(super) fn log(&self, key: LogKey) -> Option<&LogState> {
        self.get(key.author)?.logs.get(&key.log)
    }

    /// Changes what is known of a log, and counts again what its author takes.
    pub(super) fn change_log(&mut self, key: LogKey, audience: Option<NodeId>, change: impl FnOnce(&mut LogState)) {
        let author = self.by_id.entry(key.author).or_default();
        let before = author.logs.len();
        let log = author.logs.entry(key.log).or_insert_with(|| {
            self.unverified.count_log(key.author, before);
            LogState::new(audience)
        });
        author.bytes -= log.taken.bytes();
        change(log);
        author.bytes += log.taken.bytes();
        self.refresh_limit(key.author);
    }

    /// The reason why no more of an author is taken. None: more is. The own user's messages always
    /// are.
    pub(super) fn closed(&self, author: NodeId) -> Option<LimitReason> {
        if author == self.own {
            return None;
        }
        self.closed_by_themselves(author).or(self.is_disk_low.then_some(LimitReason::Disk))
    }

    /// The same, if the reason is what the author has written.
    fn closed_by_themselves(&self, author: NodeId) -> Option<LimitReason> {
        if self.ignores(author) {
            return Some(LimitReason::Unmet);
        }
        let known = self.get(author).filter(|_| author != self.own)?;
        // Before the longest batch would be too much, so that it does not matter which batch comes
        // first.
        if known.bytes + BATCH_BYTES_MAX as u64 > self.quota {
            return Some(LimitReason::Quota);
        }
        known.log_limit
    }

    /// The same of one log, which may be one too many.
    pub(super) fn limit_of_log(&self, key: LogKey) -> Option<LimitReason> {
        self.closed(key.author).or(self.exceeds_log_limit(key))
    }

    /// Registers a log that a peer announced. If its author now exceeds the log limit, no more of
    /// *all* its logs is taken: otherwise each node would keep different ones, and comparisons
    /// would never end.
    pub(super) fn on_log_announced(&mut self, key: LogKey) {
        if let Some(closed) = self.exceeds_log_limit(key)
            && let Some(author) = self.by_id.get_mut(&key.author)
        {
            author.log_limit = Some(closed);
            self.refresh_limit(key.author);
        }
    }

    /// The reason why this log would be one too many of its author, if it would.
    fn exceeds_log_limit(&self, key: LogKey) -> Option<LimitReason> {
        let known = self.get(key.author).filter(|_| key.author != self.own)?;
        let is_full = known.logs.len() >= LOGS_PER_AUTHOR_MAX;
        match known.logs.contains_key(&key.log) {
            true => None,
            false if is_full => Some(LimitReason::Logs),
            false if self.unverified.is_met(key.author) || self.unverified.has_room_for_logs() => None,
            false => Some(LimitReason::Unmet),
        }
    }

    pub(super) fn set_disk_low(&mut self, is_low: bool) {
        self.is_disk_low = is_low;
        self.ids_after(None).into_iter().for_each(|id| self.refresh_limit(id));
    }

    pub(super) fn bytes(&self, author: NodeId) -> u64 {
        self.get(author).map_or(0, |author| author.bytes)
    }

    /// Remembers that an author is to be published again, if that would say something new.
    fn refresh_limit(&mut self, id: NodeId) {
        let closed = self.closed(id);
        let Some(author) = self.by_id.get_mut(&id) else { return };
        let published = PublishedLimit { closed, steps: author.bytes / AUTHOR_BYTES_STEP };
        if author.published != published {
            author.published = published;
            self.changed.insert(id);
        }
    }

    pub(super) fn drain_changes(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    /// The authors of whom no more is taken, for the peers.
    pub(super) fn limits(&self) -> LimitedAuthors {
        let closed = self.by_id.keys().copied().filter(|author| self.closed_by_themselves(*author).is_some());
        LimitedAuthors { others: self.is_disk_low, authors: closed.take(FRAME_CLOSED_MAX).collect() }
    }

    /// An author was met, or means something to this node's user: its logs are kept whatever is
    /// kept of others.
    pub(super) fn mark_verified(&mut self, id: NodeId) {
        let logs = self.get(id).map(|author| author.logs.len());
        if !self.unverified.mark_verified(id, logs) {
            return;
        }
        self.changed.insert(id);
        // More of it is taken again, and there is room for logs of others.
        let has_room = self.unverified.has_room_for_logs();
        let mut opened = Vec::new();
        for (author, known) in &mut self.by_id {
            if known.log_limit == Some(LimitReason::Unmet) && (has_room || *author == id) {
                known.log_limit = None;
                opened.push(*author);
            }
        }
        opened.into_iter().for_each(|author| self.refresh_limit(author));
    }

    /// Returns true if nothing is held of an author nor taken, since so much is kept of others that
    /// are unverified.
    pub(super) fn ignores(&self, author: NodeId) -> bool {
        !self.unverified.has_room_for_authors() && self.get(author).is_none() && !self.unverified.is_met(author)
    }
}
