//! Errors of the store, and their classification: damage, contradiction, full disk or other.

use std::io::ErrorKind;
use std::path::PathBuf;

use rusqlite::ffi;
use tracing::warn;

use crate::proto::ids::Arrival;
use crate::system::io_error_text;

/// The reason for pages that SQLite cannot read.
pub(super) const UNREADABLE: &str = "some of its pages can't be read";

/// The reason why a database could not be opened, read or closed. Each message tells the user what
/// to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The SQLite library is older than 3.51.3, which can lose commits.
    #[error("SQLite {0} can lose commits; this program needs 3.51.3 or newer, build it with the one it brings")]
    OldSqlite(&'static str),
    /// A newer program wrote the database. It was not changed.
    #[error(
        "{path} has schema version {found}, but this program supports versions up to {known}: update Roomful, or \
         choose another directory with --data-dir"
    )]
    SchemaTooNew {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database belongs to another node or room. It was not changed.
    #[error("{0} belongs to another identity: restore its key file, or choose another directory with --data-dir")]
    WrongOwner(PathBuf),
    /// A file operation failed.
    #[error("{}: {}", path.display(), io_error_text(source))]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is no database of this program, or parts of it are unreadable.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The tables contradict the signed batches or each other, or refer to missing rows.
    ///
    /// The file itself is readable. The writer rebuilds the tables from the batches, and the caller
    /// retries.
    #[error("the tables do not fit the messages: {0}")]
    Inconsistent(String),
    /// The batch with this arrival number does not verify, since the disk changed it. The reader
    /// has it quarantined, and retries.
    #[error("the disk changed a message")]
    CorruptBatch(Arrival),
    /// A corrupted message has not been fetched again yet.
    #[error("what was said under this name was changed by the disk, and is not back from others yet")]
    AwaitingRefetch,
    /// The database could not be opened before the node ran. No message was lost.
    #[error(
        "{path} can't be opened: {reason}; free up space or check the disk, or choose another directory with --data-dir"
    )]
    Unusable {
        /// The database.
        path: PathBuf,
        /// The error of SQLite.
        reason: rusqlite::Error,
    },
    /// The database was damaged again after repairs. Each repair keeps a copy, so more of them
    /// would fill the disk.
    #[error(
        "{path} was damaged {times} times within an hour and is not repaired again: check the disk, or choose another \
         directory with --data-dir. The damaged files were kept: {kept}"
    )]
    DamagedAgain {
        /// The database.
        path: PathBuf,
        /// The count of damages within an hour.
        times: usize,
        /// The quarantined files, separated by commas.
        kept: String,
    },
    /// The disk has no room for a repair. The damaged database is kept, and the next start repairs
    /// it.
    #[error(
        "there is not enough disk space to repair this room's history: free up {mebibytes} MiB, then restart. The \
         damaged file was kept as {path}"
    )]
    NoRoomToRepair {
        /// The damaged database.
        path: PathBuf,
        /// The space that a repair takes at most.
        mebibytes: u64,
    },
    /// Any other error of SQLite.
    #[error("the database: {0}")]
    Sqlite(rusqlite::Error),
    /// The store was closed, or stopped after a failure.
    #[error("the store has stopped")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows, SqlInputError,
            SqliteFailure, Utf8Error,
        };
        let code = match &error {
            SqlInputError { error, .. } | SqliteFailure(error, _) => Some(error.extended_code),
            _ => None,
        };
        // The error of SQLite is only logged: a user cannot act on it.
        let reason = |reason: &str| {
            warn!(%error, reason, "a part of the database is not what was written");
            reason.to_owned()
        };
        match error.sqlite_error_code() {
            // All statements fit today's tables. One that does not compile met a table definition
            // that the disk changed.
            _ if code == Some(ffi::SQLITE_ERROR) => {
                Self::Damaged(reason("the form of a table is not what was written"))
            }
            Some(ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase) => Self::Damaged(reason(UNREADABLE)),
            // The writer never stores a row twice.
            Some(ffi::ErrorCode::ConstraintViolation) => {
                Self::Inconsistent(reason("a table records less than is stored"))
            }
            _ => match error {
                // A value of another type or out of range, text that is not UTF-8, or a reference
                // to a missing row.
                FromSqlConversionFailure(..)
                | IntegralValueOutOfRange(..)
                | InvalidColumnType(..)
                | QueryReturnedNoRows
                | Utf8Error(..) => Self::Inconsistent(reason("a value is missing, or can't be what was written")),
                other => Self::Sqlite(other),
            },
        }
    }
}

impl StoreError {
    /// Returns an error for tables that contradict the batches, with the reason in a few words.
    pub(super) fn inconsistent(what: &str) -> Self {
        Self::Inconsistent(what.to_owned())
    }

    /// Turns a contradiction that a rebuild did not cure into damage: only a new database is free
    /// of it.
    pub(super) fn needs_new_database(self) -> Self {
        match self {
            Self::Inconsistent(reason) => Self::Damaged(reason),
            other => other,
        }
    }

    /// Returns true if the disk is full. The index of the write-ahead log counts too: it is a file,
    /// and grows first.
    pub fn is_disk_full(&self) -> bool {
        let error = match self {
            Self::Sqlite(error) => error,
            Self::File { source, .. } => {
                return matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            }
            _ => return false,
        };
        let index = matches!(error, rusqlite::Error::SqliteFailure(failure, _)
            if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
        index || error.sqlite_error_code() == Some(ffi::ErrorCode::DiskFull)
    }

    /// Returns true if another connection holds the lock.
    pub(super) fn is_busy(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        error.sqlite_error_code() == Some(ffi::ErrorCode::DatabaseBusy)
    }
}
