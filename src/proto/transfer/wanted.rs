//! Content that is being fetched: what is held, requested, and held by which peer.

use std::collections::{BTreeMap, BTreeSet};

use super::links::HolderLink;
use crate::proto::files::group_set::{GroupSet, parts_of};
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::GROUPS_PER_PART;

/// Content that is to be fetched.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// The readers of the messages that name it: the other member, or none for the whole room.
    pub audiences: BTreeSet<Option<NodeId>>,
    /// Members that are not asked: they name it to this node alone, in messages for which it is not
    /// fetched.
    ///
    /// They would send it for these, and it would be served to the readers of others.
    pub not_asked: BTreeSet<NodeId>,
    /// The authors of these messages.
    pub authors: BTreeSet<NodeId>,
    /// The units that are held already.
    pub held: GroupSet,
}

/// The state of one content that is being fetched.
#[derive(Debug)]
pub(super) struct Transfer {
    audiences: BTreeSet<Option<NodeId>>,
    not_asked: BTreeSet<NodeId>,
    authors: BTreeSet<NodeId>,
    pub(super) held: GroupSet,
    /// Units that are held, requested or being verified.
    pub(super) requested: GroupSet,
    pub(super) holders: BTreeMap<LinkId, Holder>,
    /// The links that were asked what they hold.
    pub(super) asked: BTreeSet<LinkId>,
    /// The links that answered.
    answered: BTreeSet<LinkId>,
    banned: BTreeSet<NodeId>,
    /// How many holders have each part.
    counts: Vec<u32>,
}

/// What a linked peer holds of some content.
#[derive(Debug)]
pub(super) struct Holder {
    parts: Vec<u8>,
    pub(super) is_whole: bool,
}

impl Transfer {
    pub(super) fn new(new: NewTransfer) -> Self {
        let NewTransfer { audiences, not_asked, authors, held } = new;
        let parts = usize::try_from(parts_of(held.size())).unwrap_or(usize::MAX);
        Self {
            audiences,
            not_asked,
            authors,
            requested: held.clone(),
            held,
            holders: BTreeMap::new(),
            asked: BTreeSet::new(),
            answered: BTreeSet::new(),
            banned: BTreeSet::new(),
            counts: vec![0; parts],
        }
    }

    /// Takes the readers of a new message that names it.
    pub(super) fn set_readers(&mut self, new: NewTransfer) {
        (self.audiences, self.not_asked, self.authors) = (new.audiences, new.not_asked, new.authors);
    }

    /// Returns true if a peer may be asked for it.
    pub(super) fn is_source(&self, peer: NodeId) -> bool {
        let is_reader = |audience: &Option<NodeId>| audience.is_none_or(|member| member == peer);
        !self.not_asked.contains(&peer) && self.audiences.iter().any(is_reader)
    }

    /// Returns true if a peer wrote a message that names it.
    pub(super) fn is_author(&self, peer: NodeId) -> bool {
        self.authors.contains(&peer)
    }

    /// The number of parts of the content.
    pub(super) fn parts(&self) -> u64 {
        self.counts.len() as u64
    }

    /// How many holders have a part.
    pub(super) fn count(&self, part: u64) -> u32 {
        usize::try_from(part).ok().and_then(|part| self.counts.get(part)).copied().unwrap_or(0)
    }

    /// A peer tells which parts it holds. Content of another size is other content.
    pub(super) fn on_have(&mut self, (link, peer): (LinkId, NodeId), size: Option<u64>, parts: Vec<u8>) {
        self.answered.insert(link);
        self.remove_holder(link);
        let count = (0..self.parts()).filter(|part| has(&parts, *part)).count() as u64;
        if size != Some(self.held.size()) || count == 0 || self.banned.contains(&peer) {
            return;
        }
        for (part, holders) in self.counts.iter_mut().enumerate() {
            *holders += u32::from(has(&parts, part as u64));
        }
        self.holders.insert(link, Holder { parts, is_whole: count == self.counts.len() as u64 });
    }

    /// Returns true if a link holds a unit.
    pub(super) fn is_held_by(&self, link: LinkId, group: u64) -> bool {
        self.holders.get(&link).is_some_and(|holder| has(&holder.parts, group / GROUPS_PER_PART))
    }

    /// Removes what a link holds. Returns true if it held anything, or was asked.
    pub(super) fn remove_holder(&mut self, link: LinkId) -> bool {
        let Some(holder) = self.holders.remove(&link) else { return false };
        for (part, holders) in self.counts.iter_mut().enumerate() {
            *holders -= u32::from(has(&holder.parts, part as u64));
        }
        true
    }

    /// Forgets a link that has ended.
    pub(super) fn forget_link(&mut self, link: LinkId) -> bool {
        self.answered.remove(&link);
        let was_asked = self.asked.remove(&link);
        self.remove_holder(link) || was_asked
    }

    /// Never asks a peer for this content again, over this link or a later one.
    pub(super) fn ban(&mut self, link: LinkId, peer: NodeId) {
        self.banned.insert(peer);
        self.remove_holder(link);
    }

    /// Returns true if an author answered that it holds nothing, and no other peer holds any.
    pub(super) fn is_gone(&self, links: &BTreeMap<LinkId, HolderLink>) -> bool {
        let is_author = |link: &LinkId| links.get(link).is_some_and(|link| self.authors.contains(&link.peer));
        self.holders.is_empty() && self.answered.iter().any(is_author)
    }
}

/// Returns true if a bit is set.
fn has(parts: &[u8], part: u64) -> bool {
    let byte = usize::try_from(part / 8).ok().and_then(|byte| parts.get(byte));
    byte.is_some_and(|bits| bits & 1 << (part % 8) != 0)
}
