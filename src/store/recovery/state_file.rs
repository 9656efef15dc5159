//! The state file, `….db.state`: whether a run has the database open, an unfinished repair, and
//! reports of repairs. Its content is interpreted by `open` and `repair`.
//!
//! Without it, a removed database would look like a new room, and an interrupted repair like a
//! complete one.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::store::error::StoreError;
use crate::store::files::{sync_dir, with_suffix};

/// Suffix of the file.
const STATE: &str = "state";

/// The content of the file. Unknown fields of a newer program are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DatabaseState {
    /// True while a run has the database open, and after a crash.
    pub(crate) open: bool,
    /// The boot id of the system when it was opened, if the system has one.
    pub(crate) boot: Option<String>,
    /// The unfinished repair.
    pub(crate) repair: Option<Repair>,
    /// Time of the last finished repair, in milliseconds since 1970.
    pub(crate) repaired_ms: Option<u64>,
    /// Times at which the latest repairs began, oldest first, in milliseconds since 1970.
    pub(crate) repairs_ms: Vec<u64>,
    /// The arrival number at which the scrub continues.
    pub(crate) scrub_next: u64,
    /// Time of the last complete scrub, in milliseconds since 1970.
    pub(crate) scrubbed_ms: Option<u64>,
    /// True if deleted text may be left in the search index.
    pub(crate) erasing: bool,
    /// Reports for the user, oldest first.
    pub(crate) reports: Vec<Report>,
}

/// A repair in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repair {
    /// File name of the quarantined database.
    pub(crate) quarantine: String,
    /// The reason for the quarantine.
    pub(crate) reason: String,
    /// True once the damaged files have that name. A database under the old name is then the
    /// repaired one.
    pub(crate) moved: bool,
}

/// The report of one repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Milliseconds since 1970, by the wall clock of the run that found it.
    pub(crate) at_ms: u64,
    /// A sentence or two for the user.
    pub(crate) text: String,
}

/// The file and its content.
#[derive(Debug)]
pub(crate) struct StateFile {
    /// None in memory.
    path: Option<PathBuf>,
    found: FoundState,
    state: Mutex<DatabaseState>,
}

/// The result of reading the file at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundState {
    /// No file: a new room, or a database of an earlier version of the program.
    Nothing,
    /// A legible file.
    State,
    /// An illegible file.
    Illegible,
}

impl StateFile {
    /// Reads the file beside the database at `path`. In memory there is none. Changes nothing.
    pub(crate) fn load(path: Option<&Path>) -> Self {
        let path = path.map(|path| with_suffix(path, STATE));
        let (found, state) = match path.as_ref().map(std::fs::read) {
            None => (FoundState::Nothing, DatabaseState::default()),
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => (FoundState::Nothing, DatabaseState::default()),
            Some(read) => match read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                Some(state) => (FoundState::State, state),
                None => (FoundState::Illegible, DatabaseState::default()),
            },
        };
        Self { path, found, state: Mutex::new(state) }
    }

    pub(crate) fn found(&self) -> FoundState {
        self.found
    }

    /// Returns a copy of the content.
    pub(crate) fn get(&self) -> DatabaseState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns true if the system has not rebooted since the database was opened.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        let boot = boot();
        boot.is_some() && self.get().boot == boot
    }

    /// Records whether a run has the database open.
    pub(crate) fn set_open(&self, open: bool) -> Result<(), StoreError> {
        self.update(|state| {
            state.open = open;
            state.boot = boot();
        })
    }

    /// Changes the content. Returns once it is on the disk. After a crash the file has the old
    /// content or the new.
    pub(crate) fn update(&self, change: impl FnOnce(&mut DatabaseState)) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = state.clone();
        change(&mut changed);
        if changed == *state && self.found == FoundState::State {
            return Ok(());
        }
        if let Some(path) = &self.path {
            replace(path, &changed).map_err(|source| StoreError::File { path: path.clone(), source })?;
        }
        *state = changed;
        Ok(())
    }
}

/// Returns the boot id of the system.
fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

fn replace(path: &Path, state: &DatabaseState) -> std::io::Result<()> {
    let part = with_suffix(path, "part");
    let bytes = serde_json::to_vec(state)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&bytes)?;
    // Synced before the rename: the name could reach the disk before the content.
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    sync_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_state_is_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("room.db");
        let file = StateFile::load(Some(&path));
        assert_eq!((file.found(), file.get()), (FoundState::Nothing, DatabaseState::default()));
        let report = Report { at_ms: 7, text: "repaired".to_owned() };
        file.update(|state| state.reports.push(report.clone())).expect("written");
        file.set_open(true).expect("written");
        let again = StateFile::load(Some(&path));
        assert_eq!((again.found(), again.get().reports, again.get().open), (FoundState::State, vec![report], true));
    }

    #[test]
    fn illegible_file_is_detected() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("room.db");
        for bytes in [&b""[..], b"{\"open\":tru", b"\xff"] {
            std::fs::write(with_suffix(&path, STATE), bytes).expect("written");
            let file = StateFile::load(Some(&path));
            assert_eq!((file.found(), file.get()), (FoundState::Illegible, DatabaseState::default()));
            file.set_open(false).expect("written");
            assert_eq!(StateFile::load(Some(&path)).found(), FoundState::State);
        }
    }
}
