//! Who is here: the members of the room with their states, and the notices that their coming and going makes.
//!
//! The roster decides nothing about links; it is told that a member came, fell silent or went, and says what changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::clock::{Now, Stamp};
use super::closed::Closed;
use super::ids::NodeId;
use super::limits::WIRE_MS_MAX;
use super::lookalikes::looks;
use super::marks::Marks;
use super::name::Name;
use super::record::MemberRecord;
use super::timeline::NoticeKind;

/// Whether a member is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Linked, or reachable through another member, and heard from.
    Online,
    /// Linked, but silent for some time.
    Unsure,
    /// Gone without a word.
    Lost,
    /// Said goodbye, or known from history only.
    Left,
}

impl State {
    /// Whether a member counts as in reach.
    pub fn is_here(self) -> bool {
        match self {
            Self::Online | Self::Unsure => true,
            Self::Lost | Self::Left => false,
        }
    }
}

/// A node as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: NodeId,
    /// What they are called now.
    pub name: Name,
    /// Whether they are here.
    pub state: State,
    /// Whether it is this node itself.
    pub own: bool,
    /// Where they are, the link's address first; the last known when gone.
    pub addresses: Vec<IpAddr>,
    /// When the present state began, by this node's wall clock in milliseconds since 1970.
    pub since_ms: u64,
    /// Whether this node has a link with them.
    pub direct: bool,
    /// Through whom they are reachable, if not directly.
    pub via: Option<NodeId>,
    /// Their wall clock minus ours, in milliseconds, where it is known.
    pub clock_error_ms: Option<i64>,
    /// What this node's user thinks of them.
    pub marks: Marks,
    /// Whether they signed two things for one place of a log.
    pub forked: bool,
    /// How much of the disk their logs take, in bytes, to within [`super::limits::AUTHOR_BYTES_STEP`].
    pub bytes: u64,
    /// Why nothing more of theirs is taken, if that is so.
    pub closed: Option<Closed>,
}

/// What else the roster keeps of a member.
#[derive(Debug)]
struct Entry {
    member: Member,
    /// Since when, by their own clock, they have their name.
    name_time: Stamp,
    port: u16,
    /// Whether they were linked with this start of the program.
    seen: bool,
}

impl Entry {
    /// See [`MemberRecord::was_met`].
    fn was_met(&self) -> bool {
        self.port != 0 || !self.member.addresses.is_empty()
    }
}

/// What changed, for the page and for the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The members as they are now.
    pub members: Vec<Member>,
    /// What to keep of them.
    pub records: Vec<MemberRecord>,
    /// Notices to number and show.
    pub notices: Vec<(NoticeKind, NodeId, Name)>,
}

/// How a member comes: what the link and the first words on it say.
#[derive(Debug)]
pub struct Arrival {
    /// Who.
    pub id: NodeId,
    /// What they are called.
    pub name: Name,
    /// Where the link comes from, then where else they listen.
    pub addresses: Vec<IpAddr>,
    /// The port where they listen.
    pub port: u16,
    /// How long their program has been running, in milliseconds.
    pub uptime_ms: u64,
    /// Their wall clock, in milliseconds since 1970, where they said it themselves.
    pub wall_ms: Option<u64>,
    /// Through whom they are reachable, if they have no link with this node.
    pub via: Option<NodeId>,
}

/// Everybody ever known, oneself included.
#[derive(Debug)]
pub struct Roster {
    own: NodeId,
    started_ms: u64,
    entries: BTreeMap<NodeId, Entry>,
}

impl Roster {
    /// The roster at the start: oneself, and everybody from earlier runs as gone.
    pub fn new(now: Now, own: Member, known: Vec<MemberRecord>) -> Self {
        let mut roster = Self { own: own.id, started_ms: now.mono_ms, entries: BTreeMap::new() };
        for record in known {
            let member = Member {
                id: record.id,
                name: record.name,
                state: if record.lost { State::Lost } else { State::Left },
                own: false,
                addresses: record.addresses,
                since_ms: record.since_ms,
                direct: false,
                via: None,
                clock_error_ms: None,
                marks: Marks::default(),
                forked: false,
                bytes: 0,
                closed: None,
            };
            let entry = Entry { member, name_time: record.name_time, port: record.port, seen: false };
            roster.entries.insert(record.id, entry);
        }
        let own = Entry { member: own, name_time: Stamp::default(), port: 0, seen: true };
        roster.entries.insert(roster.own, own);
        roster
    }

    /// Everybody, oneself included, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.entries.values().map(|entry| &entry.member)
    }

    /// One member.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.entries.get(&id).map(|entry| &entry.member)
    }

    /// The others who are in reach now.
    pub fn here(&self) -> Vec<NodeId> {
        let others = self.members().filter(|member| member.state.is_here() && member.id != self.own);
        others.map(|member| member.id).collect()
    }

    /// A member has a link with this node, or with somebody who passes on, for the first time or again.
    pub fn came(&mut self, now: Now, mut arrival: Arrival) -> Changes {
        let mut changes = Changes::default();
        let id = arrival.id;
        let known = self.entries.get(&id);
        if let Some(entry) = known.filter(|entry| arrival.via.is_some() && entry.name_time > Stamp::default()) {
            // What a member said itself counts for more than what others say of it.
            arrival.name = entry.member.name.clone();
        }
        let before = known.map(|entry| (entry.member.state, entry.seen));
        // Whoever was known from history alone is met for the first time.
        let new_name = known.is_none_or(|entry| entry.member.name != arrival.name || !entry.was_met());
        let younger = arrival.uptime_ms < now.mono_ms - self.started_ms;
        let kind = match before {
            Some((State::Online | State::Unsure, _)) => None,
            Some((State::Lost, true)) => Some(NoticeKind::Back),
            Some((State::Left, true)) => Some(NoticeKind::Joined),
            Some((State::Lost | State::Left, false)) | None => younger.then_some(NoticeKind::Joined),
        };
        if let Some(kind) = kind {
            changes.notices.push((kind, id, arrival.name.clone()));
        }
        if new_name && self.is_taken(id, &arrival.name) {
            changes.notices.push((NoticeKind::Conflict, id, arrival.name.clone()));
        }
        let since_ms = match before {
            Some((State::Online, _)) => self.entries[&id].member.since_ms,
            _ => now.wall_ms,
        };
        let (marks, forked) = known.map_or_else(Default::default, |known| (known.member.marks, known.member.forked));
        let (bytes, closed) = known.map_or_else(Default::default, |known| (known.member.bytes, known.member.closed));
        let member = Member {
            id,
            name: arrival.name,
            state: State::Online,
            own: false,
            addresses: arrival.addresses,
            since_ms,
            direct: arrival.via.is_none(),
            via: arrival.via,
            clock_error_ms: arrival.wall_ms.map(|wall_ms| clock_error_ms(wall_ms, now.wall_ms)),
            marks,
            forked,
            bytes,
            closed,
        };
        let known_time = self.entries.get(&id).map(|entry| entry.name_time).unwrap_or_default();
        let name_time = arrival.wall_ms.map_or(known_time, Stamp::from_ms);
        self.entries.insert(id, Entry { member, name_time, port: arrival.port, seen: true });
        self.report(id, &mut changes);
        changes
    }

    /// This node's user thinks otherwise of a member.
    pub fn mark(&mut self, id: NodeId, marks: Marks) -> Changes {
        let mut changes = self.change(id, |entry| entry.member.marks = marks);
        changes.records.clear();
        changes
    }

    /// How many bytes the logs of a member take, and why no more of them is taken, if that is so.
    pub fn takes(&mut self, id: NodeId, bytes: u64, closed: Option<Closed>) -> Changes {
        let mut changes = self.change(id, |entry| (entry.member.bytes, entry.member.closed) = (bytes, closed));
        changes.records.clear();
        changes
    }

    /// Two things were found that a member signed for one place of a log. Says so the first time only.
    pub fn forked(&mut self, now: Now, id: NodeId) -> Changes {
        let mut changes = Changes::default();
        if !self.entries.contains_key(&id) {
            let name = Name::lossy(&id.short(), "?");
            changes = self.named(now, id, &name, Stamp::default());
        }
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.member.forked) else { return changes };
        entry.member.forked = true;
        changes.members = vec![entry.member.clone()];
        changes.notices.push((NoticeKind::Forked, id, entry.member.name.clone()));
        changes
    }

    /// A member is somewhere else now: it has another link.
    pub fn moved(&mut self, id: NodeId, addresses: Vec<IpAddr>) -> Changes {
        self.change(id, |entry| entry.member.addresses = addresses)
    }

    /// A member fell silent, or spoke again.
    pub fn silent(&mut self, now: Now, id: NodeId, silent: bool) -> Changes {
        self.change(id, |entry| {
            let state = if silent { State::Unsure } else { State::Online };
            if entry.member.state.is_here() && entry.member.state != state {
                (entry.member.state, entry.member.since_ms) = (state, now.wall_ms);
            }
        })
    }

    /// A member has no link any more: it said goodbye, or it did not.
    pub fn went(&mut self, now: Now, id: NodeId, goodbye: bool) -> Changes {
        let (state, kind) = if goodbye { (State::Left, NoticeKind::Left) } else { (State::Lost, NoticeKind::Lost) };
        let here = self.member(id).filter(|member| member.state.is_here());
        let Some(name) = here.map(|member| member.name.clone()) else { return Changes::default() };
        let mut changes = self.change(id, |entry| {
            (entry.member.state, entry.member.since_ms) = (state, now.wall_ms);
            (entry.member.direct, entry.member.via, entry.member.clock_error_ms) = (false, None, None);
        });
        changes.notices.push((kind, id, name));
        changes
    }

    /// A member's log says what it is called since `time`, by its own clock.
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
        // Somebody who is known from history alone.
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

    /// A member told what its clock says.
    pub fn clock(&mut self, id: NodeId, error_ms: i64) -> Changes {
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

    /// Whether another known member has the same name, as a reader would see it.
    fn is_taken(&self, id: NodeId, name: &Name) -> bool {
        let looks_like = looks(name.as_str());
        self.members().any(|member| member.id != id && looks(member.name.as_str()) == looks_like)
    }

    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut Entry)) -> Changes {
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
                lost: entry.member.state == State::Lost,
            });
        }
    }
}

/// Theirs minus ours.
/// Returns how far another's clock is ahead of ours, in milliseconds: below 2^53 either way, whatever they say.
pub(super) fn clock_error_ms(theirs_ms: u64, ours_ms: u64) -> i64 {
    let signed = |ms: u64| i64::try_from(ms.min(WIRE_MS_MAX)).unwrap_or(i64::MAX);
    signed(theirs_ms) - signed(ours_ms)
}

#[cfg(test)]
mod tests;
