//! Exchanges with peers whose logs are taken no further: these are left out of comparisons.

use std::collections::{BTreeMap, BTreeSet};

use super::ctx::{Ctx, Event};
use super::io::Warning;
use super::members::MemberTable;
use super::peers::link_table::LinkTable;
use crate::proto::ids::{Hash, LinkId, NodeId};
use crate::proto::limits::FRAME_CLOSED_MAX;
use crate::proto::replication::author_limits::{LimitReason, LimitedAuthors};
use crate::proto::replication::drop_reason::{DropCounters, DropReason};
use crate::proto::replication::frame::Frame;
use crate::proto::replication::frontier::Frontier;

/// The limits that the two ends of a link told each other.
#[derive(Debug, Default)]
struct LinkLimits {
    /// Whose logs the peer takes no further.
    received: LimitedAuthors,
    /// Whose logs this node takes no further, as the peer was told last.
    sent: LimitedAuthors,
    /// Authors of whom the peer holds something and this node takes nothing, having never met them.
    ignored: BTreeSet<NodeId>,
}

/// By link, the limited authors that both sides told each other.
#[derive(Debug, Default)]
pub(super) struct LimitExchange {
    by_link: BTreeMap<LinkId, LinkLimits>,
}

impl LimitExchange {
    /// The room on the disk is little, or enough again.
    pub(super) fn on_low_disk(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        members: &mut MemberTable,
        frontier: &mut Frontier,
        is_low: bool,
    ) {
        frontier.set_disk_low(is_low);
        self.send_all(ctx, links, frontier);
        let ids: Vec<NodeId> = members.all().map(|member| member.id).collect();
        ids.into_iter().for_each(|id| members.publish_usage(ctx, frontier, id));
    }

    /// Tells of authors that reached a limit or are taken again since the last turn, or take
    /// noticeably more.
    pub(super) fn poll(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        members: &mut MemberTable,
        frontier: &mut Frontier,
    ) {
        let changed = frontier.drain_changes();
        if changed.is_empty() {
            return;
        }
        self.send_all(ctx, links, frontier);
        for id in changed {
            let before = members.get(id).and_then(|member| member.closed);
            let closed = frontier.closed(id);
            if before != closed && closed.is_some_and(LimitReason::is_deterministic) {
                ctx.warn(Warning::Full(id));
            }
            members.publish_usage(ctx, frontier, id);
        }
    }

    /// Tells all peers whose logs are taken no further, if that changed.
    fn send_all(&mut self, ctx: &mut Ctx, links: &LinkTable, frontier: &Frontier) {
        let limits = frontier.limits();
        links.ids().into_iter().for_each(|link| self.send(ctx, frontier, link, limits.clone()));
    }

    /// Tells one peer. Beside the authors that reached a limit these are those that are ignored, as
    /// far as the peer is known to hold something of them.
    fn send(&mut self, ctx: &mut Ctx, frontier: &Frontier, link: LinkId, mut limits: LimitedAuthors) {
        let entry = self.by_link.entry(link).or_default();
        entry.ignored.retain(|author| frontier.ignores(*author));
        let room = FRAME_CLOSED_MAX.saturating_sub(limits.authors.len());
        limits.authors.extend(entry.ignored.iter().take(room));
        if limits == entry.sent {
            return;
        }
        let before = std::mem::replace(&mut entry.sent, limits.clone());
        if limits.has_reopened(&before) {
            // What was not taken meanwhile is found by comparing.
            ctx.emit(Event::CompareDue(link));
        }
        ctx.send(link, Frame::Closed(limits));
    }

    /// A peer holds something of these authors, and perhaps of `more`. Those that this node
    /// ignores, since it never met them, are named to the peer, so that the two compare what both
    /// hold.
    pub(super) fn on_authors(
        &mut self,
        ctx: &mut Ctx,
        frontier: &Frontier,
        drops: &mut DropCounters,
        link: LinkId,
        authors: &[(NodeId, Hash)],
        more: bool,
    ) {
        let entry = self.by_link.entry(link).or_default();
        for (author, _) in authors.iter().filter(|(author, _)| frontier.ignores(*author)) {
            if entry.ignored.len() < FRAME_CLOSED_MAX && entry.ignored.insert(*author) {
                drops.count(DropReason::Unmet);
            }
        }
        if !more {
            self.send(ctx, frontier, link, frontier.limits());
        }
    }

    /// A peer says whose logs it takes no further.
    pub(super) fn on_limits(
        &mut self,
        links: &LinkTable,
        frontier: &mut Frontier,
        link: LinkId,
        peer: NodeId,
        limits: LimitedAuthors,
    ) {
        self.by_link.entry(link).or_default().received = limits.clone();
        if links.is_primary(link) {
            frontier.on_limits(peer, limits);
        }
    }

    /// A link is the one in use with its peer from now on: what was said on it counts, and the peer
    /// is told on it.
    pub(super) fn on_primary(&mut self, ctx: &mut Ctx, frontier: &mut Frontier, link: LinkId, peer: NodeId) {
        let received = self.by_link.entry(link).or_default().received.clone();
        frontier.on_limits(peer, received);
        self.send(ctx, frontier, link, frontier.limits());
    }

    /// A link is gone.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.by_link.remove(&link);
    }
}
