//! The one thread that writes. It takes whatever has gathered, does it in one transaction, and answers only when
//! the commit is on the disk. It never tries a failed sync again: the system may have dropped what it could not write.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tracing::warn;

use super::append::{Appended, Appender};
use super::checkpoint::Wal;
use super::error::StoreError;
use super::failure::{Failure, PanicGuard};
use super::fall::Falls;
use super::keep::own_name;
use super::mended::Mended;
use super::page_storage::Change;
use super::scrub::Scrub;
use super::state::StateFile;
use crate::proto::ids::Arrival;
use crate::proto::limits::{
    COMMIT_BYTES_MAX, COMMIT_WRITES_MAX, DISK_FULL_RETRY_MS, HEADER_BYTES_MAX, WARN_EVERY_MS, WRITES_DEFERRED_MAX,
};
use crate::proto::record::{Write, WriteError, Written};

/// What the writer is asked to do.
pub(super) enum Job {
    /// Keep something.
    Write(Write),
    /// Read on the writer's own connection: the way to a database in memory, which has no other.
    Read(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Make the index of words anew: it was found damaged. Answered when it is empty.
    Reindex(oneshot::Sender<()>),
    /// Somebody read a batch that is not what was signed any more. Answered when it is set aside.
    SetAside(Arrival, oneshot::Sender<Result<(), StoreError>>),
    /// Change the storage of the user's pages. Answered with whether it fits, once it is on the disk.
    ChangePageStorage(Change, oneshot::Sender<Result<bool, StoreError>>),
    /// A reader found that the tables do not fit the batches, after so many rebuilds. Answered when they do.
    Rebuild(String, u64, oneshot::Sender<Result<(), StoreError>>),
    /// Finish.
    Close,
}

/// See the module.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) appender: Appender,
    pub(super) jobs: Receiver<Job>,
    pub(super) answers: UnboundedSender<Written>,
    pub(super) failure: Failure,
    pub(super) mended: Mended,
    /// None in memory.
    pub(super) wal: Option<Wal>,
    /// What was asked while the disk was full, and has no answer to say so.
    pub(super) deferred: VecDeque<Write>,
    /// When it was last told that there is no room: not at every try, though a small write may fit in between.
    pub(super) full_told: Option<Instant>,
    /// When it was last told that the disk changed something.
    pub(super) altered_told: Option<Instant>,
    /// Up to which number the index of words has got.
    pub(super) indexed: Arrival,
    /// The index found no room on the disk: it goes on after something else did.
    pub(super) index_waits: bool,
    /// The index was made anew since it last had everything in it.
    pub(super) reindexed: bool,
    /// How far the background check has got.
    pub(super) scrub: Scrub,
    /// Where that is written down.
    pub(super) state: Arc<StateFile>,
    /// The time of the start, in milliseconds since 1970.
    pub(super) wall_ms: u64,
    /// When a rebuild last found no room on the disk.
    pub(super) rebuild_full: Option<Instant>,
    /// Rebuilds in this run; shared with readers, so that what several of them find is repaired once.
    pub(super) rebuilds: Arc<AtomicU64>,
}

/// What follows a group of writes.
enum Next {
    More,
    /// There is time for the index.
    Index,
    /// There is time for the background check.
    Scrub,
    /// A job that is no write.
    Job(Job),
}

impl Writer {
    /// Works until it is closed, every [`super::Store`] is gone, or a failure stops it.
    pub(super) fn run(mut self) {
        // Should a bug end this thread, the node must hear of it.
        let guard = PanicGuard(self.failure.clone());
        let end = loop {
            let (group, next) = self.gather();
            if self.failure.is_told() {
                break Ok(());
            }
            if let Err(error) = self.commit(group) {
                break Err(error);
            }
            let done = match next {
                Next::More if self.is_far_behind() => self.index(),
                Next::More => Ok(()),
                Next::Index => self.index(),
                Next::Scrub => self.scrub(),
                Next::Job(Job::Close) => break Ok(()),
                Next::Job(job) => self.work(job),
            };
            if let Err(error) = done {
                break Err(error.incurable());
            }
        };
        if let Err(error) = end {
            self.failure.tell(&error);
        }
        if let Some(wal) = self.wal.take() {
            wal.finish(&self.db, !self.failure.is_told());
        }
        drop(guard);
    }

    /// Does a job that is no write. A caller is told of a full disk; any other failure stops the writer.
    fn work(&mut self, job: Job) -> Result<(), StoreError> {
        match job {
            Job::Read(read) => read(&mut self.db),
            Job::Reindex(done) => {
                self.reindex()?;
                // The caller may have gone.
                let _ = done.send(());
            }
            Job::SetAside(batch, done) => answer(self.set_aside(batch).map(drop), done)?,
            Job::Rebuild(reason, seen, done) => answer(self.rebuild_once(&reason, seen), done)?,
            Job::ChangePageStorage(change, done) => answer(self.change_page_storage(&change), done)?,
            Job::Write(_) | Job::Close => {}
        }
        Ok(())
    }

    /// Waits for work, then takes what else is there, up to what one commit may hold.
    fn gather(&mut self) -> (Vec<Write>, Next) {
        let mut group = Vec::new();
        let mut bytes = 0;
        let wait = Duration::from_millis(DISK_FULL_RETRY_MS);
        let mut job = if self.deferred.is_empty() && self.may_index() {
            match self.jobs.try_recv() {
                Err(TryRecvError::Empty) => return (group, Next::Index),
                job => job,
            }
        } else if self.deferred.is_empty()
            && let Some(pause) = self.scrub.pause()
        {
            match self.jobs.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => return (group, Next::Scrub),
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
                    bytes += weight(&write);
                    group.push(write);
                }
                Ok(job) => return (group, Next::Job(job)),
                Err(TryRecvError::Disconnected) => return (group, Next::Job(Job::Close)),
                Err(TryRecvError::Empty) => return (group, Next::More),
            }
            if group.len() >= COMMIT_WRITES_MAX || bytes >= COMMIT_BYTES_MAX {
                return (group, Next::More);
            }
            job = self.jobs.try_recv();
        }
    }

    fn commit(&mut self, group: Vec<Write>) -> Result<(), StoreError> {
        let group: Vec<_> = self.deferred.drain(..).chain(group).collect();
        if group.is_empty() {
            return Ok(());
        }
        match self.commit_signed(&group) {
            Ok(answers) => {
                self.index_waits = false;
                for answer in answers {
                    // Nobody listens any more while the node stops.
                    let _ = self.answers.send(answer);
                }
                let bytes = group.iter().map(weight).sum();
                self.wal.as_mut().map_or(Ok(()), |wal| wal.grown(&self.db, bytes))
            }
            Err(error) if error.is_disk_full() => {
                if self.full_told.is_none_or(|told| told.elapsed() > Duration::from_millis(WARN_EVERY_MS)) {
                    self.full_told = Some(Instant::now());
                    warn!("the disk is full: nothing can be said until there is room");
                }
                self.defer(group);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// All of the group or nothing of it. What it meets that the disk changed is repaired first.
    fn commit_signed(&mut self, group: &[Write]) -> Result<Vec<Written>, StoreError> {
        loop {
            let answers = self.committed(|writer| {
                let mut answers = Vec::with_capacity(group.len());
                for write in group {
                    answers.extend(writer.apply(write)?);
                }
                Ok(answers)
            });
            match answers {
                Err(StoreError::Altered(batch)) => self.set_aside_own(batch)?,
                Err(StoreError::Inconsistent(reason)) => self.rebuild(&reason)?,
                done => return done,
            }
        }
    }

    /// Some work in a transaction of its own: all of it is on the disk, or nothing.
    pub(super) fn committed<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.transaction(work);
        if done.is_err() {
            // SQLite has rolled back some failures by itself.
            if !self.db.is_autocommit() {
                self.db.execute_batch("ROLLBACK")?;
            }
            self.appender = Appender::new(&self.db, self.appender.own)?;
        }
        done
    }

    fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = work(self)?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    }

    fn apply(&mut self, write: &Write) -> Result<Option<Written>, StoreError> {
        let (db, appender) = (&self.db, &mut self.appender);
        Ok(match write {
            Write::Append { token, batches } => {
                let appended = appender.append(db, batches)?;
                let Appended { lines, moved, changed } = appended;
                Some(Written::Appended { token: *token, lines, moved, changed })
            }
            Write::Fork(fork) => {
                let mut falls = Falls::default();
                appender.fork_told(db, fork, &mut falls)?;
                Some(Written::Changed(appender.changed(db, falls)?))
            }
            Write::Receipts(receipts) => {
                for receipt in receipts {
                    appender.receipt(db, receipt)?;
                }
                Some(Written::Receipts(receipts.clone()))
            }
            Write::Notice { wall_ms, kind, member, name } => {
                Some(Written::Noted(appender.notice(db, *wall_ms, *kind, *member, name)?))
            }
            Write::Member(record) => {
                appender.member(db, record)?;
                None
            }
            Write::Mark { member, change } => Some(Written::Marked(appender.mark(db, *member, *change)?)),
            Write::OwnName(name) => {
                own_name(db, name)?;
                None
            }
            Write::Read { conversation, arrival } => {
                let grown = appender.read(db, conversation, *arrival)?;
                grown.map(|arrival| Written::Read { conversation: conversation.clone(), arrival })
            }
        })
    }

    /// Refuses what can be refused, and keeps the rest for when there is room.
    fn defer(&mut self, group: Vec<Write>) {
        for write in group {
            if let Write::Append { token, .. } = write {
                let _ = self.answers.send(Written::Failed { token, error: WriteError::DiskFull });
                continue;
            }
            if let Write::Mark { member, .. } = write {
                let _ = self.answers.send(Written::NotMarked(member));
                continue;
            }
            if self.deferred.len() == WRITES_DEFERRED_MAX {
                self.deferred.pop_front();
            }
            self.deferred.push_back(write);
        }
    }
}

/// Answers a caller, unless the failure stops the writer.
fn answer<T>(result: Result<T, StoreError>, done: oneshot::Sender<Result<T, StoreError>>) -> Result<(), StoreError> {
    match result {
        Err(error) if !error.is_disk_full() => Err(error),
        result => {
            // The caller may have gone.
            let _ = done.send(result);
            Ok(())
        }
    }
}

/// What a write puts into a commit, in bytes, roughly.
fn weight(write: &Write) -> usize {
    match write {
        Write::Append { batches, .. } => batches.iter().map(|append| append.batch.bytes().len()).sum(),
        Write::Receipts(receipts) => receipts.len() * 64,
        Write::Fork(_) => 2 * HEADER_BYTES_MAX,
        Write::Notice { .. } | Write::Member(_) | Write::OwnName(_) | Write::Mark { .. } | Write::Read { .. } => 256,
    }
}

#[cfg(test)]
mod tests;
