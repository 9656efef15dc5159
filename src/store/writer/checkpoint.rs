//! Checkpoints: move the write-ahead log into the database, on a thread and connection of their
//! own, so that the writer does not wait. The writer makes one itself only if the log exceeds its
//! limit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tracing::warn;

use crate::proto::limits::{CHECKPOINT_BYTES, WAL_BYTES_MAX};
use crate::store::connection::checkpoint;
use crate::store::error::StoreError;
use crate::store::failure::WriterFailure;
use crate::store::recovery::state_file::StateFile;

/// Bytes that a commit writes beside its batches: a few pages of tables and indexes.
const COMMIT_OVERHEAD_BYTES: u64 = 32 * 1024;

/// The monitor of the write-ahead log's size.
pub(crate) struct WalMonitor {
    path: PathBuf,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    state: Arc<StateFile>,
    /// Estimated bytes written since the last checkpoint was requested.
    bytes: u64,
}

impl WalMonitor {
    /// Starts the thread. `db` is its connection to the database at `path`.
    pub(crate) fn start(
        path: &Path,
        db: Connection,
        failure: WriterFailure,
        state: Arc<StateFile>,
    ) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread =
            std::thread::Builder::new().name("checkpoint".to_owned()).spawn(move || run(&db, &woken, &failure))?;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Ok(Self { path: PathBuf::from(wal), wake, thread, state, bytes: 0 })
    }

    /// Counts a commit with `bytes` of batches. Requests or makes a checkpoint when it is due.
    pub(crate) fn on_wal_growth(&mut self, db: &Connection, bytes: usize) -> Result<(), StoreError> {
        self.bytes += COMMIT_OVERHEAD_BYTES + 2 * bytes as u64;
        if self.bytes < CHECKPOINT_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        if self.path.metadata().is_ok_and(|file| file.len() > WAL_BYTES_MAX) {
            return checkpoint(db, "TRUNCATE").map(drop);
        }
        // A full channel means that a checkpoint is requested already.
        let _ = self.wake.try_send(());
        Ok(())
    }

    /// Ends the thread. If `well`, leaves a database without a write-ahead log.
    pub(crate) fn finish(self, db: &Connection, well: bool) {
        drop(self.wake);
        if self.thread.join().is_err() {
            warn!("the checkpoint thread ended badly");
        }
        if !well {
            return;
        }
        // SQLite removes an empty log when it closes the database. While a log exists, the next
        // start checks integrity.
        let emptied = checkpoint(db, "TRUNCATE")
            // A missing log of an open database means that something else removed it.
            .and_then(|_| self.state.set_open(false))
            .and_then(|()| Ok(db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?));
        if let Err(error) = emptied {
            warn!(%error, "the last checkpoint was not made; the next start does it");
        }
    }
}

fn run(db: &Connection, woken: &Receiver<()>, failure: &WriterFailure) {
    while woken.recv().is_ok() {
        if let Err(error) = checkpoint(db, "PASSIVE") {
            failure.report(&error);
            return;
        }
    }
}
