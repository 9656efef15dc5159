//! From a path to a database that is safe to write: of this node and room, not from a newer
//! program, checked after a crash, quarantined and made anew if it is damaged.

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};
use tracing::{debug, warn};

use super::altered::ALTERED;
use super::append::{Appender, forget_refs};
use super::audit::at_start;
use super::channels::rename_channels;
use super::checkpoint::checkpoint;
use super::error::StoreError;
use super::failure::SUSPECT;
use super::inspect::inspect;
use super::keep::last_name;
use super::mended::Mended;
use super::rebuild::{REBUILT, Rebuilt, rebuild};
use super::repair::{repair, resume};
use super::schema::{beside, check_file, check_sqlite, prepare, remove_if_there};
use super::search::{REINDEXED, clear};
use super::snapshot::snapshot;
use super::sql::int;
use super::state::StateFile;
use super::times::clear_times_ahead;
use crate::proto::ids::{Arrival, NodeId, RoomId};
use crate::proto::limits::RUNS_KEPT;
use crate::proto::name::Name;
use crate::proto::record::Snapshot;

/// How long a connection waits for another one's lock, in milliseconds. Only a second program could hold one.
const LOCK_WAIT_MS: u64 = 5_000;

/// Statements that a connection keeps prepared: more than there are in the program.
const STATEMENTS_KEPT: usize = 128;

/// Where a database lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In this file, and beside it.
    File(PathBuf),
    /// Nowhere: it ends with the store.
    Memory,
}

impl Location {
    /// The file of a room in a data directory.
    pub fn in_dir(dir: &Path, room: &RoomId) -> Self {
        Self::File(dir.join(format!("room-{}.db", &room.to_string()[..16])))
    }

    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }
}

/// A database ready to be written, and what it holds.
pub(super) struct Ready {
    pub(super) db: Connection,
    pub(super) appender: Appender,
    pub(super) run: String,
    pub(super) snapshot: Snapshot,
    pub(super) own_name: Option<Name>,
    pub(super) mended: Mended,
    /// Batches up to this number were not compared with the tables yet.
    pub(super) unchecked: Option<Arrival>,
    pub(super) state: Arc<StateFile>,
}

/// Whose database is opened, and when.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) room: &'a RoomId,
    pub(super) own: NodeId,
    pub(super) wall_ms: u64,
}

/// Opens or makes the database of `owner`. Damage that shows before everything is read is repaired.
pub(super) fn ready(location: &Location, owner: Owner<'_>) -> Result<Ready, StoreError> {
    check_sqlite()?;
    let state = Arc::new(StateFile::load(location.path()));
    let mended = Mended::new(state.clone(), owner.wall_ms);
    let Some(path) = location.path() else {
        let mut db = Connection::open_in_memory()?;
        set_up(&db)?;
        prepare(&mut db, None, owner.room, &owner.own)?;
        return loaded(db, owner, mended, state, false);
    };
    let opened = match resume(path, owner, &state) {
        Ok(repaired) => {
            repaired.iter().for_each(|text| mended.add(text));
            match file(path, owner, &mended, &state) {
                Err(StoreError::Damaged(reason) | StoreError::Inconsistent(reason)) => {
                    mended.add(&repair(path, owner, &state, &reason)?);
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
        // Then the next start does not miss what may be removed meanwhile.
        debug!(%error, "could not note that the database is open");
    }
    opened.map_err(|error| match error {
        StoreError::Sqlite(reason) => StoreError::Unusable { path: path.to_owned(), reason },
        other => other,
    })
}

fn file(path: &Path, owner: Owner<'_>, mended: &Mended, state: &Arc<StateFile>) -> Result<Ready, StoreError> {
    // First, since SQLite makes the index of the log anew. Another's database is refused, not repaired.
    let found = inspect(path, state, owner.wall_ms);
    check_file(path, owner.room, &owner.own)?;
    let found = found?;
    private(path)?;
    let mut db = connect(path)?;
    let is_index_whole = found.check(&db)?;
    if let Some(loss) = found.loss(path) {
        mended.add(&loss);
    }
    prepare(&mut db, Some(path), owner.room, &owner.own)?;
    if !is_index_whole {
        let transaction = db.transaction()?;
        clear(&transaction)?;
        transaction.commit()?;
        mended.add(REINDEXED);
    }
    let is_suspect = beside(path, SUSPECT).exists();
    let ready = loaded(db, owner, mended.clone(), state.clone(), is_suspect)?;
    if found.is_unclean() {
        // What a failed sync left may stand in the system's memory alone, and a later sync would not write it: moved, it is
        // written anew.
        checkpoint(&ready.db, "TRUNCATE")?;
    }
    remove_if_there(&beside(path, SUSPECT))?;
    Ok(ready)
}

/// Begins a run, and reads what an engine has to know. Tables that do not fit the batches are rebuilt from them.
fn loaded(
    mut db: Connection,
    owner: Owner<'_>,
    mended: Mended,
    state: Arc<StateFile>,
    is_suspect: bool,
) -> Result<Ready, StoreError> {
    loop {
        match begin(&mut db, owner, &mended, is_suspect) {
            Err(StoreError::Inconsistent(reason)) if !mended.has(REBUILT) => {
                warn!(reason, "{REBUILT}");
                let transaction = db.transaction()?;
                let Rebuilt { is_lossy, .. } = rebuild(&transaction, owner.own).map_err(StoreError::incurable)?;
                transaction.commit()?;
                mended.add(REBUILT);
                if is_lossy {
                    mended.add(ALTERED);
                }
            }
            begun => {
                let Begun { appender, run, snapshot, own_name, unchecked } = begun.map_err(StoreError::incurable)?;
                return Ok(Ready { db, appender, run, snapshot, own_name, mended, state, unchecked });
            }
        }
    }
}

/// A run that has begun.
struct Begun {
    appender: Appender,
    run: String,
    snapshot: Snapshot,
    own_name: Option<Name>,
    unchecked: Option<Arrival>,
}

fn begin(db: &mut Connection, owner: Owner<'_>, mended: &Mended, is_suspect: bool) -> Result<Begun, StoreError> {
    rename_channels(db)?;
    let mut appender = Appender::new(db, owner.own)?;
    let (unchecked, snapshot) = loop {
        let read = at_start(db, owner.own, is_suspect).and_then(|unchecked| {
            clear_times_ahead(db, owner.wall_ms)?;
            Ok((unchecked, snapshot(db, owner.own)?))
        });
        match read {
            Err(StoreError::Altered(batch)) => {
                let transaction = db.transaction()?;
                if appender.set_aside(&transaction, batch)?.is_none() {
                    // It would be met again and again.
                    return Err(StoreError::inconsistent("a message that is not stored was read"));
                }
                transaction.commit()?;
                mended.add(ALTERED);
            }
            read => break read?,
        }
    };
    let own_name = last_name(db)?;
    // Only now: a file that turns out to be damaged is quarantined with as few changes as possible. Batches that
    // were set aside and tables that were rebuilt before are in it.
    let run = begin_run(db, owner.wall_ms)?;
    Ok(Begun { appender, run, snapshot, own_name, unchecked })
}

/// Makes the file, if it is not there, for nobody but this user. What SQLite puts beside it has the same mode.
pub(super) fn private(path: &Path) -> Result<(), StoreError> {
    let error = |source| StoreError::File { path: path.to_owned(), source };
    let is_new = !path.exists();
    // Not `truncate`: it may be a database.
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(error)?;
    if file.metadata().map_err(error)?.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(error)?;
    }
    if is_new && let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(error)?;
    }
    Ok(())
}

/// A connection that writes, or moves the log into the database.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    set_up(&db)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Damaged(format!("it can't be written ahead, only in mode {mode}")));
    }
    Ok(db)
}

/// A connection that reads.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let db = connect(path)?;
    db.execute_batch("PRAGMA query_only = ON")?;
    Ok(db)
}

fn set_up(db: &Connection) -> Result<(), StoreError> {
    db.busy_timeout(Duration::from_millis(LOCK_WAIT_MS))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Whoever closes a database last would move the log into it, also after a sync has failed. `checkpoint` decides that.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Plans are made once, not anew for every value bound: our indexes are named or obvious.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Checkpoints have a thread of their own. `fullfsync` counts on macOS, where a plain sync is none.
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;
         PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
    )?;
    Ok(())
}

/// Begins a run: from here on numbers are given under its name.
fn begin_run(db: &mut Connection, wall_ms: u64) -> Result<String, StoreError> {
    let id = format!("{:016x}", rand::random::<u64>());
    let transaction = db.transaction()?;
    let start = super::numbers::highest(&transaction)?;
    transaction.execute("INSERT INTO run (id, start) VALUES (?1, ?2)", params![id, int(start)])?;
    transaction.execute("DELETE FROM run WHERE run <= (SELECT max(run) FROM run) - ?1", [int(RUNS_KEPT)])?;
    forget_refs(&transaction, wall_ms)?;
    transaction.commit()?;
    Ok(id)
}
