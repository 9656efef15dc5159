//! The rebuild in a running node: what follows when a reader, the scrub or the writer itself finds that the tables do not fit
//! the batches. How the tables are made again is the business of `rebuild`.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::ffi;
use tracing::{debug, warn};

use super::altered::ALTERED;
use super::error::StoreError;
use super::rebuild::{REBUILT, Rebuilt, rebuild};
use super::writer::Writer;
use crate::proto::limits::{REBUILD_FULL_RETRY_MS, REBUILD_SPACE, REBUILDS_MAX};
use crate::proto::record::Written;

impl Writer {
    /// Rebuilds the tables, unless that was done since a reader looked at them.
    pub(super) fn rebuild_once(&mut self, reason: &str, seen: u64) -> Result<(), StoreError> {
        if self.rebuilds.load(Ordering::Acquire) > seen { Ok(()) } else { self.rebuild(reason) }
    }

    /// Rebuilds the tables from the batches, and tells the engine what is held now. A disk that makes this necessary again and
    /// again is failing.
    pub(super) fn rebuild(&mut self, reason: &str) -> Result<(), StoreError> {
        if self.rebuilds.load(Ordering::Acquire) >= REBUILDS_MAX {
            return Err(StoreError::Damaged(reason.to_owned()));
        }
        if let Err(full) = self.has_room() {
            // Whatever needs it fails as on a full disk, and is tried again.
            debug!(reason, "no room to make the tables again");
            return Err(full);
        }
        warn!(reason, "{REBUILT}");
        let rebuilt = self.committed(|writer| {
            let Rebuilt { appender, changed, is_lossy } = rebuild(&writer.db, writer.appender.own)?;
            writer.appender = appender;
            Ok((changed, is_lossy))
        });
        if rebuilt.as_ref().is_err_and(StoreError::is_disk_full) {
            self.rebuild_full = Some(Instant::now());
        }
        let (changed, is_lossy) = rebuilt.map_err(StoreError::incurable)?;
        self.rebuilds.fetch_add(1, Ordering::AcqRel);
        self.mended.add(REBUILT);
        if is_lossy {
            self.mended.add(ALTERED);
        }
        self.indexed = 0;
        // Every batch was verified just now.
        self.scrub_is_done();
        // The node has no listener any more while it stops.
        let _ = self.answers.send(Written::Changed(changed));
        Ok(())
    }
    /// Succeeds if a rebuild is likely to find room on the disk. It writes for seconds before it finds that there is none.
    fn has_room(&self) -> Result<(), StoreError> {
        let waits = |full: Instant| full.elapsed() < Duration::from_millis(REBUILD_FULL_RETRY_MS);
        let pages = |what: &str| self.db.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0));
        let bytes = pages("page_count")?.saturating_mul(pages("page_size")?).unsigned_abs();
        let is_little = self.db.path().and_then(free).is_some_and(|free| free < bytes.saturating_mul(REBUILD_SPACE));
        if is_little || self.rebuild_full.is_some_and(waits) {
            let full = ffi::Error::new(ffi::SQLITE_FULL);
            return Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(full, None)));
        }
        Ok(())
    }
}

/// Free bytes on the disk with a database; none for one in memory, or where the system does not say.
fn free(path: &str) -> Option<u64> {
    let dir = Path::new(path).parent().filter(|dir| !dir.as_os_str().is_empty())?;
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
