//! Decides who gets a link: strangers are limited in how fast they come, and if all links are in
//! use, one is evicted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::flow_control::FlowControl;
use super::link_table::LinkTable;
use crate::proto::engine::members::MemberTable;
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{CROWDED_ADDRESSES_NAMED, LINKS_FULL_TOLD_MS};
use crate::proto::links::eviction::{EvictionCandidate, EvictionClass, pick_victim};
use crate::proto::links::link_budget::LinkBudget;
use crate::proto::links::newcomers::Newcomers;
use crate::proto::replication::frame::Peer;
use crate::proto::replication::frontier::Frontier;

/// The number of links, for the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUsage {
    /// Links that are up.
    pub open: usize,
    /// Links that may be up.
    pub most: usize,
    /// True if all are in use, or were within the last minute.
    pub is_full: bool,
    /// The addresses with the most links, the most crowded first.
    pub from: Vec<(IpAddr, usize)>,
    /// The linked members, each with the bytes that were pushed to it and not receipted yet.
    pub unreceipted: Vec<(NodeId, usize)>,
}

/// The budget of links, and the rates at which strangers came.
#[derive(Debug)]
pub(crate) struct Admission {
    budget: LinkBudget,
    newcomers: Newcomers,
    /// When a link was last refused or evicted for want of room.
    full_ms: Option<u64>,
}

impl Admission {
    pub(crate) fn new(budget: LinkBudget) -> Self {
        Self { budget, newcomers: Newcomers::default(), full_ms: None }
    }

    /// Returns true if a peer, or a member that it speaks of, may come in: each that was seen
    /// before, and of strangers so many of one address.
    ///
    /// Each stranger becomes a member that every page lists for ever, and keys cost nothing.
    pub(crate) fn accepts(&mut self, members: &MemberTable, id: NodeId, address: IpAddr, mono_ms: u64) -> bool {
        members.get(id).is_some() || self.newcomers.admit(address, mono_ms)
    }

    /// Selects the link that has to go if this one comes, perhaps itself. None if there is room, or
    /// if the peer has a link already, since only one of the two stays.
    pub(crate) fn victim(
        &mut self,
        links: &LinkTable,
        members: &MemberTable,
        frontier: &Frontier,
        link: LinkId,
        peer: &Peer,
        mono_ms: u64,
    ) -> Option<LinkId> {
        if links.len() < self.budget.links || links.primary_id(peer.id).is_some() {
            return None;
        }
        self.full_ms = Some(mono_ms);
        let written_to = frontier.direct_recipients();
        let candidate = |link, peer: &Peer| {
            let (address, standing) = (peer.address, standing(members, frontier, peer.id, &written_to));
            EvictionCandidate { link, address, standing }
        };
        let all: Vec<_> = links.iter().map(|(other, entry)| candidate(other, &entry.peer)).collect();
        Some(pick_victim(&all, candidate(link, peer)))
    }

    /// Returns true if this is another instance of a linked id, and there is no slot for it to wait
    /// in.
    ///
    /// Instances that wait are links beyond the budget. Only a part of the slots for goodbyes is
    /// theirs, so that connections of others still find one.
    pub(crate) fn has_no_slot_to_wait(&self, links: &LinkTable, peer: &Peer) -> bool {
        let waits = links.primary(peer.id).is_some_and(|link| link.peer.instance != peer.instance);
        let beyond = links.len().saturating_sub(self.budget.links);
        waits && beyond >= self.budget.closing / 2
    }

    /// Returns true if there are more links than the budget has.
    pub(crate) fn is_over_budget(&self, links: &LinkTable) -> bool {
        links.len() > self.budget.links
    }

    /// Reports how many links are in use.
    pub(crate) fn usage(&self, links: &LinkTable, flow: &FlowControl, mono_ms: u64) -> LinkUsage {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, link) in links.iter() {
            *counts.entry(link.peer.address).or_default() += 1;
        }
        let (open, most) = (counts.values().sum(), self.budget.links);
        let mut from: Vec<_> = counts.into_iter().collect();
        from.sort_by_key(|(address, count)| (std::cmp::Reverse(*count), *address));
        from.truncate(CROWDED_ADDRESSES_NAMED);
        let was_full = self.full_ms.is_some_and(|full_ms| mono_ms < full_ms + LINKS_FULL_TOLD_MS);
        let peers = links.peers();
        let unreceipted = peers.filter_map(|peer| Some((peer, flow.unreceipted_bytes(links.primary_id(peer)?))));
        LinkUsage { open, most, is_full: open >= most || was_full, from, unreceipted: unreceipted.collect() }
    }
}

fn standing(members: &MemberTable, frontier: &Frontier, id: NodeId, written_to: &BTreeSet<NodeId>) -> EvictionClass {
    let marks = members.get(id).map(|member| member.marks).unwrap_or_default();
    if marks.blocked {
        EvictionClass::Stranger
    } else if marks.verified || written_to.contains(&id) {
        EvictionClass::Known
    } else if frontier.has_stored(id) {
        EvictionClass::Stored
    } else {
        EvictionClass::Stranger
    }
}
