//! Where an entry stands: the order of the room, the same on every node, from signed data alone.
//!
//! The place of an entry is the greatest of its time, the place before it in its log + 1, and, for the first of a
//! batch, the place of the entry that its header names in `after` + 1. What is named and not here yet is left out of
//! the sum; when it comes, places are corrected. Ties are broken by author, log and sequence number.

use std::collections::BTreeSet;

use super::batch::Verified;
use super::clock::Stamp;
use super::ids::{Arrival, EntryId, LogKey, NodeId, Seq};
use super::name::Name;

/// The first part of an entry's order; see the module.
pub type Place = u64;

/// Where messages belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conversation {
    /// A channel of the room.
    Channel(Name),
    /// The direct messages between this node and one other member.
    Direct(NodeId),
}

impl Conversation {
    /// The channel where one talks if one says nothing else.
    pub const GENERAL: &str = "general";

    /// The conversation of a message by `author` in a log for `audience`, as `own` sees it; `None` for a direct
    /// message between two others, which has no business here.
    pub fn of(own: NodeId, author: NodeId, audience: Option<NodeId>, channel: Option<&str>) -> Option<Self> {
        match audience {
            None => Name::new(channel.unwrap_or(Self::GENERAL)).ok().map(Self::Channel),
            Some(to) if author == own => Some(Self::Direct(to)),
            Some(to) if to == own => Some(Self::Direct(author)),
            Some(_) => None,
        }
    }

    /// The room's first channel.
    pub fn general() -> Self {
        Self::Channel(Name::lossy(Self::GENERAL, Self::GENERAL))
    }
}

/// What a timeline is ordered by: greater is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// See the module.
    pub place: Place,
    /// Who said it.
    pub author: NodeId,
    /// In which log.
    pub log: super::ids::LogId,
    /// Its number there.
    pub seq: Seq,
}

impl Order {
    /// 56 bytes that compare as the order does.
    pub fn to_bytes(self) -> [u8; 56] {
        let mut bytes = [0; 56];
        bytes[..8].copy_from_slice(&self.place.to_be_bytes());
        bytes[8..40].copy_from_slice(&self.author.0);
        bytes[40..48].copy_from_slice(&self.log.0.to_be_bytes());
        bytes[48..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// The reverse of [`Order::to_bytes`].
    pub fn from_bytes(bytes: &[u8; 56]) -> Self {
        let number = |from: usize| bytes[from..from + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mut author = [0; 32];
        author.copy_from_slice(&bytes[8..40]);
        Self { place: number(0), author: NodeId(author), log: super::ids::LogId(number(40)), seq: number(48) }
    }
}

/// What kind of message a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Something said.
    Say,
    /// A festive greeting.
    Hooray,
}

impl LineKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Say => "say",
            Self::Hooray => "hooray",
        }
    }
}

/// A message as it stands in a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name on every node.
    pub id: EntryId,
    /// Its local number.
    pub arrival: Arrival,
    /// Where it stands.
    pub order: Order,
    /// When its author said it.
    pub time: Stamp,
    /// The author's name as it was then.
    pub name: Name,
    /// Where it was said.
    pub conversation: Conversation,
    /// To whom, if it is a direct message.
    pub to: Option<NodeId>,
    /// What kind.
    pub kind: LineKind,
    /// Exactly what was typed.
    pub text: String,
    /// What it answers.
    pub reply_to: Option<EntryId>,
    /// Of own messages: how many others hold it, and of how many.
    pub held: Option<Held>,
}

/// How far an own message has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// So many have said that they hold it.
    pub held_by: usize,
    /// Of so many who were in reach when it was said; if there were none, of those who said it since.
    pub of: usize,
}

/// A line that a node makes for its own user; never shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its local number, by the same counter as entries.
    pub arrival: Arrival,
    /// When, by this node's wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
    /// What happened.
    pub kind: NoticeKind,
    /// To whom.
    pub member: NodeId,
    /// Their name then.
    pub name: Name,
}

/// What a notice tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Started after this node, or had left.
    Joined,
    /// Was lost and is here again.
    Back,
    /// Said goodbye.
    Left,
    /// Is gone without a word.
    Lost,
    /// Has another name now.
    Renamed,
    /// Took the name of another known member.
    Conflict,
    /// Signed two things for one place of a log.
    Forked,
}

/// What the rule for places needs to look up and write; the store has it in SQL, tests in maps.
pub trait Places {
    /// What a look-up or a write can fail with.
    type Error;
    /// The place of an entry, if it is held.
    fn place(&mut self, key: LogKey, seq: Seq) -> Result<Option<Place>, Self::Error>;
    /// The place of an entry that is known by its id alone, if it is held.
    fn place_of_id(&mut self, id: EntryId) -> Result<Option<Place>, Self::Error>;
    /// The time of an entry, and what its batch names in `after` if it is the first there; if it is held.
    fn signed(&mut self, key: LogKey, seq: Seq) -> Result<Option<(Stamp, Option<EntryId>)>, Self::Error>;
    /// The first entries of all held batches that name this entry in `after`.
    fn followers(&mut self, key: LogKey, seq: Seq) -> Result<Vec<(LogKey, Seq)>, Self::Error>;
    /// Puts an entry at a place.
    fn put(&mut self, key: LogKey, seq: Seq, place: Place) -> Result<(), Self::Error>;
}

/// Puts the entries of a batch that was just stored (without places) where they belong, and then all that stands on
/// them. Returns the entries outside the batch whose place changed.
pub fn settle<P: Places>(places: &mut P, batch: &Verified) -> Result<Vec<(LogKey, Seq)>, P::Error> {
    let header = batch.header();
    let mut moved = resettle(places, vec![(header.key(), header.first_seq)])?;
    moved.retain(|(key, seq)| *key != header.key() || !(header.first_seq..=header.last_seq()).contains(seq));
    Ok(moved)
}

/// Puts entries where they belong, and then all that stands on them: something that they stood on has come or gone.
/// Returns the entries whose place changed.
pub fn resettle<P: Places>(places: &mut P, mut work: Vec<(LogKey, Seq)>) -> Result<Vec<(LogKey, Seq)>, P::Error> {
    let mut moved = BTreeSet::new();
    while let Some((key, seq)) = work.pop() {
        // What follows in the log is settled in this walk, so that a long batch needs no long list of work.
        let mut seq = seq;
        while let Some((time, after)) = places.signed(key, seq)? {
            let before = if seq > 1 { places.place(key, seq - 1)? } else { None };
            let named = match after {
                Some(id) => places.place_of_id(id)?,
                None => None,
            };
            let place = [before, named].into_iter().flatten().map(|place| place + 1).fold(time.0, Place::max);
            if places.place(key, seq)? == Some(place) {
                break;
            }
            places.put(key, seq, place)?;
            moved.insert((key, seq));
            work.extend(places.followers(key, seq)?);
            seq += 1;
        }
    }
    Ok(moved.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_bytes_and_compares_alike() {
        let order = |place, author: u8, log, seq| Order {
            place,
            author: NodeId([author; 32]),
            log: crate::proto::ids::LogId(log),
            seq,
        };
        let sorted = [order(1, 9, 9, 9), order(2, 0, 1, 7), order(2, 0, 2, 1), order(2, 1, 0, 1), order(2, 1, 0, 256)];
        for pair in sorted.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes());
            assert_eq!(Order::from_bytes(&pair[0].to_bytes()), pair[0]);
        }
    }
}
