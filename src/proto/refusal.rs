//! Why something that came in from the network was not taken: a closed list of causes, counted since the start for whoever
//! asks why two nodes don't meet, or who is knocking.
//!
//! A count says that something was refused, never by whom: what is refused has proved nothing.

use std::collections::BTreeMap;

/// A cause. Printed, it is the word under which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A packet on the beacons' port that is no beacon.
    NoBeacon,
    /// A beacon of another version.
    BeaconVersion,
    /// A beacon from an address that nobody can have.
    BeaconSource,
    /// A beacon from another network than the one that `--host` keeps to.
    BeaconElsewhere,
    /// A beacon of another room. Nothing is wrong with it.
    BeaconRoom,
    /// More beacons of unknown nodes than count.
    BeaconFlood,
    /// Whoever is at the other end does not speak TLS with a key of ours, or another protocol over it.
    NotOurs,
    /// The id in the certificate is not the one that was expected there.
    WrongId,
    /// Another room key, or none.
    WrongKey,
    /// Another room.
    WrongRoom,
    /// This node's own key, on another machine.
    OwnKey,
    /// No version of the protocol in common.
    WrongVersion,
    /// A greeting or a frame that is not as the protocol says.
    Malformed,
    /// A connection that broke off, or took too long, before it was a link.
    Unfinished,
    /// An unfinished connection that made room for others.
    Displaced,
    /// A batch whose signature is not its author's.
    Forged,
    /// A batch with a body that is not the signed one.
    Altered,
    /// A batch that was meant for another room.
    Strayed,
    /// A batch that contradicts its log, or that was none of the sender's to pass on.
    Misplaced,
    /// A batch whose author signed something else for the same place.
    Forked,
    /// A batch beyond more gaps than a log may have; it comes again.
    TooManyGaps,
    /// A batch of an author whose logs take all that one member may.
    Quota,
    /// A batch of an author who has begun more logs than one member may.
    TooManyLogs,
    /// An author whom this node never met, or a batch of one, while it keeps as much of such as it will.
    Unmet,
    /// A batch that came while there was little room on the disk.
    LittleDisk,
}

impl Cause {
    /// The word for it.
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

/// How often each cause was one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Cause, u64>);

impl Tally {
    /// One more.
    pub fn count(&mut self, cause: Cause) {
        let count = self.0.entry(cause).or_default();
        *count = count.saturating_add(1);
    }

    /// How often this was one.
    pub fn of(&self, cause: Cause) -> u64 {
        self.0.get(&cause).copied().unwrap_or(0)
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (cause, more) in &other.0 {
            let count = self.0.entry(*cause).or_default();
            *count = count.saturating_add(*more);
        }
        self
    }

    /// Those that were one at least once.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> {
        self.0.iter().map(|(cause, count)| (*cause, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let (mut ours, mut theirs) = (Tally::default(), Tally::default());
        ours.count(Cause::Forged);
        theirs.count(Cause::Forged);
        theirs.count(Cause::WrongId);
        let both = ours.and(&theirs);
        assert_eq!(both.iter().collect::<Vec<_>>(), [(Cause::WrongId, 1), (Cause::Forged, 2)]);
        assert_eq!((both.of(Cause::Forged), both.of(Cause::Altered)), (2, 0));
    }
}
