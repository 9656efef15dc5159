//! The address book and the dial scheduler: the one place that decides whom to dial, where and when.
//!
//! A row is an address together with the id expected there. It comes from a beacon, from the user (`--peer`), from the
//! peer itself or another one that was linked with it, or from an earlier run. Backoff belongs to the row; a dial that
//! ends in a link to the id it expected costs nothing.
//!
//! Anybody can send a beacon, also one that was heard from somebody else: each is worth one dial at the most. What was
//! proved by a link is worth more, and is the last to be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::bucket::{Bucket, Buckets};
use super::ids::{DialId, Instance, NodeId};
use super::limits::{
    ADDRESSES_MAX, BEACON_SILENT_MS, BEACONS, BEACONS_PER_ADDRESS, DIAL_BACKOFF_MS_MAX, DIAL_BACKOFF_MS_MIN,
    DIAL_FAILURES, DIAL_FAILURES_FORGET, DIAL_FAILURES_FORGET_SAID, DIAL_FAILURES_PER_ADDRESS,
    DIAL_FAILURES_PER_ADDRESS_REFILL_MS, DIAL_FAILURES_REFILL_MS, DIALS_MAX, WRONG_KEYS_EVERY_MS,
};

/// Where to dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An address.
    Address(SocketAddr),
    /// A name that the driver resolves at each dial, and a port.
    Host(String, u16),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl Target {
    fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.ip()),
            Self::Host(..) => None,
        }
    }
}

/// Where a row comes from, the most trusted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An earlier run was linked with it there.
    Remembered,
    /// A peer that is linked with it says that it listens there.
    Told,
    /// It said itself, while it was linked, that it listens there.
    Said,
    /// A beacon came from there.
    Beacon,
    /// The user named it.
    Given,
}

/// A row is an address together with the id expected there; none: whoever answers.
type RowKey = (Target, Option<NodeId>);

#[derive(Debug)]
struct Row {
    source: Source,
    instance: Option<Instance>,
    /// Not before this time.
    next_ms: u64,
    backoff_ms: u64,
    failures: u32,
    /// When it was last heard of or dialled, to know which row to forget.
    used_ms: u64,
    /// When a beacon last came from there.
    heard_ms: Option<u64>,
    /// Whether a beacon came from there that nobody was dialled for yet.
    is_news: bool,
    /// Whether there is more to go by than beacons.
    is_told: bool,
    /// Whether the id that is expected was found there in this run.
    is_proved: bool,
    /// Who answered there, while that member is linked: no reason to dial.
    linked: Option<NodeId>,
}

impl Row {
    /// Whether there is a reason to dial at all, now or later.
    fn is_wanted(&self, expected: Option<NodeId>, is_linked: impl Fn(NodeId) -> bool) -> bool {
        let is_worth_it = self.is_news || self.is_told || self.is_proved;
        is_worth_it && !self.linked.is_some_and(&is_linked) && !expected.is_some_and(is_linked)
    }
}

/// A dial to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Names the answer.
    pub dial: DialId,
    /// Where.
    pub target: Target,
    /// Who must answer; none: anybody.
    pub expected: Option<NodeId>,
    /// Whether the user named the target: then its network may be as slow as a handshake may be.
    pub is_given: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    rows: BTreeMap<RowKey, Row>,
    dialling: BTreeMap<DialId, RowKey>,
    /// Most dials at a time.
    most: usize,
    dials: u64,
    failures: Bucket,
    failures_at: Buckets,
    unknown: Bucket,
    unknown_from: Buckets,
}

impl Book {
    /// An empty book.
    pub fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            dialling: BTreeMap::new(),
            most: DIALS_MAX,
            dials: 0,
            failures: Bucket::new(DIAL_FAILURES, DIAL_FAILURES_REFILL_MS),
            failures_at: Buckets::default(),
            unknown: Bucket::new(BEACONS, 1_000_u64.div_ceil(BEACONS)),
            unknown_from: Buckets::default(),
        }
    }

    /// Limits the dials at a time further.
    pub fn limit_dials(&mut self, most: usize) {
        self.most = most.min(DIALS_MAX);
    }

    /// Whether a beacon of an unknown id from `source` still counts now.
    pub fn admits_beacon(&mut self, source: IpAddr, mono_ms: u64) -> bool {
        let per_address = Bucket::new(BEACONS_PER_ADDRESS, 1_000 / BEACONS_PER_ADDRESS);
        self.unknown_from.take(source, mono_ms, per_address) && self.unknown.take(mono_ms)
    }

    /// Adds or refreshes a row, to be dialled in `wait_ms` unless it has to wait for its backoff.
    ///
    /// What the user names is dialled at once, also if it was tried before. A beacon of another instance than before is a new start of the program, and one after a long silence means that
    /// the way there is open again: the backoff begins anew.
    pub fn add(
        &mut self,
        target: Target,
        expected: Option<NodeId>,
        source: Source,
        instance: Option<Instance>,
        mono_ms: u64,
        wait_ms: u64,
    ) {
        let key = (target, expected);
        if !self.rows.contains_key(&key) && self.rows.len() >= ADDRESSES_MAX {
            self.forget_oldest();
        }
        let next_ms = mono_ms + wait_ms;
        let row = self.rows.entry(key).or_insert_with(|| Row {
            source,
            instance,
            next_ms,
            backoff_ms: 0,
            failures: 0,
            used_ms: mono_ms,
            heard_ms: None,
            is_news: false,
            is_told: false,
            is_proved: false,
            linked: None,
        });
        row.source = row.source.max(source);
        row.is_told |= source != Source::Beacon;
        row.used_ms = mono_ms;
        if source == Source::Given {
            (row.next_ms, row.backoff_ms) = (next_ms, 0);
        }
        if source != Source::Beacon {
            return;
        }
        let silent = row.heard_ms.is_none_or(|heard_ms| mono_ms >= heard_ms + BEACON_SILENT_MS);
        (row.heard_ms, row.is_news) = (Some(mono_ms), true);
        if silent || row.instance != instance {
            (row.instance, row.next_ms, row.backoff_ms) = (instance, next_ms, 0);
        }
    }

    /// Forgets the row that was unused longest, of those where nothing was proved if there is one.
    fn forget_oldest(&mut self) {
        let idle = self.rows.iter().filter(|(_, row)| row.source < Source::Given && row.linked.is_none());
        if let Some(key) = idle.min_by_key(|(_, row)| (row.is_proved, row.used_ms)).map(|(key, _)| key.clone()) {
            self.rows.remove(&key);
        }
    }

    /// The dials to make now: rows that are due, whose id has no link and is not being dialled, the longest unused first.
    /// A link that is silent may count as none: then another way is looked for while it lasts.
    pub fn due(&mut self, mono_ms: u64, is_linked: impl Fn(NodeId) -> bool) -> Vec<Dial> {
        let mut busy: BTreeSet<RowKey> = self.dialling.values().cloned().collect();
        let mut busy_ids: BTreeSet<NodeId> = busy.iter().filter_map(|(_, id)| *id).collect();
        let mut rows: Vec<(u64, RowKey)> = Vec::new();
        for (key, row) in &self.rows {
            if row.is_wanted(key.1, &is_linked) && row.next_ms <= mono_ms && !busy.contains(key) {
                rows.push((row.used_ms, key.clone()));
            }
        }
        rows.sort();
        let mut dials = Vec::new();
        for (_, key) in rows {
            if self.dialling.len() >= self.most {
                break;
            }
            let (target, expected) = key.clone();
            if expected.is_some_and(|id| !busy_ids.insert(id)) || !self.may_fail(&target, mono_ms) {
                continue;
            }
            let mut is_given = false;
            if let Some(row) = self.rows.get_mut(&key) {
                row.is_news = false;
                is_given = row.source == Source::Given;
            }
            let dial = DialId(self.dials);
            self.dials += 1;
            self.dialling.insert(dial, key.clone());
            busy.insert(key);
            dials.push(Dial { dial, target, expected, is_given });
        }
        dials
    }

    /// Whether the budget of failures allows another dial to this address, even if all that are under way fail.
    fn may_fail(&mut self, target: &Target, mono_ms: u64) -> bool {
        let under_way = |ip| self.dialling.values().filter(|(other, _)| other.ip() == Some(ip)).count() as u64;
        let left_here = target.ip().map_or(u64::MAX, |ip| {
            let left = self.failures_at.left(ip, mono_ms).unwrap_or(DIAL_FAILURES_PER_ADDRESS);
            left.saturating_sub(under_way(ip))
        });
        left_here > 0 && self.failures.left(mono_ms) > self.dialling.len() as u64
    }

    /// A dial ended in a link to `id`.
    pub fn succeeded(&mut self, dial: DialId, id: NodeId) {
        let Some(key) = self.dialling.remove(&dial) else { return };
        if let Some(row) = self.rows.get_mut(&key) {
            (row.backoff_ms, row.failures, row.is_proved, row.linked) = (0, 0, true, Some(id));
        }
    }

    /// Whoever listens at `address` has a link, whichever side dialled: a row for that address needs no dial to find out.
    pub fn found(&mut self, id: NodeId, address: SocketAddr) {
        let target = Target::Address(address);
        if let Some(row) = self.rows.get_mut(&(target.clone(), None)) {
            row.linked = Some(id);
        }
        if let Some(row) = self.rows.get_mut(&(target, Some(id))) {
            row.is_proved = true;
        }
    }

    /// A dial failed. `jitter` is a random number. Returns the id that was expected.
    pub fn failed(&mut self, dial: DialId, mono_ms: u64, jitter: u64) -> Option<NodeId> {
        let key = self.dialling.remove(&dial)?;
        self.failures.take(mono_ms);
        if let Some(ip) = key.0.ip() {
            let per_address = Bucket::new(DIAL_FAILURES_PER_ADDRESS, DIAL_FAILURES_PER_ADDRESS_REFILL_MS);
            self.failures_at.take(ip, mono_ms, per_address);
        }
        let row = self.rows.get_mut(&key)?;
        row.failures += 1;
        row.used_ms = mono_ms;
        row.backoff_ms = (row.backoff_ms * 2).clamp(DIAL_BACKOFF_MS_MIN, DIAL_BACKOFF_MS_MAX);
        row.next_ms = mono_ms + row.backoff_ms - row.backoff_ms / 4 * (jitter % 100) / 100;
        let forget = match row.source {
            Source::Given => false,
            Source::Said => row.failures >= DIAL_FAILURES_FORGET_SAID,
            Source::Remembered | Source::Told | Source::Beacon => row.failures >= DIAL_FAILURES_FORGET,
        };
        if forget {
            self.rows.remove(&key);
        }
        key.1
    }

    /// Whoever answered has another room key, or is somebody else: that address has a minute before the next try.
    pub fn refused(&mut self, dial: DialId, mono_ms: u64) {
        let key = self.dialling.get(&dial).cloned();
        self.failed(dial, mono_ms, 0);
        if let Some(row) = key.and_then(|key| self.rows.get_mut(&key)) {
            (row.backoff_ms, row.next_ms) = (DIAL_BACKOFF_MS_MAX, mono_ms + WRONG_KEYS_EVERY_MS);
        }
    }

    /// Whoever answers as `id` wants no link now (its key is in use on two machines, it is full): not before `until_ms`.
    pub fn rest(&mut self, id: NodeId, until_ms: u64) {
        let leads_there = |(key, row): &(&RowKey, &mut Row)| key.1 == Some(id) || row.linked == Some(id);
        for (_, row) in self.rows.iter_mut().filter(leads_there) {
            row.next_ms = row.next_ms.max(until_ms);
        }
    }

    /// A member said goodbye: nothing is dialled for it until it is heard of again.
    pub fn left(&mut self, id: NodeId) {
        self.rows.retain(|(_, expected), row| row.source == Source::Given || *expected != Some(id));
        for row in self.rows.values_mut().filter(|row| row.linked == Some(id)) {
            row.linked = None;
        }
    }

    /// A link to `address` ended that should not have: all that is known of its peer may be tried at once, that address last.
    pub fn lost(&mut self, id: NodeId, address: IpAddr, mono_ms: u64, wait_ms: u64) {
        for ((target, expected), row) in &mut self.rows {
            if *expected == Some(id) || row.linked == Some(id) {
                row.linked = None;
                row.next_ms = row.next_ms.min(mono_ms + wait_ms);
                if target.ip() == Some(address) {
                    row.used_ms = mono_ms;
                }
            }
        }
    }

    /// The network changed: what failed before may work now.
    pub fn network_changed(&mut self, mono_ms: u64) {
        for row in self.rows.values_mut() {
            row.backoff_ms = 0;
            row.next_ms = row.next_ms.min(mono_ms);
        }
    }

    /// When the next row is due, if one waits for its time.
    pub fn next_ms(&self, is_linked: impl Fn(NodeId) -> bool) -> Option<u64> {
        let busy: BTreeSet<&RowKey> = self.dialling.values().collect();
        let waits = |key: &RowKey, row: &Row| row.is_wanted(key.1, &is_linked) && !busy.contains(key);
        self.rows.iter().filter(|(key, row)| waits(key, row)).map(|(_, row)| row.next_ms).min()
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
