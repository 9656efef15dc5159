//! Reaches members that only peers reach: one peer linked with such a member is asked to pass on
//! what it writes and whether it is here, and carries the receipts back. Direct messages are never
//! passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::admission::Admission;
use super::discovery::dialable;
use super::flow_control::FlowControl;
use super::link_table::LinkTable;
use crate::proto::engine::ctx::{Ctx, DialEvent, Event};
use crate::proto::engine::members::MemberTable;
use crate::proto::entries::batch::Verified;
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{LINKS_MAX, LOST_GRACE_MS, RELAY_PATIENCE_MS};
use crate::proto::members::roster::MemberOnline;
use crate::proto::names::name::Name;
use crate::proto::replication::frame::{Frame, ReachReport, ReachState, Receipt};

/// The part of a link in reaching members that one of its ends can't reach.
#[derive(Debug, Default)]
struct RelayLink {
    /// The members that the peer is linked with, as it said last.
    linked: BTreeSet<NodeId>,
    /// The members whose batches the peer asked to be passed on.
    subscribed: BTreeSet<NodeId>,
}

/// A peer that was asked to pass on what a member writes.
#[derive(Debug)]
struct Route {
    link: LinkId,
    asked_ms: u64,
    /// True if the peer has said that it reaches the member.
    is_open: bool,
}

/// The routes to members without a link, and what each peer asked this node to pass on.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    routes: BTreeMap<NodeId, Route>,
    by_link: BTreeMap<LinkId, RelayLink>,
    /// True if something changed that may leave a member without a link or a route. Only then the
    /// links of all peers are gone through: in a room of many there are as many of them as members
    /// squared.
    has_changed: bool,
}

impl Relays {
    /// The link on which the batches of a member come that has no link itself.
    pub(crate) fn route(&self, member: NodeId) -> Option<LinkId> {
        self.routes.get(&member).filter(|route| route.is_open).map(|route| route.link)
    }

    /// A peer says which members it is linked with, if this frame of it tells that.
    pub(crate) fn on_linked(&mut self, ctx: &mut Ctx, link: LinkId, is_told: bool, linked: Vec<NodeId>) {
        if !is_told {
            return;
        }
        let linked = linked.into_iter().filter(|id| *id != ctx.own).collect();
        let entry = self.by_link.entry(link).or_default();
        if entry.linked != linked {
            entry.linked = linked;
            self.retry(ctx);
        }
    }

    /// Asks for all members that are linked with a peer and not with this node.
    pub(crate) fn poll(&mut self, ctx: &mut Ctx, links: &LinkTable, members: &MemberTable, admission: &mut Admission) {
        let mono_ms = ctx.mono_ms();
        let is_late = |route: &Route| !route.is_open && mono_ms >= route.asked_ms + RELAY_PATIENCE_MS;
        let late: Vec<(NodeId, LinkId)> = self
            .routes
            .iter()
            .filter(|(_, route)| is_late(route))
            .map(|(member, route)| (*member, route.link))
            .collect();
        late.into_iter().for_each(|(member, link)| self.close_route(ctx, member, link));
        if !std::mem::take(&mut self.has_changed) {
            return;
        }
        let mut helpers: BTreeMap<NodeId, Vec<LinkId>> = BTreeMap::new();
        let responsive = |link: &LinkId| links.get(*link).is_some_and(|entry| !entry.unsure);
        for link in links.primaries().filter(responsive) {
            let Some(entry) = self.by_link.get(&link) else { continue };
            let is_wanted = |id: &&NodeId| links.primary_id(**id).is_none() && !self.routes.contains_key(id);
            for member in entry.linked.iter().filter(is_wanted) {
                helpers.entry(*member).or_default().push(link);
            }
        }
        for (member, mut helpers) in helpers {
            let first = (ctx.random() % helpers.len() as u64) as usize;
            helpers.rotate_left(first);
            let mut is_admitted = |link: &LinkId| self.is_admitted(mono_ms, links, members, admission, member, *link);
            let Some(link) = helpers.into_iter().find(|link| is_admitted(link)) else { continue };
            self.routes.insert(member, Route { link, asked_ms: mono_ms, is_open: false });
            ctx.send(link, Frame::Relay { member, on: true });
            ctx.wake_at(mono_ms + RELAY_PATIENCE_MS);
        }
    }

    /// Returns true if a member may come through a peer. If not, it is looked at again when the
    /// peer says again which members it is linked with.
    ///
    /// Nothing proves that a member exists of which only peers speak.
    fn is_admitted(
        &mut self,
        mono_ms: u64,
        links: &LinkTable,
        members: &MemberTable,
        admission: &mut Admission,
        member: NodeId,
        link: LinkId,
    ) -> bool {
        let Some(address) = links.get(link).map(|link| link.peer.address) else { return false };
        let is_welcome = admission.accepts(members, member, address, mono_ms);
        if !is_welcome && let Some(entry) = self.by_link.get_mut(&link) {
            entry.linked.remove(&member);
        }
        is_welcome
    }

    /// A peer can't help to reach a member.
    fn close_route(&mut self, ctx: &mut Ctx, member: NodeId, link: LinkId) {
        self.routes.remove(&member);
        if let Some(entry) = self.by_link.get_mut(&link) {
            entry.linked.remove(&member);
        }
        self.retry(ctx);
    }

    /// Something changed: perhaps another peer can help.
    pub(crate) fn retry(&mut self, ctx: &mut Ctx) {
        self.has_changed = true;
        ctx.wake_now();
    }

    /// A peer asks to be told of a member, and of what it writes.
    pub(crate) fn on_relay(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        members: &MemberTable,
        link: LinkId,
        member: NodeId,
        on: bool,
    ) {
        let entry = self.by_link.entry(link).or_default();
        if !on {
            entry.subscribed.remove(&member);
            return;
        }
        if entry.subscribed.len() < LINKS_MAX {
            entry.subscribed.insert(member);
        }
        let state = if links.responsive(member).is_some() { ReachState::Here } else { ReachState::Gone };
        ctx.send(link, Frame::Reach(report(ctx.mono_ms(), links, members, member, state, link)));
    }

    /// Tells all peers that asked about a member how it is with it now.
    pub(crate) fn notify(
        &self,
        ctx: &mut Ctx,
        links: &LinkTable,
        members: &MemberTable,
        member: NodeId,
        state: ReachState,
    ) {
        for link in self.subscribers(links, member) {
            ctx.send(link, Frame::Reach(report(ctx.mono_ms(), links, members, member, state, link)));
        }
    }

    /// The links on which a member's batches are to be passed on.
    fn subscribers(&self, links: &LinkTable, member: NodeId) -> Vec<LinkId> {
        let asks = |link: LinkId| self.by_link.get(&link).is_some_and(|entry| entry.subscribed.contains(&member));
        let others = links.iter().filter(|(_, entry)| entry.peer.id != member);
        others.map(|(link, _)| link).filter(|link| asks(*link)).collect()
    }

    /// A peer says whether it reaches a member. `has_left`: the member said goodbye to this node,
    /// and the peer has not heard that yet.
    pub(crate) fn on_reach(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        members: &mut MemberTable,
        link: LinkId,
        reach: ReachReport,
        has_left: bool,
    ) {
        let member = reach.member;
        let Some(route) = self.routes.get_mut(&member).filter(|route| route.link == link) else { return };
        let is_linked = links.primary_id(member).is_some();
        match reach.state {
            ReachState::Here if has_left => {}
            ReachState::Here => {
                let was_open = std::mem::replace(&mut route.is_open, true);
                let Some(peer) = links.get(link).map(|entry| &entry.peer) else { return };
                let addresses: Vec<SocketAddr> = dialable(&reach.listens, peer.address).collect();
                // Perhaps it can be dialled.
                ctx.emit(Event::Dial(DialEvent::Reported { member, addresses: addresses.clone() }));
                if is_linked {
                    return;
                }
                let arrival = MemberOnline {
                    id: member,
                    name: reach.name,
                    // Kept for the next start, which dials them.
                    addresses: addresses.iter().map(SocketAddr::ip).collect(),
                    port: addresses.iter().chain(&reach.listens).next().map_or(0, SocketAddr::port),
                    uptime_ms: reach.uptime_ms,
                    wall_ms: None,
                    via: Some(peer.id),
                };
                members.change(ctx, |now, roster| roster.on_online(now, arrival));
                ctx.emit(Event::Reached(member));
                if !was_open {
                    // What it wrote until now was not passed on.
                    ctx.emit(Event::CompareDue(link));
                }
            }
            ReachState::Left | ReachState::Gone => {
                self.close_route(ctx, member, link);
                if is_linked {
                    return;
                }
                if reach.state == ReachState::Left {
                    ctx.emit(Event::Dial(DialEvent::Ended(member)));
                    members.change(ctx, |now, roster| roster.on_offline(now, member, true));
                } else {
                    ctx.emit(Event::LossSuspected { member, at_ms: ctx.mono_ms() + LOST_GRACE_MS });
                }
            }
        }
    }

    /// A member has a link itself: no peer needs to pass on any more.
    pub(crate) fn on_direct_link(&mut self, ctx: &mut Ctx, member: NodeId) {
        if let Some(route) = self.routes.remove(&member) {
            ctx.send(route.link, Frame::Relay { member, on: false });
        }
    }

    /// A link is gone or silent, and with it the members that were reached through it.
    pub(crate) fn on_link_silent(&mut self, ctx: &mut Ctx, links: &LinkTable, link: LinkId) {
        self.has_changed = true;
        for (member, route) in self.routes.extract_if(.., |_, route| route.link == link) {
            if route.is_open && links.primary_id(member).is_none() {
                ctx.emit(Event::LossSuspected { member, at_ms: ctx.mono_ms() + LOST_GRACE_MS });
            }
        }
    }

    /// A link is gone.
    pub(crate) fn on_link_lost(&mut self, ctx: &mut Ctx, links: &LinkTable, link: LinkId) {
        self.by_link.remove(&link);
        self.on_link_silent(ctx, links, link);
    }

    /// Passes new batches on to the peers that asked for their author.
    pub(crate) fn forward(&self, ctx: &mut Ctx, links: &LinkTable, flow: &mut FlowControl, batches: &[Verified]) {
        for batch in batches.iter().filter(|batch| batch.header().audience.is_none()) {
            let subscribers = self.subscribers(links, batch.header().author);
            if !subscribers.is_empty() {
                flow.push_on(ctx, &subscribers, std::slice::from_ref(batch));
            }
        }
    }
}

/// Reports what this node knows of a member to the peer on `link`.
fn report(
    mono_ms: u64,
    links: &LinkTable,
    members: &MemberTable,
    member: NodeId,
    state: ReachState,
    link: LinkId,
) -> ReachReport {
    let fallback = || Name::from_lossy(&member.short(), "?");
    let name = members.get(member).map_or_else(fallback, |known| known.name.clone());
    let on_loopback = links.get(link).is_some_and(|link| link.peer.address.is_loopback());
    let (uptime_ms, listens) = links.primary(member).map_or((0, Vec::new()), |link| {
        let listens = link.peer.intro.listens.iter().copied();
        (link.uptime_ms(mono_ms), listens.filter(|address| on_loopback || !address.ip().is_loopback()).collect())
    });
    ReachReport { member, state, name, uptime_ms, listens }
}

/// Receipts that are carried by a peer: to this node, or through it.
pub(crate) fn on_carry(
    ctx: &mut Ctx,
    links: &LinkTable,
    members: &MemberTable,
    link: LinkId,
    author: NodeId,
    from: NodeId,
    receipts: Vec<Receipt>,
) {
    if author == ctx.own {
        // A member with a link says so itself, and the word of a member that is not reached does
        // not count. Any peer may bring it, not only the one that was asked for this member: it may
        // have asked another one for this node.
        if members.get(from).is_some_and(|member| member.via.is_some()) {
            ctx.emit(Event::OwnEntriesHeld { member: from, receipts });
        }
        return;
    }
    // One hop only, and only the peer's own word.
    if links.get(link).is_some_and(|entry| entry.peer.id == from) {
        ctx.emit(Event::PushReceipted { link, receipts: receipts.clone() });
        if let Some(onward) = links.primary_id(author) {
            ctx.send(onward, Frame::Carry { author, from, receipts });
        }
    }
}
