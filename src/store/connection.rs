//! Connections to a database, and the checkpoint of its write-ahead log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tracing::debug;

use super::error::StoreError;
use crate::proto::ids::RoomId;

/// Milliseconds that a connection waits for the lock of another one. Only a second program could
/// hold one that long.
pub(crate) const LOCK_WAIT_MS: u64 = 5_000;

/// Statements that a connection keeps prepared: more than the program has.
const STATEMENTS_KEPT: usize = 128;

/// The place of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file, and SQLite's files beside it.
    File(PathBuf),
    /// Memory: the database ends with the store.
    Memory,
}

impl Location {
    /// Returns the file of a room in a data directory.
    pub fn in_dir(dir: &Path, room: &RoomId) -> Self {
        Self::File(dir.join(format!("room-{}.db", &room.to_string()[..16])))
    }

    /// Returns the file, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }
}

/// Opens a connection that writes, or that makes checkpoints.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    set_up(&db)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Damaged(format!("it can't be written ahead, only in mode {mode}")));
    }
    Ok(db)
}

/// Opens a connection that only reads.
pub(crate) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let db = connect(path)?;
    db.execute_batch("PRAGMA query_only = ON")?;
    Ok(db)
}

pub(crate) fn set_up(db: &Connection) -> Result<(), StoreError> {
    db.busy_timeout(Duration::from_millis(LOCK_WAIT_MS))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Closing the last connection would checkpoint, even after a failed sync. `checkpoint` decides
    // that instead.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Query plans do not depend on bound values: the indexes are named, or obvious.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Deleted text must not stay in free pages, nor in the free parts of others.
    db.execute_batch("PRAGMA secure_delete = ON")?;
    // Checkpoints have a thread of their own. `fullfsync` is for macOS, where a plain sync does not
    // reach the disk.
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;
         PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
    )?;
    Ok(())
}

/// Makes a checkpoint. Returns true if it moved the whole write-ahead log into the database. A lock
/// or a full disk is no error: everything is still in the log.
pub(crate) fn checkpoint(db: &Connection, mode: &str) -> Result<bool, StoreError> {
    let done = db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match done.map_err(StoreError::from) {
        Ok((busy, pages, moved)) => {
            debug!(busy, pages, moved, "checkpoint");
            Ok(busy == 0 && pages == moved)
        }
        Err(error) if error.is_busy() || error.is_disk_full() => {
            debug!(%error, "no checkpoint now");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
