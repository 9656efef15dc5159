//! The table `batch`: finds entries by log and number or by id, and computes the place of an entry.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::node::room;
use crate::proto::entries::batch::{Header, Verified, verify};
use crate::proto::entries::timeline::Place;
use crate::proto::ids::{Arrival, EntryId, Hash, LogId, LogKey, NodeId, Seq};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int, log_id};

/// The location of a stored entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchRow {
    pub(crate) arrival: Arrival,
    /// The arrival number of the first entry of its batch.
    pub(crate) batch: Arrival,
    pub(crate) hash: Hash,
}

/// Finds an entry by its log and its number in the log.
pub(crate) fn find(db: &Connection, log: i64, seq: Seq) -> Result<Option<BatchRow>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT batch, first_seq, last_seq, hash FROM batch WHERE log = ?1 AND first_seq <= ?2
         ORDER BY first_seq DESC LIMIT 1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let (batch, first, last) =
            (row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(1)?.0, row.get::<_, NonNegative>(2)?.0);
        let found = BatchRow { arrival: batch + (seq - first), batch, hash: Hash(row.get::<_, Blob32>(3)?.0) };
        Ok((seq <= last).then_some(found))
    };
    Ok(statement.query_row(params![log, int(seq)], read).optional()?.flatten())
}

/// Finds an entry by its id: log and number select it, and the check in the id confirms it.
pub(crate) fn find_by_id(db: &Connection, id: EntryId) -> Result<Option<(LogKey, BatchRow)>, StoreError> {
    if id.seq > i64::MAX as u64 {
        return Ok(None);
    }
    let mut statement =
        db.prepare_cached("SELECT l.log, a.key FROM log l JOIN author a ON a.author = l.author WHERE l.id = ?1")?;
    let mut rows = statement.query([log_id(id.log)])?;
    while let Some(row) = rows.next()? {
        let key = LogKey { author: NodeId(row.get::<_, Blob32>(1)?.0), log: id.log };
        let Some(found) = find(db, row.get(0)?, id.seq)? else { continue };
        let index = usize::try_from(found.arrival - found.batch).unwrap_or(usize::MAX);
        if EntryId::new(key, id.seq, &found.hash, index) == id {
            return Ok(Some((key, found)));
        }
    }
    Ok(None)
}

/// Returns a stored batch, or none if it is not here or does not verify.
pub(crate) fn load(db: &Connection, batch: Arrival) -> Result<Option<Verified>, StoreError> {
    let mut statement = db.prepare_cached("SELECT bytes FROM batch WHERE batch = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([int(batch)], |row| row.get(0)).optional()?;
    let room = room(db)?;
    Ok(bytes.and_then(|bytes| verify(&Bytes::from(bytes), &room).ok()))
}

/// Returns the place that the rule gives an entry of a stored batch. Reads the stored places of the
/// entries that it refers to.
pub(crate) fn expected_place(db: &Connection, log: i64, header: &Header, index: usize) -> Result<Place, StoreError> {
    let seq = header.first_seq + index as Seq;
    let before = if seq > 1 { find(db, log, seq - 1)? } else { None };
    let named = match header.after.filter(|_| index == 0) {
        Some(id) => find_by_id(db, id)?.map(|(_, found)| found),
        None => None,
    };
    let mut place = header.entries.get(index).map_or(0, |slot| slot.time);
    let mut statement = db.prepare_cached("SELECT place FROM entry WHERE arrival = ?1")?;
    for found in [before, named].into_iter().flatten() {
        let stored = statement.query_row([int(found.arrival)], |row| row.get::<_, NonNegative>(0)).optional()?;
        place = place.max(stored.map_or(0, |stored| stored.0.saturating_add(1)));
    }
    Ok(place)
}

/// Returns the id that a batch names in `after`.
pub(crate) fn named(db: &Connection, batch: Arrival) -> Result<Option<EntryId>, StoreError> {
    let mut statement = db.prepare_cached("SELECT id, seq, proof FROM named WHERE batch = ?1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let (log, seq, proof): (LogColumn, NonNegative, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let check = proof.try_into().map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, 16))?;
        Ok(EntryId { log: log.0, seq: seq.0, check })
    };
    Ok(statement.query_row([int(batch)], read).optional()?)
}

/// Returns the batches that name an entry from `first` to `last` of the log. Each has the number of
/// the named entry, and the log and first entry of the batch.
pub(crate) fn dependents(
    db: &Connection,
    log: LogId,
    first: Seq,
    last: Seq,
) -> Result<Vec<(Seq, LogKey, Seq)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT n.seq, b.first_seq, l.id, a.key FROM named n CROSS JOIN batch b ON b.batch = n.batch
         CROSS JOIN log l ON l.log = b.log CROSS JOIN author a ON a.author = l.author
         WHERE n.id = ?1 AND n.seq BETWEEN ?2 AND ?3",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let key = LogKey { log: row.get::<_, LogColumn>(2)?.0, author: NodeId(row.get::<_, Blob32>(3)?.0) };
        Ok((row.get::<_, NonNegative>(0)?.0, key, row.get::<_, NonNegative>(1)?.0))
    };
    let found = statement.query_map(params![log_id(log), int(first), int(last)], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}
