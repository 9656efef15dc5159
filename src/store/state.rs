//! A small file beside the database, `….db.state`: whether a run has the database open, a repair that is not finished, and
//! what was repaired. It knows nothing of what these mean; `open` and `repair` act on it.
//!
//! Without it, a removed database looks like a new room, and a repair that was killed like a complete one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::schema::beside;

/// The word behind the name of the database.
const STATE: &str = "state";

/// The content of the file. A field that a newer program adds is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// True while a run has the database open; still true after a crash.
    pub(super) open: bool,
    /// The start of the system in which it was opened, where the system names them.
    pub(super) boot: Option<String>,
    /// A repair that is not finished.
    pub(super) repair: Option<Repair>,
    /// When the last repair was finished, in milliseconds since 1970.
    pub(super) repaired_ms: Option<u64>,
    /// When the latest repairs began, oldest first, in milliseconds since 1970.
    pub(super) repairs_ms: Vec<u64>,
    /// The arrival number with which the background check goes on.
    pub(super) scrub_next: u64,
    /// When the background check was last through, in milliseconds since 1970.
    pub(super) scrubbed_ms: Option<u64>,
    /// Reports for the user, oldest first.
    pub(super) reports: Vec<Report>,
}

/// A repair under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Repair {
    /// File name of the quarantined database.
    pub(super) quarantine: String,
    /// Why it was quarantined.
    pub(super) reason: String,
    /// True once the database and its log carry that name. A database under the old name is then the repaired one.
    pub(super) moved: bool,
}

/// One thing that was repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Milliseconds since 1970, by the wall clock of the run that found it.
    pub(super) at_ms: u64,
    /// A sentence or two for the user.
    pub(super) text: String,
}

/// The file and its content.
#[derive(Debug)]
pub(super) struct StateFile {
    /// None in memory.
    path: Option<PathBuf>,
    found: Found,
    state: Mutex<State>,
}

/// What a start found in the place of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No file: a new room, or a database of an earlier version of the program.
    Nothing,
    /// A file that was read.
    State,
    /// A file that can't be read.
    Illegible,
}

impl StateFile {
    /// Reads the file beside the database at `path`; none: in memory. Changes nothing.
    pub(super) fn load(path: Option<&Path>) -> Self {
        let path = path.map(|path| beside(path, STATE));
        let (found, state) = match path.as_ref().map(std::fs::read) {
            None => (Found::Nothing, State::default()),
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => (Found::Nothing, State::default()),
            Some(read) => match read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                Some(state) => (Found::State, state),
                None => (Found::Illegible, State::default()),
            },
        };
        Self { path, found, state: Mutex::new(state) }
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    /// A copy of the content.
    pub(super) fn get(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns true if a run of this start of the system opened the database.
    pub(super) fn is_of_this_boot(&self) -> bool {
        let boot = boot();
        boot.is_some() && self.get().boot == boot
    }

    /// Notes whether a run has the database open.
    pub(super) fn set_open(&self, open: bool) -> Result<(), StoreError> {
        self.update(|state| {
            state.open = open;
            state.boot = boot();
        })
    }

    /// Changes the content; returns once it is on the disk. After a crash the file has the old content or the new.
    pub(super) fn update(&self, change: impl FnOnce(&mut State)) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = state.clone();
        change(&mut changed);
        if changed == *state && self.found == Found::State {
            return Ok(());
        }
        if let Some(path) = &self.path {
            replace(path, &changed).map_err(|source| StoreError::File { path: path.clone(), source })?;
        }
        *state = changed;
        Ok(())
    }
}

/// The name of this start of the system.
fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

fn replace(path: &Path, state: &State) -> std::io::Result<()> {
    let part = beside(path, "part");
    let bytes = serde_json::to_vec(state)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&bytes)?;
    // A name that reaches the disk before its content would be a file without any.
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    sync_dir(path)
}

/// Returns once the names in the directory of `path` are on the disk.
pub(super) fn sync_dir(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("room.db");
        let file = StateFile::load(Some(&path));
        assert_eq!((file.found(), file.get()), (Found::Nothing, State::default()));
        let report = Report { at_ms: 7, text: "repaired".to_owned() };
        file.update(|state| state.reports.push(report.clone())).expect("written");
        file.set_open(true).expect("written");
        let again = StateFile::load(Some(&path));
        assert_eq!((again.found(), again.get().reports, again.get().open), (Found::State, vec![report], true));
    }

    #[test]
    fn an_illegible_file_is_known_as_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("room.db");
        for bytes in [&b""[..], b"{\"open\":tru", b"\xff"] {
            std::fs::write(beside(&path, STATE), bytes).expect("written");
            let file = StateFile::load(Some(&path));
            assert_eq!((file.found(), file.get()), (Found::Illegible, State::default()));
            file.set_open(false).expect("written");
            assert_eq!(StateFile::load(Some(&path)).found(), Found::State);
        }
    }
}
