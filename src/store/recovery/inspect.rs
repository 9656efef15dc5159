//! Inspects the files of a database before SQLite opens them: whether they exist, whether the
//! write-ahead log is complete, and how thoroughly to check. It changes nothing.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::Connection;
use tracing::info;

use super::state_file::{FoundState, StateFile};
use super::wal::{self, LastRun, WalState};
use crate::proto::limits::{REBUILD_EVERY_MS, THOROUGH_BYTES_MAX};
use crate::store::error::{StoreError, UNREADABLE};
use crate::store::failure::SUSPECT;
use crate::store::files::{beside, has_wal, with_suffix};

/// Findings of SQLite's check that are read, enough to classify them.
const LINES: usize = 20;

/// The result of an inspection.
#[derive(Debug)]
pub(crate) struct Findings {
    is_gone: bool,
    log: WalState,
    check: Check,
}

/// The thoroughness of SQLite's check.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Check {
    /// No check: the last run closed the database.
    Nothing,
    /// A check of page structure: the last run crashed, and the database is large.
    Quick,
    /// A check of indexes against tables too: the last run crashed.
    Thorough,
    /// A repair without a check: the last run read impossible values, which a check need not find.
    Rebuild(String),
}

/// Inspects the files of the database at `path`.
pub(crate) fn inspect(path: &Path, state: &StateFile, wall_ms: u64) -> Result<Findings, StoreError> {
    let file = |source| StoreError::File { path: path.to_owned(), source };
    let was_open = state.get().open || state.found() == FoundState::Illegible;
    let is_gone = !path.metadata().is_ok_and(|file| file.len() > 0);
    if is_gone {
        if has_wal(path) {
            return Err(StoreError::Damaged("its file was removed or emptied, and only its log is left".to_owned()));
        }
        let is_gone = state.found() != FoundState::Nothing
            || with_suffix(path, SUSPECT).exists()
            || beside(path, "-shm").exists();
        return Ok(Findings { is_gone, log: WalState::Sound, check: Check::Nothing });
    }
    check_header(path)?;
    // An illegible state file says nothing about a missing write-ahead log: a clean end removes the
    // log.
    let last = LastRun { was_open: state.get().open, is_same_boot: state.is_of_this_boot() };
    let log = wal::check(path, last).map_err(file)?;
    let check = match suspicion(path) {
        Some(reason) if may_rebuild(state, wall_ms) => Check::Rebuild(reason),
        Some(_) => Check::Thorough,
        None if log == WalState::Short => Check::Thorough,
        None if was_open || has_wal(path) => match path.metadata() {
            Ok(file) if file.len() <= THOROUGH_BYTES_MAX => Check::Thorough,
            _ => Check::Quick,
        },
        None => Check::Nothing,
    };
    if log == WalState::Broken {
        return Err(StoreError::Damaged("a part of its log is not what was written".to_owned()));
    }
    Ok(Findings { is_gone: false, log, check })
}

impl Findings {
    /// Returns true if the last run did not close the database.
    pub(crate) fn is_unclean(&self) -> bool {
        self.check != Check::Nothing
    }

    /// Checks the database as thoroughly as it needs. Returns false if only the full-text index is
    /// damaged.
    pub(crate) fn check(&self, db: &Connection) -> Result<bool, StoreError> {
        let pragma = match &self.check {
            Check::Nothing => return Ok(true),
            Check::Quick => "quick_check",
            Check::Thorough => "integrity_check",
            Check::Rebuild(reason) => return Err(StoreError::Damaged(reason.clone())),
        };
        info!(pragma, "the last run did not end cleanly: checking the database");
        let mut statement = db.prepare(&format!("PRAGMA {pragma}({LINES})"))?;
        let verdicts: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if verdicts == ["ok"] {
            return Ok(true);
        }
        info!(?verdicts, "the check found damage");
        // The two forms in which SQLite reports damage of its only virtual table.
        let of_words = |verdict: &String| verdict.contains("FTS5 table") || verdict.starts_with("fts5: ");
        if verdicts.iter().all(of_words) {
            return Ok(false);
        }
        let is_index = |verdict: &String| of_words(verdict) || verdict.contains(" index ");
        let is_index = verdicts.iter().all(is_index);
        Err(StoreError::Damaged(if is_index { "its indexes don't fit its tables" } else { UNREADABLE }.to_owned()))
    }

    /// Returns the report to the user about missing files.
    pub(crate) fn loss(&self, path: &Path) -> Option<String> {
        if self.is_gone {
            return Some(format!(
                "This room’s history is gone: the file {} was removed or emptied. Messages that others have will \
                 arrive again.",
                path.display()
            ));
        }
        (self.log == WalState::Short).then(|| {
            format!(
                "The latest changes to this room’s history are gone: the file {} was removed or cut short. Messages \
                 that others have will arrive again.",
                beside(path, "-wal").display()
            )
        })
    }
}

/// Returns the reason in the marker file of the last run, if there is one.
fn suspicion(path: &Path) -> Option<String> {
    let text = std::fs::read(with_suffix(path, SUSPECT)).ok()?;
    let text: String = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).take(200).collect();
    Some(if text.is_empty() { "a part of it could not be read".to_owned() } else { text })
}

/// Returns true if no repair was made within the hour. A repair that did not help is not repeated
/// at once, since each keeps a copy.
fn may_rebuild(state: &StateFile, wall_ms: u64) -> bool {
    state.get().repaired_ms.is_none_or(|at_ms| wall_ms.abs_diff(at_ms) >= REBUILD_EVERY_MS)
}

/// Refuses a file without the header of this program's databases: SQLite could take it for another
/// kind of database, and write to it.
///
/// Without a write-ahead log, also refuses a file whose length is not the one in its header.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; 32];
    let file = File::open(path);
    let read = file.as_ref().map_err(|_| ()).and_then(|file| file.read_exact_at(&mut header, 0).map_err(|_| ()));
    let length = file.and_then(|file| file.metadata()).map_or(0, |file| file.len());
    let pages = u64::from(wal::number_at(&header, 28));
    let mut header = header.first_chunk::<24>().copied().unwrap_or_default();
    // A database in rollback mode, as before its first commit, is accepted too.
    let is_ours = matches!(header[18..20], [1, 1] | [2, 2]);
    header[18..20].fill(2);
    if read.is_err() || !is_ours || header != *wal::DATABASE_HEADER {
        return Err(StoreError::Damaged("it does not begin like a database".to_owned()));
    }
    if !has_wal(path) && length != pages * wal::PAGE as u64 {
        return Err(StoreError::Damaged("its length is not the one that it says".to_owned()));
    }
    Ok(())
}
