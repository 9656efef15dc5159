//! Opens a database for writing: checks the owner and the schema version, checks integrity after a
//! crash, and repairs damage.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{debug, warn};

use super::connection::{Location, checkpoint, connect, set_up};
use super::error::StoreError;
use super::failure::SUSPECT;
use super::files::{private, remove_if_there, with_suffix};
use super::read::engine_snapshot::snapshot;
use super::recovery::audit::check_on_open;
use super::recovery::free_space::RebuildSpace;
use super::recovery::inspect::inspect;
use super::recovery::rebuild::{REBUILT, Rebuilt, rebuild};
use super::recovery::repair::{repair, resume};
use super::recovery::repair_notes::RepairNotes;
use super::recovery::state_file::StateFile;
use super::recovery::times::clear_times_ahead;
use super::schema::{ExpectedOwner, check_file, check_sqlite, prepare_schema};
use super::tables::conversations::rename_channels;
use super::tables::node::last_name;
use super::tables::refs::forget_refs;
use super::tables::runs::begin_run;
use super::tables::search_index::{REINDEXED, clear};
use super::write::quarantine::{CORRUPTION_NOTICE, quarantine};
use super::write::state::WriteState;
use crate::proto::ids::Arrival;
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::{Committed, Snapshot};

/// The state that a start found.
#[derive(Debug)]
pub struct Opened {
    /// The stored state that the engine starts from.
    pub snapshot: Snapshot,
    /// The name of this run, 16 hex digits. A tab resumes with it and an arrival number.
    pub run: String,
    /// The highest arrival number given so far.
    pub arrival: Arrival,
    /// This node's name when it last ran.
    pub own_name: Option<Name>,
    /// The results of writes, in the order of the commits.
    ///
    /// Unbounded: the writes that the engine has in flight limit them. A repair adds one
    /// [`WriteResult::Changed`](crate::proto::replication::store_api::WriteResult::Changed).
    pub answers: UnboundedReceiver<Committed>,
}

/// A database that is ready for writing, and the state that it holds.
pub(super) struct OpenDatabase {
    pub(super) db: Connection,
    pub(super) tables: WriteState,
    pub(super) run: String,
    pub(super) snapshot: Snapshot,
    pub(super) own_name: Option<Name>,
    pub(super) mended: RepairNotes,
    /// Batches up to this arrival number were not checked yet.
    pub(super) unchecked: Option<Arrival>,
    /// True if deleted text may be left in the files, by the last run, an earlier version or a
    /// repair.
    pub(super) may_have_text: bool,
    pub(super) state: Arc<StateFile>,
}

/// Opens or creates the database of `owner`. Repairs damage that shows before all batches were
/// checked.
pub(super) fn ready(location: &Location, owner: ExpectedOwner<'_>) -> Result<OpenDatabase, StoreError> {
    check_sqlite()?;
    let state = Arc::new(StateFile::load(location.path()));
    let mended = RepairNotes::new(state.clone(), owner.wall_ms);
    let Some(path) = location.path() else {
        let mut db = Connection::open_in_memory()?;
        set_up(&db)?;
        prepare_schema(&mut db, None, owner.room, &owner.own)?;
        return loaded(db, owner, mended, state, false);
    };
    let opened = match resume(path, owner, &state) {
        Ok(repaired) => {
            repaired.iter().for_each(|text| mended.push(text));
            match file(path, owner, &mended, &state) {
                Err(StoreError::Damaged(reason) | StoreError::Inconsistent(reason)) => {
                    mended.push(&repair(path, owner, &state, &reason)?);
                    file(path, owner, &mended, &state)
                }
                opened => opened,
            }
        }
        Err(error) => Err(error),
    };
    if opened.is_ok()
        && let Err(error) = state.set_open(true)
    {
        // The next start then does not notice files that are removed meanwhile.
        debug!(%error, "could not note that the database is open");
    }
    opened.map_err(|error| match error {
        StoreError::Sqlite(reason) => StoreError::Unusable { path: path.to_owned(), reason },
        other => other,
    })
}

fn file(
    path: &Path,
    owner: ExpectedOwner<'_>,
    mended: &RepairNotes,
    state: &Arc<StateFile>,
) -> Result<OpenDatabase, StoreError> {
    // Before SQLite opens the file, since it recreates the index of the write-ahead log. The owner
    // is checked before damage is repaired: a foreign database is refused untouched.
    let found = inspect(path, state, owner.wall_ms);
    check_file(path, owner.room, &owner.own)?;
    let found = found?;
    private(path)?;
    let mut db = connect(path)?;
    let is_index_whole = found.check(&db)?;
    if let Some(loss) = found.loss(path) {
        mended.push(&loss);
    }
    let is_migrated = prepare_schema(&mut db, Some(path), owner.room, &owner.own)?;
    if !is_index_whole {
        let transaction = db.transaction()?;
        clear(&transaction)?;
        transaction.commit()?;
        mended.push(REINDEXED);
    }
    let is_suspect = with_suffix(path, SUSPECT).exists();
    let mut ready = loaded(db, owner, mended.clone(), state.clone(), is_suspect)?;
    ready.may_have_text |= is_migrated || found.is_unclean();
    if found.is_unclean() {
        // Pages of a failed sync may be in the system's memory only, and a later sync would skip
        // them. The checkpoint writes them again.
        checkpoint(&ready.db, "TRUNCATE")?;
    }
    remove_if_there(&with_suffix(path, SUSPECT))?;
    Ok(ready)
}

/// Begins a run and reads the state for the engine. Tables that contradict the batches are rebuilt.
fn loaded(
    mut db: Connection,
    owner: ExpectedOwner<'_>,
    mended: RepairNotes,
    state: Arc<StateFile>,
    is_suspect: bool,
) -> Result<OpenDatabase, StoreError> {
    let mut has_stripped = false;
    loop {
        match begin(&mut db, owner, &mended, is_suspect) {
            Err(StoreError::Inconsistent(reason)) if !mended.has(REBUILT) => {
                warn!(reason, "{REBUILT}");
                RebuildSpace::default().check(&db)?;
                let transaction = db.transaction()?;
                let Rebuilt { tables, is_lossy, .. } =
                    rebuild(&transaction, owner.own).map_err(StoreError::needs_new_database)?;
                transaction.commit()?;
                has_stripped |= tables.has_stripped;
                mended.push(REBUILT);
                if is_lossy {
                    mended.push(CORRUPTION_NOTICE);
                }
            }
            begun => {
                let Begun { tables, run, snapshot, own_name, unchecked } =
                    begun.map_err(StoreError::needs_new_database)?;
                let may_have_text = has_stripped;
                return Ok(OpenDatabase {
                    db,
                    tables,
                    run,
                    snapshot,
                    own_name,
                    mended,
                    unchecked,
                    may_have_text,
                    state,
                });
            }
        }
    }
}

/// The state at the beginning of a run.
struct Begun {
    tables: WriteState,
    run: String,
    snapshot: Snapshot,
    own_name: Option<Name>,
    unchecked: Option<Arrival>,
}

fn begin(
    db: &mut Connection,
    owner: ExpectedOwner<'_>,
    mended: &RepairNotes,
    is_suspect: bool,
) -> Result<Begun, StoreError> {
    rename_channels(db)?;
    let mut tables = WriteState::new(db, owner.own)?;
    let (unchecked, snapshot) = loop {
        let read = check_on_open(db, owner.own, is_suspect).and_then(|unchecked| {
            clear_times_ahead(db, owner.wall_ms)?;
            Ok((unchecked, snapshot(db, owner.own)?))
        });
        match read {
            Err(StoreError::CorruptBatch(batch)) => {
                let transaction = db.transaction()?;
                if quarantine(&mut tables, &transaction, batch)?.is_none() {
                    // A retry would meet it again.
                    return Err(StoreError::inconsistent("a message that is not stored was read"));
                }
                transaction.commit()?;
                mended.push(CORRUPTION_NOTICE);
            }
            read => break read?,
        }
    };
    let own_name = last_name(db)?;
    // Written last, so that a file that turns out to be damaged is quarantined with few changes.
    // Batches that were quarantined before, and tables that were rebuilt, are among them.
    let run = begin_session(db, owner.wall_ms)?;
    Ok(Begun { tables, run, snapshot, own_name, unchecked })
}

/// Begins a run, which labels the arrival numbers from now on. Returns its name.
fn begin_session(db: &mut Connection, wall_ms: u64) -> Result<String, StoreError> {
    let transaction = db.transaction()?;
    let run = begin_run(&transaction)?;
    forget_refs(&transaction, wall_ms)?;
    transaction.commit()?;
    Ok(run)
}
