//! The timeline: the order of messages, the same on every node, computed from signed data alone.
//!
//! An entry's place is the greatest of three numbers: its time; one more than the place of the
//! previous entry in its log; and, for the first entry of a batch, one more than the place of the
//! entry that its header names in `after`. Entries that are not held yet are left out; when one
//! arrives, the places that depend on it are recomputed. Ties are broken by author, log and
//! sequence number.

use std::collections::BTreeSet;

use super::appearance::Appearance;
use super::batch::Verified;
pub use super::kind::MessageKind;
use crate::proto::clock::Stamp;
use crate::proto::ids::{Arrival, EntryId, LogKey, NodeId, Seq};
use crate::proto::names::name::Name;

/// The first component of an entry's order; see the module.
pub type Place = u64;

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conversation {
    /// A channel of the room.
    Channel(Name),
    /// The direct messages between this node and another member.
    Direct(NodeId),
}

impl Conversation {
    /// The name of the default channel.
    pub const GENERAL: &str = "general";

    /// Returns the conversation of a message by `author` in a log for `audience`, as seen by `own`.
    /// Returns `None` for a direct message between two other members, which this node must not
    /// hold.
    pub fn of(own: NodeId, author: NodeId, audience: Option<NodeId>, channel: Option<&str>) -> Option<Self> {
        match audience {
            None => Name::new(channel.unwrap_or(Self::GENERAL)).ok().map(Self::Channel),
            Some(to) if author == own => Some(Self::Direct(to)),
            Some(to) if to == own => Some(Self::Direct(author)),
            Some(_) => None,
        }
    }

    /// The channel. Direct messages have none: the default one stands for it.
    pub fn channel(&self) -> &str {
        match self {
            Self::Channel(channel) => channel.as_str(),
            Self::Direct(_) => Self::GENERAL,
        }
    }

    /// The default channel.
    pub fn general() -> Self {
        Self::Channel(Name::from_lossy(Self::GENERAL, Self::GENERAL))
    }
}

/// The sort key of the timeline: greater is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// The place; see the module.
    pub place: Place,
    /// The author.
    pub author: NodeId,
    /// The log.
    pub log: crate::proto::ids::LogId,
    /// The sequence number.
    pub seq: Seq,
}

impl Order {
    /// Encodes the order in 56 bytes that compare like it.
    pub fn to_bytes(self) -> [u8; 56] {
        let mut bytes = [0; 56];
        bytes[..8].copy_from_slice(&self.place.to_be_bytes());
        bytes[8..40].copy_from_slice(&self.author.0);
        bytes[40..48].copy_from_slice(&self.log.0.to_be_bytes());
        bytes[48..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// Inverse of [`Order::to_bytes`].
    pub fn from_bytes(bytes: &[u8; 56]) -> Self {
        let number = |from: usize| bytes[from..from + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mut author = [0; 32];
        author.copy_from_slice(&bytes[8..40]);
        Self { place: number(0), author: NodeId(author), log: crate::proto::ids::LogId(number(40)), seq: number(48) }
    }
}

/// A message in the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: EntryId,
    /// Its local arrival number.
    pub arrival: Arrival,
    /// Its position in the timeline.
    pub order: Order,
    /// When its author wrote it.
    pub time: Stamp,
    /// The author's name at that time.
    pub name: Name,
    /// Its conversation.
    pub conversation: Conversation,
    /// The recipient of a direct message.
    pub to: Option<NodeId>,
    /// Its kind.
    pub kind: MessageKind,
    /// The text exactly as typed.
    pub text: String,
    /// The entry that it replies to.
    pub reply_to: Option<EntryId>,
    /// The answered message, if it is held.
    pub reply: Option<Box<Quote>>,
    /// What became of it since.
    pub changes: Box<Appearance>,
    /// The delivery state; own messages only.
    pub held: Option<Delivery>,
}

/// An answered message, as it stands above the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The author.
    pub author: NodeId,
    /// The author's name as it was then.
    pub name: Name,
    /// The beginning of its text as it is now.
    pub text: String,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// The delivery state of an own message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The number of members that confirmed that they hold it.
    pub held_by: usize,
    /// The number of members that were in reach when it was sent. If there were none, the number
    /// that confirmed it since.
    pub of: usize,
}

/// A local event shown to the user; never sent to other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its local arrival number, from the same counter as entries.
    pub arrival: Arrival,
    /// When it happened, by this node's wall clock in milliseconds since 1970.
    pub wall_ms: u64,
    /// What happened.
    pub kind: NoticeKind,
    /// The member concerned.
    pub member: NodeId,
    /// The member's name at that time.
    pub name: Name,
}

/// What a notice reports of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// It started after this node, or returned after a goodbye.
    Joined,
    /// It was lost and is back.
    Back,
    /// It said goodbye.
    Left,
    /// It was lost without a goodbye.
    Lost,
    /// It changed its name.
    Renamed,
    /// It took the name of another known member.
    Conflict,
    /// It signed two batches for one position of a log.
    Forked,
}

/// The storage that the place rule needs: SQL in the store, maps in tests.
pub trait Places {
    /// The error of a lookup or write.
    type Error;
    /// The place of an entry, if it is held.
    fn place(&mut self, key: LogKey, seq: Seq) -> Result<Option<Place>, Self::Error>;
    /// The place of the entry with this id, if it is held.
    fn place_of_id(&mut self, id: EntryId) -> Result<Option<Place>, Self::Error>;
    /// The time of an entry, and its batch's `after` if it is the first entry there. `None` if it
    /// is not held.
    fn signed(&mut self, key: LogKey, seq: Seq) -> Result<Option<(Stamp, Option<EntryId>)>, Self::Error>;
    /// The first entries of all held batches that name this entry in `after`.
    fn dependents(&mut self, key: LogKey, seq: Seq) -> Result<Vec<(LogKey, Seq)>, Self::Error>;
    /// Sets the place of an entry.
    fn put(&mut self, key: LogKey, seq: Seq, place: Place) -> Result<(), Self::Error>;
}

/// Computes the places of a batch that was just stored without them, and of all entries that depend
/// on it. Returns the entries outside the batch whose place changed.
pub fn assign_places<P: Places>(places: &mut P, batch: &Verified) -> Result<Vec<(LogKey, Seq)>, P::Error> {
    let header = batch.header();
    let mut moved = recompute_places(places, vec![(header.key(), header.first_seq)])?;
    moved.retain(|(key, seq)| *key != header.key() || !(header.first_seq..=header.last_seq()).contains(seq));
    Ok(moved)
}

/// Recomputes the places of entries and of all that depend on them, after one that they refer to
/// was added or removed. Returns the entries whose place changed.
pub fn recompute_places<P: Places>(
    places: &mut P,
    mut work: Vec<(LogKey, Seq)>,
) -> Result<Vec<(LogKey, Seq)>, P::Error> {
    let mut moved = BTreeSet::new();
    while let Some((key, seq)) = work.pop() {
        // Later entries of the log are handled in this loop, so that a long batch needs no long
        // work list.
        let mut seq = seq;
        while let Some((time, after)) = places.signed(key, seq)? {
            let previous = if seq > 1 { places.place(key, seq - 1)? } else { None };
            let referenced = match after {
                Some(id) => places.place_of_id(id)?,
                None => None,
            };
            let place = [previous, referenced].into_iter().flatten().map(|place| place + 1).fold(time.0, Place::max);
            if places.place(key, seq)? == Some(place) {
                break;
            }
            places.put(key, seq, place)?;
            moved.insert((key, seq));
            work.extend(places.dependents(key, seq)?);
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
