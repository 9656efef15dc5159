//! Looks through the stored batches, and finds out which number of the tables stands for which author, log and conversation.
//!
//! The row of an author or a log may have been changed, so the batches vote: their headers say whose they are, and most of
//! them still name the right number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};

use super::error::StoreError;
use super::sql::{Blob32, Count, int};
use crate::proto::batch::{Verified, unchanged, verify};
use crate::proto::body::Body;
use crate::proto::ids::{Hash, LogKey, NodeId, RoomId};
use crate::proto::timeline::Conversation;

/// What the batches say.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) logs: BTreeMap<LogKey, LogFound>,
    pub(super) authors: BTreeMap<NodeId, i64>,
    pub(super) conversations: BTreeMap<Conversation, i64>,
}

/// A log of which a batch is here.
#[derive(Debug)]
pub(super) struct LogFound {
    pub(super) audience: Option<NodeId>,
    /// The number that its batches name; none if that belongs to another log.
    pub(super) number: Option<i64>,
}

/// Counts for a key which numbers stand for it.
#[derive(Debug)]
struct Votes<K>(BTreeMap<(K, i64), usize>);

impl<K: Ord + Clone> Votes<K> {
    fn add(&mut self, key: K, number: i64) {
        *self.0.entry((key, number)).or_default() += 1;
    }

    /// At most one number for each key, and one key for each number: those with the most votes first.
    fn decide(self) -> BTreeMap<K, i64> {
        let mut votes: Vec<_> = self.0.into_iter().collect();
        votes.sort_by(|(_, one), (_, other)| other.cmp(one));
        let (mut decided, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for ((key, number), _) in votes {
            if !decided.contains_key(&key) && taken.insert(number) {
                decided.insert(key, number);
            }
        }
        decided
    }
}

/// Reads every batch once. Those that the disk changed have no vote.
pub(super) fn survey(db: &Connection, own: NodeId, room: &RoomId) -> Result<Survey, StoreError> {
    let authors_of = authors_of(db)?;
    let mut audiences = HashMap::new();
    let mut logs = Votes(BTreeMap::new());
    let mut authors = Votes(BTreeMap::new());
    let mut conversations = Votes(BTreeMap::new());
    let mut statement = db.prepare("SELECT batch, log, hash, bytes FROM batch NOT INDEXED ORDER BY batch")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bytes = Bytes::from(row.get::<_, Vec<u8>>(3).unwrap_or_default());
        let Some((header, bodies)) = open(&bytes, row.get::<_, Blob32>(2).ok(), room) else { continue };
        audiences.entry(header.key()).or_insert(header.audience);
        if let Ok(log) = row.get::<_, i64>(1) {
            logs.add(header.key(), log);
            if let Some(author) = authors_of.get(&log) {
                authors.add(header.author, *author);
            }
        }
        let Ok(Count(batch)) = row.get::<_, Count>(0) else { continue };
        for (index, body) in bodies.into_iter().enumerate() {
            let Some(body) = body.filter(Body::is_message) else { continue };
            let Some(said_in) = Conversation::of(own, header.author, header.audience, body.channel()) else { continue };
            let mut statement = db.prepare_cached("SELECT conversation FROM entry WHERE arrival = ?1")?;
            let arrival = int(batch.saturating_add(index as u64));
            let number = statement.query_row([arrival], |row| Ok(row.get::<_, i64>(0).ok())).optional()?.flatten();
            if let Some(number) = number {
                conversations.add(said_in, number);
            }
        }
    }
    let mut numbers = logs.decide();
    let logs = audiences
        .into_iter()
        .map(|(key, audience)| (key, LogFound { audience, number: numbers.remove(&key) }))
        .collect();
    Ok(Survey { logs, authors: authors.decide(), conversations: conversations.decide() })
}

/// The header of a batch and what its entries say, if nothing in it was changed.
fn open(
    bytes: &Bytes,
    hash: Option<Blob32>,
    room: &RoomId,
) -> Option<(crate::proto::batch::Header, Vec<Option<Body>>)> {
    let known = hash.and_then(|hash| unchanged(bytes, &Hash(hash.0)).ok());
    if let Some((header, ranges)) = known {
        let bodies = ranges.into_iter().map(|range| Body::decode(&bytes[range?])).collect();
        return Some((header, bodies));
    }
    // The hash beside it may be what was changed.
    let batch: Verified = verify(bytes, room).ok()?;
    let bodies = (0..batch.header().entries.len()).map(|index| batch.body(index)).collect();
    Some((batch.header().clone(), bodies))
}

/// The author that each log's row names.
fn authors_of(db: &Connection) -> Result<HashMap<i64, i64>, StoreError> {
    let mut statement = db.prepare("SELECT log, author FROM log NOT INDEXED")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1).ok()));
    let all: Vec<_> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter_map(|(log, author)| Some((log, author?))).collect())
}
