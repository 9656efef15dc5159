//! The erasure: removes the last bytes of deleted text from the files, in short steps while no job
//! waits, or if it is overdue.
//!
//! The body itself is gone with the commit of its deletion. But the search index keeps deleted
//! words until its segments are merged, and the write-ahead log keeps pages as they were. So the
//! index is merged, and the log is moved into the database and truncated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tracing::debug;

use crate::proto::limits::{ERASE_AFTER_MS, ERASE_BUSY_MS, ERASE_MERGE_PAGES, ERASE_OVERDUE_MS, ERASE_RESTS};
use crate::store::connection::{LOCK_WAIT_MS, checkpoint};
use crate::store::error::StoreError;
use crate::store::recovery::state_file::StateFile;

/// The progress of the erasure.
pub(crate) struct Erasure {
    /// When the next step is due. None: no deleted text is left.
    due: Option<Instant>,
    /// When the pass began, if one is in progress.
    begun: Option<Instant>,
    /// True if text was deleted since the pass began.
    is_again: bool,
    /// No pass begins before.
    not_before: Instant,
    /// Remembers after a clean stop that text is left.
    state: Arc<StateFile>,
}

impl Erasure {
    /// `is_left`: an earlier run may have left deleted text.
    pub(crate) fn new(state: Arc<StateFile>, is_left: bool) -> Self {
        let now = Instant::now();
        let mut erasure = Self { due: None, begun: None, is_again: false, not_before: now, state };
        if is_left || erasure.state.get().erasing {
            erasure.request();
        }
        erasure
    }

    /// Text was deleted. Deletions that follow soon share one pass.
    pub(crate) fn request(&mut self) {
        self.is_again |= self.begun.is_some();
        let after = Instant::now() + Duration::from_millis(ERASE_AFTER_MS);
        self.due.get_or_insert(after.max(self.not_before));
    }

    /// Returns the pause before the next step. None if nothing is left to do.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Returns true if a step is due even while writes wait.
    pub(crate) fn is_overdue(&self) -> bool {
        self.due.is_some_and(|due| due.elapsed() > Duration::from_millis(ERASE_OVERDUE_MS))
    }

    /// Merges a part of the index, or truncates the write-ahead log of a database with files.
    /// Returns an estimate of the bytes written.
    pub(crate) fn step(&mut self, db: &Connection, has_files: bool) -> Result<usize, StoreError> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if merge(db)? {
            self.due = Some(Instant::now());
            return Ok(2 * ERASE_MERGE_PAGES as usize * 4_096);
        }
        if has_files && !truncate_log(db)? {
            self.postpone();
            return Ok(0);
        }
        self.begun = None;
        self.due = None;
        self.not_before = Instant::now() + ERASE_RESTS * begun.elapsed();
        debug!(ms = begun.elapsed().as_millis(), "deleted text left the files");
        if std::mem::take(&mut self.is_again) {
            self.request();
        } else {
            self.remember(false);
        }
        Ok(0)
    }

    /// Waits for readers of old pages, or for room on the disk.
    pub(crate) fn postpone(&mut self) {
        self.due = Some(Instant::now() + Duration::from_millis(ERASE_AFTER_MS));
    }

    /// Tells the next run whether text is left.
    pub(crate) fn finish(&self) {
        self.remember(self.due.is_some());
    }

    fn remember(&self, is_left: bool) {
        if let Err(error) = self.state.update(|state| state.erasing = is_left) {
            debug!(%error, "the progress of erasing deleted text is not kept");
        }
    }
}

/// Merges a part of the index. Returns true if there may be more to merge.
fn merge(db: &Connection) -> Result<bool, StoreError> {
    let before = db.total_changes();
    db.prepare_cached("INSERT INTO search (search, rank) VALUES ('merge', ?1)")?.execute([-ERASE_MERGE_PAGES])?;
    // SQLite counts one change for the statement itself.
    Ok(db.total_changes() - before > 1)
}

/// Moves the write-ahead log into the database and truncates it. Returns false if a reader still
/// needs it.
fn truncate_log(db: &Connection) -> Result<bool, StoreError> {
    db.busy_timeout(Duration::from_millis(ERASE_BUSY_MS))?;
    let done = checkpoint(db, "TRUNCATE");
    db.busy_timeout(Duration::from_millis(LOCK_WAIT_MS))?;
    done
}
