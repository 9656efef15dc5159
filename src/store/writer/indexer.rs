//! The indexer: fills the search index in short steps while no job waits, or if the index is far
//! behind.

use rusqlite::Connection;

use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::INDEX_BEHIND_MAX;
use crate::store::error::StoreError;
use crate::store::write::index::index;

/// The progress of the indexer.
#[derive(Debug, Default)]
pub(crate) struct Indexer {
    /// Messages up to this arrival number are indexed.
    indexed: Arrival,
    /// True from a step that met a full disk until the next successful commit.
    waits_for_room: bool,
    /// True if a damaged index was cleared and is not complete yet.
    is_restarted: bool,
}

impl Indexer {
    /// Continues after the message with the arrival number `indexed`.
    pub(crate) fn new(indexed: Arrival) -> Self {
        Self { indexed, ..Self::default() }
    }

    /// Returns true if messages up to `highest` are not indexed, and the disk may have room.
    pub(crate) fn has_work(&self, highest: Arrival) -> bool {
        self.indexed < highest && !self.waits_for_room
    }

    /// Returns true if a step is due even while writes wait.
    pub(crate) fn is_far_behind(&self, highest: Arrival) -> bool {
        self.has_work(highest) && highest - self.indexed > INDEX_BEHIND_MAX
    }

    /// Indexes the next messages. Returns the bytes written.
    ///
    /// The transaction need not reach the disk: the next commit syncs it too, and after a crash the
    /// indexer continues from the cursor in the database.
    pub(crate) fn step(&mut self, db: &Connection, own: NodeId, highest: Arrival) -> Result<usize, StoreError> {
        db.execute_batch("PRAGMA synchronous = NORMAL")?;
        let step = commit_step(db, own);
        if !db.is_autocommit() {
            db.execute_batch("ROLLBACK")?;
        }
        db.execute_batch("PRAGMA synchronous = FULL")?;
        let (indexed, bytes) = step?;
        self.indexed = indexed;
        self.is_restarted &= self.has_work(highest);
        Ok(bytes)
    }

    /// Returns true if a damaged index was cleared and is not complete yet. If it is damaged again,
    /// the messages themselves are unreadable.
    pub(crate) fn is_restarted(&self) -> bool {
        self.is_restarted
    }

    /// Starts over after the damaged index was cleared.
    pub(crate) fn restart(&mut self) {
        self.indexed = 0;
        self.is_restarted = true;
    }

    /// Starts over after a rebuild of all tables cleared the index.
    pub(crate) fn reset(&mut self) {
        self.indexed = 0;
    }

    /// Pauses until a commit succeeds.
    pub(crate) fn wait_for_room(&mut self) {
        self.waits_for_room = true;
    }

    /// Ends the pause.
    pub(crate) fn resume(&mut self) {
        self.waits_for_room = false;
    }
}

fn commit_step(db: &Connection, own: NodeId) -> Result<(Arrival, usize), StoreError> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let step = index(db, own)?;
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(step)
}
