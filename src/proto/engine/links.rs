//! One link with each peer, and who is here: what comes up, goes down, falls silent, or is there twice.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::link::Link;
use super::{Action, Engine, Warning};
use crate::proto::clock::Now;
use crate::proto::closed::Closings;
use crate::proto::frame::{CloseReason, Frame, Peer, Reached};
use crate::proto::ids::{DialId, Instance, LinkId, NodeId};
use crate::proto::limits::{
    ALIVE_MS, BUSY_RETRY_MS, HANDSHAKE_MS_MAX, KEY_IN_USE_RETRY_MS, LOST_AFTER_MS, LOST_GRACE_MS, PING_AFTER_MS,
    PROBE_MS, PROTOCOL_RETRY_MS, SLEPT_GRACE_MS, UNSURE_AFTER_MS,
};
use crate::proto::newcomers::Newcomers;
use crate::proto::roster::Arrival;

/// All links.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_id: BTreeMap<LinkId, Link>,
    /// The links of each peer that has one, the one in use first.
    of: BTreeMap<NodeId, Vec<LinkId>>,
    /// Links of another instance of a linked id, until the old link has answered or not.
    challengers: BTreeMap<NodeId, Challenger>,
    /// Members whose link ended without a goodbye, and when they count as lost.
    missed: BTreeMap<NodeId, u64>,
    /// Members who said goodbye, until they are back: the program that did, and when.
    goodbyes: BTreeMap<NodeId, (Instance, u64)>,
    /// How many that were never seen before may still come.
    newcomers: Newcomers,
    /// When a link was last refused or evicted for want of room.
    pub(super) full_ms: Option<u64>,
}

#[derive(Debug)]
struct Challenger {
    link: LinkId,
    asked_ms: u64,
    /// Whether anything came on the old one since.
    answered: bool,
}

impl Links {
    /// The link in use with a peer.
    pub(super) fn primary(&self, id: NodeId) -> Option<&Link> {
        self.of.get(&id).and_then(|links| self.by_id.get(links.first()?))
    }

    /// The link in use with a peer, unless it has been silent for so long that another way may be looked for.
    pub(super) fn well(&self, id: NodeId) -> Option<&Link> {
        self.primary(id).filter(|link| !link.unsure)
    }

    /// The number of the link in use with a peer.
    pub(super) fn primary_id(&self, id: NodeId) -> Option<LinkId> {
        self.of.get(&id)?.first().copied()
    }

    /// The peers with a link, by id.
    pub(super) fn peers(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        self.of.keys().copied()
    }

    /// How many peers have a link.
    pub(super) fn count(&self) -> usize {
        self.of.len()
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Link> {
        self.by_id.get(&link)
    }

    pub(super) fn get_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&link)
    }

    /// All links, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(id, link)| (*id, link))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Link)> {
        self.by_id.iter_mut().map(|(id, link)| (*id, link))
    }

    pub(super) fn ids(&self) -> Vec<LinkId> {
        self.by_id.keys().copied().collect()
    }

    /// Whether a member's program that has been running for so long by now is one that said goodbye: whoever speaks of it has
    /// not heard that yet.
    pub(super) fn has_left(&self, id: NodeId, uptime_ms: u64, now: Now) -> bool {
        self.goodbyes.get(&id).is_some_and(|(_, at_ms)| uptime_ms >= now.mono_ms - at_ms)
    }

    /// Takes a link out. Returns it and the link that is in use with its peer from now on.
    fn remove(&mut self, link: LinkId) -> Option<(Link, Option<LinkId>)> {
        let gone = self.by_id.remove(&link)?;
        let id = gone.peer.id;
        if self.challengers.get(&id).is_some_and(|challenger| challenger.link == link) {
            self.challengers.remove(&id);
        }
        let Some(links) = self.of.get_mut(&id) else { return Some((gone, None)) };
        links.retain(|other| *other != link);
        let next = links.first().copied();
        if next.is_none() {
            self.of.remove(&id);
        }
        Some((gone, next))
    }
}

impl Engine {
    pub(super) fn link_up(&mut self, now: Now, link: LinkId, dial: Option<DialId>, peer: Peer, out: &mut Vec<Action>) {
        let id = peer.id;
        let victim = self.victim(link, &peer);
        self.links.full_ms = victim.map(|_| now.mono_ms).or(self.links.full_ms);
        let is_full = victim == Some(link) || self.has_no_slot_to_wait(&peer);
        // Of two connections one may be through its greeting only after the goodbye on the other.
        let has_left = self.links.goodbyes.get(&id).is_some_and(|(instance, _)| *instance == peer.instance);
        if self.stopping || id == self.own || is_full || has_left || !self.is_welcome(now, id, peer.address) {
            let reason = if self.stopping { CloseReason::Stopping } else { CloseReason::Busy };
            out.push(Action::Close { link, reason });
            // The next dial would end alike: there is as little reason for it as if nobody had answered.
            let jitter = self.random();
            dial.and_then(|dial| self.book.failed(dial, now.mono_ms, jitter));
            return;
        }
        if let Some(victim) = victim {
            self.evict(now, victim, out);
        }
        if let Some(dial) = dial {
            self.book.succeeded(dial, id);
        }
        let instance = peer.instance;
        let old = self.links.primary_id(id);
        self.links.by_id.insert(link, Link::new(peer, now.mono_ms));
        match old {
            None => self.adopt(now, link, out),
            Some(old) if self.links.by_id[&old].instance == instance => self.second_link(now, old, link, out),
            Some(old) => self.challenged(now, id, old, link, out),
        }
        self.wake_at(now.mono_ms);
    }

    /// Whether somebody may come in: whoever was seen before, and of strangers so many from one address, or through peers
    /// there. Each becomes a member that every page lists for ever, and keys cost nothing.
    pub(super) fn is_welcome(&mut self, now: Now, id: NodeId, address: IpAddr) -> bool {
        if self.roster.member(id).is_some() {
            return true;
        }
        self.links.newcomers.admit(address, now.mono_ms)
    }

    /// A peer has its first link, or its first after another instance of it is gone.
    fn adopt(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let peer = self.links.by_id[&link].peer.clone();
        self.links.missed.remove(&peer.id);
        self.links.goodbyes.remove(&peer.id);
        self.links.of.insert(peer.id, vec![link]);
        self.frontier.meets(peer.id);
        self.closings_on(link, out);
        self.said_where(now, &peer);
        let mut addresses = vec![peer.address];
        addresses.extend(peer.intro.listens.iter().map(std::net::SocketAddr::ip));
        let mut seen = std::collections::BTreeSet::new();
        addresses.retain(|address| seen.insert(*address));
        let arrival = Arrival {
            id: peer.id,
            name: peer.intro.name,
            addresses,
            port: peer.intro.listens.first().map_or(0, std::net::SocketAddr::port),
            uptime_ms: peer.intro.uptime_ms,
            wall_ms: Some(peer.intro.wall_ms),
            via: None,
        };
        let changes = self.roster.came(now, arrival);
        self.changed(now, changes, out);
        self.show_taken(now, peer.id, out);
        self.linked_at_last(now, peer.id, out);
        self.compare_soon(link);
    }

    /// Two links of the same two instances: dialled by different sides, the smaller id's stays; by the same, the newer.
    /// If the old one is older than a handshake takes, or silent, the two did not dial each other at once: the other side has
    /// lost the old one, and the newer stays. Only the smaller id closes one of two, so that never both do; nobody sees anybody leave.
    /// A node whose links are all in use does not wait for that.
    fn second_link(&mut self, now: Now, old: LinkId, new: LinkId, out: &mut Vec<Action>) {
        let (first, second) = (&self.links.by_id[&old].peer, &self.links.by_id[&new].peer);
        let id = first.id;
        let ours_stays = self.own < id;
        let before = &self.links.by_id[&old];
        let young = now.mono_ms <= before.up_ms + HANDSHAKE_MS_MAX;
        let dialled_at_once = young && now.mono_ms <= before.heard_ms + ALIVE_MS;
        let (stays, goes) = match (first.dialled, second.dialled) {
            (first, second) if first == second || !dialled_at_once => (new, old),
            (true, _) if ours_stays => (old, new),
            (false, _) if !ours_stays => (old, new),
            _ => (new, old),
        };
        let mut ended = self.links.of.insert(id, vec![stays, goes]).unwrap_or_default();
        // More than two has only a peer that dials without end, and does not decide: it may not take everybody's place.
        ended.retain(|link| *link != stays && *link != goes);
        if self.own < id || self.is_over_budget() {
            ended.push(goes);
        }
        for link in ended {
            self.drop_link(now, link);
            out.push(Action::Close { link, reason: CloseReason::Duplicate });
        }
        if stays == new {
            self.in_use_now(now, new, out);
        } else {
            // What was sent on the one that goes may be lost.
            self.closings_on(stays, out);
            self.compare_soon(stays);
        }
    }

    /// Another link of the same peer is in use: what was under way on the old one is found by comparing.
    fn in_use_now(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let peer = &self.links.by_id[&link].peer;
        let (id, address) = (peer.id, peer.address);
        let mut addresses = vec![address];
        let known = self.roster.member(id).map(|member| member.addresses.clone()).unwrap_or_default();
        addresses.extend(known.into_iter().filter(|other| *other != address));
        let changes = self.roster.moved(id, addresses);
        self.changed(now, changes, out);
        // The old link may have been silent; this one is not.
        let changes = self.roster.silent(now, id, false);
        self.changed(now, changes, out);
        self.tell_reach(now, id, Reached::Here, out);
        self.closings_on(link, out);
        self.compare_soon(link);
    }

    /// Another instance of a linked id: either the old one is dead, or the key is in use on two machines.
    fn challenged(&mut self, now: Now, id: NodeId, old: LinkId, link: LinkId, out: &mut Vec<Action>) {
        let challenger = Challenger { link, asked_ms: now.mono_ms, answered: false };
        if let Some(before) = self.links.challengers.insert(id, challenger) {
            self.drop_link(now, before.link);
            out.push(Action::Close { link: before.link, reason: CloseReason::Duplicate });
        }
        out.push(Action::Send { links: vec![old], frame: Frame::Ping { wall_ms: now.wall_ms } });
        self.wake_at(now.mono_ms + PROBE_MS);
    }

    /// Forgets a link and all that went on over it. Returns it, and the link that is in use with its peer from now on.
    fn drop_link(&mut self, now: Now, link: LinkId) -> Option<(Link, Option<LinkId>)> {
        let gone = self.links.remove(link)?;
        self.sync_link_gone(link, gone.0.peer.id);
        self.relay_gone(now, link);
        Some(gone)
    }

    /// The other side ended a link, or it broke.
    pub(super) fn link_down(&mut self, now: Now, link: LinkId, reason: Option<CloseReason>, out: &mut Vec<Action>) {
        let was_used = self.links.get(link).is_some_and(|gone| self.links.primary_id(gone.peer.id) == Some(link));
        let Some((gone, next)) = self.drop_link(now, link) else { return };
        let id = gone.peer.id;
        // Who has no place for us now is not asked again at once, nor whoever one does not understand.
        let rest_ms = match reason {
            Some(CloseReason::KeyInUse) => Some(KEY_IN_USE_RETRY_MS),
            Some(CloseReason::Busy) => Some(BUSY_RETRY_MS + self.random() % BUSY_RETRY_MS),
            Some(CloseReason::Protocol) => Some(PROTOCOL_RETRY_MS + self.random() % PROTOCOL_RETRY_MS),
            _ => None,
        };
        if let Some(rest_ms) = rest_ms {
            self.book.rest(id, now.mono_ms + rest_ms);
        }
        if reason == Some(CloseReason::KeyInUse) {
            out.push(Action::Warn(Warning::KeyInUse(self.own)));
        }
        self.wake_at(now.mono_ms);
        if let Some(next) = next {
            if was_used {
                self.in_use_now(now, next, out);
            }
            return;
        }
        if !was_used {
            return;
        }
        self.frontier.closings_told(id, Closings::default());
        if let Some(challenger) = self.links.challengers.remove(&id) {
            self.adopt(now, challenger.link, out);
            return;
        }
        if reason == Some(CloseReason::Stopping) {
            self.book.left(id);
            self.links.goodbyes.insert(id, (gone.peer.instance, now.mono_ms));
            self.tell_reach(now, id, Reached::Left, out);
            let changes = self.roster.went(now, id, true);
            self.changed(now, changes, out);
            return;
        }
        self.tell_reach(now, id, Reached::Gone, out);
        // A link that is back within the grace is not announced at all.
        let wait_ms = rest_ms.unwrap_or(self.random() % 200);
        self.book.lost(id, gone.peer.address, now.mono_ms, wait_ms);
        self.missing_from(id, now.mono_ms + LOST_GRACE_MS);
    }

    /// A member can't be reached any more; unless that changes, it counts as lost at `at_ms`, or when it was to before: that one
    /// peer after the other has nothing better to say puts nothing off.
    pub(super) fn missing_from(&mut self, id: NodeId, at_ms: u64) {
        let missed_ms = self.links.missed.entry(id).or_insert(at_ms);
        *missed_ms = at_ms.min(*missed_ms);
        self.wake_at(at_ms);
    }

    /// A member is reached again.
    pub(super) fn not_missing(&mut self, id: NodeId) {
        self.links.missed.remove(&id);
    }

    /// What a peer said of itself, and for how long its program has been running by now.
    pub(super) fn introduced(&self, now: Now, id: NodeId) -> Option<(&Link, u64)> {
        let link = self.links.primary(id)?;
        // A stranger may say that it has been running for as long as a number can say.
        Some((link, link.peer.intro.uptime_ms.saturating_add(now.mono_ms - link.up_ms)))
    }

    /// Any frame is a sign of life. Returns who is at the other end; `None` on a link that is gone already.
    pub(super) fn heard(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) -> Option<NodeId> {
        let entry = self.links.by_id.get_mut(&link)?;
        entry.heard_ms = now.mono_ms;
        let id = entry.peer.id;
        let was_unsure = std::mem::take(&mut entry.unsure);
        if let Some(challenger) = self.links.challengers.get_mut(&id).filter(|challenger| challenger.link != link) {
            challenger.answered = true;
        }
        if was_unsure {
            let changes = self.roster.silent(now, id, false);
            self.changed(now, changes, out);
            self.tell_reach(now, id, Reached::Here, out);
            self.relay_back();
        }
        Some(id)
    }

    pub(super) fn links_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        self.settle_challenges(now, out);
        for link in self.links.ids() {
            self.check_silence(now, link, out);
        }
        let due = |at_ms: &u64| *at_ms <= now.mono_ms;
        let lost: Vec<NodeId> = self.links.missed.iter().filter(|(_, at)| due(at)).map(|(id, _)| *id).collect();
        for id in lost {
            self.links.missed.remove(&id);
            let changes = self.roster.went(now, id, false);
            self.changed(now, changes, out);
        }
        if let Some(next_ms) = self.links.missed.values().min().copied() {
            self.wake_at(next_ms);
        }
    }

    fn settle_challenges(&mut self, now: Now, out: &mut Vec<Action>) {
        let ids: Vec<NodeId> = self.links.challengers.keys().copied().collect();
        for id in ids {
            let Challenger { link, asked_ms, answered } = self.links.challengers[&id];
            if answered {
                self.links.challengers.remove(&id);
                self.drop_link(now, link);
                out.push(Action::Close { link, reason: CloseReason::KeyInUse });
                out.push(Action::Warn(Warning::KeyInUse(id)));
                self.book.rest(id, now.mono_ms + KEY_IN_USE_RETRY_MS);
            } else if now.mono_ms >= asked_ms + PROBE_MS {
                self.links.challengers.remove(&id);
                for old in self.links.of.get(&id).cloned().unwrap_or_default() {
                    self.drop_link(now, old);
                    out.push(Action::Close { link: old, reason: CloseReason::Silent });
                }
                self.adopt(now, link, out);
            } else {
                self.wake_at(asked_ms + PROBE_MS);
            }
        }
    }

    fn check_silence(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let Some(entry) = self.links.by_id.get_mut(&link) else { return };
        let (id, address) = (entry.peer.id, entry.peer.address);
        let silent_ms = now.mono_ms.saturating_sub(entry.heard_ms);
        if silent_ms >= LOST_AFTER_MS && now.mono_ms >= self.nobody_lost_until_ms {
            out.push(Action::Close { link, reason: CloseReason::Silent });
            let was_used = self.links.primary_id(id) == Some(link);
            let next = self.drop_link(now, link).and_then(|(_, next)| next);
            match next {
                Some(next) if was_used => self.in_use_now(now, next, out),
                Some(_) => {}
                None => {
                    self.frontier.closings_told(id, Closings::default());
                    self.book.lost(id, address, now.mono_ms, 0);
                    self.tell_reach(now, id, Reached::Gone, out);
                    self.missing_from(id, now.mono_ms);
                }
            }
            return;
        }
        let asked_ms = entry.heard_ms.max(entry.pinged_ms);
        if now.mono_ms >= asked_ms + PING_AFTER_MS {
            entry.pinged_ms = now.mono_ms;
            out.push(Action::Send { links: vec![link], frame: Frame::Ping { wall_ms: now.wall_ms } });
        }
        let mut next_ms = (asked_ms + PING_AFTER_MS).max(now.mono_ms + 1);
        if silent_ms >= UNSURE_AFTER_MS && now.mono_ms >= self.nobody_lost_until_ms {
            let in_use = self.links.of.get(&id).is_some_and(|links| links.first() == Some(&link));
            let newly =
                !self.links.by_id.get_mut(&link).is_some_and(|entry| std::mem::replace(&mut entry.unsure, true));
            if newly && in_use {
                let changes = self.roster.silent(now, id, true);
                self.changed(now, changes, out);
                self.tell_reach(now, id, Reached::Gone, out);
                self.relay_gone(now, link);
            }
        } else {
            next_ms = next_ms.min(now.mono_ms + UNSURE_AFTER_MS.saturating_sub(silent_ms).max(1));
        }
        self.wake_at(next_ms);
    }

    /// Asks everybody "are you there", and gives them [`SLEPT_GRACE_MS`] to answer.
    pub(super) fn probe_all(&mut self, now: Now, out: &mut Vec<Action>) {
        for (_, link) in self.links.iter_mut() {
            link.heard_ms = link.heard_ms.max((now.mono_ms + SLEPT_GRACE_MS).saturating_sub(LOST_AFTER_MS));
            link.pinged_ms = now.mono_ms;
        }
        let links = self.links.ids();
        if !links.is_empty() {
            out.push(Action::Send { links, frame: Frame::Ping { wall_ms: now.wall_ms } });
        }
    }

    pub(super) fn say_goodbye(&mut self, out: &mut Vec<Action>) {
        for link in self.links.ids() {
            out.push(Action::Close { link, reason: CloseReason::Stopping });
        }
        self.links = Links::default();
    }
}
