//! Surveys the stored batches, and determines the row id of each author, log and conversation.
//!
//! The row of an author or a log may be corrupted, so the batches vote: each header says which
//! author and log it belongs to, and most batches still name the right row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};

use crate::proto::entries::batch::{Verified, check_hashes, verify};
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::{Hash, LogKey, NodeId, RoomId};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};

/// The result of a survey.
#[derive(Debug, Default)]
pub(crate) struct DatabaseScan {
    pub(crate) logs: BTreeMap<LogKey, ScannedLog>,
    pub(crate) authors: BTreeMap<NodeId, i64>,
    pub(crate) conversations: BTreeMap<Conversation, i64>,
}

/// A log with a stored batch.
#[derive(Debug)]
pub(crate) struct ScannedLog {
    pub(crate) audience: Option<NodeId>,
    /// The row id that its batches name. None if that id belongs to another log.
    pub(crate) number: Option<i64>,
}

/// Votes for pairs of a key and a row id.
#[derive(Debug)]
struct Votes<K>(BTreeMap<(K, i64), usize>);

impl<K: Ord + Clone> Votes<K> {
    fn add(&mut self, key: K, number: i64) {
        *self.0.entry((key, number)).or_default() += 1;
    }

    /// Returns at most one id for each key, and one key for each id. Pairs with the most votes win.
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

/// Reads every batch once. Corrupted batches do not vote.
pub(crate) fn survey(db: &Connection, own: NodeId, room: &RoomId) -> Result<DatabaseScan, StoreError> {
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
        let Ok(NonNegative(batch)) = row.get::<_, NonNegative>(0) else { continue };
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
        .map(|(key, audience)| (key, ScannedLog { audience, number: numbers.remove(&key) }))
        .collect();
    Ok(DatabaseScan { logs, authors: authors.decide(), conversations: conversations.decide() })
}

/// Returns the header and bodies of an intact batch.
fn open(
    bytes: &Bytes,
    hash: Option<Blob32>,
    room: &RoomId,
) -> Option<(crate::proto::entries::batch::Header, Vec<Option<Body>>)> {
    let known = hash.and_then(|hash| check_hashes(bytes, &Hash(hash.0)).ok());
    if let Some((header, ranges)) = known {
        let bodies = ranges.iter().map(|range| range.body(bytes)).collect();
        return Some((header, bodies));
    }
    // The stored hash may be the corrupted value.
    let batch: Verified = verify(bytes, room).ok()?;
    let bodies = (0..batch.header().entries.len()).map(|index| batch.body(index)).collect();
    Some((batch.header().clone(), bodies))
}

/// Returns the author that each log's row names.
fn authors_of(db: &Connection) -> Result<HashMap<i64, i64>, StoreError> {
    let mut statement = db.prepare("SELECT log, author FROM log NOT INDEXED")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1).ok()));
    let all: Vec<_> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter_map(|(log, author)| Some((log, author?))).collect())
}
