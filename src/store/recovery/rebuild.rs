//! Rebuilds the tables from the signed batches, in place and in the caller's transaction.
//!
//! A disk that flips a bit in a column leaves rows that contradict the signed data, or refer to
//! missing rows. Everything derived from batches is deleted, and the batches are stored again under
//! their old arrival numbers, by the code that stores new ones.
//!
//! A batch that does not verify is quarantined and fetched again. Local rows are kept if they are
//! legible.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use rusqlite::{Connection, params};
use tracing::warn;

use super::local_rows::{copy_local_rows, rebuild_authors};
use super::survey::{DatabaseScan, survey};
use crate::proto::entries::batch::{Verified, verify};
use crate::proto::ids::{Arrival, LogId, LogKey, NodeId, RoomId};
use crate::proto::limits::ARRIVAL_MAX;
use crate::proto::replication::fork::{Fork, SignedHeader};
use crate::proto::replication::store_api::{LogChanges, LogRecord};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int, log_id};
use crate::store::tables::conversations::find_conversation;
use crate::store::tables::forks::put_fork;
use crate::store::tables::node::room;
use crate::store::tables::runs::max_arrival;
use crate::store::write::append::{AppendedBatch, put};
use crate::store::write::marks::reset_sessions;
use crate::store::write::row_cache::RowIdCache;
use crate::store::write::state::WriteState;
use crate::store::write::truncate::{TruncationResult, collect_changes};

/// The report to the user, once per run.
pub(crate) const REBUILT: &str =
    "Data saved with the messages was damaged on disk and was restored from the messages. Check the disk.";

/// The result of a rebuild.
pub(crate) struct Rebuilt {
    pub(crate) tables: WriteState,
    /// The changes for the engine: the new state of every log.
    pub(crate) changed: LogChanges,
    /// True if batches were quarantined.
    pub(crate) is_lossy: bool,
}

/// Rebuilds all tables that derive from batches. Takes as long as verifying all of them.
pub(crate) fn rebuild(db: &Connection, own: NodeId) -> Result<Rebuilt, StoreError> {
    let room = room(db)?;
    let highest = max_arrival(db).unwrap_or(0);
    let keys = keys(db)?;
    let forks = valid_forks(db, &room)?;
    let survey = survey(db, own, &room)?;
    let mut appender = WriteState { own, highest: 0, numbers: RowIdCache::default(), has_stripped: false };

    let names = rebuild_authors(db, &survey)?;
    logs(db, &mut appender, &survey)?;
    db.execute_batch("DELETE FROM fork")?;
    for fork in forks {
        let log = appender.numbers.get_or_insert_log(db, fork.proof()[0].header())?;
        put_fork(db, log, &fork)?;
    }
    // The cached logs do not have their forks yet.
    appender.numbers = RowIdCache::default();
    let read: HashMap<i64, Arrival> = read_marks(db, highest)?.into_iter().collect();
    let definition: String =
        db.query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'batch'", [], |row| row.get(0))?;
    db.execute_batch(&format!(
        "DELETE FROM entry; DELETE FROM named; DELETE FROM profile; DELETE FROM span; DELETE FROM conversation;
         DELETE FROM change; DELETE FROM topic; DELETE FROM mention; DELETE FROM attachment;
         ALTER TABLE batch RENAME TO surveyed; {definition}"
    ))?;
    crate::store::tables::search_index::clear(db)?;
    let mut truncation = TruncationResult::default();
    let is_lossy = replay(db, &mut appender, &room, highest, &mut truncation)?;
    db.execute_batch("DROP TABLE surveyed")?;

    names.restore(db)?;
    copy_local_rows(db, own)?;
    let noted: Option<NonNegative> = db.query_row("SELECT max(arrival) FROM notice", [], |row| row.get(0))?;
    appender.highest = appender.highest.max(noted.map_or(0, |noted| noted.0));
    for (conversation, number) in &survey.conversations {
        let Some(found) = find_conversation(db, conversation)? else { continue };
        let arrival = read.get(number).copied().unwrap_or(highest);
        db.prepare_cached("UPDATE conversation SET read = ?2 WHERE conversation = ?1")?
            .execute([found, int(arrival.min(appender.highest))])?;
    }
    let mut changed = collect_changes(&mut appender, db, truncation)?;
    changed.run = Some(reset_sessions(&mut appender, db)?);
    changed.tops = crate::store::read::engine_snapshot::latest_order_keys(db)?;
    changed.logs = records(db, keys)?;
    Ok(Rebuilt { tables: appender, changed, is_lossy })
}

/// Returns the keys of the logs before the rebuild.
fn keys(db: &Connection) -> Result<Vec<LogKey>, StoreError> {
    let mut statement = db.prepare("SELECT l.id, a.key FROM log l JOIN author a ON a.author = l.author")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(LogKey { log: row.get::<_, LogColumn>(0)?.0, author: NodeId(row.get::<_, Blob32>(1)?.0) })
    };
    // The engine does not know a log whose key is illegible.
    Ok(statement.query_map([], read)?.filter_map(Result::ok).collect())
}

/// Returns the proofs of forks that verify.
fn valid_forks(db: &Connection, room: &RoomId) -> Result<Vec<Fork>, StoreError> {
    let mut statement = db.prepare("SELECT one, other FROM fork ORDER BY log")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, Vec<u8>>(0).unwrap_or_default(), row.get::<_, Vec<u8>>(1).unwrap_or_default()))
    };
    let proofs: Vec<_> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    let signed = |bytes: Vec<u8>| SignedHeader::verify(&Bytes::from(bytes), room).ok();
    Ok(proofs.into_iter().filter_map(|(one, other)| Fork::new(signed(one)?, signed(other)?)).collect())
}

/// Writes the row of every log with a batch, under its old row id if the survey is certain. Keeps
/// the rows of other logs.
fn logs(db: &Connection, appender: &mut WriteState, survey: &DatabaseScan) -> Result<(), StoreError> {
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

/// Returns the read mark of each conversation, by its old row id.
fn read_marks(db: &Connection, highest: Arrival) -> Result<Vec<(i64, Arrival)>, StoreError> {
    let mut statement = db.prepare("SELECT conversation, read FROM conversation NOT INDEXED")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get::<_, NonNegative>(1).map_or(highest, |read| read.0.min(highest))))
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Stores the surveyed batches again. Returns true if some did not verify.
fn replay(
    db: &Connection,
    appender: &mut WriteState,
    room: &RoomId,
    highest: Arrival,
    truncation: &mut TruncationResult,
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
        // A corrupted arrival number may be taken, or out of range.
        match u64::try_from(number) {
            Ok(start) if start > appender.highest && start < ARRIVAL_MAX / 2 => {
                appender.highest = start - 1;
                store(db, appender, &batch, truncation)?;
            }
            _ => late.push(batch),
        }
    }
    appender.highest = appender.highest.max(highest);
    for batch in &late {
        store(db, appender, batch, truncation)?;
    }
    Ok(is_lossy)
}

fn store(
    db: &Connection,
    appender: &mut WriteState,
    batch: &Verified,
    truncation: &mut TruncationResult,
) -> Result<(), StoreError> {
    let start = appender.highest;
    let put: Option<AppendedBatch> = put(appender, db, batch, truncation)?;
    if put.is_none() {
        warn!(arrival = start + 1, "a batch was stored twice, or behind the end of its log");
    }
    Ok(())
}

/// Returns the state of all logs. Logs that are gone have no ranges.
fn records(db: &Connection, before: Vec<LogKey>) -> Result<Vec<LogRecord>, StoreError> {
    let mut records = crate::store::tables::logs::logs(db)?;
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
