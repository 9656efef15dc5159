//! Removes the bodies of deleted entries, in the caller's transaction: from their batch, from the
//! search index, and from copies kept aside.
//!
//! The bytes leave the files when the writer has made its steps of erasure.

use rusqlite::{Connection, params};

use crate::proto::entries::deletion::strip;
use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, NodeId};
use crate::proto::limits::BATCH_ENTRIES_MAX;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int, log_id};
use crate::store::tables::batches::{BatchRow, load};
use crate::store::tables::search_index::indexed;

/// What became of the body of a deleted entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StripResult {
    /// It was removed. The batches of its log take so many more bytes.
    Stripped { log: LogKey, bytes: i64 },
    /// It was removed before.
    WasGone,
    /// It stays: the deletion counts for nothing in its place.
    KeepsBody,
}

/// Puts the deletion with the arrival number `deletion` in place of the body of an entry.
pub(crate) fn strip_body(db: &Connection, deletion: Arrival, entry: &BatchRow) -> Result<StripResult, StoreError> {
    let mut statement = db.prepare_cached("SELECT batch FROM entry WHERE arrival = ?1")?;
    let of_deletion = statement.query_row([int(deletion)], |row| row.get::<_, NonNegative>(0))?.0;
    let open = |batch| load(db, batch)?.ok_or(StoreError::CorruptBatch(batch));
    let (deletion, batch) = (open(of_deletion)?, open(entry.batch)?);
    let index = usize::try_from(entry.arrival - entry.batch).unwrap_or(usize::MAX);
    if batch.is_deleted(index) {
        return Ok(StripResult::WasGone);
    }
    let Some(stripped) = strip(&batch, index, &deletion) else { return Ok(StripResult::KeepsBody) };
    let bytes = stripped.bytes().len() as i64 - batch.bytes().len() as i64;
    db.prepare_cached("UPDATE batch SET bytes = ?2 WHERE batch = ?1")?
        .execute(params![int(entry.batch), stripped.bytes().as_ref()])?;
    db.prepare_cached("UPDATE log SET bytes = bytes + ?2 WHERE log = (SELECT log FROM batch WHERE batch = ?1)")?
        .execute([int(entry.batch), bytes])?;
    if entry.arrival <= indexed(db)? {
        db.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([int(entry.arrival)])?;
    }
    Ok(StripResult::Stripped { log: batch.header().key(), bytes })
}

/// Clears copies of a deleted entry: a damaged batch that was kept, and an own entry that waits to
/// be published again. Returns true if there was any.
pub(crate) fn clear_copies(db: &Connection, author: NodeId, entry: EntryId) -> Result<bool, StoreError> {
    let damaged = "UPDATE damaged SET bytes = x'' WHERE bytes <> x'' AND first_seq BETWEEN ?3 AND ?4
        AND log = (SELECT log FROM log WHERE id = ?1 AND author = (SELECT author FROM author WHERE key = ?2))";
    let from = entry.seq.saturating_sub(BATCH_ENTRIES_MAX as u64 - 1);
    let entries = params![log_id(entry.log), Blob32(author.0), int(from), int(entry.seq)];
    let mut cleared = db.prepare_cached(damaged)?.execute(entries)?;
    let mut waiting = db.prepare_cached(
        "SELECT fallen, hash, place FROM fallen WHERE body IS NOT NULL AND (SELECT own FROM node) = ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, Hash(row.get::<_, Blob32>(1)?.0), row.get::<_, NonNegative>(2)?.0))
    };
    let waiting: Vec<_> = waiting.query_map([Blob32(author.0)], read)?.collect::<Result<_, _>>()?;
    let key = LogKey { author, log: entry.log };
    let is_entry = |hash: &Hash, place: u64| {
        EntryId::new(key, entry.seq, hash, usize::try_from(place).unwrap_or(usize::MAX)) == entry
    };
    for (number, ..) in waiting.iter().filter(|(_, hash, place)| is_entry(hash, *place)) {
        cleared += db
            .prepare_cached("UPDATE fallen SET body = NULL, name = NULL, content = NULL WHERE fallen = ?1")?
            .execute([number])?;
    }
    Ok(cleared > 0)
}
