//! Quarantine of corrupted batches. A reader finds that a batch does not verify. The writer then
//! moves it to the table `damaged`, and reports the gap to the engine.
//!
//! The engine fetches the batch from peers, like any other that is missing. Metadata of an own
//! batch is restored when it arrives.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::state::WriteState;
use super::truncate::{RemovalReason, RemovedBatch, TruncationResult, collect_changes, remove_batches};
use crate::proto::entries::batch::{Verified, verify};
use crate::proto::ids::{Arrival, LogKey, NodeId, RoomId};
use crate::proto::replication::store_api::LogChanges;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};
use crate::store::tables::node::room;

/// The report to the user. The log has it once a minute at most.
pub(crate) const CORRUPTION_NOTICE: &str = "A saved message was damaged on disk. A copy of it was kept, and it will be fetched \
     from others again. Check the disk.";

/// A batch as the disk returns it.
struct StoredBatch {
    at: RemovedBatch,
    log: i64,
    key: LogKey,
    bytes: Bytes,
}

impl StoredBatch {
    fn find(db: &Connection, which: &str, params: impl Params) -> Result<Option<Self>, StoreError> {
        let mut statement = db.prepare_cached(&format!(
            "SELECT b.batch, b.first_seq, b.last_seq, b.log, b.bytes, l.id, a.key FROM batch b
             JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author WHERE {which}"
        ))?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Self {
                at: RemovedBatch {
                    batch: row.get::<_, NonNegative>(0)?.0,
                    first: row.get::<_, NonNegative>(1)?.0,
                    last: row.get::<_, NonNegative>(2)?.0,
                },
                log: row.get(3)?,
                bytes: Bytes::from(row.get::<_, Vec<u8>>(4)?),
                key: LogKey { log: row.get::<_, LogColumn>(5)?.0, author: NodeId(row.get::<_, Blob32>(6)?.0) },
            })
        };
        Ok(statement.query_row(params, read).optional()?)
    }

    /// Returns true if the batch verifies.
    fn is_intact(&self, room: &RoomId) -> bool {
        verify(&self.bytes, room).is_ok()
    }
}

/// Quarantines a corrupted batch, and the corrupted ones directly behind it. Returns none if there
/// is no such batch, since it was quarantined before.
///
/// Ranges are joined by the hashes that batches name, so the batch behind the gap must be intact.
pub(crate) fn quarantine(
    state: &mut WriteState,
    db: &Connection,
    batch: Arrival,
) -> Result<Option<LogChanges>, StoreError> {
    let room = room(db)?;
    let Some(found) = StoredBatch::find(db, "b.batch = ?1", [int(batch)])? else {
        // The row of its log or author may be the missing one.
        let is_here = db.prepare_cached("SELECT 1 FROM batch WHERE batch = ?1")?.exists([int(batch)])?;
        return if is_here { Err(StoreError::inconsistent("the log of a message is missing")) } else { Ok(None) };
    };
    if found.is_intact(&room) {
        // The damage is in the rows beside the batch.
        return Err(StoreError::inconsistent("a message can't be read, though it is what was signed"));
    }
    let (key, log) = (found.key, found.log);
    let mut removed = Vec::new();
    let mut next = Some(found);
    while let Some(changed) = next.take_if(|next| !next.is_intact(&room)) {
        changed.at.check(db, log)?;
        db.prepare_cached("INSERT OR REPLACE INTO damaged (batch, log, first_seq, bytes) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![int(changed.at.batch), log, int(changed.at.first), changed.bytes.as_ref()])?;
        removed.push(changed.at);
        let behind = params![log, int(changed.at.last + 1)];
        next = StoredBatch::find(db, "b.log = ?1 AND b.first_seq = ?2", behind)?;
    }
    let mut truncation = TruncationResult::default();
    remove_batches(state, db, key, log, &removed, RemovalReason::Corrupted, &mut truncation)?;
    collect_changes(state, db, truncation).map(Some)
}

/// Restores the metadata of an own batch that was quarantined and fetched again under the arrival
/// number `start`. Returns false if there is none.
pub(crate) fn restore_own_metadata(
    db: &Connection,
    log: i64,
    start: Arrival,
    batch: &Verified,
) -> Result<bool, StoreError> {
    let header = batch.header();
    let mut statement =
        db.prepare_cached("SELECT max(batch) FROM damaged WHERE log = ?1 AND first_seq = ?2 GROUP BY log")?;
    let before =
        statement.query_row(params![log, int(header.first_seq)], |row| row.get::<_, NonNegative>(0)).optional()?;
    let Some(NonNegative(before)) = before else { return Ok(false) };
    let last = before + header.entries.len() as Arrival - 1;
    db.prepare_cached("UPDATE ref SET arrival = arrival - ?1 + ?2 WHERE arrival BETWEEN ?1 AND ?3")?.execute([
        int(before),
        int(start),
        int(last),
    ])?;
    let moved = db.prepare_cached("UPDATE own SET batch = ?2 WHERE batch = ?1")?.execute([int(before), int(start)])?;
    Ok(moved > 0)
}
