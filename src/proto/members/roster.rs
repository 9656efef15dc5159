//! The members of the room with their presence, and the notices that their changes make.
//!
//! The roster decides nothing about links. It is told that a member came, fell silent or went, and
//! returns what changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::proto::clock::{Now, Stamp};
use crate::proto::entries::timeline::NoticeKind;
use crate::proto::ids::NodeId;
use crate::proto::limits::WIRE_MS_MAX;
use crate::proto::member_flags::MemberFlags;
use crate::proto::members::member::{Member, Presence};
use crate::proto::names::confusables::skeleton;
use crate::proto::names::name::Name;
use crate::proto::replication::author_limits::LimitReason;
use crate::proto::replication::store_api::MemberRecord;

/// A member, and what else the roster keeps of it.
#[derive(Debug)]
struct RosterEntry {
    member: Member,
    /// Since when it has its name, by its own clock.
    name_time: Stamp,
    /// Since when, by their own clock, they have their status.
    status_time: Stamp,
    port: u16,
    /// True if it was reached in this run.
    seen: bool,
}

impl RosterEntry {
    /// See [`MemberRecord::was_met`].
    fn was_met(&self) -> bool {
        self.port != 0 || !self.member.addresses.is_empty()
    }
}

/// The changes of the roster, for the page and for the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The members as they are now.
    pub members: Vec<Member>,
    /// The records to be stored.
    pub records: Vec<MemberRecord>,
    /// Notices to number and show.
    pub notices: Vec<(NoticeKind, NodeId, Name)>,
}

/// A member that is reached, as its link tells of it.
#[derive(Debug)]
pub struct MemberOnline {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: Name,
    /// The address of the link, then the others on which it listens.
    pub addresses: Vec<IpAddr>,
    /// The port on which it listens.
    pub port: u16,
    /// The time for which its program has been running, in milliseconds.
    pub uptime_ms: u64,
    /// Its wall clock in milliseconds since 1970, if it told that itself.
    pub wall_ms: Option<u64>,
    /// The peer through which it is reached, if it has no link.
    pub via: Option<NodeId>,
}

/// All members ever known, this node included.
#[derive(Debug)]
pub struct Roster {
    own: NodeId,
    started_ms: u64,
    entries: BTreeMap<NodeId, RosterEntry>,
}

impl Roster {
    /// The roster at the start: this node, and all members of earlier runs as gone.
    pub fn new(now: Now, own: Member, known: Vec<MemberRecord>) -> Self {
        let mut roster = Self { own: own.id, started_ms: now.mono_ms, entries: BTreeMap::new() };
        for record in known {
            let member = Member {
                id: record.id,
                name: record.name,
                state: if record.lost { Presence::Lost } else { Presence::Left },
                own: false,
                addresses: record.addresses,
                since_ms: record.since_ms,
                direct: false,
                via: None,
                clock_error_ms: None,
                marks: MemberFlags::default(),
                forked: false,
                status: None,
                bytes: 0,
                closed: None,
            };
            let (name_time, status_time) = (record.name_time, Stamp::default());
            let entry = RosterEntry { member, name_time, status_time, port: record.port, seen: false };
            roster.entries.insert(record.id, entry);
        }
        let own = RosterEntry {
            member: own,
            name_time: Stamp::default(),
            status_time: Stamp::default(),
            port: 0,
            seen: true,
        };
        roster.entries.insert(roster.own, own);
        roster
    }

    /// All members by id, this node included.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.entries.values().map(|entry| &entry.member)
    }

    /// One member.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.entries.get(&id).map(|entry| &entry.member)
    }

    /// The other members in reach.
    pub fn reachable(&self) -> Vec<NodeId> {
        let others = self.members().filter(|member| member.state.is_here() && member.id != self.own);
        others.map(|member| member.id).collect()
    }

    /// A member is reached, by a link or through a peer, for the first time or again.
    pub fn on_online(&mut self, now: Now, mut arrival: MemberOnline) -> Changes {
        let mut changes = Changes::default();
        let id = arrival.id;
        let known = self.entries.get(&id);
        if let Some(entry) = known.filter(|entry| arrival.via.is_some() && entry.name_time > Stamp::default()) {
            // What a member said itself counts for more than what others say of it.
            arrival.name = entry.member.name.clone();
        }
        let before = known.map(|entry| (entry.member.state, entry.seen));
        // A member that was known from history alone is met for the first time.
        let new_name = known.is_none_or(|entry| entry.member.name != arrival.name || !entry.was_met());
        let younger = arrival.uptime_ms < now.mono_ms - self.started_ms;
        let kind = match before {
            Some((Presence::Online | Presence::Unsure, _)) => None,
            Some((Presence::Lost, true)) => Some(NoticeKind::Back),
            Some((Presence::Left, true)) => Some(NoticeKind::Joined),
            Some((Presence::Lost | Presence::Left, false)) | None => younger.then_some(NoticeKind::Joined),
        };
        if let Some(kind) = kind {
            changes.notices.push((kind, id, arrival.name.clone()));
        }
        if new_name && self.is_taken(id, &arrival.name) {
            changes.notices.push((NoticeKind::Conflict, id, arrival.name.clone()));
        }
        let since_ms = match before {
            Some((Presence::Online, _)) => self.entries[&id].member.since_ms,
            _ => now.wall_ms,
        };
        let (marks, forked) = known.map_or_else(Default::default, |known| (known.member.marks, known.member.forked));
        let status = known.and_then(|known| known.member.status.clone());
        let (bytes, closed) = known.map_or_else(Default::default, |known| (known.member.bytes, known.member.closed));
        let member = Member {
            id,
            name: arrival.name,
            state: Presence::Online,
            own: false,
            addresses: arrival.addresses,
            since_ms,
            direct: arrival.via.is_none(),
            via: arrival.via,
            clock_error_ms: arrival.wall_ms.map(|wall_ms| clock_error_ms(wall_ms, now.wall_ms)),
            marks,
            forked,
            status,
            bytes,
            closed,
        };
        let known_time = self.entries.get(&id).map(|entry| entry.name_time).unwrap_or_default();
        let name_time = arrival.wall_ms.map_or(known_time, Stamp::from_ms);
        let status_time = self.entries.get(&id).map(|entry| entry.status_time).unwrap_or_default();
        self.entries.insert(id, RosterEntry { member, name_time, status_time, port: arrival.port, seen: true });
        self.report(id, &mut changes);
        changes
    }

    /// This node's user changed the flags of a member.
    pub fn mark(&mut self, id: NodeId, marks: MemberFlags) -> Changes {
        let mut changes = self.change(id, |entry| entry.member.marks = marks);
        changes.records.clear();
        changes
    }

    /// Sets how many bytes the logs of a member take, and why no more of it is taken, if that is
    /// so.
    pub fn set_usage(&mut self, id: NodeId, bytes: u64, closed: Option<LimitReason>) -> Changes {
        let mut changes = self.change(id, |entry| (entry.member.bytes, entry.member.closed) = (bytes, closed));
        changes.records.clear();
        changes
    }

    /// A member signed two batches for one position of a log. Makes a notice the first time only.
    pub fn forked(&mut self, now: Now, id: NodeId) -> Changes {
        let mut changes = Changes::default();
        if !self.entries.contains_key(&id) {
            let name = Name::from_lossy(&id.short(), "?");
            changes = self.named(now, id, &name, Stamp::default());
        }
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.member.forked) else { return changes };
        entry.member.forked = true;
        changes.members = vec![entry.member.clone()];
        changes.notices.push((NoticeKind::Forked, id, entry.member.name.clone()));
        changes
    }

    /// The addresses of a member changed: it has another link.
    pub fn set_addresses(&mut self, id: NodeId, addresses: Vec<IpAddr>) -> Changes {
        self.change(id, |entry| entry.member.addresses = addresses)
    }

    /// A member fell silent, or was heard again.
    pub fn set_unresponsive(&mut self, now: Now, id: NodeId, silent: bool) -> Changes {
        self.change(id, |entry| {
            let state = if silent { Presence::Unsure } else { Presence::Online };
            if entry.member.state.is_here() && entry.member.state != state {
                (entry.member.state, entry.member.since_ms) = (state, now.wall_ms);
            }
        })
    }

    /// A member has no link any more: it said goodbye, or it did not.
    pub fn on_offline(&mut self, now: Now, id: NodeId, goodbye: bool) -> Changes {
        let (state, kind) =
            if goodbye { (Presence::Left, NoticeKind::Left) } else { (Presence::Lost, NoticeKind::Lost) };
        let here = self.member(id).filter(|member| member.state.is_here());
        let Some(name) = here.map(|member| member.name.clone()) else { return Changes::default() };
        let mut changes = self.change(id, |entry| {
            (entry.member.state, entry.member.since_ms) = (state, now.wall_ms);
            (entry.member.direct, entry.member.via, entry.member.clock_error_ms) = (false, None, None);
        });
        changes.notices.push((kind, id, name));
        changes
    }

    /// A member's log tells the name that it has since `time`, by its own clock.
    pub fn named(&mut self, now: Now, id: NodeId, name: &Name, time: Stamp) -> Changes {
        if let Some(entry) = self.entries.get_mut(&id) {
            if time < entry.name_time {
                return Changes::default();
            }
            entry.name_time = time;
            if entry.member.name == *name {
                return Changes::default();
            }
            let here = entry.member.state.is_here();
            let mut changes = self.change(id, |entry| entry.member.name = name.clone());
            if here {
                changes.notices.push((NoticeKind::Renamed, id, name.clone()));
            }
            if id != self.own && self.is_taken(id, name) {
                changes.notices.push((NoticeKind::Conflict, id, name.clone()));
            }
            return changes;
        }
        // A member that is known from history alone.
        let record = MemberRecord {
            id,
            name: name.clone(),
            name_time: time,
            addresses: Vec::new(),
            port: 0,
            since_ms: time.ms().min(now.wall_ms),
            lost: false,
        };
        let known = Self::new(now, self.entries[&self.own].member.clone(), vec![record]);
        self.entries.extend(known.entries.into_iter().filter(|(known, _)| *known == id));
        let mut changes = Changes::default();
        self.report(id, &mut changes);
        changes
    }

    /// A member's log says what it is doing since `time`, by its own clock.
    pub fn set_status(&mut self, id: NodeId, status: Option<&str>, time: Stamp) -> Changes {
        let is_older = self.entries.get(&id).is_none_or(|entry| time < entry.status_time);
        if is_older {
            return Changes::default();
        }
        let mut changes = self.change(id, |entry| {
            entry.status_time = time;
            entry.member.status = status.map(str::to_owned);
        });
        changes.records.clear();
        changes
    }

    /// A member told what its clock shows.
    pub fn on_clock_error(&mut self, id: NodeId, error_ms: i64) -> Changes {
        let Some(entry) = self.entries.get_mut(&id) else { return Changes::default() };
        let before = entry.member.clock_error_ms.replace(error_ms);
        let mut changes = Changes::default();
        if before.is_none_or(|before| before.abs_diff(error_ms) >= 1_000) {
            changes.members.push(entry.member.clone());
        } else {
            // Below a second it is jitter: compare the next one with what was told last.
            entry.member.clock_error_ms = before;
        }
        changes
    }

    /// The network changed: these are the own addresses now.
    pub fn own_addresses(&mut self, addresses: Vec<IpAddr>) -> Changes {
        let mut changes = self.change(self.own, |entry| entry.member.addresses = addresses);
        changes.records.clear();
        changes
    }

    /// Returns true if another known member has a name that looks the same.
    fn is_taken(&self, id: NodeId, name: &Name) -> bool {
        let looks_like = skeleton(name.as_str());
        self.members().any(|member| member.id != id && skeleton(member.name.as_str()) == looks_like)
    }

    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut RosterEntry)) -> Changes {
        let mut changes = Changes::default();
        let Some(entry) = self.entries.get_mut(&id) else { return changes };
        let before = entry.member.clone();
        change(entry);
        if entry.member != before {
            self.report(id, &mut changes);
        }
        changes
    }

    fn report(&self, id: NodeId, changes: &mut Changes) {
        let entry = &self.entries[&id];
        changes.members.push(entry.member.clone());
        if id != self.own {
            changes.records.push(MemberRecord {
                id,
                name: entry.member.name.clone(),
                name_time: entry.name_time,
                addresses: entry.member.addresses.clone(),
                port: entry.port,
                since_ms: entry.member.since_ms,
                lost: entry.member.state == Presence::Lost,
            });
        }
    }
}

/// Returns how far a peer's clock is ahead of this node's in milliseconds, at most 2^53 either way,
/// whatever the peer says.
pub(in crate::proto) fn clock_error_ms(theirs_ms: u64, ours_ms: u64) -> i64 {
    let signed = |ms: u64| i64::try_from(ms.min(WIRE_MS_MAX)).unwrap_or(i64::MAX);
    signed(theirs_ms) - signed(ours_ms)
}

#[cfg(test)]
mod tests;
