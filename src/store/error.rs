//! What can go wrong with a database, and which kind of wrong it is.

use std::io::ErrorKind;
use std::path::PathBuf;

use rusqlite::ffi;
use tracing::warn;

use crate::proto::ids::Arrival;
use crate::system::said;

/// What a user is told of pages that SQLite can't make sense of.
pub(super) const UNREADABLE: &str = "some of its pages can't be read";

/// Why a database could not be opened, read or closed. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The library that the program was built with is older than 3.51.3, which can lose commits.
    #[error("SQLite {0} can lose commits; this program needs 3.51.3 or newer, build it with the one it brings")]
    OldSqlite(&'static str),
    /// A newer program wrote it; nothing was touched.
    #[error(
        "{path} has schema version {found}, and this program knows versions up to {known}: \
         run the newer roomful that wrote it, or choose another directory with --data-dir"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// It belongs to another node or another room; nothing was touched.
    #[error("{0} belongs to another identity: put back its key file, or choose another directory with --data-dir")]
    OtherNode(PathBuf),
    /// A file could not be made, renamed or looked at.
    #[error("{}: {}", path.display(), said(source))]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no database of this program any more, or parts of it are unreadable.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The tables contradict the signed batches or each other, or refer to nothing. The file itself can be read: the writer
    /// rebuilds the tables from the batches, and the caller repeats what failed.
    #[error("the tables do not fit the messages: {0}")]
    Inconsistent(String),
    /// The batch with this number is not what was signed any more: the disk changed it. Whoever reads has it set aside, and
    /// reads again.
    #[error("the disk changed a message")]
    Altered(Arrival),
    /// A message that the disk changed is not back from others yet.
    #[error("what was said under this name was changed by the disk, and is not back from others yet")]
    Awaited,
    /// The disk let it down before the node ran; nothing was lost.
    #[error(
        "{path} can't be opened: {reason}; make room or check the disk, or choose another directory with --data-dir"
    )]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: rusqlite::Error,
    },
    /// It was damaged, repaired, and damaged again: each repair keeps a copy, and they would fill the disk.
    #[error(
        "{path} was damaged {times} times within an hour, so it is not repaired once more: check the disk, or choose \
         another directory with --data-dir. The damaged files were kept: {kept}"
    )]
    DamagedAgain {
        /// The database.
        path: PathBuf,
        /// So often.
        times: usize,
        /// The quarantined files, separated by commas.
        kept: String,
    },
    /// There is no room for a repair. The damaged database is kept, and the next start repairs it.
    #[error(
        "there is no room to repair the history of this room: make {mebibytes} MiB of room, then start again. The \
         damaged file was kept as {path}"
    )]
    NoRoomToRepair {
        /// The damaged database.
        path: PathBuf,
        /// What a repair takes at most.
        mebibytes: u64,
    },
    /// SQLite says so.
    #[error("the database: {0}")]
    Sqlite(rusqlite::Error),
    /// The store was closed, or has stopped after a failure.
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
        // What SQLite says is for the log: a user can do nothing with it.
        let reason = |reason: &str| {
            warn!(%error, reason, "a part of the database is not what was written");
            reason.to_owned()
        };
        match error.sqlite_error_code() {
            // All statements fit the tables of today: one that does not compile met a definition that the disk changed.
            _ if code == Some(ffi::SQLITE_ERROR) => {
                Self::Damaged(reason("the form of a table is not what was written"))
            }
            Some(ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase) => Self::Damaged(reason(UNREADABLE)),
            // The writer never stores a row twice.
            Some(ffi::ErrorCode::ConstraintViolation) => {
                Self::Inconsistent(reason("a table records less than is stored"))
            }
            _ => match error {
                // A value of another type or out of its range, text that is none, or a reference to nothing.
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
    /// What is wrong with the tables, in a few words.
    pub(super) fn inconsistent(what: &str) -> Self {
        Self::Inconsistent(what.to_owned())
    }

    /// Damage that a rebuild of the tables did not cure: only a new database is free of it.
    pub(super) fn incurable(self) -> Self {
        match self {
            Self::Inconsistent(reason) => Self::Damaged(reason),
            other => other,
        }
    }

    /// Whether there is no room on the disk. The wal-index is a file too, and grows before the log does.
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

    /// Whether another connection is in the way for the moment.
    pub(super) fn is_busy(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        error.sqlite_error_code() == Some(ffi::ErrorCode::DatabaseBusy)
    }
}
