//! The writer: the only thread that writes. It commits all waiting writes in one transaction, and
//! answers after the commit is on the disk. While no job waits, it indexes messages and scrubs.
//!
//! A failed sync is never retried: the system may have dropped the data that it could not write.

pub(crate) mod checkpoint;
mod deferred;
pub(crate) mod erasure;
pub(crate) mod indexer;
pub(crate) mod job;
pub(crate) mod scrub;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, warn};

use self::checkpoint::WalMonitor;
use self::deferred::DeferredWrites;
use self::erasure::Erasure;
use self::indexer::Indexer;
use self::job::{Job, answer, estimated_bytes};
use self::scrub::Scrub;
use super::error::StoreError;
use super::failure::{PanicGuard, WriterFailure};
use super::recovery::free_space::RebuildSpace;
use super::recovery::rebuild::{REBUILT, Rebuilt, rebuild};
use super::recovery::repair_notes::RepairNotes;
use super::tables::page_storage::{self, Change};
use super::tables::search_index::{REINDEXED, clear, indexed};
use super::write::dispatch::apply;
use super::write::quarantine::{CORRUPTION_NOTICE, quarantine};
use super::write::state::WriteState;
use crate::logging::throttle::WarnThrottle;
use crate::metrics::DurationHistogram;
use crate::proto::ids::Arrival;
use crate::proto::limits::{COMMIT_BYTES_MAX, COMMIT_WRITES_MAX, DISK_FULL_RETRY_MS, REBUILDS_MAX};
use crate::proto::replication::store_api::{Committed, Write, WriteResult};

/// The writer and its parts.
pub(crate) struct Writer {
    db: Connection,
    tables: WriteState,
    jobs: Receiver<Job>,
    answers: UnboundedSender<Committed>,
    failure: WriterFailure,
    notes: RepairNotes,
    /// The write-ahead log. None in memory.
    wal: Option<WalMonitor>,
    deferred: DeferredWrites,
    indexer: Indexer,
    erasure: Erasure,
    scrub: Scrub,
    rebuild_space: RebuildSpace,
    corruption_warnings: WarnThrottle,
    commit_times: DurationHistogram,
    /// Rebuilds in this run. Shared with readers, so that damage which several of them find is
    /// repaired once.
    rebuilds: Arc<AtomicU64>,
}

/// The next step after a group of writes.
enum AfterCommit {
    /// Gathers again, since more writes may wait.
    More,
    /// Makes a step of the indexer.
    Index,
    /// Makes a step of the erasure.
    Erase,
    /// Makes a step of the scrub.
    Scrub,
    /// Does a job that is no write.
    Job(Job),
}

/// The parts that the start hands to the writer.
pub(crate) struct WriterStart {
    pub(crate) db: Connection,
    pub(crate) tables: WriteState,
    pub(crate) notes: RepairNotes,
    pub(crate) erasure: Erasure,
    pub(crate) scrub: Scrub,
}

/// The channels between the writer and the store.
pub(crate) struct WriterChannels {
    pub(crate) jobs: Receiver<Job>,
    pub(crate) answers: UnboundedSender<Committed>,
    pub(crate) failure: WriterFailure,
    /// Counts the rebuilds of this run.
    pub(crate) rebuilds: Arc<AtomicU64>,
    /// Measures commits.
    pub(crate) commit_times: DurationHistogram,
}

impl Writer {
    /// Returns the writer of an open database. `wal` monitors its write-ahead log, and is none in
    /// memory.
    pub(crate) fn new(
        opened: WriterStart,
        channels: WriterChannels,
        wal: Option<WalMonitor>,
    ) -> Result<Self, StoreError> {
        let WriterStart { db, tables, notes, erasure, scrub } = opened;
        let WriterChannels { jobs, answers, failure, rebuilds, commit_times } = channels;
        let indexer = Indexer::new(indexed(&db)?);
        Ok(Self {
            db,
            tables,
            jobs,
            answers,
            failure,
            notes,
            wal,
            deferred: DeferredWrites::default(),
            indexer,
            erasure,
            scrub,
            rebuild_space: RebuildSpace::default(),
            corruption_warnings: WarnThrottle::default(),
            commit_times,
            rebuilds,
        })
    }

    /// Works until it is closed, every [`super::Store`] is gone, or a failure stops it.
    pub(crate) fn run(mut self) {
        // The node hears of a panic in this thread.
        let guard = PanicGuard(self.failure.clone());
        let end = loop {
            let (group, next) = self.gather();
            if self.failure.has_failed() {
                break Ok(());
            }
            if let Err(error) = self.commit(group) {
                break Err(error);
            }
            let done = match next {
                AfterCommit::More if self.indexer.is_far_behind(self.tables.highest) => self.index(),
                AfterCommit::More if self.erasure.is_overdue() => self.erase(),
                AfterCommit::More => Ok(()),
                AfterCommit::Index => self.index(),
                AfterCommit::Erase => self.erase(),
                AfterCommit::Scrub => self.scrub(),
                AfterCommit::Job(Job::Close) => break Ok(()),
                AfterCommit::Job(job) => self.work(job),
            };
            if let Err(error) = done {
                break Err(error.needs_new_database());
            }
        };
        if let Err(error) = end {
            self.failure.report(&error);
        }
        self.erasure.finish();
        if let Some(wal) = self.wal.take() {
            wal.finish(&self.db, !self.failure.has_failed());
        }
        drop(guard);
    }

    /// Does a job that is no write. A full disk is reported to the caller. Any other failure stops
    /// the writer.
    fn work(&mut self, job: Job) -> Result<(), StoreError> {
        match job {
            Job::Read(read) => read(&mut self.db),
            Job::Reindex(done) => {
                self.reindex()?;
                // The caller may have gone.
                let _ = done.send(());
            }
            Job::Quarantine(batch, done) => answer(self.quarantine(batch).map(drop), done)?,
            Job::Rebuild(reason, seen, done) => answer(self.rebuild_once(&reason, seen), done)?,
            Job::ChangePageStorage(change, done) => answer(self.change_page_storage(&change), done)?,
            Job::Write(_) | Job::Close => {}
        }
        Ok(())
    }

    /// Waits for a job, then takes the writes that wait, up to the limits of one commit.
    fn gather(&mut self) -> (Vec<Write>, AfterCommit) {
        let mut group = Vec::new();
        let mut bytes = 0;
        let wait = Duration::from_millis(DISK_FULL_RETRY_MS);
        let mut job = if self.deferred.is_empty() && self.indexer.has_work(self.tables.highest) {
            match self.jobs.try_recv() {
                Err(TryRecvError::Empty) => return (group, AfterCommit::Index),
                job => job,
            }
        } else if self.deferred.is_empty()
            && let Some((pause, next)) = self.next_step()
        {
            match self.jobs.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => return (group, next),
                job => job.map_err(|_| TryRecvError::Disconnected),
            }
        } else if self.deferred.is_empty() {
            self.jobs.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            self.jobs.recv_timeout(wait).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            })
        };
        loop {
            match job {
                Ok(Job::Write(write)) => {
                    bytes += estimated_bytes(&write);
                    group.push(write);
                }
                Ok(job) => return (group, AfterCommit::Job(job)),
                Err(TryRecvError::Disconnected) => return (group, AfterCommit::Job(Job::Close)),
                Err(TryRecvError::Empty) => return (group, AfterCommit::More),
            }
            if group.len() >= COMMIT_WRITES_MAX || bytes >= COMMIT_BYTES_MAX {
                return (group, AfterCommit::More);
            }
            job = self.jobs.try_recv();
        }
    }

    /// Returns what is to be done if no job comes, and in what time.
    fn next_step(&self) -> Option<(Duration, AfterCommit)> {
        let erase = self.erasure.pause().map(|pause| (pause, AfterCommit::Erase));
        let scrub = self.scrub.pause().map(|pause| (pause, AfterCommit::Scrub));
        [erase, scrub].into_iter().flatten().min_by_key(|(pause, _)| *pause)
    }

    fn commit(&mut self, group: Vec<Write>) -> Result<(), StoreError> {
        let group: Vec<_> = self.deferred.take().into_iter().chain(group).collect();
        if group.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        match self.commit_with_quarantine(&group) {
            Ok(answers) => {
                self.commit_times.observe(begun.elapsed());
                self.indexer.resume();
                for answer in answers {
                    // The receiver is gone while the node stops.
                    let _ = self.answers.send(answer);
                }
                self.on_wal_growth(group.iter().map(estimated_bytes).sum())
            }
            Err(error) if error.is_disk_full() => {
                self.deferred.defer(group, &self.answers);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Commits all writes of the group or none. Corrupted data that a write meets is repaired
    /// first.
    fn commit_with_quarantine(&mut self, group: &[Write]) -> Result<Vec<Committed>, StoreError> {
        loop {
            let answers = self.in_transaction(|db, tables| {
                let mut answers = Vec::with_capacity(group.len());
                for write in group {
                    answers.extend(apply(tables, db, write)?);
                }
                Ok(answers)
            });
            match answers {
                Ok(answers) => return Ok(answers),
                Err(error) => self.repair(error)?,
            }
        }
    }

    /// Runs `work` in a transaction. All of its changes reach the disk, or none.
    fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut WriteState) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.transaction(work);
        if done.is_err() {
            // SQLite rolls back after some failures by itself.
            if !self.db.is_autocommit() {
                self.db.execute_batch("ROLLBACK")?;
            }
            self.tables = WriteState::new(&self.db, self.tables.own)?;
        } else if std::mem::take(&mut self.tables.has_stripped) {
            self.erasure.request();
        }
        done
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut WriteState) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = work(&self.db, &mut self.tables)?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    }

    /// Commits a change of the page storage. Returns false, without a change, if the storage is
    /// full.
    fn change_page_storage(&mut self, change: &Change) -> Result<bool, StoreError> {
        let fits = self.in_transaction(|db, _| page_storage::apply(db, change))?;
        self.on_wal_growth(change.key.len() + change.value.as_ref().map_or(0, String::len))?;
        Ok(fits)
    }

    fn on_wal_growth(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.wal.as_mut().map_or(Ok(()), |wal| wal.on_wal_growth(&self.db, bytes))
    }

    /// Makes a step of the indexer. Damage that it meets is repaired. A full disk pauses it.
    fn index(&mut self) -> Result<(), StoreError> {
        let done = match self.indexer.step(&self.db, self.tables.own, self.tables.highest) {
            Ok(bytes) => self.on_wal_growth(bytes),
            Err(StoreError::Damaged(_)) if !self.indexer.is_restarted() => self.reindex(),
            Err(error) => self.repair(error),
        };
        match done {
            Err(error) if error.is_disk_full() => {
                self.indexer.wait_for_room();
                Ok(())
            }
            done => done,
        }
    }

    /// Makes a step of the erasure. A damaged index is cleared, a full disk pauses it.
    fn erase(&mut self) -> Result<(), StoreError> {
        let done = match self.erasure.step(&self.db, self.wal.is_some()) {
            Ok(bytes) => self.on_wal_growth(bytes),
            Err(StoreError::Damaged(_)) if !self.indexer.is_restarted() => self.reindex(),
            Err(error) => self.repair(error),
        };
        match done {
            Err(error) if error.is_disk_full() || error.is_busy() => {
                self.erasure.postpone();
                Ok(())
            }
            done => done,
        }
    }

    /// Clears a damaged index. No message is lost.
    fn reindex(&mut self) -> Result<(), StoreError> {
        warn!("the search index is damaged and is rebuilt");
        self.in_transaction(|db, _| clear(db))?;
        self.indexer.restart();
        self.notes.push(REINDEXED);
        Ok(())
    }

    /// Makes a step of the scrub. Damage that it finds is repaired at once.
    fn scrub(&mut self) -> Result<(), StoreError> {
        let done = self.scrub.step(&self.db, self.tables.own).or_else(|error| self.repair(error));
        match done {
            // A repair needs room. The next start checks again.
            Err(error) if error.is_disk_full() => {
                self.scrub.give_up();
                Ok(())
            }
            done => done,
        }
    }

    /// Repairs corruption that an error reports. Returns any other error.
    fn repair(&mut self, error: StoreError) -> Result<(), StoreError> {
        match error {
            // Without a rebuild, the writer would meet the missing batch again and again.
            StoreError::CorruptBatch(batch) if !self.quarantine(batch)? => {
                self.rebuild("a message that is not stored was read")
            }
            StoreError::CorruptBatch(_) => Ok(()),
            StoreError::Inconsistent(reason) => self.rebuild(&reason),
            other => Err(other),
        }
    }

    /// Quarantines a corrupted batch, and reports the gap to the engine. Returns false if there is
    /// no such batch, since another reader had it quarantined.
    fn quarantine(&mut self, batch: Arrival) -> Result<bool, StoreError> {
        let changed = match self.in_transaction(|db, tables| quarantine(tables, db, batch)) {
            Err(StoreError::Inconsistent(reason)) => return self.rebuild(&reason).map(|()| true),
            changed => changed?,
        };
        let Some(changed) = changed else { return Ok(false) };
        self.notes.push(CORRUPTION_NOTICE);
        if self.corruption_warnings.permits(()) {
            warn!("{CORRUPTION_NOTICE}");
        }
        // The receiver is gone while the node stops.
        let _ = self.answers.send(WriteResult::Changed(changed).into());
        Ok(true)
    }

    /// Rebuilds the tables, unless there were more than `seen` rebuilds already.
    fn rebuild_once(&mut self, reason: &str, seen: u64) -> Result<(), StoreError> {
        if self.rebuilds.load(Ordering::Acquire) > seen { Ok(()) } else { self.rebuild(reason) }
    }

    /// Rebuilds the tables from the batches, and reports the new state of all logs to the engine.
    ///
    /// Without room it fails as on a full disk. After [`REBUILDS_MAX`] rebuilds the disk counts as
    /// failing.
    fn rebuild(&mut self, reason: &str) -> Result<(), StoreError> {
        if self.rebuilds.load(Ordering::Acquire) >= REBUILDS_MAX {
            return Err(StoreError::Damaged(reason.to_owned()));
        }
        self.rebuild_space.check(&self.db).inspect_err(|_| debug!(reason, "no room to rebuild the tables"))?;
        warn!(reason, "{REBUILT}");
        let rebuilt = self.in_transaction(|db, tables| {
            let Rebuilt { tables: rebuilt, changed, is_lossy } = rebuild(db, tables.own)?;
            *tables = rebuilt;
            Ok((changed, is_lossy))
        });
        self.rebuild_space.note(&rebuilt);
        let (changed, is_lossy) = rebuilt.map_err(StoreError::needs_new_database)?;
        self.rebuilds.fetch_add(1, Ordering::AcqRel);
        self.notes.push(REBUILT);
        if is_lossy {
            self.notes.push(CORRUPTION_NOTICE);
        }
        self.indexer.reset();
        // The rebuild has verified every batch.
        self.scrub.complete();
        // The receiver is gone while the node stops.
        let _ = self.answers.send(WriteResult::Changed(changed).into());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
