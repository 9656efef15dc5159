//! Settings, drafts and unsent messages of the user's pages, by key: a page on a shared machine keeps them here, because
//! the origin of the next start is another.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::legible::legible;
use super::sql::Count;
use super::writer::Writer;
use crate::proto::limits::{PAGE_STORAGE_BYTES_MAX, PAGE_STORAGE_ITEMS_MAX};

/// A change of the storage: without a value the item is removed.
pub(super) struct Change {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

impl Writer {
    /// Commits a change. Returns false if the storage is full; then nothing was changed.
    ///
    /// The storage is never made smaller by eviction: an item may be the only copy of a message.
    pub(super) fn change_page_storage(&mut self, change: &Change) -> Result<bool, StoreError> {
        let fits = self.committed(|writer| apply(&writer.db, change))?;
        let bytes = change.key.len() + change.value.as_ref().map_or(0, String::len);
        self.wal.as_mut().map_or(Ok(()), |wal| wal.grown(&self.db, bytes))?;
        Ok(fits)
    }
}

fn apply(db: &Connection, Change { key, value }: &Change) -> Result<bool, StoreError> {
    let Some(value) = value else {
        db.prepare_cached("DELETE FROM page_storage WHERE key = ?1")?.execute([key])?;
        return Ok(true);
    };
    let mut statement = db.prepare_cached(
        "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(value)), 0) FROM page_storage WHERE key <> ?1",
    )?;
    let (items, bytes): (Count, Count) = statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
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

/// Reads all items.
pub(super) fn items(db: &Connection) -> Result<BTreeMap<String, String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT key, value FROM page_storage")?;
    Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

/// Copies the items of a damaged database that are legible.
pub(super) fn copy(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    let items = legible(old, "SELECT key, value FROM page_storage", &["item"], |row| Ok((row.get(0)?, row.get(1)?)));
    for (key, value) in items {
        apply(db, &Change { key, value: Some(value) })?;
    }
    Ok(())
}
