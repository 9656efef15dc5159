//! Checks free space before a rebuild. Without it SQLite would write for seconds before it fails.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use crate::proto::limits::{REBUILD_FULL_RETRY_MS, REBUILD_SPACE};
use crate::store::error::StoreError;

/// Decides whether a rebuild may begin.
#[derive(Debug, Default)]
pub(crate) struct RebuildSpace {
    /// Time of the last rebuild that filled the disk.
    filled: Option<Instant>,
}

impl RebuildSpace {
    /// Succeeds if a rebuild is likely to find room on the disk of the database. Fails with the
    /// error of a full disk otherwise.
    pub(crate) fn check(&self, db: &Connection) -> Result<(), StoreError> {
        let waits = |filled: Instant| filled.elapsed() < Duration::from_millis(REBUILD_FULL_RETRY_MS);
        let is_little = db.path().and_then(free).is_some_and(|free| is_little(free, db));
        if is_little || self.filled.is_some_and(waits) {
            let full = ffi::Error::new(ffi::SQLITE_FULL);
            return Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(full, None)));
        }
        Ok(())
    }

    /// Records the result of a rebuild. After one that filled the disk, the next has to wait.
    pub(crate) fn note<T>(&mut self, rebuilt: &Result<T, StoreError>) {
        if rebuilt.as_ref().is_err_and(StoreError::is_disk_full) {
            self.filled = Some(Instant::now());
        }
    }
}

/// Returns true if the free bytes are too few for a rebuild of the database.
fn is_little(free: u64, db: &Connection) -> bool {
    let pages = |what: &str| db.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0)).unwrap_or(0);
    let bytes = pages("page_count").saturating_mul(pages("page_size")).unsigned_abs();
    free < bytes.saturating_mul(REBUILD_SPACE)
}

/// Returns the free bytes on the disk of a database. Returns none in memory, or if the system does
/// not tell.
fn free(path: &str) -> Option<u64> {
    let dir = Path::new(path).parent().filter(|dir| !dir.as_os_str().is_empty())?;
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
