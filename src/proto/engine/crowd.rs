//! All links are in use: which of them makes room, and what the doctor can tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Action, Engine};
use crate::proto::clock::Now;
use crate::proto::eviction::{Candidate, Standing, pick_victim};
use crate::proto::frame::{CloseReason, Peer};
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{CROWDED_ADDRESSES_NAMED, LINKS_FULL_TOLD_MS};

/// How many links there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Links that are up.
    pub open: usize,
    /// Links that may be up.
    pub most: usize,
    /// Whether all are in use, or were within the last minute.
    pub is_full: bool,
    /// The addresses with the most links, the most crowded first.
    pub from: Vec<(IpAddr, usize)>,
}

impl Engine {
    /// The link that has to go if this one comes, perhaps itself; `None` if there is room, or if the
    /// peer has a link already, since only one of the two stays.
    pub(super) fn victim(&self, link: LinkId, peer: &Peer) -> Option<LinkId> {
        if self.links.iter().count() < self.budget.links || self.links.primary_id(peer.id).is_some() {
            return None;
        }
        let written_to = self.frontier.written_to();
        let candidate = |link, peer: &Peer| {
            let (address, standing) = (peer.address, self.standing(peer.id, &written_to));
            Candidate { link, address, standing }
        };
        let links: Vec<_> = self.links.iter().map(|(other, entry)| candidate(other, &entry.peer)).collect();
        Some(pick_victim(&links, candidate(link, peer)))
    }

    /// Returns true if this is another instance of a linked id, and there is no slot for it to wait in.
    ///
    /// Instances that wait are links beyond the budget. Only a part of the slots for goodbyes is theirs,
    /// so that connections of others still find one.
    pub(super) fn has_no_slot_to_wait(&self, peer: &Peer) -> bool {
        let waits = self.links.primary(peer.id).is_some_and(|link| link.instance != peer.instance);
        let beyond = self.links.iter().count().saturating_sub(self.budget.links);
        waits && beyond >= self.budget.closing / 2
    }

    /// Returns true if there are more links than the budget has.
    pub(super) fn is_over_budget(&self) -> bool {
        self.links.iter().count() > self.budget.links
    }

    fn standing(&self, id: NodeId, written_to: &BTreeSet<NodeId>) -> Standing {
        let marks = self.roster.member(id).map(|member| member.marks).unwrap_or_default();
        if marks.blocked {
            Standing::Stranger
        } else if marks.verified || written_to.contains(&id) {
            Standing::Known
        } else if self.frontier.has_stored(id) {
            Standing::Stored
        } else {
            Standing::Stranger
        }
    }

    /// Closes a link for want of room. Its peer is not dialled until it is heard of again.
    pub(super) fn evict(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let Some(id) = self.links.get(link).map(|entry| entry.peer.id) else { return };
        out.push(Action::Close { link, reason: CloseReason::Busy });
        self.link_down(now, link, Some(CloseReason::Busy), out);
        self.book.left(id);
    }

    /// What the doctor tells of the links.
    pub fn crowd(&self, now: Now) -> Crowd {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, link) in self.links.iter() {
            *counts.entry(link.peer.address).or_default() += 1;
        }
        let (open, most) = (counts.values().sum(), self.budget.links);
        let mut from: Vec<_> = counts.into_iter().collect();
        from.sort_by_key(|(address, count)| (std::cmp::Reverse(*count), *address));
        from.truncate(CROWDED_ADDRESSES_NAMED);
        let was_full = self.links.full_ms.is_some_and(|full_ms| now.mono_ms < full_ms + LINKS_FULL_TOLD_MS);
        Crowd { open, most, is_full: open >= most || was_full, from }
    }
}
