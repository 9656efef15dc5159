//! Reaching those whom only others reach: one peer that is linked with such a member is asked to pass on what it writes
//! and whether it is here, and carries the receipts back. What is said between two is never passed on.

use std::collections::BTreeMap;

use super::find::worth_a_dial;
use super::link::Link;
use super::{Action, Engine};
use crate::proto::batch::Verified;
use crate::proto::book::{Source, Target};
use crate::proto::clock::Now;
use crate::proto::frame::{Frame, Reach, Reached, Receipt};
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{LINKS_MAX, LOST_GRACE_MS, RELAY_PATIENCE_MS};
use crate::proto::roster::Arrival;

/// The members for whom a peer was asked to pass on.
#[derive(Debug, Default)]
pub(super) struct Relays {
    asked: BTreeMap<NodeId, Asked>,
    /// Whether anything changed that may leave a member without a link or a helper: only then everybody's links are
    /// gone through, since in a room of many there are as many of them as members squared.
    changed: bool,
}

#[derive(Debug)]
struct Asked {
    link: LinkId,
    at_ms: u64,
    /// Whether the peer has said that it reaches the member.
    reached: bool,
}

impl Engine {
    /// The link on which the batches of a member come that has no link itself.
    pub(super) fn relay_for(&self, member: NodeId) -> Option<LinkId> {
        self.relays.asked.get(&member).filter(|asked| asked.reached).map(|asked| asked.link)
    }

    /// A peer says whom it is linked with.
    pub(super) fn linked_told(&mut self, link: LinkId, is_said: bool, linked: Vec<NodeId>) {
        let own = self.own;
        if let Some(entry) = self.links.get_mut(link).filter(|_| is_said) {
            let linked = linked.into_iter().filter(|id| *id != own).collect();
            if entry.relay.linked != linked {
                entry.relay.linked = linked;
                self.relays.changed = true;
                self.wake_at(self.turn_ms);
            }
        }
    }

    /// Asks for everybody who is linked with a peer and not with this node.
    pub(super) fn relay_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        let late = |asked: &Asked| !asked.reached && now.mono_ms >= asked.at_ms + RELAY_PATIENCE_MS;
        let silent: Vec<(NodeId, LinkId)> =
            self.relays.asked.iter().filter(|(_, asked)| late(asked)).map(|(id, asked)| (*id, asked.link)).collect();
        for (member, link) in silent {
            self.no_help(member, link);
        }
        if !std::mem::take(&mut self.relays.changed) {
            return;
        }
        let mut helpers: BTreeMap<NodeId, Vec<LinkId>> = BTreeMap::new();
        let well = |peer: &NodeId| self.links.well(*peer).is_some();
        let peers: Vec<LinkId> =
            self.links.peers().filter(well).filter_map(|peer| self.links.primary_id(peer)).collect();
        for link in peers {
            let Some(entry) = self.links.get(link) else { continue };
            let wanted = |id: &&NodeId| self.links.primary_id(**id).is_none() && !self.relays.asked.contains_key(id);
            for member in entry.relay.linked.iter().filter(wanted) {
                helpers.entry(*member).or_default().push(link);
            }
        }
        for (member, mut links) in helpers {
            let first = (self.random() % links.len() as u64) as usize;
            links.rotate_left(first);
            let Some(link) = links.into_iter().find(|link| self.is_let_in(now, member, *link)) else { continue };
            self.relays.asked.insert(member, Asked { link, at_ms: now.mono_ms, reached: false });
            out.push(Action::Send { links: vec![link], frame: Frame::Relay { member, on: true } });
            self.wake_at(now.mono_ms + RELAY_PATIENCE_MS);
        }
    }

    /// Whether a member may come through a peer: nothing proves that somebody is there of whom only peers speak. If not, it
    /// is looked at again when the peer says again whom it is linked with.
    fn is_let_in(&mut self, now: Now, member: NodeId, link: LinkId) -> bool {
        let Some(address) = self.links.get(link).map(|link| link.peer.address) else { return false };
        let is_welcome = self.is_welcome(now, member, address);
        if let Some(entry) = self.links.get_mut(link).filter(|_| !is_welcome) {
            entry.relay.linked.remove(&member);
        }
        is_welcome
    }

    /// A peer can't help to reach a member.
    fn no_help(&mut self, member: NodeId, link: LinkId) {
        self.relays.asked.remove(&member);
        self.relays.changed = true;
        if let Some(entry) = self.links.get_mut(link) {
            entry.relay.linked.remove(&member);
        }
        self.wake_at(self.turn_ms);
    }

    /// A peer asks to be told of a member, and of what it writes.
    pub(super) fn relay_asked(&mut self, now: Now, link: LinkId, member: NodeId, on: bool, out: &mut Vec<Action>) {
        let Some(entry) = self.links.get_mut(link) else { return };
        if !on {
            entry.relay.passes.remove(&member);
            return;
        }
        if entry.relay.passes.len() < LINKS_MAX {
            entry.relay.passes.insert(member);
        }
        let heard = self.links.primary(member).is_some_and(|link| !link.unsure);
        let state = if heard { Reached::Here } else { Reached::Gone };
        let frame = Frame::Reach(self.reach(now, member, state, link));
        out.push(Action::Send { links: vec![link], frame });
    }

    /// What this node knows of a member, for the peer on `link`.
    fn reach(&self, now: Now, member: NodeId, state: Reached, link: LinkId) -> Reach {
        let fallback = || crate::proto::name::Name::lossy(&member.short(), "?");
        let name = self.roster.member(member).map_or_else(fallback, |known| known.name.clone());
        let on_loopback = self.links.get(link).is_some_and(|link| link.peer.address.is_loopback());
        let introduced = self.introduced(now, member);
        let (uptime_ms, listens) = introduced.map_or((0, Vec::new()), |(link, uptime_ms)| {
            let listens = link.peer.intro.listens.iter().copied();
            (uptime_ms, listens.filter(|address| on_loopback || !address.ip().is_loopback()).collect())
        });
        Reach { member, state, name, uptime_ms, listens }
    }

    /// Tells everybody who asked about a member how it is with it now.
    pub(super) fn tell_reach(&mut self, now: Now, member: NodeId, state: Reached, out: &mut Vec<Action>) {
        for link in self.passing(member) {
            let frame = Frame::Reach(self.reach(now, member, state, link));
            out.push(Action::Send { links: vec![link], frame });
        }
    }

    /// The links on which a member's batches are to be passed on.
    fn passing(&self, member: NodeId) -> Vec<LinkId> {
        let asks = |link: &&Link| link.relay.passes.contains(&member) && link.peer.id != member;
        let ids = self.links.ids().into_iter();
        ids.filter(|id| self.links.get(*id).as_ref().is_some_and(asks)).collect()
    }

    /// A peer says whether it reaches a member.
    pub(super) fn reach_told(&mut self, now: Now, link: LinkId, peer: NodeId, reach: Reach, out: &mut Vec<Action>) {
        let member = reach.member;
        let has_left = self.links.has_left(member, reach.uptime_ms, now);
        let Some(asked) = self.relays.asked.get_mut(&member).filter(|asked| asked.link == link) else { return };
        let linked = self.links.primary_id(member).is_some();
        match reach.state {
            // It has not heard the goodbye yet that this node has heard.
            Reached::Here if has_left => {}
            Reached::Here => {
                let before = std::mem::replace(&mut asked.reached, true);
                let worth = self.add_told(now, link, &reach);
                if linked {
                    return;
                }
                self.not_missing(member);
                self.frontier.meets(member);
                let arrival = Arrival {
                    id: member,
                    name: reach.name,
                    // Kept for the next start, which dials them.
                    addresses: worth.iter().map(std::net::SocketAddr::ip).collect(),
                    port: worth.iter().chain(&reach.listens).next().map_or(0, std::net::SocketAddr::port),
                    uptime_ms: reach.uptime_ms,
                    wall_ms: None,
                    via: Some(peer),
                };
                let changes = self.roster.came(now, arrival);
                self.changed(now, changes, out);
                self.show_taken(now, member, out);
                if !before {
                    // What it wrote until now was not passed on.
                    self.compare_soon(link);
                }
            }
            Reached::Left | Reached::Gone => {
                self.no_help(member, link);
                if linked {
                    return;
                }
                if reach.state == Reached::Left {
                    self.book.left(member);
                    let changes = self.roster.went(now, member, true);
                    self.changed(now, changes, out);
                } else {
                    self.missing_from(member, now.mono_ms + LOST_GRACE_MS);
                }
            }
        }
    }

    /// A peer that is linked with a member says where it listens: perhaps it can be dialled. Returns where.
    fn add_told(&mut self, now: Now, link: LinkId, reach: &Reach) -> Vec<std::net::SocketAddr> {
        let Some(near) = self.links.get(link).map(|link| link.peer.address) else { return Vec::new() };
        let worth: Vec<_> = worth_a_dial(&reach.listens, near).collect();
        for address in &worth {
            self.book.add(Target::Address(*address), Some(reach.member), Source::Told, None, now.mono_ms, 0);
        }
        self.wake_at(now.mono_ms);
        worth
    }

    /// A member has a link itself: nobody needs to pass on any more, and whoever asked this node may know.
    pub(super) fn linked_at_last(&mut self, now: Now, member: NodeId, out: &mut Vec<Action>) {
        if let Some(asked) = self.relays.asked.remove(&member) {
            out.push(Action::Send { links: vec![asked.link], frame: Frame::Relay { member, on: false } });
        }
        self.tell_reach(now, member, Reached::Here, out);
    }

    /// A silent link is heard again: perhaps its peer can help.
    pub(super) fn relay_back(&mut self) {
        self.relays.changed = true;
        self.wake_at(self.turn_ms);
    }

    /// A link is gone or silent, and with it whoever was reached through it.
    pub(super) fn relay_gone(&mut self, now: Now, link: LinkId) {
        self.relays.changed = true;
        let through: Vec<(NodeId, bool)> = self
            .relays
            .asked
            .iter()
            .filter(|(_, asked)| asked.link == link)
            .map(|(member, asked)| (*member, asked.reached))
            .collect();
        for (member, reached) in through {
            self.relays.asked.remove(&member);
            if reached && self.links.primary_id(member).is_none() {
                self.missing_from(member, now.mono_ms + LOST_GRACE_MS);
            }
        }
    }

    /// Passes new batches on to whoever asked for their author.
    pub(super) fn pass_on(&mut self, batches: &[Verified], out: &mut Vec<Action>) {
        for batch in batches.iter().filter(|batch| batch.header().audience.is_none()) {
            let links = self.passing(batch.header().author);
            if !links.is_empty() {
                self.push_on(&links, std::slice::from_ref(batch), out);
            }
        }
    }

    /// Receipts that go through the one who passes on: to this node, or through it.
    #[expect(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(super) fn carried(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        author: NodeId,
        from: NodeId,
        receipts: Vec<Receipt>,
        out: &mut Vec<Action>,
    ) {
        if author == self.own {
            // Whoever has a link says so itself, and who is reached by nobody has no word to give. Any peer may bring it,
            // not only the one that was asked for this member: it may have asked another one for this node.
            if self.roster.member(from).is_some_and(|member| member.via.is_some()) {
                self.count_receipts(from, &receipts, out);
            }
            return;
        }
        // One hop only, and only somebody's own word.
        if from == peer {
            self.pushed_is_stored(now, link, &receipts);
            if let Some(onward) = self.links.primary_id(author) {
                out.push(Action::Send { links: vec![onward], frame: Frame::Carry { author, from, receipts } });
            }
        }
    }
}
