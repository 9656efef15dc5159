//! The writer's work on the index of words, when there is time for it, or when it has fallen far behind. What is written to
//! the index, and how it is searched, is the business of `search`.

use tracing::warn;

use super::error::StoreError;
use super::search::index;
use super::writer::Writer;
use crate::proto::ids::Arrival;
use crate::proto::limits::INDEX_BEHIND_MAX;

impl Writer {
    pub(super) fn may_index(&self) -> bool {
        self.indexed < self.appender.highest && !self.index_waits
    }

    pub(super) fn is_far_behind(&self) -> bool {
        self.may_index() && self.appender.highest - self.indexed > INDEX_BEHIND_MAX
    }

    /// One step of the index, in a transaction of its own that need not reach the disk: the next commit takes it along,
    /// and after a crash the index goes on from wherever its cursor is then.
    pub(super) fn index(&mut self) -> Result<(), StoreError> {
        self.db.execute_batch("PRAGMA synchronous = NORMAL")?;
        let step = self.index_step();
        if !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        self.db.execute_batch("PRAGMA synchronous = FULL")?;
        match step {
            Ok((indexed, bytes)) => {
                self.indexed = indexed;
                self.reindexed &= self.may_index();
                self.wal.as_mut().map_or(Ok(()), |wal| wal.grown(&self.db, bytes))
            }
            // It holds nothing that is not elsewhere. Where a new one fails as well, the messages themselves are unreadable.
            Err(StoreError::Damaged(_)) if !self.reindexed => self.reindex(),
            Err(StoreError::Altered(batch)) => self.set_aside_own(batch),
            Err(StoreError::Inconsistent(reason)) => self.rebuild(&reason),
            Err(error) => Err(error),
        }
        .or_else(|error| {
            self.index_waits |= error.is_disk_full();
            if self.index_waits { Ok(()) } else { Err(error) }
        })
    }

    pub(super) fn reindex(&mut self) -> Result<(), StoreError> {
        warn!("the index of words is made anew");
        self.committed(|writer| super::search::clear(&writer.db))?;
        self.indexed = 0;
        self.mended.add(super::search::REINDEXED);
        self.reindexed = true;
        Ok(())
    }

    fn index_step(&self) -> Result<(Arrival, usize), StoreError> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let step = index(&self.db, self.appender.own)?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(step)
    }
}
