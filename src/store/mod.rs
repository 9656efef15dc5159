//! Storage: one SQLite database for each room.
//!
//! A single thread writes. It commits many writes at once, and answers each after the commit is on
//! the disk. Readers work beside it: each result is a bounded page of one state of the database.
//!
//! The truth is the batches, stored exactly as they were signed. Everything else in the tables
//! (`schema.sql`) either finds and orders their entries, or belongs to this node alone.
//!
//! # Integrity
//!
//! A disk can flip a bit in a value, and SQLite returns it without an error. So readers compare
//! rows with the signed header, and a start and a background scrub compare everything (`audit`).
//! Tables that contradict the batches are rebuilt in place (`rebuild`). Batches that do not verify
//! are quarantined and fetched again.
//!
//! # Shelves
//!
//! | shelf | contains |
//! | --- | --- |
//! | `open` | opening a database: checks, repairs and the beginning of a run |
//! | `writer` | the writer's thread: group commits, checkpoints, indexer and scrub |
//! | `recovery` | finding and repairing damage |
//! | `write` | changes of the tables, within the caller's transaction |
//! | `read` | queries for pages, peers and the engine |
//! | `tables` | statements on single tables |
//!
//! The base beside them: `sql`, `error`, `files`, `connection`, `schema`, `failure`, `read_pool`.
//!
//! A shelf uses only the shelves behind it: `open` and `writer` → `recovery` → `write` →
//! `read` → `tables` → `sql` and `error`.
//!
//! # Limits of this module
//!
//! The store makes no decisions: the engine and the node choose which batches are stored, sent and
//! shown. It reads no wall clock: the caller passes the time of the start.

mod connection;
mod error;
mod failure;
mod files;
mod open;
mod read;
mod read_pool;
mod recovery;
mod schema;
mod sql;
mod tables;
mod write;
mod writer;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::metrics::DurationHistogram;
use crate::proto::entries::timeline::{Message, Order};
use crate::proto::files::naming::Naming;
use crate::proto::history::{
    ExportQuery, ExportRows, MessageSelector, PageBudget, PageQuery, ReadMarker, SearchQuery, SearchResult,
    SizeEstimator, TimelinePage, VersionPage,
};
use crate::proto::ids::{Arrival, EntryId, Hash, NodeId, RoomId};
use crate::proto::replication::frame::Fetch;
use crate::proto::replication::store_api::{HistoryPage, IdempotencyKey, Write};

pub use connection::Location;
pub use error::StoreError;
pub use open::Opened;
pub use read::decoded::HolderRows;
pub use read::lookup::HistoryCounts;
pub use read::page::BEGINNING;
pub use read::resume::{InitialRows, MissedEntries};
pub use recovery::copies::RetainedCopies;

use failure::WriterFailure;
use read::{export, lookup, page, resume, search};
use read_pool::{ReadPool, in_transaction};
use recovery::repair_notes::RepairNotes;
use tables::{conversations, page_storage, runs};
use writer::erasure::Erasure;
use writer::job::Job;
use writer::scrub::Scrub;
use writer::{Writer, WriterChannels, WriterStart, checkpoint};

/// A handle to a room's database. Clones share it.
///
/// When the last clone is dropped, the database is closed as by [`Store::close`]. The drop waits
/// for that, so a failed start leaves a cleanly closed database.
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreInner>,
}

struct StoreInner {
    jobs: mpsc::Sender<Job>,
    readers: ReadPool,
    failure: WriterFailure,
    mended: RepairNotes,
    copies: RetainedCopies,
    rebuilds: Arc<AtomicU64>,
    commit_times: DurationHistogram,
    writer: Mutex<Option<JoinHandle<()>>>,
    room: RoomId,
    own: NodeId,
}

impl Store {
    /// Opens or creates the database of `room` for the node `own`, at `wall_ms` milliseconds since
    /// 1970. Blocks the thread. A check after a crash, or a repair, can take seconds.
    ///
    /// The caller holds the lock of the data directory, since two programs on one database would
    /// block each other.
    pub fn open(location: Location, room: RoomId, own: NodeId, wall_ms: u64) -> Result<(Self, Opened), StoreError> {
        let owner = schema::ExpectedOwner { room: &room, own, wall_ms };
        let open::OpenDatabase { db, tables, run, snapshot, own_name, mended, unchecked, may_have_text, state } =
            open::ready(&location, owner)?;
        let arrival = tables.highest;
        let failure = WriterFailure::new(location.path().map(Into::into));
        let wal = match location.path() {
            Some(path) => {
                let file = |source| StoreError::File { path: path.to_owned(), source };
                Some(
                    checkpoint::WalMonitor::start(path, connection::connect(path)?, failure.clone(), state.clone())
                        .map_err(file)?,
                )
            }
            None => None,
        };
        let rebuilds = Arc::new(AtomicU64::new(0));
        let (jobs, queue) = mpsc::channel();
        let (answering, answers) = tokio::sync::mpsc::unbounded_channel();
        let erasure = Erasure::new(state.clone(), may_have_text);
        let scrub = Scrub::resume(state, unchecked, wall_ms);
        let start = WriterStart { db, tables, notes: mended.clone(), erasure, scrub };
        let commit_times = DurationHistogram::default();
        let channels = WriterChannels {
            jobs: queue,
            answers: answering,
            failure: failure.clone(),
            rebuilds: rebuilds.clone(),
            commit_times: commit_times.clone(),
        };
        let writer = Writer::new(start, channels, wal)?;
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| StoreError::File { path: "thread of the store".into(), source })?;
        let copies = RetainedCopies::new(location.path(), mended.clone());
        let readers = ReadPool::new(location);
        let inner = StoreInner {
            jobs,
            readers,
            failure,
            mended,
            copies,
            rebuilds,
            commit_times,
            writer: Mutex::new(Some(thread)),
            room,
            own,
        };
        let opened = Opened { snapshot, run, arrival, own_name, answers };
        Ok((Self { inner: Arc::new(inner) }, opened))
    }

    /// Queues a write. Never blocks: the writes that the engine has in flight limit the queue.
    ///
    /// After a failure, or after [`Store::close`], nothing is stored or answered.
    pub fn write(&self, write: Write) {
        // The writer is gone only after a failure, which `failed` reports, or after `close`.
        let _ = self.inner.jobs.send(Job::Write(write));
    }

    /// Sets an item in the storage of the user's pages, or removes it if there is no value. Returns
    /// false, without a change, if the storage is full. Changes are applied in the order of the
    /// calls.
    pub fn set_page_item(
        &self,
        key: String,
        value: Option<String>,
    ) -> impl Future<Output = Result<bool, StoreError>> + use<> {
        let (answer, answered) = oneshot::channel();
        let sent = self.inner.jobs.send(Job::ChangePageStorage(page_storage::Change { key, value }, answer));
        async move {
            sent.map_err(|_| StoreError::Closed)?;
            answered.await.map_err(|_| StoreError::Closed)?
        }
    }

    /// Waits until a failure has stopped the store. Returns a sentence for the user.
    ///
    /// The node has to stop then: writes without an answer are not stored.
    pub async fn failed(&self) -> String {
        self.inner.failure.wait().await
    }

    /// Reads a page within a budget. Returns none if the message of
    /// [`PagePosition::Around`](crate::proto::history::PagePosition::Around) is not stored.
    pub async fn page(&self, query: PageQuery, budget: PageBudget) -> Result<Option<TimelinePage>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| page::page(db, own, &query, budget)).await
    }

    /// Reads the next part of an export within a budget.
    pub async fn export(&self, query: ExportQuery, budget: PageBudget) -> Result<ExportRows, StoreError> {
        let own = self.inner.own;
        self.read(move |db| export::export(db, own, query, budget)).await
    }

    /// Searches for words within a budget. The newest hits come first.
    pub async fn search(&self, search: SearchQuery, budget: PageBudget) -> Result<SearchResult, StoreError> {
        let own = self.inner.own;
        let look = move |db: &Connection| search::search(db, own, &search, budget);
        match self.read_with_quarantine(look.clone()).await {
            // Damage in the index alone loses no message. It is rebuilt, and until then the search
            // covers the newest messages.
            Err(StoreError::Damaged(_)) => {}
            done => return done,
        }
        let (answer, answered) = oneshot::channel();
        self.inner.jobs.send(Job::Reindex(answer)).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?;
        self.read(look).await
    }

    /// Reads what a tab missed since arrival number `after` of `run`.
    ///
    /// Returns none if the run or the number is unknown, or if the tab missed more than `limit`
    /// messages and notices or more than the budget. The tab then starts afresh.
    pub async fn resume(
        &self,
        run: String,
        after: Arrival,
        limit: usize,
        budget: PageBudget,
    ) -> Result<Option<MissedEntries>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| resume::resume(db, own, &run, after, limit, budget)).await
    }

    /// Reads the initial rows of a socket. `after` is what the tab has from an earlier socket.
    pub async fn welcome(
        &self,
        after: Option<(String, Arrival)>,
        sizes: SizeEstimator,
    ) -> Result<InitialRows, StoreError> {
        let own = self.inner.own;
        self.read(move |db| {
            resume::welcome(db, own, after.as_ref().map(|(run, number)| (run.as_str(), *number)), sizes)
        })
        .await
    }

    /// Returns the conversations that have messages.
    pub async fn conversations(&self) -> Result<Vec<ReadMarker>, StoreError> {
        self.read(conversations::conversations).await
    }

    /// Returns a message by its id.
    pub async fn line(&self, id: EntryId) -> Result<Option<Message>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| lookup::line(db, own, id)).await
    }

    /// Returns the members that hold an own message. Returns none if there is no such message.
    pub async fn holders(&self, id: EntryId) -> Result<Option<HolderRows>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| lookup::holders(db, own, id)).await
    }

    /// Returns the idempotency key with this name, and the entry published under it.
    pub async fn by_ref(&self, name: String) -> Result<Option<(IdempotencyKey, EntryId)>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| lookup::find_by_ref(db, own, &name)).await
    }

    /// The newest versions of a message, or those before a place. `None` if it is not here.
    pub async fn versions(&self, id: EntryId, before: Option<Order>) -> Result<Option<VersionPage>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| read::versions::versions(db, own, id, before)).await
    }

    /// Returns the newest messages that name some content, or any, the newest first.
    pub async fn with_files(&self, content: Option<Hash>, limit: usize) -> Result<Vec<Message>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| read::files::with_files(db, own, content, limit)).await
    }

    /// Returns the audiences and authors of all messages that name some content.
    pub async fn namings_of(&self, content: Hash) -> Result<BTreeSet<Naming>, StoreError> {
        self.read(move |db| tables::attachments::namings(db, &content)).await
    }

    /// Returns the oldest message that names some content.
    pub async fn first_naming(&self, content: Hash) -> Result<Option<Message>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| read::files::first_naming(db, own, content)).await
    }

    /// Returns the newest own messages, oldest first.
    pub async fn own_newest(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| lookup::own_newest(db, own, limit)).await
    }

    /// Returns the ids of the messages that a selector matches, the newest first.
    pub async fn find_ids(&self, selector: MessageSelector) -> Result<Vec<EntryId>, StoreError> {
        match selector {
            MessageSelector::OwnLast => Ok(self.own_newest(1).await?.into_iter().map(|line| line.id).collect()),
            MessageSelector::IdPart(part) => self.read(move |db| read::find_ids::find_ids(db, &part)).await,
        }
    }

    /// Returns the durations of commits in this run.
    pub fn commit_times(&self) -> DurationHistogram {
        self.inner.commit_times.clone()
    }

    /// Returns the repairs of the last week as sentences for the user, and the time of the latest
    /// in milliseconds since 1970.
    pub fn mended(&self) -> Option<(String, u64)> {
        self.inner.mended.summary()
    }

    /// Returns the repairs of this run.
    pub fn mended_now(&self) -> Option<String> {
        self.inner.mended.told_now()
    }

    /// Returns the copies that repairs and migrations of the database set aside.
    pub fn retained_copies(&self) -> &RetainedCopies {
        &self.inner.copies
    }

    /// Returns the number of stored and missing entries.
    pub async fn counts(&self) -> Result<HistoryCounts, StoreError> {
        self.read(lookup::counts).await
    }

    /// Returns the highest arrival number on the disk.
    pub async fn arrival(&self) -> Result<Arrival, StoreError> {
        self.read(runs::max_arrival).await
    }

    /// Returns a page of history for a peer: the newest contiguous batches in the range of `fetch`,
    /// each verified again. They take up to `fetch.bytes`, but there is at least one.
    ///
    /// The caller decides whether the peer may have them.
    pub async fn history(&self, fetch: Fetch) -> Result<HistoryPage, StoreError> {
        let room = self.inner.room;
        self.read(move |db| lookup::history(db, &room, fetch)).await
    }

    /// Finishes the queued writes and closes the database. Later reads fail.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        let _ = self.inner.jobs.send(Job::Close);
        let thread = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // `failed` has reported a panic of the writer.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Reads in one transaction, on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = self.read_with_quarantine(read).await;
        if let Err(error @ StoreError::Damaged(_)) = &result {
            self.inner.failure.report(error);
        }
        result
    }

    /// Reads, with repairs. Corrupted batches are quarantined and contradicting tables are rebuilt,
    /// then the read is retried.
    ///
    /// Each retry has fewer corrupted batches left, so the loop ends.
    async fn read_with_quarantine<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut altered = BTreeSet::new();
        loop {
            let seen = self.inner.rebuilds.load(Ordering::Acquire);
            let result = match self.try_read(read.clone()).await {
                Err(StoreError::CorruptBatch(batch)) if !altered.insert(batch) => {
                    Err(StoreError::inconsistent("a message that was set aside was read again"))
                }
                result => result,
            };
            match result {
                Err(StoreError::CorruptBatch(batch)) => {
                    let (answer, answered) = oneshot::channel();
                    self.inner.jobs.send(Job::Quarantine(batch, answer)).map_err(|_| StoreError::Closed)?;
                    answered.await.map_err(|_| StoreError::Closed)??;
                }
                Err(StoreError::Inconsistent(reason)) => {
                    let (answer, answered) = oneshot::channel();
                    let job = Job::Rebuild(reason, seen, answer);
                    self.inner.jobs.send(job).map_err(|_| StoreError::Closed)?;
                    answered.await.map_err(|_| StoreError::Closed)??;
                }
                done => return done,
            }
        }
    }

    /// Reads once, without repairs.
    async fn try_read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        match &self.inner.readers {
            ReadPool::Pool { free, .. } => {
                let permit = free.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
                let task = tokio::task::spawn_blocking(move || {
                    let result = inner.readers.with_connection(read);
                    drop(permit);
                    result
                });
                task.await.map_err(|_| StoreError::Closed)?
            }
            ReadPool::Writer => {
                let (answer, answered) = oneshot::channel();
                let job = Job::Read(Box::new(move |db| {
                    // The caller may have gone.
                    let _ = answer.send(in_transaction(db, read));
                }));
                self.inner.jobs.send(job).map_err(|_| StoreError::Closed)?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        self.readers.clear();
        let _ = self.jobs.send(Job::Close);
        if let Some(thread) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}
