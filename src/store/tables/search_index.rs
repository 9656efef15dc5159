//! The table `search`: the full-text index, and the cursor up to which it is filled.

use rusqlite::Connection;

use crate::proto::ids::Arrival;
use crate::store::error::StoreError;
use crate::store::sql::NonNegative;

/// Creates the index, as `schema.sql` does.
const CREATE: &str = "CREATE VIRTUAL TABLE search USING
    fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1 2')";

/// The report to the user when the index is rebuilt.
pub(crate) const REINDEXED: &str = "The search index was damaged and is being rebuilt. No messages were lost.";

/// Clears the index in the caller's transaction.
pub(crate) fn clear(db: &Connection) -> Result<(), StoreError> {
    Ok(db.execute_batch(&format!("DROP TABLE search; {CREATE}; UPDATE node SET indexed = 0"))?)
}

/// Returns the arrival number up to which messages are indexed.
pub(crate) fn indexed(db: &Connection) -> Result<Arrival, StoreError> {
    Ok(db.prepare_cached("SELECT indexed FROM node")?.query_row([], |row| row.get::<_, NonNegative>(0))?.0)
}
