//! What a node remembers: one SQLite database for each room.
//!
//! One thread writes, many writes share one commit, and every answer comes after the commit is on the disk. Readers
//! work beside it; each answer to them is one bounded page out of one state of the database. What is stored is the
//! batches, exactly as they were signed; everything else in the tables (`schema.sql`) is there to find and order
//! their entries, or is this node's own.
//!
//! Tables are not trusted: a disk that flips a bit changes a value that SQLite hands out as if it were right. Readers compare
//! what they read with the signed header, a start and a background scrub compare everything (`audit`), and whatever does not
//! fit is made again from the batches, in place (`rebuild`). Batches that do not verify are quarantined and fetched again.
//!
//! It refuses to decide anything: which batches are wanted, who is told of them, what a page may see is the engine's
//! and the node's business. It knows no clock; whoever opens it says what time it is.

mod altered;
mod append;
mod audit;
mod channels;
mod checkpoint;
mod error;
mod export;
mod failure;
mod fall;
mod find;
mod fork;
mod indexing;
mod inspect;
mod keep;
mod legible;
mod line;
mod local_rows;
mod look;
mod marks;
mod mended;
mod notices;
mod numbers;
mod open;
mod page;
mod page_storage;
mod places;
mod rebuild;
mod rebuilding;
mod repair;
mod rescue;
mod scan;
mod schema;
mod scrub;
mod search;
mod snapshot;
mod sql;
mod state;
mod survey;
mod times;
mod wal;
mod welcome;
mod writer;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, oneshot};

use crate::proto::frame::Fetch;
use crate::proto::history::{Budget, Export, ExportQuery, Found, Page, PageQuery, Reading, SearchQuery, Sizes};
use crate::proto::ids::{Arrival, EntryId, NodeId, RoomId};
use crate::proto::limits::READERS;
use crate::proto::name::Name;
use crate::proto::record::{HistoryPage, Ref, Snapshot, Write, Written};
use crate::proto::timeline::Line;

pub use error::StoreError;
pub use look::{Counts, Holders};
pub use open::Location;
pub use page::BEGINNING;
pub use welcome::{Resumed, Welcome};

use failure::Failure;
use mended::Mended;
use scrub::Scrub;
use writer::{Job, Writer};

/// A handle to a room's database; cheap to clone. When the last one is gone the database is closed, as by
/// [`Store::close`]; whoever drops that one waits for it, so that a start which fails leaves a database that was closed well.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What was found at the start.
#[derive(Debug)]
pub struct Opened {
    /// The past, for the engine.
    pub snapshot: Snapshot,
    /// The name of this run, 16 hex digits: with it the arrival numbers that are given now can be resumed from.
    pub run: String,
    /// The highest arrival number given so far.
    pub arrival: Arrival,
    /// This node's name when it last ran.
    pub own_name: Option<Name>,
    /// The answers to [`Store::write`], in the order of the commits. Nothing bounds it but what the engine has in
    /// flight: there is one answer to an append, a notice or a read mark, and none to anything else.
    pub answers: UnboundedReceiver<Written>,
}

struct Inner {
    jobs: mpsc::Sender<Job>,
    readers: Readers,
    failure: Failure,
    mended: Mended,
    rebuilds: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
    room: RoomId,
    own: NodeId,
}

/// Where reads are done.
enum Readers {
    /// On connections of their own.
    Pool { location: Location, idle: Mutex<Vec<Connection>>, free: Arc<Semaphore> },
    /// On the writer's connection, between commits: a database in memory has no other.
    Writer,
}

impl Store {
    /// Opens or makes the database of `room` for the node `own`, at `wall_ms` milliseconds since 1970. Blocks; a
    /// check after a crash, or a rescue, can take seconds.
    ///
    /// The caller holds the lock of the data directory: two programs on one database would stop each other.
    pub fn open(location: Location, room: RoomId, own: NodeId, wall_ms: u64) -> Result<(Self, Opened), StoreError> {
        let owner = open::Owner { room: &room, own, wall_ms };
        let open::Ready { db, appender, run, snapshot, own_name, mended, state, unchecked } =
            open::ready(&location, owner)?;
        let arrival = appender.highest;
        let indexed = search::indexed(&db)?;

        let failure = Failure::new(location.path().map(Into::into));
        let wal = match location.path() {
            Some(path) => {
                let file = |source| StoreError::File { path: path.to_owned(), source };
                Some(checkpoint::Wal::start(path, open::connect(path)?, failure.clone(), state.clone()).map_err(file)?)
            }
            None => None,
        };
        let rebuilds = Arc::new(AtomicU64::new(0));
        let (jobs, queue) = mpsc::channel();
        let (answering, answers) = tokio::sync::mpsc::unbounded_channel();
        let writer = Writer {
            db,
            appender,
            jobs: queue,
            answers: answering,
            failure: failure.clone(),
            mended: mended.clone(),
            wal,
            deferred: VecDeque::new(),
            full_told: None,
            altered_told: None,
            indexed,
            index_waits: false,
            reindexed: false,
            scrub: Scrub::resume(&state.get(), unchecked, wall_ms),
            state,
            wall_ms,
            rebuild_full: None,
            rebuilds: rebuilds.clone(),
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| StoreError::File { path: "thread of the store".into(), source })?;
        let readers = match location {
            Location::File(_) => {
                Readers::Pool { location, idle: Mutex::default(), free: Arc::new(Semaphore::new(READERS)) }
            }
            Location::Memory => Readers::Writer,
        };
        let inner = Inner { jobs, readers, failure, mended, rebuilds, writer: Mutex::new(Some(thread)), room, own };
        let opened = Opened { snapshot, run, arrival, own_name, answers };
        Ok((Self { inner: Arc::new(inner) }, opened))
    }

    /// Has something kept. Never blocks; what waits for the writer is bounded by what the engine has in flight.
    ///
    /// After a failure, or after [`Store::close`], nothing is kept and nothing answered.
    pub fn write(&self, write: Write) {
        // The writer is gone only after a failure, which `failed` tells, or after `close`.
        let _ = self.inner.jobs.send(Job::Write(write));
    }

    /// Sets an item of the storage of the user's pages, or removes it if there is no value. Returns false if the storage is
    /// full; then nothing was changed. Changes are applied in the order of the calls.
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

    /// Waits until a failure has stopped the store; then says what happened, in a sentence for people. The node has
    /// to stop: nothing that was not answered is kept.
    pub async fn failed(&self) -> String {
        self.inner.failure.told().await
    }

    /// Reads a page within a budget. `None`: the message of [`At::Around`](crate::proto::history::At::Around) is not
    /// here.
    pub async fn page(&self, query: PageQuery, budget: Budget) -> Result<Option<Page>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| page::page(db, own, &query, budget)).await
    }

    /// Reads the next piece of an export within a budget.
    pub async fn export(&self, query: ExportQuery, budget: Budget) -> Result<Export, StoreError> {
        let own = self.inner.own;
        self.read(move |db| export::export(db, own, query, budget)).await
    }

    /// Looks for words, newest hits first, within a budget.
    pub async fn search(&self, search: SearchQuery, budget: Budget) -> Result<Found, StoreError> {
        let own = self.inner.own;
        let look = move |db: &Connection| search::search(db, own, &search, budget);
        match self.read_signed(look.clone()).await {
            // The index alone may be damaged, which is none: it is made anew, and until it is, the newest are found.
            Err(StoreError::Damaged(_)) => {}
            done => return done,
        }
        let (answer, answered) = oneshot::channel();
        self.inner.jobs.send(Job::Reindex(answer)).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?;
        self.read(look).await
    }

    /// Reads what a tab missed that had got to `after` in `run`; `None` where it has to start afresh, because that
    /// run or number is unknown or there is more than `limit` lines and notices, or than the budget.
    pub async fn resume(
        &self,
        run: String,
        after: Arrival,
        limit: usize,
        budget: Budget,
    ) -> Result<Option<Resumed>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| welcome::resume(db, own, &run, after, limit, budget)).await
    }

    /// Reads all that a socket begins with, out of one state of the database. `after` is what the tab shows of an
    /// earlier socket: the run and the number it got to.
    pub async fn welcome(&self, after: Option<(String, Arrival)>, sizes: Sizes) -> Result<Welcome, StoreError> {
        let own = self.inner.own;
        self.read(move |db| {
            welcome::welcome(db, own, after.as_ref().map(|(run, number)| (run.as_str(), *number)), sizes)
        })
        .await
    }

    /// Every conversation in which something was said.
    pub async fn conversations(&self) -> Result<Vec<Reading>, StoreError> {
        self.read(welcome::conversations).await
    }

    /// A message by its id.
    pub async fn line(&self, id: EntryId) -> Result<Option<Line>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| look::line(db, own, id)).await
    }

    /// Who holds a message of this node's user; `None` where there is no such message.
    pub async fn holders(&self, id: EntryId) -> Result<Option<Holders>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| look::holders(db, own, id)).await
    }

    /// A message by the name its caller gave it within the last 30 days.
    pub async fn by_ref(&self, name: String) -> Result<Option<(Ref, Line)>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| look::by_ref(db, own, &name)).await
    }

    /// The newest messages of this node's own user, oldest first.
    pub async fn own_newest(&self, limit: usize) -> Result<Vec<Line>, StoreError> {
        let own = self.inner.own;
        self.read(move |db| look::own_newest(db, own, limit)).await
    }

    /// What had to be repaired within the last week, as sentences for people, and when the last of it was, in milliseconds
    /// since 1970: a damaged database, messages that the disk changed.
    pub fn mended(&self) -> Option<(String, u64)> {
        self.inner.mended.told()
    }

    /// The same, as far as this run found it.
    pub fn mended_now(&self) -> Option<String> {
        self.inner.mended.told_now()
    }

    /// How much is here.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(look::counts).await
    }

    /// The highest arrival number given, of what is on the disk.
    pub async fn arrival(&self) -> Result<Arrival, StoreError> {
        self.read(numbers::highest).await
    }

    /// A page of history for a peer: whole batches from the one with `fetch.first` on, as far as they hang together,
    /// at most `fetch.bytes` but at least one, each verified again. Whether the peer may have them is not asked here.
    pub async fn history(&self, fetch: Fetch) -> Result<HistoryPage, StoreError> {
        let room = self.inner.room;
        self.read(move |db| look::history(db, &room, fetch)).await
    }

    /// Finishes what was asked, moves everything into the database file and closes it. Reads that begin later fail.
    pub async fn close(&self) {
        if let Readers::Pool { idle, free, .. } = &self.inner.readers {
            // Once all are free, no read is under way.
            if let Ok(all) = free.acquire_many(READERS as u32).await {
                free.close();
                drop(all);
            }
            idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let _ = self.inner.jobs.send(Job::Close);
        let thread = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in there was told by `failed`.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Does `read` in one transaction, away from the threads that serve sockets.
    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = self.read_signed(read).await;
        if let Err(error @ StoreError::Damaged(_)) = &result {
            self.inner.failure.tell(error);
        }
        result
    }

    /// The same, where damage need not be the end. What the disk changed is repaired or set aside, and read is what is left:
    /// each time there is less that it can have changed.
    async fn read_signed<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut altered = BTreeSet::new();
        loop {
            let seen = self.inner.rebuilds.load(Ordering::Acquire);
            let result = match self.try_read(read.clone()).await {
                Err(StoreError::Altered(batch)) if !altered.insert(batch) => {
                    Err(StoreError::inconsistent("a message that was set aside was read again"))
                }
                result => result,
            };
            match result {
                Err(StoreError::Altered(batch)) => {
                    let (answer, answered) = oneshot::channel();
                    self.inner.jobs.send(Job::SetAside(batch, answer)).map_err(|_| StoreError::Closed)?;
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

    /// Once.
    async fn try_read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        match &self.inner.readers {
            Readers::Pool { free, .. } => {
                let permit = free.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
                let task = tokio::task::spawn_blocking(move || {
                    let result = inner.pooled(read);
                    drop(permit);
                    result
                });
                task.await.map_err(|_| StoreError::Closed)?
            }
            Readers::Writer => {
                let (answer, answered) = oneshot::channel();
                let job = Job::Read(Box::new(move |db| {
                    // Whoever asked may have gone.
                    let _ = answer.send(in_transaction(db, read));
                }));
                self.inner.jobs.send(job).map_err(|_| StoreError::Closed)?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Readers::Pool { idle, .. } = &self.readers {
            idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let _ = self.jobs.send(Job::Close);
        if let Some(thread) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Inner {
    /// Reads on an idle connection, or on a new one.
    fn pooled<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let Readers::Pool { location: Location::File(path), idle, .. } = &self.readers else {
            return Err(StoreError::Closed);
        };
        let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut db = match waiting {
            Some(db) => db,
            None => open::connect_reader(path)?,
        };
        let result = in_transaction(&mut db, read);
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        result
    }
}

/// One state of the database, however many statements look at it.
fn in_transaction<T>(
    db: &mut Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = db.transaction()?;
    let result = read(&transaction)?;
    transaction.commit()?;
    Ok(result)
}
