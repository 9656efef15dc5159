//! Finds stored entries by their log and number, or by their id, and the place that the rule gives them.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::sql::{Blob32, Count, LogColumn, int, log_id};
use crate::proto::batch::Header;
use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, NodeId, Seq};
use crate::proto::timeline::Place;

/// Where an entry is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) arrival: Arrival,
    /// The arrival number of the first of its batch.
    pub(super) batch: Arrival,
    pub(super) hash: Hash,
}

/// Finds an entry by its log and number there.
pub(super) fn find(db: &Connection, log: i64, seq: Seq) -> Result<Option<Found>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT batch, first_seq, last_seq, hash FROM batch WHERE log = ?1 AND first_seq <= ?2
         ORDER BY first_seq DESC LIMIT 1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let (batch, first, last) = (row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0, row.get::<_, Count>(2)?.0);
        let found = Found { arrival: batch + (seq - first), batch, hash: Hash(row.get::<_, Blob32>(3)?.0) };
        Ok((seq <= last).then_some(found))
    };
    Ok(statement.query_row(params![log, int(seq)], read).optional()?.flatten())
}

/// Finds an entry by its id: by log and number, and then its check is compared.
pub(super) fn by_id(db: &Connection, id: EntryId) -> Result<Option<(LogKey, Found)>, StoreError> {
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

/// The place that the rule gives an entry of a stored batch, from what is stored of the entries that it stands on.
pub(super) fn expected_place(db: &Connection, log: i64, header: &Header, index: usize) -> Result<Place, StoreError> {
    let seq = header.first_seq + index as Seq;
    let before = if seq > 1 { find(db, log, seq - 1)? } else { None };
    let named = match header.after.filter(|_| index == 0) {
        Some(id) => by_id(db, id)?.map(|(_, found)| found),
        None => None,
    };
    let mut place = header.entries.get(index).map_or(0, |slot| slot.time);
    let mut statement = db.prepare_cached("SELECT place FROM entry WHERE arrival = ?1")?;
    for found in [before, named].into_iter().flatten() {
        let stored = statement.query_row([int(found.arrival)], |row| row.get::<_, Count>(0)).optional()?;
        place = place.max(stored.map_or(0, |stored| stored.0.saturating_add(1)));
    }
    Ok(place)
}

/// What a batch names in `after`.
pub(super) fn named(db: &Connection, batch: Arrival) -> Result<Option<EntryId>, StoreError> {
    let mut statement = db.prepare_cached("SELECT id, seq, proof FROM named WHERE batch = ?1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let (log, seq, proof): (LogColumn, Count, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let check = proof.try_into().map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, 16))?;
        Ok(EntryId { log: log.0, seq: seq.0, check })
    };
    Ok(statement.query_row([int(batch)], read).optional()?)
}
