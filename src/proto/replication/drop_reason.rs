//! Why input from the network was dropped or refused, and counters for it.
//!
//! The doctor shows the counters, to explain why two nodes do not connect or that a stranger is
//! trying to. They contain no ids: a refused sender has proved nothing.

use std::collections::BTreeMap;

/// Why an input was dropped. Its text is the name of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// A packet on the beacon port that is not a beacon.
    NoBeacon,
    /// A beacon of another version.
    BeaconVersion,
    /// A beacon from an impossible address.
    BeaconSource,
    /// A beacon from another network than that of `--host`.
    BeaconElsewhere,
    /// A beacon of another room. This is normal.
    BeaconRoom,
    /// A beacon of an unknown node beyond the rate limit.
    BeaconFlood,
    /// A peer that does not speak TLS with an Ed25519 key and this protocol.
    NotOurs,
    /// The id in the certificate is not the expected one.
    WrongId,
    /// Another room key, or none.
    WrongKey,
    /// Another room.
    WrongRoom,
    /// This node's own key, on another machine.
    OwnKey,
    /// No common version of the protocol.
    WrongVersion,
    /// A greeting or frame that violates the protocol.
    Malformed,
    /// A connection that was lost or timed out before it was a link.
    Unfinished,
    /// A pending connection that was evicted.
    Displaced,
    /// A batch whose signature is not its author's.
    Forged,
    /// A batch with a body that does not match its hash.
    Altered,
    /// A batch of another room.
    Strayed,
    /// A batch that conflicts with its log, or that the sender had no right to send.
    Misplaced,
    /// A batch whose author signed another one for the same position.
    Forked,
    /// A batch beyond the limit of gaps in a log. It will be sent again.
    TooManyGaps,
    /// A batch of an author whose logs have reached the size limit.
    Quota,
    /// A batch of an author who exceeds the limit of logs.
    TooManyLogs,
    /// An author whom this node never met, or a batch of one, beyond the limit for such authors.
    Unmet,
    /// A batch that came while disk space was low.
    LittleDisk,
}

impl DropReason {
    /// The counter's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoBeacon => "no_beacon",
            Self::BeaconVersion => "beacon_version",
            Self::BeaconSource => "beacon_source",
            Self::BeaconElsewhere => "beacon_elsewhere",
            Self::BeaconRoom => "beacon_room",
            Self::BeaconFlood => "beacon_flood",
            Self::NotOurs => "not_ours",
            Self::WrongId => "wrong_id",
            Self::WrongKey => "wrong_key",
            Self::WrongRoom => "wrong_room",
            Self::OwnKey => "own_key",
            Self::WrongVersion => "wrong_version",
            Self::Malformed => "malformed",
            Self::Unfinished => "unfinished",
            Self::Displaced => "displaced",
            Self::Forged => "forged",
            Self::Altered => "altered",
            Self::Strayed => "strayed",
            Self::Misplaced => "misplaced",
            Self::Forked => "forked",
            Self::TooManyGaps => "too_many_gaps",
            Self::Quota => "quota",
            Self::TooManyLogs => "too_many_logs",
            Self::Unmet => "unmet",
            Self::LittleDisk => "little_disk",
        }
    }
}

/// Counters of drop reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropCounters(BTreeMap<DropReason, u64>);

impl DropCounters {
    /// Adds one to the counter of `cause`.
    pub fn count(&mut self, cause: DropReason) {
        let count = self.0.entry(cause).or_default();
        *count = count.saturating_add(1);
    }

    /// The counter of `cause`.
    pub fn of(&self, cause: DropReason) -> u64 {
        self.0.get(&cause).copied().unwrap_or(0)
    }

    /// Adds the counters of `other`.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        for (cause, more) in &other.0 {
            let count = self.0.entry(*cause).or_default();
            *count = count.saturating_add(*more);
        }
        self
    }

    /// All counters that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        self.0.iter().map(|(cause, count)| (*cause, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let (mut ours, mut theirs) = (DropCounters::default(), DropCounters::default());
        ours.count(DropReason::Forged);
        theirs.count(DropReason::Forged);
        theirs.count(DropReason::WrongId);
        let both = ours.merge(&theirs);
        assert_eq!(both.iter().collect::<Vec<_>>(), [(DropReason::WrongId, 1), (DropReason::Forged, 2)]);
        assert_eq!((both.of(DropReason::Forged), both.of(DropReason::Altered)), (2, 0));
    }
}
