//! The members, and what the pages, the store and the user hear of their changes.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::ctx::Ctx;
use super::io::UiEvent;
use crate::proto::clock::{Now, Stamp};
use crate::proto::ids::NodeId;
use crate::proto::member_flags::MemberFlags;
use crate::proto::members::member::Member;
use crate::proto::members::notices::{NewNotice, NoticeThrottle};
use crate::proto::members::roster::{Changes, MemberOnline, Roster, clock_error_ms};
use crate::proto::names::name::Name;
use crate::proto::replication::frame::Peer;
use crate::proto::replication::frontier::Frontier;
use crate::proto::replication::store_api::{FlagWriteResult, MemberRecord, Write};

/// The roster, and the throttle of its notices.
#[derive(Debug)]
pub(super) struct MemberTable {
    roster: Roster,
    notices: NoticeThrottle,
}

impl MemberTable {
    /// Takes over what the store knows of members. Pages are told of changes from then on: none is
    /// connected yet.
    pub(super) fn load(
        now: Now,
        (own, name, addresses): (NodeId, Name, Vec<IpAddr>),
        known: Vec<MemberRecord>,
        flags: Vec<(NodeId, MemberFlags)>,
        frontier: &mut Frontier,
    ) -> Self {
        let member = Member::own(own, name, addresses, now.wall_ms);
        known.iter().filter(|member| member.was_met()).for_each(|member| frontier.mark_verified(member.id));
        let mut roster = Roster::new(now, member, known);
        for (id, flags) in flags {
            frontier.mark_verified(id);
            roster.mark(id, flags);
        }
        for id in frontier.forked() {
            roster.forked(now, id);
        }
        for id in frontier.drain_changes() {
            roster.set_usage(id, frontier.bytes(id), frontier.closed(id));
        }
        Self { roster, notices: NoticeThrottle::default() }
    }

    /// Takes over what members said that they are doing, before the start.
    pub(super) fn load_statuses(&mut self, statuses: Vec<(NodeId, String, Stamp)>) {
        for (id, status, time) in statuses {
            self.roster.set_status(id, Some(&status), time);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.roster.members()
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Member> {
        self.roster.member(id)
    }

    /// The members in reach, without this node.
    pub(super) fn reachable(&self) -> Vec<NodeId> {
        self.roster.reachable()
    }

    /// Changes the roster and publishes what changed. Returns true if that leads to a notice.
    ///
    /// The state of a member is told at once, a notice as its throttle allows.
    pub(super) fn change(&mut self, ctx: &mut Ctx, change: impl FnOnce(Now, &mut Roster) -> Changes) -> bool {
        let changes = change(ctx.now, &mut self.roster);
        let has_notice = !changes.notices.is_empty();
        changes.members.into_iter().for_each(|member| ctx.show(UiEvent::Member(member)));
        changes.records.into_iter().for_each(|record| ctx.write(Write::Member(record)));
        for (kind, member, name) in changes.notices {
            let notice = NewNotice { wall_ms: ctx.now.wall_ms, kind, member, name };
            // The local user's own changes are told as they happen.
            let admitted = if member == ctx.own { Some(notice) } else { self.notices.admit(ctx.now, notice) };
            admitted.into_iter().for_each(|notice| write(ctx, notice));
        }
        self.wake(ctx);
        has_notice
    }

    /// A peer has a link, after it had none.
    pub(super) fn on_linked(&mut self, ctx: &mut Ctx, peer: Peer) {
        let mut addresses = vec![peer.address];
        addresses.extend(peer.intro.listens.iter().map(SocketAddr::ip));
        let mut seen = BTreeSet::new();
        addresses.retain(|address| seen.insert(*address));
        let arrival = MemberOnline {
            id: peer.id,
            name: peer.intro.name,
            addresses,
            port: peer.intro.listens.first().map_or(0, SocketAddr::port),
            uptime_ms: peer.intro.uptime_ms,
            wall_ms: Some(peer.intro.wall_ms),
            via: None,
        };
        self.change(ctx, |now, roster| roster.on_online(now, arrival));
    }

    /// Another link of a peer is in use. The old one may have been silent; this one is not.
    pub(super) fn on_link_used(&mut self, ctx: &mut Ctx, id: NodeId, address: IpAddr) {
        let mut addresses = vec![address];
        let known = self.get(id).map(|member| member.addresses.clone()).unwrap_or_default();
        addresses.extend(known.into_iter().filter(|other| *other != address));
        self.change(ctx, |_, roster| roster.set_addresses(id, addresses));
        self.change(ctx, |now, roster| roster.set_unresponsive(now, id, false));
    }

    /// The user's flags of a member are on the disk. If other messages are shown from now on, pages
    /// start afresh.
    pub(super) fn on_marked(&mut self, ctx: &mut Ctx, frontier: &mut Frontier, marked: FlagWriteResult) {
        frontier.mark_verified(marked.member);
        self.change(ctx, |_, roster| roster.mark(marked.member, marked.marks));
        marked.run.into_iter().for_each(|run| ctx.show(UiEvent::Resync(run)));
    }

    /// A peer tells what its wall clock shows.
    pub(super) fn on_clock(&mut self, ctx: &mut Ctx, peer: NodeId, theirs_ms: u64) {
        self.change(ctx, |now, roster| roster.on_clock_error(peer, clock_error_ms(theirs_ms, now.wall_ms)));
    }

    /// Publishes how much of a member is kept, and whether more is taken.
    pub(super) fn publish_usage(&mut self, ctx: &mut Ctx, frontier: &Frontier, id: NodeId) {
        self.change(ctx, |_, roster| roster.set_usage(id, frontier.bytes(id), frontier.closed(id)));
    }

    /// Tells the held notices whose time has come.
    pub(super) fn poll_notices(&mut self, ctx: &mut Ctx) {
        self.notices.due(ctx.mono_ms()).into_iter().for_each(|notice| write(ctx, notice));
        self.wake(ctx);
    }

    /// Tells all held notices: no later turn would.
    pub(super) fn flush_notices(&mut self, ctx: &mut Ctx) {
        self.notices.rest().into_iter().for_each(|notice| write(ctx, notice));
    }

    fn wake(&self, ctx: &mut Ctx) {
        if let Some(next_ms) = self.notices.next_ms() {
            ctx.wake_at(next_ms);
        }
    }
}

fn write(ctx: &mut Ctx, NewNotice { wall_ms, kind, member, name }: NewNotice) {
    ctx.write(Write::Notice { wall_ms, kind, member, name });
}
