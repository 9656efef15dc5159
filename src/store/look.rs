//! Single questions: one message, a caller's own name for one, how much is here; and history for peers.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::append::row;
use super::error::StoreError;
use super::find::by_id;
use super::line::{Lines, rows};
use super::sql::{Blob32, Count, int, log_id};
use crate::proto::batch::{Verified, verify};
use crate::proto::clock::Stamp;
use crate::proto::frame::Fetch;
use crate::proto::ids::{Arrival, EntryId, Hash, NodeId, RoomId};
use crate::proto::limits::{BATCH_ENTRIES_MAX, LACKING_MAX};
use crate::proto::record::{HistoryPage, Ref};
use crate::proto::timeline::Line;

/// How much is here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries held, of every kind.
    pub entries: u64,
    /// Entries that must exist, since later ones of their logs are held, and are not here.
    pub missing: u64,
    /// The time of the oldest entry.
    pub oldest: Option<Stamp>,
    /// Of whom entries are missing, and how many: most first, 16 authors at most.
    pub lacking: Vec<(NodeId, u64)>,
}

/// How far a message of this node's user has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Who holds it.
    pub held: Vec<NodeId>,
    /// Who was in reach when it was said and does not hold it yet.
    pub missing: Vec<NodeId>,
}

/// Who holds a message; `None` where it is not here, or somebody else's.
pub(super) fn holders(db: &Connection, own: NodeId, id: EntryId) -> Result<Option<Holders>, StoreError> {
    let Some((_, found)) = by_id(db, id)? else { return Ok(None) };
    match row(db, found.arrival)? {
        Some(row) => Lines::new(db, own).held_by(&row),
        None => Ok(None),
    }
}

/// A message by its id.
pub(super) fn line(db: &Connection, own: NodeId, id: EntryId) -> Result<Option<Line>, StoreError> {
    let Some((_, found)) = by_id(db, id)? else { return Ok(None) };
    match row(db, found.arrival)? {
        Some(row) => Lines::new(db, own).line(&row),
        None => Ok(None),
    }
}

/// A message by the name that its caller gave it.
pub(super) fn by_ref(db: &Connection, own: NodeId, name: &str) -> Result<Option<(Ref, Line)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT arrival, content, said_ms FROM ref WHERE name = ?1")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, Count>(0)?.0, row.get::<_, Blob32>(1)?, row.get::<_, Count>(2)?.0));
    let Some((arrival, content, said_ms)) = statement.query_row([name], read).optional()? else { return Ok(None) };
    let Some(row) = row(db, arrival)? else { return Err(missing(db, arrival)?) };
    if row.order().author != own || row.time.ms() != said_ms {
        return Err(StoreError::inconsistent("a caller's own name stands at another message"));
    }
    let line = Lines::new(db, own).line(&row)?;
    Ok(line.map(|line| (Ref { name: name.to_owned(), content: Hash(content.0) }, line)))
}

/// Why a message with a caller's own name is not here: it is awaited where the disk changed its batch. Otherwise the name
/// stands at the wrong number.
fn missing(db: &Connection, arrival: Arrival) -> Result<StoreError, StoreError> {
    let first = int(arrival.saturating_sub(BATCH_ENTRIES_MAX as u64 - 1));
    let mut statement = db.prepare_cached("SELECT 1 FROM damaged WHERE batch BETWEEN ?1 AND ?2")?;
    let is_awaited = statement.exists([first, int(arrival)])?;
    let wrong = || StoreError::inconsistent("a caller's own name stands at no message");
    Ok(if is_awaited { StoreError::Awaited } else { wrong() })
}

/// The newest messages of this node's own user, oldest first.
pub(super) fn own_newest(db: &Connection, own: NodeId, limit: usize) -> Result<Vec<Line>, StoreError> {
    const OWN: &str = rows!(
        "own o CROSS JOIN batch w ON w.batch = o.batch
         CROSS JOIN entry e ON e.arrival BETWEEN w.batch AND w.batch + w.last_seq - w.first_seq",
        "WHERE e.conversation IS NOT NULL ORDER BY o.batch DESC, e.arrival DESC LIMIT ?1"
    );
    let mut lines = Lines::new(db, own).all(OWN, [int(limit as u64)])?;
    if lines.iter().any(|line| line.order.author != own) {
        return Err(StoreError::inconsistent("a message of another member stands among the own ones"));
    }
    lines.reverse();
    Ok(lines)
}

/// How much is here.
pub(super) fn counts(db: &Connection) -> Result<Counts, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT coalesce(sum(held), 0), coalesce(sum(last - held), 0), min(oldest) FROM
         (SELECT sum(last_seq - first_seq + 1) held, max(last_seq) last, min(first_time) oldest FROM span GROUP BY log)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(Counts {
            entries: row.get::<_, Count>(0)?.0,
            missing: row.get::<_, Count>(1)?.0,
            oldest: row.get::<_, Option<Count>>(2)?.map(|time| Stamp(time.0)),
            lacking: lacking(db)?,
        })
    })?)
}

/// Of whom entries are missing, and how many.
fn lacking(db: &Connection) -> Result<Vec<(NodeId, u64)>, rusqlite::Error> {
    let mut statement = db.prepare_cached(
        "SELECT a.key, sum(s.missing) missing FROM
         (SELECT log, max(last_seq) - sum(last_seq - first_seq + 1) missing FROM span GROUP BY log) s
         JOIN log l ON l.log = s.log JOIN author a ON a.author = l.author
         WHERE s.missing > 0 GROUP BY a.author ORDER BY 2 DESC, a.key LIMIT ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((NodeId(row.get::<_, Blob32>(0)?.0), row.get::<_, Count>(1)?.0));
    statement.query_map([int(LACKING_MAX)], read)?.collect()
}

/// The newest whole batches of a log in `fetch.first..=fetch.last`, as far back as they hang together, each checked
/// again: what a disk may have changed is never passed on.
pub(super) fn history(db: &Connection, room: &RoomId, fetch: Fetch) -> Result<HistoryPage, StoreError> {
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
        let Some(batch) = batch else { return Err(StoreError::Altered(row.get::<_, Count>(0)?.0)) };
        let stored = (
            row.get::<_, Option<Blob32>>(2)?.map(|id| NodeId(id.0)),
            row.get::<_, Count>(3)?.0,
            row.get::<_, Count>(4)?.0,
            row.get::<_, Blob32>(5)?.0,
        );
        let header = batch.header();
        if stored != (header.audience, header.first_seq, header.last_seq(), batch.hash().0) {
            return Err(StoreError::inconsistent("a batch stands under another audience, number or hash"));
        }
        if !precedes(page.batches.last(), &batch) {
            break;
        }
        bytes_left = bytes_left.saturating_sub(bytes.len() as u64);
        page.batches.push(batch);
    }
    page.batches.reverse();
    Ok(page)
}

/// Whether a batch is the one right before `next`, if there is one.
fn precedes(next: Option<&Verified>, batch: &Verified) -> bool {
    next.is_none_or(|next| {
        let next = next.header();
        next.first_seq == batch.header().last_seq() + 1 && next.prev == Some(batch.hash())
    })
}
