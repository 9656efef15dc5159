//! Tracks which members are here: links that come up and go down, fall silent, or exist twice for
//! one peer.

use std::collections::BTreeMap;

use super::admission::Admission;
use super::duplicate_links::{Keep, survivor};
use super::link_table::{Link, LinkTable};
use crate::proto::clock::Now;
use crate::proto::engine::ctx::{Ctx, DialEvent, Event};
use crate::proto::engine::io::Warning;
use crate::proto::engine::members::MemberTable;
use crate::proto::ids::{DialId, Instance, LinkId, NodeId};
use crate::proto::limits::{
    BUSY_RETRY_MS, KEY_IN_USE_RETRY_MS, LOST_AFTER_MS, LOST_GRACE_MS, PING_EARLY_MS, PROBE_MS, PROTOCOL_RETRY_MS,
    SLEPT_GRACE_MS, UNSURE_AFTER_MS,
};
use crate::proto::replication::frame::{CloseReason, Frame, Peer, ReachState};
use crate::proto::replication::frontier::Frontier;

/// A link that is through its handshake.
#[derive(Debug)]
pub(crate) struct NewLink {
    pub(crate) link: LinkId,
    /// The dial that it came from. None: the other side dialled.
    pub(crate) dial: Option<DialId>,
    pub(crate) peer: Peer,
}

/// Links whose peer is in doubt, and members whose link ended.
#[derive(Debug, Default)]
pub(crate) struct PresenceTracker {
    /// Links of another instance of a linked id, until the old link has answered or not.
    challengers: BTreeMap<NodeId, Challenger>,
    /// Members whose link ended without a goodbye, and when they count as lost.
    missed: BTreeMap<NodeId, u64>,
    /// Members that said goodbye, until they are back: the program that did, and when.
    goodbyes: BTreeMap<NodeId, (Instance, u64)>,
    /// After this machine slept, no member counts as lost before this.
    grace_until_ms: u64,
}

#[derive(Debug)]
struct Challenger {
    link: LinkId,
    asked_ms: u64,
    /// True if something came on the old link since.
    answered: bool,
}

impl PresenceTracker {
    /// A link is through its handshake: registers it, or closes it.
    pub(crate) fn on_link_up(
        &mut self,
        ctx: &mut Ctx,
        links: &mut LinkTable,
        members: &mut MemberTable,
        admission: &mut Admission,
        frontier: &Frontier,
        new: NewLink,
    ) {
        let NewLink { link, dial, peer } = new;
        let (id, mono_ms) = (peer.id, ctx.mono_ms());
        let victim = admission.victim(links, members, frontier, link, &peer, mono_ms);
        let is_full = victim == Some(link) || admission.has_no_slot_to_wait(links, &peer);
        // Of two connections one may be through its greeting only after the goodbye on the other.
        let has_left = self.goodbyes.get(&id).is_some_and(|(instance, _)| *instance == peer.instance);
        let is_refused = ctx.is_stopping || id == ctx.own || is_full || has_left;
        if is_refused || !admission.accepts(members, id, peer.address, mono_ms) {
            let reason = if ctx.is_stopping { CloseReason::Stopping } else { CloseReason::Busy };
            ctx.close(link, reason);
            dial.into_iter().for_each(|dial| ctx.emit(Event::Dial(DialEvent::Wasted(dial))));
            return;
        }
        if let Some(victim) = victim {
            self.evict(ctx, links, members, victim);
        }
        if let Some(dial) = dial {
            ctx.emit(Event::Dial(DialEvent::Succeeded { dial, id }));
        }
        let old = links.primary_id(id);
        let is_same_instance = links.primary(id).is_some_and(|old| old.peer.instance == peer.instance);
        links.insert(link, Link::new(peer, mono_ms));
        match old {
            None => self.register(ctx, links, link),
            Some(old) if is_same_instance => self.resolve_duplicate(ctx, links, admission, old, link),
            Some(old) => self.on_second_instance(ctx, links, old, link),
        }
        ctx.wake_now();
    }

    /// A peer has its first link, or its first after another instance of it is gone.
    fn register(&mut self, ctx: &mut Ctx, links: &mut LinkTable, link: LinkId) {
        let Some(id) = links.get(link).map(|entry| entry.peer.id) else { return };
        self.missed.remove(&id);
        self.goodbyes.remove(&id);
        links.set_links(id, vec![link]);
        ctx.emit(Event::LinkRegistered(link));
    }

    /// Keeps one of two links between the same two instances. Presence does not change.
    ///
    /// Only the smaller id closes the other, so the two sides cannot close one each. A node whose
    /// links are all in use does not wait for that.
    fn resolve_duplicate(
        &mut self,
        ctx: &mut Ctx,
        links: &mut LinkTable,
        admission: &Admission,
        old: LinkId,
        new: LinkId,
    ) {
        let (Some(old_link), Some(new_link)) = (links.get(old), links.get(new)) else { return };
        let id = old_link.peer.id;
        let (stays, goes) = match survivor(old_link, new_link, ctx.own, ctx.now) {
            Keep::Old => (old, new),
            Keep::New => (new, old),
        };
        let mut ended = links.set_links(id, vec![stays, goes]);
        // More than two has only a peer that dials without end, and does not decide: it may not
        // take all slots.
        ended.retain(|link| *link != stays && *link != goes);
        if ctx.own < id || admission.is_over_budget(links) {
            ended.push(goes);
        }
        for link in ended {
            self.drop_link(ctx, links, link);
            ctx.close(link, CloseReason::Duplicate);
        }
        ctx.emit(if stays == new { Event::PrimaryChanged(new) } else { Event::PrimaryKept(stays) });
    }

    /// Another instance of a linked id: either the old one is dead, or the key is in use on two
    /// machines.
    fn on_second_instance(&mut self, ctx: &mut Ctx, links: &mut LinkTable, old: LinkId, link: LinkId) {
        let Some(id) = links.get(link).map(|entry| entry.peer.id) else { return };
        let challenger = Challenger { link, asked_ms: ctx.mono_ms(), answered: false };
        if let Some(before) = self.challengers.insert(id, challenger) {
            self.drop_link(ctx, links, before.link);
            ctx.close(before.link, CloseReason::Duplicate);
        }
        ctx.send(old, Frame::Ping { wall_ms: ctx.now.wall_ms });
        ctx.wake_at(ctx.mono_ms() + PROBE_MS);
    }

    /// Forgets a link and all that went on over it. Returns it, and the link that is in use with
    /// its peer from now on.
    fn drop_link(&mut self, ctx: &mut Ctx, links: &mut LinkTable, link: LinkId) -> Option<(Link, Option<LinkId>)> {
        let gone = links.remove(link)?;
        let peer = gone.0.peer.id;
        if self.challengers.get(&peer).is_some_and(|challenger| challenger.link == link) {
            self.challengers.remove(&peer);
        }
        let is_last = links.primary_id(peer).is_none();
        ctx.emit(Event::LinkLost { link, peer, is_last });
        Some(gone)
    }

    /// Closes a link for want of room. Its peer is not dialled until it is heard of again.
    fn evict(&mut self, ctx: &mut Ctx, links: &mut LinkTable, members: &mut MemberTable, link: LinkId) {
        let Some(id) = links.get(link).map(|entry| entry.peer.id) else { return };
        ctx.close(link, CloseReason::Busy);
        self.on_link_down(ctx, links, members, link, Some(CloseReason::Busy));
        ctx.emit(Event::Dial(DialEvent::Ended(id)));
    }

    /// The other side ended a link, or it broke.
    pub(crate) fn on_link_down(
        &mut self,
        ctx: &mut Ctx,
        links: &mut LinkTable,
        members: &mut MemberTable,
        link: LinkId,
        reason: Option<CloseReason>,
    ) {
        let was_used = links.is_primary(link);
        let Some((gone, next)) = self.drop_link(ctx, links, link) else { return };
        let (id, mono_ms) = (gone.peer.id, ctx.mono_ms());
        // A peer without room for this node is not asked again at once, nor one that this node does
        // not understand.
        let rest_ms = match reason {
            Some(CloseReason::KeyInUse) => Some(KEY_IN_USE_RETRY_MS),
            Some(CloseReason::Busy) => Some(BUSY_RETRY_MS + ctx.random() % BUSY_RETRY_MS),
            Some(CloseReason::Protocol) => Some(PROTOCOL_RETRY_MS + ctx.random() % PROTOCOL_RETRY_MS),
            _ => None,
        };
        if let Some(rest_ms) = rest_ms {
            ctx.emit(Event::Dial(DialEvent::Suspended { id, until_ms: mono_ms + rest_ms }));
        }
        if reason == Some(CloseReason::KeyInUse) {
            ctx.warn(Warning::KeyInUse(ctx.own));
        }
        ctx.wake_now();
        if !was_used {
            return;
        }
        if let Some(next) = next {
            ctx.emit(Event::PrimaryChanged(next));
            return;
        }
        if let Some(challenger) = self.challengers.remove(&id) {
            self.register(ctx, links, challenger.link);
            return;
        }
        if reason == Some(CloseReason::Stopping) {
            ctx.emit(Event::Dial(DialEvent::Ended(id)));
            self.goodbyes.insert(id, (gone.peer.instance, mono_ms));
            ctx.emit(Event::ReachChanged { member: id, state: ReachState::Left });
            members.change(ctx, |now, roster| roster.on_offline(now, id, true));
            return;
        }
        ctx.emit(Event::ReachChanged { member: id, state: ReachState::Gone });
        // A link that is back within the grace is not announced at all.
        let wait_ms = rest_ms.unwrap_or(ctx.random() % 200);
        ctx.emit(Event::Dial(DialEvent::LinkLost { id, address: gone.peer.address, wait_ms }));
        self.suspect_loss(ctx, id, mono_ms + LOST_GRACE_MS);
    }

    /// A member is not reached any more: it counts as lost at `at_ms`, or when it was to before.
    /// That one peer after the other can't reach it either delays nothing.
    pub(crate) fn suspect_loss(&mut self, ctx: &mut Ctx, id: NodeId, at_ms: u64) {
        let missed_ms = self.missed.entry(id).or_insert(at_ms);
        *missed_ms = at_ms.min(*missed_ms);
        ctx.wake_at(at_ms);
    }

    /// A member is reached again.
    pub(crate) fn clear_suspicion(&mut self, id: NodeId) {
        self.missed.remove(&id);
    }

    /// Returns true if a member's program that has been running for so long by now is one that said
    /// goodbye: the peer that speaks of it has not heard that yet.
    pub(crate) fn has_left(&self, id: NodeId, uptime_ms: u64, now: Now) -> bool {
        self.goodbyes.get(&id).is_some_and(|(_, at_ms)| uptime_ms >= now.mono_ms - at_ms)
    }

    /// Any bytes are a sign of life. Returns the peer; none on a link that is gone already.
    pub(crate) fn on_activity(
        &mut self,
        ctx: &mut Ctx,
        links: &mut LinkTable,
        members: &mut MemberTable,
        link: LinkId,
    ) -> Option<NodeId> {
        let entry = links.get_mut(link)?;
        entry.heard_ms = ctx.mono_ms();
        let id = entry.peer.id;
        let was_unsure = std::mem::take(&mut entry.unsure);
        if let Some(challenger) = self.challengers.get_mut(&id).filter(|challenger| challenger.link != link) {
            challenger.answered = true;
        }
        if was_unsure {
            members.change(ctx, |now, roster| roster.set_unresponsive(now, id, false));
            ctx.emit(Event::ReachChanged { member: id, state: ReachState::Here });
            ctx.emit(Event::LinkHeard);
        }
        Some(id)
    }

    /// Resolves challenges, looks for silent links, and gives up members that were lost for long
    /// enough.
    pub(crate) fn poll(&mut self, ctx: &mut Ctx, links: &mut LinkTable, members: &mut MemberTable) {
        self.resolve_challenges(ctx, links);
        send_pings(ctx, links);
        for link in links.ids() {
            self.check_silence(ctx, links, members, link);
        }
        let mono_ms = ctx.mono_ms();
        for (id, _) in self.missed.extract_if(.., |_, at_ms| *at_ms <= mono_ms) {
            members.change(ctx, |now, roster| roster.on_offline(now, id, false));
        }
        if let Some(next_ms) = self.missed.values().min().copied() {
            ctx.wake_at(next_ms);
        }
    }

    fn resolve_challenges(&mut self, ctx: &mut Ctx, links: &mut LinkTable) {
        let ids: Vec<NodeId> = self.challengers.keys().copied().collect();
        for id in ids {
            let Challenger { link, asked_ms, answered } = self.challengers[&id];
            if answered {
                self.challengers.remove(&id);
                self.drop_link(ctx, links, link);
                ctx.close(link, CloseReason::KeyInUse);
                ctx.warn(Warning::KeyInUse(id));
                let until_ms = ctx.mono_ms() + KEY_IN_USE_RETRY_MS;
                ctx.emit(Event::Dial(DialEvent::Suspended { id, until_ms }));
            } else if ctx.mono_ms() >= asked_ms + PROBE_MS {
                self.challengers.remove(&id);
                for old in links.links_of(id) {
                    self.drop_link(ctx, links, old);
                    ctx.close(old, CloseReason::Silent);
                }
                self.register(ctx, links, link);
            } else {
                ctx.wake_at(asked_ms + PROBE_MS);
            }
        }
    }

    fn check_silence(&mut self, ctx: &mut Ctx, links: &mut LinkTable, members: &mut MemberTable, link: LinkId) {
        let was_used = links.is_primary(link);
        let mono_ms = ctx.mono_ms();
        let Some(entry) = links.get_mut(link) else { return };
        let (id, address) = (entry.peer.id, entry.peer.address);
        let silent_ms = mono_ms.saturating_sub(entry.heard_ms);
        if silent_ms >= LOST_AFTER_MS && mono_ms >= self.grace_until_ms {
            ctx.close(link, CloseReason::Silent);
            let next = self.drop_link(ctx, links, link).and_then(|(_, next)| next);
            match next {
                Some(next) if was_used => ctx.emit(Event::PrimaryChanged(next)),
                Some(_) => {}
                None => {
                    ctx.emit(Event::Dial(DialEvent::LinkLost { id, address, wait_ms: 0 }));
                    ctx.emit(Event::ReachChanged { member: id, state: ReachState::Gone });
                    self.suspect_loss(ctx, id, mono_ms);
                }
            }
            return;
        }
        let mut next_ms = entry.ping_due_ms().max(mono_ms + 1);
        if silent_ms >= UNSURE_AFTER_MS && mono_ms >= self.grace_until_ms {
            let is_new = !std::mem::replace(&mut entry.unsure, true);
            if is_new && was_used {
                members.change(ctx, |now, roster| roster.set_unresponsive(now, id, true));
                ctx.emit(Event::ReachChanged { member: id, state: ReachState::Gone });
                ctx.emit(Event::LinkSilent(link));
            }
        } else {
            next_ms = next_ms.min(mono_ms + UNSURE_AFTER_MS.saturating_sub(silent_ms).max(1));
        }
        ctx.wake_at(next_ms);
    }

    /// This machine slept, so nothing could be heard: asks all peers before any is given up.
    pub(crate) fn on_resume_from_sleep(&mut self, ctx: &mut Ctx, links: &mut LinkTable) {
        let mono_ms = ctx.mono_ms();
        self.grace_until_ms = mono_ms + SLEPT_GRACE_MS;
        for (_, link) in links.iter_mut() {
            link.heard_ms = link.heard_ms.max((mono_ms + SLEPT_GRACE_MS).saturating_sub(LOST_AFTER_MS));
            link.pinged_ms = mono_ms;
        }
        let links = links.ids();
        if !links.is_empty() {
            ctx.send_all(links, Frame::Ping { wall_ms: ctx.now.wall_ms });
        }
    }

    /// Says goodbye on all links, and forgets them.
    pub(crate) fn say_goodbye(&mut self, ctx: &mut Ctx, links: &mut LinkTable) {
        for link in links.ids() {
            ctx.close(link, CloseReason::Stopping);
        }
        *links = LinkTable::default();
        *self = Self::default();
    }
}

/// Pings all links that are silent. Those of which the ping would be due soon get it at the same
/// time, so that one turn, and one frame encoded once, serves many links.
fn send_pings(ctx: &mut Ctx, links: &mut LinkTable) {
    let mono_ms = ctx.mono_ms();
    if links.iter().all(|(_, link)| mono_ms < link.ping_due_ms()) {
        return;
    }
    let mut pinged = Vec::new();
    for (id, link) in links.iter_mut().filter(|(_, link)| mono_ms + PING_EARLY_MS >= link.ping_due_ms()) {
        link.pinged_ms = mono_ms;
        pinged.push(id);
    }
    ctx.send_all(pinged, Frame::Ping { wall_ms: ctx.now.wall_ms });
}
