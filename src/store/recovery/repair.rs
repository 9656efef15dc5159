//! Replaces a damaged database by a new one. A crash at any moment leaves a repair that the next
//! start resumes:
//!
//! 1. The state file records the name of the quarantine.
//! 2. The database, `-wal` and `-shm` are renamed to it. They are never opened for writing or
//!    deleted afterwards.
//! 3. `….db.new` is filled with the salvaged data. A file that an earlier attempt left is removed.
//! 4. That file is renamed to the database. From here on, a database under this name is the
//!    repaired one.
//! 5. The state file drops the repair, and stores its report.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tracing::warn;

use super::salvage::salvage;
use super::state_file::{Repair, Report, StateFile};
use crate::proto::limits::{REBUILD_EVERY_MS, REPAIRS_MAX};
use crate::store::connection::{checkpoint, connect};
use crate::store::error::StoreError;
use crate::store::failure::SUSPECT;
use crate::store::files::{beside, private, remove_if_there, sync_dir, with_suffix};
use crate::store::schema::{ExpectedOwner, prepare_schema};
use crate::store::write::state::WriteState;

/// The suffixes of SQLite's files of a database. The database itself comes last, since a start
/// looks for its name.
pub(super) const FILES: [&str; 4] = ["-wal", "-shm", "-journal", ""];

/// Suffix of the database that is being filled.
const NEW: &str = "new";

/// Suffix of the copy that is read.
const COPY: &str = "copy";

/// Quarantines the database at `path`, and replaces it by a salvaged one. Returns the report to the
/// user.
///
/// A database that is damaged again and again is refused, since each repair keeps a copy.
pub(crate) fn repair(
    path: &Path,
    owner: ExpectedOwner<'_>,
    state: &StateFile,
    reason: &str,
) -> Result<String, StoreError> {
    warn!(path = %path.display(), reason, "the database is damaged");
    let quarantine = unused(path, owner.wall_ms).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut times = state.get().repairs_ms;
    times.retain(|at_ms| owner.wall_ms.abs_diff(*at_ms) < REBUILD_EVERY_MS);
    if times.len() >= REPAIRS_MAX {
        return Err(StoreError::DamagedAgain {
            path: path.to_owned(),
            times: times.len() + 1,
            kept: quarantined(path),
        });
    }
    times.push(owner.wall_ms);
    let repair = Repair { quarantine, reason: reason.to_owned(), moved: false };
    let begun = state.update(|state| {
        state.repair = Some(repair.clone());
        state.repairs_ms = times;
    });
    begun.map_err(|error| no_room(error, path))?;
    proceed(path, owner, state, repair)
}

/// Resumes a repair that a crash interrupted, if there is one. Returns the report to the user.
pub(crate) fn resume(path: &Path, owner: ExpectedOwner<'_>, state: &StateFile) -> Result<Option<String>, StoreError> {
    match state.get().repair {
        Some(repair) => proceed(path, owner, state, repair).map(Some),
        None => Ok(None),
    }
}

fn proceed(path: &Path, owner: ExpectedOwner<'_>, state: &StateFile, mut repair: Repair) -> Result<String, StoreError> {
    let quarantine = path.with_file_name(&repair.quarantine);
    if !repair.moved {
        for suffix in FILES {
            rename(&beside(path, suffix), &beside(&quarantine, suffix))?;
        }
        sync_dir(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        repair.moved = true;
        state.update(|state| state.repair = Some(repair.clone()))?;
    }
    if !path.exists() {
        let new = with_suffix(path, NEW);
        if let Err(error) = fill(path, &new, &quarantine, owner) {
            // The next start begins again, and may need the space.
            for unfinished in [&new, &with_suffix(path, COPY)] {
                if let Err(error) = remove_all(unfinished) {
                    warn!(%error, "an unfinished repair leaves a file");
                }
            }
            return Err(no_room(error, &quarantine));
        }
        std::fs::rename(&new, path)
            .and_then(|()| sync_dir(path))
            .map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    }
    remove_if_there(&with_suffix(path, SUSPECT))?;
    let text = report(&repair.reason, &quarantine, messages(path)?);
    let report = Report { at_ms: owner.wall_ms, text: text.clone() };
    state.update(|state| {
        state.repair = None;
        state.open = false;
        state.repaired_ms = Some(owner.wall_ms);
        state.reports.push(report);
    })?;
    Ok(text)
}

/// Returns the sentence of a report that names the quarantine.
pub(super) fn kept_sentence(quarantine: &Path) -> String {
    format!(" The damaged file was kept as {}.", quarantine.display())
}

/// Returns the report to the user.
fn report(reason: &str, quarantine: &Path, messages: i64) -> String {
    let kept = match quarantine.exists() || beside(quarantine, "-wal").exists() {
        true => kept_sentence(quarantine),
        false => String::new(),
    };
    let recovered = match messages {
        0 => "No messages could be recovered".to_owned(),
        1 => "1 message was recovered".to_owned(),
        more => format!("{more} messages were recovered"),
    };
    format!(
        "This room’s history was damaged ({reason}). {recovered}. Missing messages that others have will arrive \
         again.{kept}"
    )
}

/// Adds the space that is needed to the error of a full disk. `kept` is the damaged database.
fn no_room(error: StoreError, kept: &Path) -> StoreError {
    if !error.is_disk_full() {
        return error;
    }
    let bytes = |suffix: &&str| beside(kept, suffix).metadata().map_or(0, |file| file.len());
    // A copy to read from, and the new database.
    let needed = 2 * FILES.iter().map(bytes).sum::<u64>();
    StoreError::NoRoomToRepair { path: kept.to_owned(), mebibytes: needed / (1024 * 1024) + 1 }
}

/// Returns the quarantined databases beside the one at `path`.
fn quarantined(path: &Path) -> String {
    let begins = with_suffix(path, "damaged-").file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = path.parent().and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_database =
        |name: &String| name.starts_with(&begins) && FILES.iter().all(|end| end.is_empty() || !name.ends_with(end));
    let mut names: Vec<_> =
        names.filter(is_database).map(|name| path.with_file_name(name).display().to_string()).collect();
    names.sort();
    names.join(", ")
}

/// Returns an unused name for the quarantine.
fn unused(path: &Path, wall_ms: u64) -> PathBuf {
    let mut name = with_suffix(path, &format!("damaged-{wall_ms}"));
    let mut again = 1;
    while FILES.iter().any(|suffix| beside(&name, suffix).exists()) {
        again += 1;
        name = with_suffix(path, &format!("damaged-{wall_ms}-{again}"));
    }
    name
}

/// Renames a file that may be missing.
fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    match std::fs::rename(from, to) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::File { path: from.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Fills a new database with everything that can be salvaged from the quarantine.
fn fill(path: &Path, new: &Path, quarantine: &Path, owner: ExpectedOwner<'_>) -> Result<(), StoreError> {
    let copy = with_suffix(path, COPY);
    remove_all(new)?;
    remove_all(&copy)?;
    private(new)?;
    let mut db = connect(new)?;
    // The file is not in use before it is complete.
    db.execute_batch("PRAGMA synchronous = OFF")?;
    prepare_schema(&mut db, None, owner.room, &owner.own)?;
    let mut appender = WriteState::new(&db, owner.own)?;
    salvage(quarantine, &copy, &mut db, &mut appender, owner.room)?;
    db.execute_batch("PRAGMA synchronous = FULL")?;
    checkpoint(&db, "TRUNCATE")?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    db.close().map_err(|(_, error)| error)?;
    std::fs::File::open(new)
        .and_then(|file| file.sync_all())
        .map_err(|source| StoreError::File { path: new.to_owned(), source })?;
    // The write-ahead log was moved into the file, so the file can be renamed without it.
    remove_all(&beside(new, "-wal"))?;
    remove_all(&copy)
}

/// Removes a database that holds no data of its own, and SQLite's files beside it.
fn remove_all(path: &Path) -> Result<(), StoreError> {
    FILES.iter().try_for_each(|suffix| remove_if_there(&beside(path, suffix)))
}

fn messages(path: &Path) -> Result<i64, StoreError> {
    let db = Connection::open(path)?;
    Ok(db.query_row("SELECT count(*) FROM entry WHERE conversation IS NOT NULL", [], |row| row.get(0))?)
}
