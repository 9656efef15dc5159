//! The table `ref`: idempotency keys (`ref` of a client) of own messages, kept for 30 days.

use rusqlite::{Connection, OptionalExtension as _};

use crate::proto::ids::{Arrival, Hash};
use crate::proto::limits::{REF_MS, REFS_KNOWN_MAX};
use crate::proto::replication::store_api::{IdempotencyKey, StoredRef};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};

/// Deletes keys older than 30 days.
pub(crate) fn forget_refs(db: &Connection, now_ms: u64) -> Result<(), StoreError> {
    let Some(limit_ms) = now_ms.checked_sub(REF_MS) else { return Ok(()) };
    let mut statement =
        db.prepare_cached("DELETE FROM ref WHERE arrival = (SELECT min(arrival) FROM ref) AND said_ms < ?1")?;
    while statement.execute([int(limit_ms)])? > 0 {}
    Ok(())
}

/// Returns the newest keys, oldest first, limited to [`REFS_KNOWN_MAX`] and one more.
pub(crate) fn stored_refs(db: &Connection) -> Result<Vec<StoredRef>, StoreError> {
    let mut statement = db.prepare("SELECT name, said_ms FROM ref ORDER BY arrival DESC LIMIT ?1")?;
    let mut rows = statement.query([int(REFS_KNOWN_MAX as u64 + 1)])?;
    let mut refs = Vec::new();
    while let Some(row) = rows.next()? {
        refs.push(StoredRef::new(row.get_ref(0)?.as_str().unwrap_or_default(), row.get::<_, NonNegative>(1)?.0));
    }
    refs.reverse();
    Ok(refs)
}

/// Returns the idempotency key of a message.
pub(crate) fn reference(db: &Connection, arrival: Arrival) -> Result<Option<IdempotencyKey>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name, content FROM ref WHERE arrival = ?1")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(IdempotencyKey { name: row.get(0)?, content: Hash(row.get::<_, Blob32>(1)?.0) });
    Ok(statement.query_row([int(arrival)], read).optional()?)
}
