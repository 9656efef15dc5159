//! The address book and dial scheduler: decides which node to dial, at which address and when.
//!
//! An entry is an address with the node id expected there. Entries come from beacons, from the user
//! (`--peer`), from linked peers, and from earlier runs. Each entry has its own backoff. A dial
//! that ends in a link to the expected id costs no budget.
//!
//! Any host can send a beacon, also a replayed one. So an unverified beacon is worth at most one
//! dial. An address verified by a link is worth more, and is evicted last.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::token_bucket::{TokenBucket, TokenBuckets};
use crate::proto::ids::{DialId, Instance, NodeId};
use crate::proto::limits::{
    ADDRESSES_MAX, BEACON_SILENT_MS, BEACONS, BEACONS_PER_ADDRESS, DIAL_BACKOFF_MS_MAX, DIAL_BACKOFF_MS_MIN,
    DIAL_FAILURES, DIAL_FAILURES_FORGET, DIAL_FAILURES_FORGET_SAID, DIAL_FAILURES_PER_ADDRESS,
    DIAL_FAILURES_PER_ADDRESS_REFILL_MS, DIAL_FAILURES_REFILL_MS, DIALS_MAX, WRONG_KEYS_EVERY_MS,
};

/// The target of a dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DialTarget {
    /// An address.
    Address(SocketAddr),
    /// A host name, which the driver resolves at each dial, and a port.
    Host(String, u16),
}

impl fmt::Display for DialTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl DialTarget {
    fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.ip()),
            Self::Host(..) => None,
        }
    }
}

/// The origin of an entry, the most trusted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An earlier run was linked with it there.
    Persisted,
    /// A peer linked with it reports that it listens there.
    PeerReported,
    /// It reported itself, over a link, that it listens there.
    SelfReported,
    /// A beacon came from there.
    Beacon,
    /// The user named it.
    Configured,
}

/// An address with the node id expected there. `None`: any node.
type RowKey = (DialTarget, Option<NodeId>);

#[derive(Debug)]
struct AddressEntry {
    source: Source,
    instance: Option<Instance>,
    /// The earliest time of the next dial.
    next_ms: u64,
    backoff_ms: u64,
    failures: u32,
    /// When it was last heard of or dialled; the least recently used entry is evicted first.
    used_ms: u64,
    /// When the last beacon came from there.
    heard_ms: Option<u64>,
    /// True if a beacon came from there since the last dial.
    fresh_beacon: bool,
    /// True if anything but beacons names this entry.
    is_reported: bool,
    /// True if the expected id was found there in this run.
    is_verified: bool,
    /// The node that answered there, while it is linked. Then there is no reason to dial.
    linked: Option<NodeId>,
}

impl AddressEntry {
    /// Returns true if there is a reason to dial, now or later.
    fn is_wanted(&self, expected: Option<NodeId>, is_linked: impl Fn(NodeId) -> bool) -> bool {
        let is_worth_it = self.fresh_beacon || self.is_reported || self.is_verified;
        is_worth_it && !self.linked.is_some_and(&is_linked) && !expected.is_some_and(is_linked)
    }
}

/// A dial to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Its number, repeated in the result.
    pub dial: DialId,
    /// The target.
    pub target: DialTarget,
    /// The expected node. `None`: any.
    pub expected: Option<NodeId>,
    /// True if the user named the target. Then the connection has the whole handshake's time.
    pub is_given: bool,
}

/// Known addresses with their dial state; see the module.
#[derive(Debug)]
pub struct AddressBook {
    rows: BTreeMap<RowKey, AddressEntry>,
    dialling: BTreeMap<DialId, RowKey>,
    /// The limit of simultaneous dials.
    most: usize,
    dials: u64,
    failures: TokenBucket,
    failures_at: TokenBuckets,
    unknown: TokenBucket,
    unknown_from: TokenBuckets,
}

impl AddressBook {
    /// Creates an empty address book.
    pub fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            dialling: BTreeMap::new(),
            most: DIALS_MAX,
            dials: 0,
            failures: TokenBucket::new(DIAL_FAILURES, DIAL_FAILURES_REFILL_MS),
            failures_at: TokenBuckets::default(),
            unknown: TokenBucket::new(BEACONS, 1_000_u64.div_ceil(BEACONS)),
            unknown_from: TokenBuckets::default(),
        }
    }

    /// Lowers the limit of simultaneous dials.
    pub fn limit_dials(&mut self, most: usize) {
        self.most = most.min(DIALS_MAX);
    }

    /// Returns true if a beacon of an unknown id from `source` is within the rate limit, and counts
    /// it.
    pub fn admits_beacon(&mut self, source: IpAddr, mono_ms: u64) -> bool {
        let per_address = TokenBucket::new(BEACONS_PER_ADDRESS, 1_000 / BEACONS_PER_ADDRESS);
        self.unknown_from.take(source, mono_ms, per_address) && self.unknown.take(mono_ms)
    }

    /// Adds or refreshes an entry, to be dialled in `wait_ms` unless its backoff is longer.
    ///
    /// The backoff is reset for an address that the user names. It is also reset by a beacon of
    /// another instance, which is a new start of the program, and by a beacon after a long silence,
    /// when the network path is probably open again.
    pub fn add(
        &mut self,
        target: DialTarget,
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
        let row = self.rows.entry(key).or_insert_with(|| AddressEntry {
            source,
            instance,
            next_ms,
            backoff_ms: 0,
            failures: 0,
            used_ms: mono_ms,
            heard_ms: None,
            fresh_beacon: false,
            is_reported: false,
            is_verified: false,
            linked: None,
        });
        row.source = row.source.max(source);
        row.is_reported |= source != Source::Beacon;
        row.used_ms = mono_ms;
        if source == Source::Configured {
            (row.next_ms, row.backoff_ms) = (next_ms, 0);
        }
        if source != Source::Beacon {
            return;
        }
        let silent = row.heard_ms.is_none_or(|heard_ms| mono_ms >= heard_ms + BEACON_SILENT_MS);
        (row.heard_ms, row.fresh_beacon) = (Some(mono_ms), true);
        if silent || row.instance != instance {
            (row.instance, row.next_ms, row.backoff_ms) = (instance, next_ms, 0);
        }
    }

    /// Removes an address that the user no longer names. If a node that is linked answered there,
    /// it stays known like one of an earlier run.
    pub fn unconfigure(&mut self, target: DialTarget) {
        let key = (target, None);
        match self.rows.get_mut(&key) {
            Some(row) if row.linked.is_some() => row.source = Source::Persisted,
            _ => _ = self.rows.remove(&key),
        }
    }

    /// Evicts the least recently used entry, unverified ones first. Configured and linked entries
    /// are kept.
    fn forget_oldest(&mut self) {
        let idle = self.rows.iter().filter(|(_, row)| row.source < Source::Configured && row.linked.is_none());
        if let Some(key) = idle.min_by_key(|(_, row)| (row.is_verified, row.used_ms)).map(|(key, _)| key.clone()) {
            self.rows.remove(&key);
        }
    }

    /// Returns the dials to make now: entries that are due and whose id is neither linked nor being
    /// dialled, the least recently used first.
    ///
    /// `is_linked` may return false for an unresponsive link, so that another path is tried
    /// meanwhile.
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
            if expected.is_some_and(|id| !busy_ids.insert(id)) || !self.has_failure_budget(&target, mono_ms) {
                continue;
            }
            let mut is_given = false;
            if let Some(row) = self.rows.get_mut(&key) {
                row.fresh_beacon = false;
                is_given = row.source == Source::Configured;
            }
            let dial = DialId(self.dials);
            self.dials += 1;
            self.dialling.insert(dial, key.clone());
            busy.insert(key);
            dials.push(Dial { dial, target, expected, is_given });
        }
        dials
    }

    /// Returns true if the failure budget allows another dial to this address, even if all dials in
    /// progress fail.
    fn has_failure_budget(&mut self, target: &DialTarget, mono_ms: u64) -> bool {
        let under_way = |ip| self.dialling.values().filter(|(other, _)| other.ip() == Some(ip)).count() as u64;
        let left_here = target.ip().map_or(u64::MAX, |ip| {
            let left = self.failures_at.remaining(ip, mono_ms).unwrap_or(DIAL_FAILURES_PER_ADDRESS);
            left.saturating_sub(under_way(ip))
        });
        left_here > 0 && self.failures.remaining(mono_ms) > self.dialling.len() as u64
    }

    /// Records that a dial ended in a link to `id`.
    pub fn succeeded(&mut self, dial: DialId, id: NodeId) {
        let Some(key) = self.dialling.remove(&dial) else { return };
        if let Some(row) = self.rows.get_mut(&key) {
            (row.backoff_ms, row.failures, row.is_verified, row.linked) = (0, 0, true, Some(id));
        }
    }

    /// Records that `id`, which is linked, listens at `address`. An entry for that address without
    /// an expected id then needs no dial.
    pub fn on_verified(&mut self, id: NodeId, address: SocketAddr) {
        let target = DialTarget::Address(address);
        if let Some(row) = self.rows.get_mut(&(target.clone(), None)) {
            row.linked = Some(id);
        }
        if let Some(row) = self.rows.get_mut(&(target, Some(id))) {
            row.is_verified = true;
        }
    }

    /// Records that a dial failed, and returns the expected id. `jitter` is a random number.
    pub fn failed(&mut self, dial: DialId, mono_ms: u64, jitter: u64) -> Option<NodeId> {
        let key = self.dialling.remove(&dial)?;
        self.failures.take(mono_ms);
        if let Some(ip) = key.0.ip() {
            let per_address = TokenBucket::new(DIAL_FAILURES_PER_ADDRESS, DIAL_FAILURES_PER_ADDRESS_REFILL_MS);
            self.failures_at.take(ip, mono_ms, per_address);
        }
        let row = self.rows.get_mut(&key)?;
        row.failures += 1;
        row.used_ms = mono_ms;
        row.backoff_ms = (row.backoff_ms * 2).clamp(DIAL_BACKOFF_MS_MIN, DIAL_BACKOFF_MS_MAX);
        row.next_ms = mono_ms + row.backoff_ms - row.backoff_ms / 4 * (jitter % 100) / 100;
        let forget = match row.source {
            Source::Configured => false,
            Source::SelfReported => row.failures >= DIAL_FAILURES_FORGET_SAID,
            Source::Persisted | Source::PeerReported | Source::Beacon => row.failures >= DIAL_FAILURES_FORGET,
        };
        if forget {
            self.rows.remove(&key);
        }
        key.1
    }

    /// Records that the node that answered has another room key or another id. The address is not
    /// dialled for a minute.
    pub fn on_wrong_key(&mut self, dial: DialId, mono_ms: u64) {
        let key = self.dialling.get(&dial).cloned();
        self.failed(dial, mono_ms, 0);
        if let Some(row) = key.and_then(|key| self.rows.get_mut(&key)) {
            (row.backoff_ms, row.next_ms) = (DIAL_BACKOFF_MS_MAX, mono_ms + WRONG_KEYS_EVERY_MS);
        }
    }

    /// Suspends dials to `id` until `until_ms`: its key is in use on two machines, or its links are
    /// full.
    pub fn suspend_until(&mut self, id: NodeId, until_ms: u64) {
        let leads_there = |(key, row): &(&RowKey, &mut AddressEntry)| key.1 == Some(id) || row.linked == Some(id);
        for (_, row) in self.rows.iter_mut().filter(leads_there) {
            row.next_ms = row.next_ms.max(until_ms);
        }
    }

    /// Removes the addresses of a member that said goodbye, except configured ones. The next beacon
    /// adds it again.
    pub fn on_goodbye(&mut self, id: NodeId) {
        self.rows.retain(|(_, expected), row| row.source == Source::Configured || *expected != Some(id));
        for row in self.rows.values_mut().filter(|row| row.linked == Some(id)) {
            row.linked = None;
        }
    }

    /// Records that a link was lost. All addresses of the peer may be dialled at once, `address`
    /// last.
    pub fn on_link_lost(&mut self, id: NodeId, address: IpAddr, mono_ms: u64, wait_ms: u64) {
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

    /// Resets every backoff, since the network changed.
    pub fn network_changed(&mut self, mono_ms: u64) {
        for row in self.rows.values_mut() {
            row.backoff_ms = 0;
            row.next_ms = row.next_ms.min(mono_ms);
        }
    }

    /// When the next entry is due. `None` if none waits.
    pub fn next_ms(&self, is_linked: impl Fn(NodeId) -> bool) -> Option<u64> {
        let busy: BTreeSet<&RowKey> = self.dialling.values().collect();
        let waits = |key: &RowKey, row: &AddressEntry| row.is_wanted(key.1, &is_linked) && !busy.contains(key);
        self.rows.iter().filter(|(key, row)| waits(key, row)).map(|(_, row)| row.next_ms).min()
    }
}

impl Default for AddressBook {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
