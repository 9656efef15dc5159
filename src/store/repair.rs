//! Replaces a damaged database by a new one. A kill at any moment leaves a repair that the next start takes up again:
//!
//! 1. The state file names the quarantine.
//! 2. Database, `-wal` and `-shm` are renamed to it, as they are. They are never opened for writing, and never deleted.
//! 3. `….db.new` is filled with what can be salvaged, from copies. Whatever an earlier try left of it is thrown away.
//! 4. It is renamed to the database. From here on a database under that name is the repaired one.
//! 5. The state file forgets the repair, and has its report.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tracing::warn;

use super::append::Appender;
use super::checkpoint::checkpoint;
use super::error::StoreError;
use super::failure::SUSPECT;
use super::open::{Owner, connect, private};
use super::rescue::salvage;
use super::schema::{beside, prepare, remove_if_there};
use super::state::{Repair, Report, StateFile, sync_dir};
use super::wal::with;
use crate::proto::limits::{REBUILD_EVERY_MS, REPAIRS_MAX};

/// What SQLite keeps under the name of a database. The database comes last: its name is what a start looks for.
const FILES: [&str; 4] = ["-wal", "-shm", "-journal", ""];

/// The word behind the name of a database that is being filled.
const NEW: &str = "new";

/// The word behind the name of the copy that is read.
const COPY: &str = "copy";

/// Quarantines the database at `path`, and puts what can be salvaged in its place. One that is damaged again and again is
/// refused: each repair keeps a copy.
pub(super) fn repair(path: &Path, owner: Owner<'_>, state: &StateFile, reason: &str) -> Result<String, StoreError> {
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

/// Takes up a repair that a crash has cut short, if there is one.
pub(super) fn resume(path: &Path, owner: Owner<'_>, state: &StateFile) -> Result<Option<String>, StoreError> {
    match state.get().repair {
        Some(repair) => proceed(path, owner, state, repair).map(Some),
        None => Ok(None),
    }
}

fn proceed(path: &Path, owner: Owner<'_>, state: &StateFile, mut repair: Repair) -> Result<String, StoreError> {
    let quarantine = path.with_file_name(&repair.quarantine);
    if !repair.moved {
        for suffix in FILES {
            rename(&with(path, suffix), &with(&quarantine, suffix))?;
        }
        sync_dir(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        repair.moved = true;
        state.update(|state| state.repair = Some(repair.clone()))?;
    }
    if !path.exists() {
        let new = beside(path, NEW);
        if let Err(error) = fill(path, &new, &quarantine, owner) {
            // The next start begins anew, and may need their room.
            for unfinished in [&new, &beside(path, COPY)] {
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
    remove_if_there(&beside(path, SUSPECT))?;
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

/// What the user is told.
fn report(reason: &str, quarantine: &Path, messages: i64) -> String {
    let kept = match quarantine.exists() || with(quarantine, "-wal").exists() {
        true => format!(" The damaged file was kept as {}.", quarantine.display()),
        false => String::new(),
    };
    let recovered = match messages {
        0 => "No message in it could be read".to_owned(),
        1 => "1 message in it could be read and is here".to_owned(),
        more => format!("{more} messages in it could be read and are here"),
    };
    format!(
        "The history of this room was damaged ({reason}). {recovered}; what is missing comes back from others, as far \
         as they hold it.{kept}"
    )
}

/// Says how much room is needed, if there was too little of it. `kept`: where the damaged database is.
fn no_room(error: StoreError, kept: &Path) -> StoreError {
    if !error.is_disk_full() {
        return error;
    }
    let bytes = |suffix: &&str| with(kept, suffix).metadata().map_or(0, |file| file.len());
    // A copy to read from, and what is made of it.
    let needed = 2 * FILES.iter().map(bytes).sum::<u64>();
    StoreError::NoRoomToRepair { path: kept.to_owned(), mebibytes: needed / (1024 * 1024) + 1 }
}

/// The quarantined databases beside the one at `path`.
fn quarantined(path: &Path) -> String {
    let begins = beside(path, "damaged-").file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = path.parent().and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_database =
        |name: &String| name.starts_with(&begins) && FILES.iter().all(|end| end.is_empty() || !name.ends_with(end));
    let mut names: Vec<_> =
        names.filter(is_database).map(|name| path.with_file_name(name).display().to_string()).collect();
    names.sort();
    names.join(", ")
}

/// A name for the quarantine that no file has.
fn unused(path: &Path, wall_ms: u64) -> PathBuf {
    let mut name = beside(path, &format!("damaged-{wall_ms}"));
    let mut again = 1;
    while FILES.iter().any(|suffix| with(&name, suffix).exists()) {
        again += 1;
        name = beside(path, &format!("damaged-{wall_ms}-{again}"));
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

/// Makes a complete database of everything that can be salvaged from the quarantine.
fn fill(path: &Path, new: &Path, quarantine: &Path, owner: Owner<'_>) -> Result<(), StoreError> {
    let copy = beside(path, COPY);
    remove_all(new)?;
    remove_all(&copy)?;
    private(new)?;
    let mut db = connect(new)?;
    // The file is not in use before it is complete.
    db.execute_batch("PRAGMA synchronous = OFF")?;
    prepare(&mut db, None, owner.room, &owner.own)?;
    let mut appender = Appender::new(&db, owner.own)?;
    salvage(quarantine, &copy, &mut db, &mut appender, owner.room)?;
    db.execute_batch("PRAGMA synchronous = FULL")?;
    checkpoint(&db, "TRUNCATE")?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    db.close().map_err(|(_, error)| error)?;
    std::fs::File::open(new)
        .and_then(|file| file.sync_all())
        .map_err(|source| StoreError::File { path: new.to_owned(), source })?;
    // Its log was moved into it; renamed without it, it is whole.
    remove_all(&with(new, "-wal"))?;
    remove_all(&copy)
}

/// Removes a file of ours that holds nothing of its own, and what SQLite keeps beside it.
fn remove_all(path: &Path) -> Result<(), StoreError> {
    FILES.iter().try_for_each(|suffix| remove_if_there(&with(path, suffix)))
}

fn messages(path: &Path) -> Result<i64, StoreError> {
    let db = Connection::open(path)?;
    Ok(db.query_row("SELECT count(*) FROM entry WHERE conversation IS NOT NULL", [], |row| row.get(0))?)
}
