//! Moves what was written ahead into the database itself, on a thread and a connection of its own, so that the
//! writer need not wait for it. Only when the log has grown past its limit does the writer do it itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tracing::{debug, warn};

use super::error::StoreError;
use super::failure::Failure;
use super::state::StateFile;
use crate::proto::limits::{CHECKPOINT_BYTES, WAL_BYTES_MAX};

/// What one commit writes beside its batches: a few pages of tables and indexes.
const COMMIT_OVERHEAD_BYTES: u64 = 32 * 1024;

/// The write-ahead log, as the writer sees it.
pub(super) struct Wal {
    path: PathBuf,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    state: Arc<StateFile>,
    /// Written since the last checkpoint was asked for.
    bytes: u64,
}

impl Wal {
    /// Starts the thread, which works on `db`, a connection to the database at `path`.
    pub(super) fn start(path: &Path, db: Connection, failure: Failure, state: Arc<StateFile>) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread =
            std::thread::Builder::new().name("checkpoint".to_owned()).spawn(move || run(&db, &woken, &failure))?;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Ok(Self { path: PathBuf::from(wal), wake, thread, state, bytes: 0 })
    }

    /// A commit with so many bytes of batches was made.
    pub(super) fn grown(&mut self, db: &Connection, bytes: usize) -> Result<(), StoreError> {
        self.bytes += COMMIT_OVERHEAD_BYTES + 2 * bytes as u64;
        if self.bytes < CHECKPOINT_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        if self.path.metadata().is_ok_and(|file| file.len() > WAL_BYTES_MAX) {
            return checkpoint(db, "TRUNCATE");
        }
        // If the thread is at it, one more is asked for already or not needed.
        let _ = self.wake.try_send(());
        Ok(())
    }

    /// Ends the thread, and leaves a database without a log if all is well.
    pub(super) fn finish(self, db: &Connection, well: bool) {
        drop(self.wake);
        if self.thread.join().is_err() {
            warn!("the checkpoint thread ended badly");
        }
        if !well {
            return;
        }
        // Emptied, the log is removed when the database is closed; as long as it is there, the next start checks everything.
        let emptied = checkpoint(db, "TRUNCATE")
            // A log that is missing while the database counts as open was removed by something else.
            .and_then(|()| self.state.set_open(false))
            .and_then(|()| Ok(db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?));
        if let Err(error) = emptied {
            warn!(%error, "the last checkpoint was not made; the next start does it");
        }
    }
}

fn run(db: &Connection, woken: &Receiver<()>, failure: &Failure) {
    while woken.recv().is_ok() {
        if let Err(error) = checkpoint(db, "PASSIVE") {
            failure.tell(&error);
            return;
        }
    }
}

/// Makes one. Being in somebody's way, or a full disk, is no harm: everything is still in the log.
pub(super) fn checkpoint(db: &Connection, mode: &str) -> Result<(), StoreError> {
    let done = db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match done.map_err(StoreError::from) {
        Ok((busy, pages, moved)) => debug!(busy, pages, moved, "checkpoint"),
        Err(error) if error.is_busy() || error.is_disk_full() => debug!(%error, "no checkpoint now"),
        Err(error) => return Err(error),
    }
    Ok(())
}
