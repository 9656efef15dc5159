//! Looks at the files of a database before anything is written: is there one, is its log whole, how closely is it to be
//! checked. It changes nothing.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::Connection;
use tracing::info;

use super::error::{StoreError, UNREADABLE};
use super::failure::SUSPECT;
use super::schema::{beside, has_log};
use super::state::{Found, StateFile};
use super::wal::{self, LastRun, Log, with};
use crate::proto::limits::{REBUILD_EVERY_MS, THOROUGH_BYTES_MAX};

/// Findings of a check that are read: enough to see if they are all of one kind.
const LINES: usize = 20;

/// What was found, and what is to be done about it.
#[derive(Debug)]
pub(super) struct Findings {
    is_gone: bool,
    log: Log,
    check: Check,
}

/// How closely a database is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Check {
    /// The last run closed it.
    Nothing,
    /// The last run ended otherwise, and the database is large: the structure of all pages.
    Quick,
    /// The last run ended otherwise: indexes against tables as well.
    Thorough,
    /// The last run read what was never written. A check that finds nothing does not disprove it.
    Rebuild(String),
}

/// Looks at the files of the database at `path`.
pub(super) fn inspect(path: &Path, state: &StateFile, wall_ms: u64) -> Result<Findings, StoreError> {
    let file = |source| StoreError::File { path: path.to_owned(), source };
    let was_open = state.get().open || state.found() == Found::Illegible;
    let is_gone = !path.metadata().is_ok_and(|file| file.len() > 0);
    if is_gone {
        if has_log(path) {
            return Err(StoreError::Damaged("its file was removed or emptied, and only its log is left".to_owned()));
        }
        let is_gone = state.found() != Found::Nothing || beside(path, SUSPECT).exists() || with(path, "-shm").exists();
        return Ok(Findings { is_gone, log: Log::Sound, check: Check::Nothing });
    }
    check_header(path)?;
    // A state that can't be read says nothing of a log that is not there: a clean end removes it.
    let last = LastRun { was_open: state.get().open, is_same_boot: state.is_of_this_boot() };
    let log = wal::check(path, last).map_err(file)?;
    let check = match suspicion(path) {
        Some(reason) if may_rebuild(state, wall_ms) => Check::Rebuild(reason),
        Some(_) => Check::Thorough,
        None if log == Log::Short => Check::Thorough,
        None if was_open || has_log(path) => match path.metadata() {
            Ok(file) if file.len() <= THOROUGH_BYTES_MAX => Check::Thorough,
            _ => Check::Quick,
        },
        None => Check::Nothing,
    };
    if log == Log::Broken {
        return Err(StoreError::Damaged("a part of its log is not what was written".to_owned()));
    }
    Ok(Findings { is_gone: false, log, check })
}

impl Findings {
    /// Returns true if the last run did not close the database.
    pub(super) fn is_unclean(&self) -> bool {
        self.check != Check::Nothing
    }

    /// Checks the database as closely as it needs. Returns false if the index of words alone is damaged.
    pub(super) fn check(&self, db: &Connection) -> Result<bool, StoreError> {
        let pragma = match &self.check {
            Check::Nothing => return Ok(true),
            Check::Quick => "quick_check",
            Check::Thorough => "integrity_check",
            Check::Rebuild(reason) => return Err(StoreError::Damaged(reason.clone())),
        };
        info!(pragma, "the last run did not end well: checking the database");
        let mut statement = db.prepare(&format!("PRAGMA {pragma}({LINES})"))?;
        let verdicts: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if verdicts == ["ok"] {
            return Ok(true);
        }
        info!(?verdicts, "the check found damage");
        // Both are said of the one virtual table there is.
        let of_words = |verdict: &String| verdict.contains("FTS5 table") || verdict.starts_with("fts5: ");
        if verdicts.iter().all(of_words) {
            return Ok(false);
        }
        let is_index = |verdict: &String| of_words(verdict) || verdict.contains(" index ");
        let is_index = verdicts.iter().all(is_index);
        Err(StoreError::Damaged(if is_index { "its indexes don't fit its tables" } else { UNREADABLE }.to_owned()))
    }

    /// What the user is told of files that are missing.
    pub(super) fn loss(&self, path: &Path) -> Option<String> {
        if self.is_gone {
            return Some(format!(
                "The history of this room is gone: the file {} was removed or emptied. What others hold comes back from \
                 them.",
                path.display()
            ));
        }
        (self.log == Log::Short).then(|| {
            format!(
                "The latest changes to the history of this room are gone: the file {} was removed or cut. What others \
                 hold of them comes back from them.",
                with(path, "-wal").display()
            )
        })
    }
}

/// What the last run noted, if it read what was never written.
fn suspicion(path: &Path) -> Option<String> {
    let text = std::fs::read(beside(path, SUSPECT)).ok()?;
    let text: String = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).take(200).collect();
    Some(if text.is_empty() { "a part of it could not be read".to_owned() } else { text })
}

/// Returns true if no repair was made within the hour. One that did not help is not made again and again: each keeps a copy.
fn may_rebuild(state: &StateFile, wall_ms: u64) -> bool {
    state.get().repaired_ms.is_none_or(|at_ms| wall_ms.abs_diff(at_ms) >= REBUILD_EVERY_MS)
}

/// Refuses a file that does not begin as each of our databases does: SQLite would take some for another kind of database,
/// and write to it. Refuses one that is shorter than it says, too, unless a log has the rest.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; 32];
    let file = File::open(path);
    let read = file.as_ref().map_err(|_| ()).and_then(|file| file.read_exact_at(&mut header, 0).map_err(|_| ()));
    let length = file.and_then(|file| file.metadata()).map_or(0, |file| file.len());
    let pages = u64::from(wal::number_at(&header, 28));
    let mut header = header.first_chunk::<24>().copied().unwrap_or_default();
    // Before its first commit it has not yet a log ahead of it.
    let is_ours = matches!(header[18..20], [1, 1] | [2, 2]);
    header[18..20].fill(2);
    if read.is_err() || !is_ours || header != *wal::DATABASE_HEADER {
        return Err(StoreError::Damaged("it does not begin like a database".to_owned()));
    }
    if !has_log(path) && length != pages * wal::PAGE as u64 {
        return Err(StoreError::Damaged("its length is not the one that it says".to_owned()));
    }
    Ok(())
}
