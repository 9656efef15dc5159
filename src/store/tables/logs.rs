//! The tables `log` and `span`: logs, and the ranges that are stored of each.

use super::forks::fork;
use crate::proto::clock::Stamp;
use crate::proto::ids::{Hash, LogKey, NodeId};
use crate::proto::replication::store_api::{LogRecord, Run};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};
use rusqlite::{Connection, params};

/// Returns the stored ranges of a log in ascending order.
pub(crate) fn load_ranges(db: &Connection, log: i64) -> Result<Vec<Run>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT first_seq, prev, last_seq, head, first_time, last_time FROM span WHERE log = ?1 ORDER BY first_seq",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Run {
            first: row.get::<_, NonNegative>(0)?.0,
            prev: row.get::<_, Option<Blob32>>(1)?.map(|hash| Hash(hash.0)),
            last: row.get::<_, NonNegative>(2)?.0,
            head: Hash(row.get::<_, Blob32>(3)?.0),
            first_time: Stamp(row.get::<_, NonNegative>(4)?.0),
            last_time: Stamp(row.get::<_, NonNegative>(5)?.0),
        })
    };
    Ok(statement.query_map([log], read)?.collect::<Result<_, _>>()?)
}

/// Writes a range. An existing range with the same first entry is extended.
pub(crate) fn upsert_range(db: &Connection, log: i64, span: &Run) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO span (log, first_seq, last_seq, prev, head, first_time, last_time)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE
         SET last_seq = excluded.last_seq, head = excluded.head, last_time = excluded.last_time",
    )?
    .execute(params![
        log,
        int(span.first),
        int(span.last),
        span.prev.map(Blob32::from),
        Blob32(span.head.0),
        int(span.first_time.0),
        int(span.last_time.0)
    ])?;
    Ok(())
}

pub(crate) fn logs(db: &Connection) -> Result<Vec<LogRecord>, StoreError> {
    let mut statement = db.prepare(
        "SELECT l.log, l.id, a.key, l.audience, l.bytes FROM log l LEFT JOIN author a ON a.author = l.author ORDER BY a.key, l.id",
    )?;
    let mut rows = statement.query([])?;
    let mut logs = Vec::new();
    while let Some(row) = rows.next()? {
        logs.push(LogRecord {
            key: LogKey { log: row.get::<_, LogColumn>(1)?.0, author: NodeId(row.get::<_, Blob32>(2)?.0) },
            audience: row.get::<_, Option<Blob32>>(3)?.map(|id| NodeId(id.0)),
            ranges: load_ranges(db, row.get(0)?)?,
            bytes: row.get::<_, NonNegative>(4)?.0,
            fork: fork(db, row.get(0)?)?,
        });
    }
    Ok(logs)
}
