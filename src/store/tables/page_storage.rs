//! The table `page_storage`: settings, drafts and unsent messages of the user's pages, by key.
//!
//! Browsers keep storage per origin. A page on a shared machine stores its items here, because its
//! origin changes at the next start.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::proto::limits::{PAGE_STORAGE_BYTES_MAX, PAGE_STORAGE_ITEMS_MAX};
use crate::store::error::StoreError;
use crate::store::sql::NonNegative;

/// A change of one item. Without a value, the item is removed.
pub(crate) struct Change {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// Applies a change in the caller's transaction. Returns false, without a change, if the storage is
/// full.
///
/// Nothing is evicted to make room: an item may be the only copy of a message.
pub(crate) fn apply(db: &Connection, Change { key, value }: &Change) -> Result<bool, StoreError> {
    let Some(value) = value else {
        db.prepare_cached("DELETE FROM page_storage WHERE key = ?1")?.execute([key])?;
        return Ok(true);
    };
    let mut statement = db.prepare_cached(
        "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(value)), 0) FROM page_storage WHERE key <> ?1",
    )?;
    let (items, bytes): (NonNegative, NonNegative) =
        statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let bytes = bytes.0 + (key.len() + value.len()) as u64;
    if items.0 >= PAGE_STORAGE_ITEMS_MAX || bytes > PAGE_STORAGE_BYTES_MAX {
        return Ok(false);
    }
    db.prepare_cached(
        "INSERT INTO page_storage (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])?;
    Ok(true)
}

/// Returns all items.
pub(crate) fn items(db: &Connection) -> Result<BTreeMap<String, String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT key, value FROM page_storage")?;
    Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}
