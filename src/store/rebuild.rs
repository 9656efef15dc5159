//! Rebuilds the tables from the signed batches, in place and in one transaction of the caller.
//!
//! A disk that flips a bit in a column leaves rows that contradict what was signed, or refer to nothing. The batches say all of
//! it again: they are stored anew under their old arrival numbers, by the code that stores new ones. A batch that does not
//! verify is quarantined and fetched again. What no batch can bring back is kept as far as it makes sense.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use rusqlite::{Connection, params};
use tracing::warn;

use super::append::{Appender, Put};
use super::error::StoreError;
use super::fall::{Falls, room};
use super::local_rows::{keep_authors, keep_local};
use super::numbers::{Numbers, find_conversation, highest};
use super::sql::{Blob32, Count, LogColumn, int, log_id};
use super::survey::{Survey, survey};
use crate::proto::batch::{Verified, verify};
use crate::proto::fork::{Fork, Signed};
use crate::proto::ids::{Arrival, LogId, LogKey, NodeId, RoomId};
use crate::proto::limits::ARRIVAL_MAX;
use crate::proto::record::{Changed, LogRecord};

/// What the user is told, once.
pub(super) const REBUILT: &str =
    "The disk changed what was stored beside the messages: it was made again from the signed messages. Check the disk.";

/// The tables after a rebuild.
pub(super) struct Rebuilt {
    pub(super) appender: Appender,
    /// What the engine has to know: every log, as it is held now.
    pub(super) changed: Changed,
    /// True if batches were quarantined.
    pub(super) is_lossy: bool,
}

/// Rebuilds everything that follows from batches. Takes as long as verifying all of them.
pub(super) fn rebuild(db: &Connection, own: NodeId) -> Result<Rebuilt, StoreError> {
    let room = room(db)?;
    let highest = highest(db).unwrap_or(0);
    let keys = keys(db)?;
    let forks = valid_forks(db, &room)?;
    let survey = survey(db, own, &room)?;
    let mut appender = Appender { own, highest: 0, numbers: Numbers::default() };

    let names = keep_authors(db, &survey)?;
    logs(db, &mut appender, &survey)?;
    db.execute_batch("DELETE FROM fork")?;
    for fork in forks {
        let log = appender.numbers.log_of(db, fork.proof()[0].header())?;
        let [one, other] = fork.proof();
        db.prepare_cached("INSERT OR REPLACE INTO fork (log, one, other) VALUES (?1, ?2, ?3)")?.execute(params![
            log,
            one.bytes().as_ref(),
            other.bytes().as_ref()
        ])?;
    }
    // What is remembered of logs does not know their forks.
    appender.numbers = Numbers::default();
    let read: HashMap<i64, Arrival> = read_marks(db, highest)?.into_iter().collect();
    let definition: String =
        db.query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'batch'", [], |row| row.get(0))?;
    db.execute_batch(&format!(
        "DELETE FROM entry; DELETE FROM named; DELETE FROM profile; DELETE FROM span; DELETE FROM conversation;
         ALTER TABLE batch RENAME TO surveyed; {definition}"
    ))?;
    super::search::clear(db)?;
    let mut falls = Falls::default();
    let is_lossy = replay(db, &mut appender, &room, highest, &mut falls)?;
    db.execute_batch("DROP TABLE surveyed")?;

    names.restore(db)?;
    keep_local(db, own)?;
    let noted: Option<Count> = db.query_row("SELECT max(arrival) FROM notice", [], |row| row.get(0))?;
    appender.highest = appender.highest.max(noted.map_or(0, |noted| noted.0));
    for (conversation, number) in &survey.conversations {
        let Some(found) = find_conversation(db, conversation)? else { continue };
        let arrival = read.get(number).copied().unwrap_or(highest);
        db.prepare_cached("UPDATE conversation SET read = ?2 WHERE conversation = ?1")?
            .execute([found, int(arrival.min(appender.highest))])?;
    }
    let mut changed = appender.changed(db, falls)?;
    changed.run = Some(appender.afresh(db)?);
    changed.tops = super::snapshot::tops(db)?;
    changed.logs = records(db, keys)?;
    Ok(Rebuilt { appender, changed, is_lossy })
}

/// The logs that the tables knew.
fn keys(db: &Connection) -> Result<Vec<LogKey>, StoreError> {
    let mut statement = db.prepare("SELECT l.id, a.key FROM log l JOIN author a ON a.author = l.author")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(LogKey { log: row.get::<_, LogColumn>(0)?.0, author: NodeId(row.get::<_, Blob32>(1)?.0) })
    };
    // An illegible key is none that the engine was told of.
    Ok(statement.query_map([], read)?.filter_map(Result::ok).collect())
}

/// The proofs of forks that still verify.
fn valid_forks(db: &Connection, room: &RoomId) -> Result<Vec<Fork>, StoreError> {
    let mut statement = db.prepare("SELECT one, other FROM fork ORDER BY log")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, Vec<u8>>(0).unwrap_or_default(), row.get::<_, Vec<u8>>(1).unwrap_or_default()))
    };
    let proofs: Vec<_> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    let signed = |bytes: Vec<u8>| Signed::verify(&Bytes::from(bytes), room).ok();
    Ok(proofs.into_iter().filter_map(|(one, other)| Fork::new(signed(one)?, signed(other)?)).collect())
}

/// Writes the row of every log of which a batch is here, under its old number where that is certain. Rows of other logs stay.
fn logs(db: &Connection, appender: &mut Appender, survey: &Survey) -> Result<(), StoreError> {
    let mut statement = db.prepare("SELECT log, id, author, audience FROM log NOT INDEXED ORDER BY log")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, LogColumn>(1).map(|id| id.0),
            row.get::<_, i64>(2),
            row.get::<_, Option<Blob32>>(3).map(|id| id.map(|id| NodeId(id.0))),
        ))
    };
    let before: Vec<_> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    drop(statement);
    db.execute_batch("DELETE FROM log")?;
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO log (log, id, author, audience) SELECT ?1, ?2, author, ?4 FROM author WHERE author = ?3",
    )?;
    let mut row = |number: Option<i64>, id: LogId, author: i64, audience: Option<NodeId>| {
        insert.execute(params![number, log_id(id), author, audience.map(Blob32::from)])
    };
    for (key, log) in &survey.logs {
        if let Some(number) = log.number {
            row(Some(number), key.log, appender.numbers.author(db, key.author)?, log.audience)?;
        }
    }
    let taken: HashSet<i64> = survey.logs.values().filter_map(|log| log.number).collect();
    for (number, id, author, audience) in before {
        let is_taken = taken.contains(&number);
        if let (false, Ok(id), Ok(author), Ok(audience)) = (is_taken, id, author, audience) {
            row(Some(number), id, author, audience)?;
        }
    }
    for (key, log) in survey.logs.iter().filter(|(_, log)| log.number.is_none()) {
        row(None, key.log, appender.numbers.author(db, key.author)?, log.audience)?;
    }
    Ok(())
}

/// How far each conversation was read, by its old number.
fn read_marks(db: &Connection, highest: Arrival) -> Result<Vec<(i64, Arrival)>, StoreError> {
    let mut statement = db.prepare("SELECT conversation, read FROM conversation NOT INDEXED")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Count>(1).map_or(highest, |read| read.0.min(highest))));
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Stores the surveyed batches anew. Returns true if some did not verify.
fn replay(
    db: &Connection,
    appender: &mut Appender,
    room: &RoomId,
    highest: Arrival,
    falls: &mut Falls,
) -> Result<bool, StoreError> {
    let mut is_lossy = false;
    let mut late: Vec<Verified> = Vec::new();
    let mut statement = db.prepare("SELECT batch, log, first_seq, bytes FROM surveyed NOT INDEXED ORDER BY batch")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let bytes = Bytes::from(row.get::<_, Vec<u8>>(3).unwrap_or_default());
        let Ok(batch) = verify(&bytes, room) else {
            is_lossy = true;
            let (log, first) = (row.get::<_, i64>(1).unwrap_or(-1), row.get::<_, i64>(2).unwrap_or(-1));
            db.prepare_cached("INSERT OR REPLACE INTO damaged (batch, log, first_seq, bytes) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![number, log, first, bytes.as_ref()])?;
            continue;
        };
        // A number that was changed may be taken, or out of range.
        match u64::try_from(number) {
            Ok(start) if start > appender.highest && start < ARRIVAL_MAX / 2 => {
                appender.highest = start - 1;
                store(db, appender, &batch, falls)?;
            }
            _ => late.push(batch),
        }
    }
    appender.highest = appender.highest.max(highest);
    for batch in &late {
        store(db, appender, batch, falls)?;
    }
    Ok(is_lossy)
}

fn store(db: &Connection, appender: &mut Appender, batch: &Verified, falls: &mut Falls) -> Result<(), StoreError> {
    let start = appender.highest;
    let put: Option<Put> = appender.put(db, batch, falls)?;
    if put.is_none() {
        warn!(arrival = start + 1, "a batch was stored twice, or behind the end of its log");
    }
    Ok(())
}

/// What is held of the logs that were known before, and of all that are known now.
fn records(db: &Connection, before: Vec<LogKey>) -> Result<Vec<LogRecord>, StoreError> {
    let mut records = super::snapshot::logs(db)?;
    let known: HashSet<LogKey> = records.iter().map(|record| record.key).collect();
    let mut gone = before;
    gone.retain(|key| !known.contains(key));
    records.extend(gone.into_iter().map(|key| LogRecord {
        key,
        audience: None,
        ranges: Vec::new(),
        bytes: 0,
        fork: None,
    }));
    Ok(records)
}
