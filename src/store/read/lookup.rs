//! Lookups: single messages, counts, and history for peers.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::decoded::{HolderRows, row, rows};
use super::message::MessageReader;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{Verified, verify};
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::Message;
use crate::proto::ids::{Arrival, EntryId, Hash, NodeId, RoomId};
use crate::proto::limits::{BATCH_ENTRIES_MAX, LACKING_MAX};
use crate::proto::replication::frame::Fetch;
use crate::proto::replication::store_api::{HistoryPage, IdempotencyKey};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int, log_id};
use crate::store::tables::batches::find_by_id;

/// Numbers of stored and missing entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryCounts {
    /// Stored entries of every kind.
    pub entries: u64,
    /// Entries that are not stored, although later ones of their logs are.
    pub missing: u64,
    /// The time of the oldest entry.
    pub oldest: Option<Stamp>,
    /// Authors with missing entries, and how many. The most come first, limited to [`LACKING_MAX`]
    /// authors.
    pub lacking: Vec<(NodeId, u64)>,
}

/// Returns the members that hold an own message. Returns none if it is not stored, or by another
/// author.
pub(crate) fn holders(db: &Connection, own: NodeId, id: EntryId) -> Result<Option<HolderRows>, StoreError> {
    let Some((_, found)) = find_by_id(db, id)? else { return Ok(None) };
    match row(db, found.arrival)? {
        Some(row) => MessageReader::new(db, own).held_by(&row),
        None => Ok(None),
    }
}

/// Returns a message by its id.
pub(crate) fn line(db: &Connection, own: NodeId, id: EntryId) -> Result<Option<Message>, StoreError> {
    let Some((_, found)) = find_by_id(db, id)? else { return Ok(None) };
    match row(db, found.arrival)? {
        Some(row) => MessageReader::new(db, own).line(&row),
        None => Ok(None),
    }
}

/// Returns the idempotency key with this name, and the entry that was published under it.
pub(crate) fn find_by_ref(
    db: &Connection,
    own: NodeId,
    name: &str,
) -> Result<Option<(IdempotencyKey, EntryId)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT arrival, content, said_ms FROM ref WHERE name = ?1")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, NonNegative>(0)?.0, row.get::<_, Blob32>(1)?, row.get::<_, NonNegative>(2)?.0))
    };
    let Some((arrival, content, said_ms)) = statement.query_row([name], read).optional()? else { return Ok(None) };
    let mut lines = MessageReader::new(db, own);
    let key = IdempotencyKey { name: name.to_owned(), content: Hash(content.0) };
    let wrong = || StoreError::inconsistent("a caller's own name stands at another message");
    if !db.prepare_cached("SELECT 1 FROM entry WHERE arrival = ?1")?.exists([int(arrival)])? {
        return Err(missing(db, arrival)?);
    }
    // A deleted entry keeps its name, so that its request is never done a second time.
    let entry = lines.slot(arrival)?;
    if entry.order.author != own || entry.time.ms() != said_ms || matches!(entry.body, Some(Body::Profile { .. })) {
        return Err(wrong());
    }
    if let Some(message) = row(db, arrival)? {
        lines.id(&message)?;
    }
    Ok(Some((key, entry.id)))
}

/// Returns the reason why a message with an idempotency key is not stored: its batch was
/// quarantined, or the key refers to a wrong arrival number.
fn missing(db: &Connection, arrival: Arrival) -> Result<StoreError, StoreError> {
    let first = int(arrival.saturating_sub(BATCH_ENTRIES_MAX as u64 - 1));
    let mut statement = db.prepare_cached("SELECT 1 FROM damaged WHERE batch BETWEEN ?1 AND ?2")?;
    let is_awaited = statement.exists([first, int(arrival)])?;
    let wrong = || StoreError::inconsistent("a caller's own name stands at no message");
    Ok(if is_awaited { StoreError::AwaitingRefetch } else { wrong() })
}

/// Returns the newest own messages, oldest first.
pub(crate) fn own_newest(db: &Connection, own: NodeId, limit: usize) -> Result<Vec<Message>, StoreError> {
    const OWN: &str = rows!(
        "own o CROSS JOIN batch w ON w.batch = o.batch
         CROSS JOIN entry e ON e.arrival BETWEEN w.batch AND w.batch + w.last_seq - w.first_seq",
        "WHERE e.conversation IS NOT NULL ORDER BY o.batch DESC, e.arrival DESC LIMIT ?1"
    );
    let mut lines = MessageReader::new(db, own).all(OWN, [int(limit as u64)])?;
    if lines.iter().any(|line| line.order.author != own) {
        return Err(StoreError::inconsistent("a message of another member stands among the own ones"));
    }
    lines.reverse();
    Ok(lines)
}

/// Counts stored and missing entries.
pub(crate) fn counts(db: &Connection) -> Result<HistoryCounts, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT coalesce(sum(held), 0), coalesce(sum(last - held), 0), min(oldest) FROM
         (SELECT sum(last_seq - first_seq + 1) held, max(last_seq) last, min(first_time) oldest FROM span GROUP BY log)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(HistoryCounts {
            entries: row.get::<_, NonNegative>(0)?.0,
            missing: row.get::<_, NonNegative>(1)?.0,
            oldest: row.get::<_, Option<NonNegative>>(2)?.map(|time| Stamp(time.0)),
            lacking: missing_by_author(db)?,
        })
    })?)
}

/// Returns authors with missing entries, and how many.
fn missing_by_author(db: &Connection) -> Result<Vec<(NodeId, u64)>, rusqlite::Error> {
    let mut statement = db.prepare_cached(
        "SELECT a.key, sum(s.missing) missing FROM
         (SELECT log, max(last_seq) - sum(last_seq - first_seq + 1) missing FROM span GROUP BY log) s
         JOIN log l ON l.log = s.log JOIN author a ON a.author = l.author
         WHERE s.missing > 0 GROUP BY a.author ORDER BY 2 DESC, a.key LIMIT ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((NodeId(row.get::<_, Blob32>(0)?.0), row.get::<_, NonNegative>(1)?.0));
    statement.query_map([int(LACKING_MAX)], read)?.collect()
}

/// Returns the newest contiguous batches of a log in `fetch.first..=fetch.last`.
///
/// Each is verified again, so that corrupted data is never sent to a peer.
pub(crate) fn history(db: &Connection, room: &RoomId, fetch: Fetch) -> Result<HistoryPage, StoreError> {
    let mut page = HistoryPage { fetch, batches: Vec::new() };
    let mut statement = db.prepare_cached(
        "SELECT b.batch, b.bytes, l.audience, b.first_seq, b.last_seq, b.hash FROM log l JOIN batch b ON b.log = l.log
         WHERE l.id = ?1 AND l.author = (SELECT author FROM author WHERE key = ?2)
         AND b.first_seq <= ?3 AND b.last_seq >= ?4 ORDER BY b.first_seq DESC",
    )?;
    let mut rows = statement.query(params![
        log_id(fetch.key.log),
        Blob32(fetch.key.author.0),
        int(fetch.last),
        int(fetch.first)
    ])?;
    let mut bytes_left = fetch.bytes;
    while let Some(row) = rows.next()? {
        let bytes = Bytes::from(row.get::<_, Vec<u8>>(1)?);
        if !page.batches.is_empty() && bytes.len() as u64 > bytes_left {
            break;
        }
        let batch = verify(&bytes, room).ok().filter(|batch| batch.header().key() == fetch.key);
        let Some(batch) = batch else { return Err(StoreError::CorruptBatch(row.get::<_, NonNegative>(0)?.0)) };
        let stored = (
            row.get::<_, Option<Blob32>>(2)?.map(|id| NodeId(id.0)),
            row.get::<_, NonNegative>(3)?.0,
            row.get::<_, NonNegative>(4)?.0,
            row.get::<_, Blob32>(5)?.0,
        );
        let header = batch.header();
        if stored != (header.audience, header.first_seq, header.last_seq(), batch.hash().0) {
            return Err(StoreError::inconsistent("a batch stands under another audience, number or hash"));
        }
        if !is_contiguous(page.batches.last(), &batch) {
            break;
        }
        bytes_left = bytes_left.saturating_sub(bytes.len() as u64);
        page.batches.push(batch);
    }
    page.batches.reverse();
    Ok(page)
}

/// Returns true if a batch directly precedes `next`, or if there is no `next`.
fn is_contiguous(next: Option<&Verified>, batch: &Verified) -> bool {
    next.is_none_or(|next| {
        let next = next.header();
        next.first_seq == batch.header().last_seq() + 1 && next.prev == Some(batch.hash())
    })
}
