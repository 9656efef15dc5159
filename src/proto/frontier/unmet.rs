//! Authors whom this node never met: it knows of them from others alone. Anybody can make up any number of keys and pass on
//! what they sign, so of such authors only so many are kept; whoever is met, by a link that proves the key or through a
//! peer, is never one too many.

use std::collections::BTreeSet;

use super::Frontier;
use crate::proto::closed::Closed;
use crate::proto::ids::{LogKey, NodeId};
use crate::proto::limits::{LOGS_PER_AUTHOR_MAX, UNMET_AUTHORS_MAX, UNMET_LOGS_MAX};

/// Who was met, and how much is kept of those who were not.
#[derive(Debug)]
pub(super) struct Unmet {
    met: BTreeSet<NodeId>,
    authors: usize,
    logs: usize,
}

impl Unmet {
    /// Nobody was met but oneself.
    pub(super) fn new(own: NodeId) -> Self {
        Self { met: [own].into(), authors: 0, logs: 0 }
    }

    /// One more log is kept, of somebody of whom so many were kept before.
    pub(super) fn keeps_one_more(&mut self, author: NodeId, before: usize) {
        if !self.met.contains(&author) {
            self.authors += usize::from(before == 0);
            self.logs += 1;
        }
    }

    fn has_room_for_logs(&self) -> bool {
        self.logs < UNMET_LOGS_MAX
    }
}

impl Frontier {
    /// Somebody was met, or means something to this node's user: their logs are kept whatever is kept of others.
    pub fn meets(&mut self, id: NodeId) {
        if !self.unmet.met.insert(id) {
            return;
        }
        if let Some(author) = self.authors.get(&id) {
            self.unmet.authors -= 1;
            self.unmet.logs -= author.logs.len();
        }
        self.news.insert(id);
        // Theirs are taken again, and their places are free for others.
        let has_room = self.unmet.has_room_for_logs();
        let mut opened = Vec::new();
        for (author, known) in &mut self.authors {
            if known.crowded == Some(Closed::Unmet) && (has_room || *author == id) {
                known.crowded = None;
                opened.push(*author);
            }
        }
        opened.into_iter().for_each(|author| self.notice(author));
    }

    /// Whether nothing is held of an author, nor taken, since so much is kept of others whom this node never met.
    pub fn passes_over(&self, author: NodeId) -> bool {
        let is_full = self.unmet.authors >= UNMET_AUTHORS_MAX || !self.unmet.has_room_for_logs();
        is_full && !self.authors.contains_key(&author) && !self.unmet.met.contains(&author)
    }

    /// Why this log would be one too many beside others of its author, if it would.
    pub(super) fn one_too_many(&self, key: LogKey) -> Option<Closed> {
        let known = self.authors.get(&key.author).filter(|_| key.author != self.own)?;
        let is_full = known.logs.len() >= LOGS_PER_AUTHOR_MAX;
        let is_unmet = !self.unmet.met.contains(&key.author);
        match known.logs.contains_key(&key.log) {
            true => None,
            false if is_full => Some(Closed::Logs),
            false => (is_unmet && !self.unmet.has_room_for_logs()).then_some(Closed::Unmet),
        }
    }
}
