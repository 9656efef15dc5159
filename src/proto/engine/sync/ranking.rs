//! Ranks peers by what came of asking them, so that a peer that did not answer, or did not deliver
//! what it claimed to hold, waits behind the others.
//!
//! A peer's own record counts first. A peer without one is judged by its address: a new identity is
//! free, so it starts with what the others at its address have earned.

use std::collections::BTreeMap;

use crate::proto::ids::NodeId;
use crate::proto::limits::{FAILED_PAUSE_MS_MAX, FAILED_PAUSE_MS_MIN, RANKED_MAX};
use crate::proto::links::address_group::AddressGroup;

/// The rank of a peer. Smaller ones are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// It delivered what it claimed when it was asked last.
    Proven,
    /// Nothing is known of it.
    New,
    /// Nothing is known of it, but others at its address failed.
    Suspect,
    /// It failed, and did not make up for it since.
    Behind,
}

/// A failure of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerFailure {
    /// It answered no question of a comparison. Its next answer makes up for that.
    Silent,
    /// It did not send what it said that it holds. Only sending something makes up for that.
    Undelivered,
}

/// The record of a peer, or of an address.
#[derive(Debug, Default)]
struct Record {
    silent: u32,
    undelivered: u32,
    paused_until_ms: u64,
    has_delivered: bool,
    /// The time that its last answer to a comparison took.
    answer_ms: u64,
}

impl Rank {
    /// Returns true if there is a reason to expect no answer.
    pub(crate) fn is_doubtful(self) -> bool {
        match self {
            Self::Proven | Self::New => false,
            Self::Suspect | Self::Behind => true,
        }
    }
}

impl Record {
    fn has_failed(&self) -> bool {
        self.silent + self.undelivered > 0
    }

    fn fail(&mut self, failure: PeerFailure, mono_ms: u64) {
        let count = match failure {
            PeerFailure::Silent => &mut self.silent,
            PeerFailure::Undelivered => &mut self.undelivered,
        };
        // More would make no longer pause.
        *count = (*count + 1).min(16);
        let doubled = self.silent.max(self.undelivered) - 1;
        let pause_ms = (FAILED_PAUSE_MS_MIN << doubled).min(FAILED_PAUSE_MS_MAX);
        self.paused_until_ms = mono_ms + pause_ms;
    }
}

/// The records of peers and of addresses.
#[derive(Debug, Default)]
pub(crate) struct PeerRanking {
    peers: BTreeMap<NodeId, Record>,
    groups: BTreeMap<AddressGroup, Record>,
}

impl PeerRanking {
    /// Counts a failure of a peer. It pauses: 1 s after the first one, doubled with each further
    /// one.
    pub(crate) fn failed(&mut self, peer: NodeId, group: AddressGroup, failure: PeerFailure, mono_ms: u64) {
        record(&mut self.peers, peer).fail(failure, mono_ms);
        record(&mut self.groups, group).fail(failure, mono_ms);
    }

    /// A peer answered a question of a comparison.
    pub(crate) fn answered(&mut self, peer: NodeId, took_ms: u64) {
        let record = record(&mut self.peers, peer);
        record.answer_ms = took_ms;
        record.silent = 0;
        if !record.has_failed() {
            record.paused_until_ms = 0;
        }
    }

    /// A peer sent something of what it was asked for.
    ///
    /// Its address is cleared only once it has been without failure for a while. Otherwise one
    /// identity that delivers would clear the way for any number of others that don't.
    pub(crate) fn delivered(&mut self, peer: NodeId, group: AddressGroup, mono_ms: u64) {
        let before = record(&mut self.peers, peer);
        *before = Record { has_delivered: true, answer_ms: before.answer_ms, ..Record::default() };
        if self.groups.get(&group).is_some_and(|record| mono_ms >= record.paused_until_ms) {
            self.groups.remove(&group);
        }
    }

    /// Returns where a peer stands.
    pub(crate) fn rank(&self, peer: NodeId, group: AddressGroup, mono_ms: u64) -> Rank {
        match self.peers.get(&peer) {
            Some(record) if record.has_failed() => Rank::Behind,
            Some(record) if record.has_delivered => Rank::Proven,
            Some(_) | None => {
                let is_paused = |group: &Record| mono_ms < group.paused_until_ms;
                if self.groups.get(&group).is_some_and(is_paused) { Rank::Suspect } else { Rank::New }
            }
        }
    }

    /// Returns until when a peer is not asked.
    pub(crate) fn paused_until_ms(&self, peer: NodeId) -> u64 {
        self.peers.get(&peer).map_or(0, |record| record.paused_until_ms)
    }

    /// Returns how long the last answer of a peer to a comparison took.
    pub(crate) fn answer_ms(&self, peer: NodeId) -> u64 {
        self.peers.get(&peer).map_or(0, |record| record.answer_ms)
    }

    /// Forgets a peer that has no link any more, unless it failed.
    pub(crate) fn unlinked(&mut self, peer: NodeId) {
        if self.peers.get(&peer).is_some_and(|record| !record.has_failed()) {
            self.peers.remove(&peer);
        }
    }
}

/// The record of `key`. If there are too many, one goes whose pause ended first.
fn record<K: Ord + Copy>(records: &mut BTreeMap<K, Record>, key: K) -> &mut Record {
    if records.len() >= RANKED_MAX && !records.contains_key(&key) {
        let worth = |record: &Record| (record.has_delivered, record.paused_until_ms);
        let least = records.iter().min_by_key(|(_, record)| worth(record)).map(|(key, _)| *key);
        least.and_then(|least| records.remove(&least));
    }
    records.entry(key).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(last: u8) -> AddressGroup {
        AddressGroup::of([192, 0, 2, last].into())
    }

    const ANA: NodeId = NodeId([1; 32]);
    const BEN: NodeId = NodeId([2; 32]);

    #[test]
    fn pauses_grow_and_a_delivery_ends_them() {
        let mut ranking = PeerRanking::default();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            ranking.failed(ANA, group(1), PeerFailure::Undelivered, 500);
            pauses.push(ranking.paused_until_ms(ANA) - 500);
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 16_000]);
        assert_eq!(ranking.rank(ANA, group(1), 90_000), Rank::Behind, "until it delivers");
        ranking.answered(ANA, 3);
        assert_eq!(ranking.rank(ANA, group(1), 90_000), Rank::Behind, "an answer is no delivery");
        ranking.delivered(ANA, group(1), 90_000);
        assert_eq!((ranking.rank(ANA, group(1), 90_000), ranking.paused_until_ms(ANA)), (Rank::Proven, 0));
    }

    #[test]
    fn answer_makes_up_for_silence() {
        let mut ranking = PeerRanking::default();
        ranking.failed(ANA, group(1), PeerFailure::Silent, 0);
        assert_eq!(ranking.rank(ANA, group(1), 5_000), Rank::Behind);
        ranking.answered(ANA, 3);
        assert_eq!((ranking.rank(ANA, group(1), 5_000), ranking.paused_until_ms(ANA)), (Rank::New, 0));
    }

    #[test]
    fn new_identity_starts_with_the_record_of_its_address() {
        let mut ranking = PeerRanking::default();
        ranking.failed(ANA, group(1), PeerFailure::Undelivered, 0);
        assert_eq!(ranking.rank(BEN, group(1), 999), Rank::Suspect);
        assert_eq!(ranking.paused_until_ms(BEN), 0, "it may be asked after all others");
        assert_eq!(ranking.rank(BEN, group(2), 999), Rank::New);
        assert_eq!(ranking.rank(BEN, group(1), 1_000), Rank::New, "after the pause");
        ranking.failed(ANA, group(1), PeerFailure::Undelivered, 0);
        ranking.delivered(BEN, group(1), 10);
        assert_eq!(ranking.rank(BEN, group(1), 10), Rank::Proven);
        assert_eq!(ranking.rank(NodeId([3; 32]), group(1), 10), Rank::Suspect);
    }

    #[test]
    fn records_are_bounded_and_proven_peers_stay() {
        let mut ranking = PeerRanking::default();
        ranking.delivered(ANA, group(1), 0);
        for number in 0..2 * RANKED_MAX as u64 {
            let mut id = [9; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            ranking.failed(NodeId(id), group(2), PeerFailure::Silent, number);
        }
        assert_eq!(ranking.peers.len(), RANKED_MAX);
        assert_eq!(ranking.rank(ANA, group(1), 0), Rank::Proven);
        ranking.unlinked(ANA);
        assert_eq!((ranking.peers.len(), ranking.rank(ANA, group(1), 0)), (RANKED_MAX - 1, Rank::New));
    }
}
