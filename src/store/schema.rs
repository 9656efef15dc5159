//! Schema of a database: creation, recognition and migration.
//!
//! A database of a newer program, or of another node or room, is refused without being changed.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::error::StoreError;
use super::files::{has_wal, remove_if_there, with_suffix};
use super::sql::Blob32;
use super::tables::unpublished::repeat_deletions;
use crate::proto::ids::{NodeId, RoomId};

/// The schema of today.
const SCHEMA: &str = concat!(include_str!("schema.sql"), include_str!("changes.sql"), include_str!("files.sql"));

/// Migrations from version 1 to 2, 2 to 3, and so on.
///
/// Each step changes a column, a table or an index. So a database of another version that has all
/// of today's is damaged.
const MIGRATIONS: &[&str] = &[
    // 2: the full-text index, which fills itself from the beginning, and flags of members.
    "ALTER TABLE node ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
     CREATE VIRTUAL TABLE search USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1 2');
     ALTER TABLE author ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE author ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE author ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0",
    // 3: forks, entries that they cut off, damaged batches, the size of a log, and one more kind of
    // notice.
    "ALTER TABLE log ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
     UPDATE log SET bytes = (SELECT coalesce(sum(length(b.bytes)), 0) FROM batch b WHERE b.log = log.log);
     CREATE TABLE fork (log INTEGER PRIMARY KEY, one BLOB NOT NULL, other BLOB NOT NULL) STRICT;
     CREATE TABLE fallen (fallen INTEGER PRIMARY KEY, hash BLOB NOT NULL, place INTEGER NOT NULL, audience BLOB, body BLOB,
         name TEXT, content BLOB, UNIQUE (hash, place)) STRICT;
     CREATE TABLE damaged (batch INTEGER PRIMARY KEY, log INTEGER NOT NULL, first_seq INTEGER NOT NULL,
         bytes BLOB NOT NULL) STRICT;
     ALTER TABLE notice RENAME TO older_notice;
     CREATE TABLE notice (arrival INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL,
         kind TEXT NOT NULL CHECK (kind IN ('joined', 'back', 'left', 'lost', 'renamed', 'conflict', 'forked')),
         member INTEGER NOT NULL, name TEXT NOT NULL) STRICT;
     INSERT INTO notice SELECT * FROM older_notice;
     DROP TABLE older_notice",
    // 4: settings, drafts and unsent messages of pages.
    "CREATE TABLE page_storage (item INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT",
    // 5: what changes messages, statuses, topics and mentions. Entries that an earlier version
    // only kept are read again.
    concat!(
        "ALTER TABLE author ADD COLUMN status TEXT;
         ALTER TABLE author ADD COLUMN status_time INTEGER;
         ALTER TABLE conversation ADD COLUMN mentions INTEGER NOT NULL DEFAULT 0;",
        include_str!("changes.sql")
    ),
    // 6: the files of messages. No earlier version wrote or showed any.
    include_str!("files.sql"),
];

/// The version whose deletions name no channel. So they hide a message and remove no text.
const WITHOUT_CHANNELS: i64 = 5;

/// The version of [`SCHEMA`].
const VERSION: i64 = 1 + MIGRATIONS.len() as i64;

/// The application id in the file's header, for tools such as `file`: "Room".
const APPLICATION_ID: i64 = 0x526f_6f6d;

/// The oldest SQLite whose WAL mode does not lose commits.
const SQLITE_OLDEST: i32 = 3_051_003;

/// The owner that a database must have, and the time of the start.
#[derive(Clone, Copy)]
pub(super) struct ExpectedOwner<'a> {
    pub(super) room: &'a RoomId,
    pub(super) own: NodeId,
    pub(super) wall_ms: u64,
}

/// Refuses an SQLite library that can lose commits.
pub(super) fn check_sqlite() -> Result<(), StoreError> {
    if rusqlite::version_number() < SQLITE_OLDEST { Err(StoreError::OldSqlite(rusqlite::version())) } else { Ok(()) }
}

/// Refuses a database of a newer program or of another owner, before anything is opened for
/// writing.
pub(super) fn check_file(path: &Path, room: &RoomId, own: &NodeId) -> Result<(), StoreError> {
    if !path.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let db = open_read_only(path)?;
    let found = version(&db)?;
    if may_be_flipped(found) && form(&db)? == todays_form()? {
        return Err(StoreError::Damaged("its version is not what was written".to_owned()));
    }
    if found > VERSION {
        return Err(StoreError::SchemaTooNew { path: path.to_owned(), found, known: VERSION });
    }
    if found > 0 {
        check_owner(&db, path, room, own)?;
    }
    Ok(())
}

/// Returns true if this version may be today's with one bit flipped.
///
/// The next few versions are left out: a newer program may have written them, and its data is
/// refused untouched.
fn may_be_flipped(found: i64) -> bool {
    const NEXT_VERSIONS: i64 = 8;
    let has_one_flip = ((found ^ VERSION) as u32).is_power_of_two();
    found < VERSION || (found > VERSION + NEXT_VERSIONS && has_one_flip)
}

/// Returns the names of the tables, indexes and columns of a database.
///
/// Names are compared instead of definitions, since a migrated table has another text than a new
/// one.
fn form(db: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement = db.prepare(
        "SELECT name, type FROM sqlite_schema
         UNION ALL SELECT s.name, c.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c WHERE s.type = 'table'
         ORDER BY 1, 2",
    )?;
    Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

fn todays_form() -> Result<Vec<(String, String)>, StoreError> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(SCHEMA)?;
    form(&db)
}

/// Opens a database without changing any file.
///
/// Closing a read-only connection neither checkpoints nor removes the write-ahead log. Without a
/// log, `immutable` keeps SQLite from creating one.
fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if has_wal(path) {
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    Ok(Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?)
}

/// Creates the tables in an empty database, or migrates older ones. Returns true if it migrated.
pub(super) fn prepare_schema(
    db: &mut Connection,
    path: Option<&Path>,
    room: &RoomId,
    own: &NodeId,
) -> Result<bool, StoreError> {
    let found = version(db)?;
    if found == 0 {
        create(db, room, own)?;
    }
    let is_older = (1..VERSION).contains(&found);
    if is_older {
        migrate(db, path, MIGRATIONS, found)?;
        // Earlier versions left text in free pages. A full disk is no reason not to start.
        match db.execute_batch("VACUUM").map_err(StoreError::from) {
            Err(error) if !error.is_disk_full() => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(is_older)
}

fn version(db: &Connection) -> Result<i64, StoreError> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn create(db: &mut Connection, room: &RoomId, own: &NodeId) -> Result<(), StoreError> {
    let transaction = db.transaction()?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Err(StoreError::Damaged("it has tables, but no version".to_owned()));
    }
    transaction.execute_batch(SCHEMA)?;
    transaction
        .execute("INSERT INTO node (one, room, own) VALUES (1, ?1, ?2)", params![Blob32(room.0), Blob32(own.0)])?;
    transaction.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}"))?;
    Ok(transaction.commit()?)
}

fn check_owner(db: &Connection, path: &Path, room: &RoomId, own: &NodeId) -> Result<(), StoreError> {
    let found: Option<(Blob32, Blob32)> =
        db.query_row("SELECT room, own FROM node", [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match found {
        Some((found_room, found_own)) if found_room.0 == room.0 && found_own.0 == own.0 => Ok(()),
        // Two ids differ in half of their bits. A few differences are damage.
        Some((found_room, found_own)) if flipped(&found_room.0, &room.0) + flipped(&found_own.0, &own.0) <= 8 => {
            Err(StoreError::Damaged("it does not say for certain whose it is".to_owned()))
        }
        Some(_) => Err(StoreError::WrongOwner(path.to_owned())),
        None => Err(StoreError::Damaged("it does not say whose it is".to_owned())),
    }
}

/// Returns the number of bits in which two ids differ.
fn flipped(one: &[u8; 32], other: &[u8; 32]) -> u32 {
    one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum()
}

/// Migrates in one transaction, after a copy of the file was made. After a crash the database is
/// either old or new.
fn migrate(db: &mut Connection, path: Option<&Path>, steps: &[&str], found: i64) -> Result<(), StoreError> {
    if let Some(path) = path {
        let copy = with_suffix(path, &format!("version-{found}"));
        if !copy.exists() {
            // Written under another name first: a copy that a crash cut short must not count as
            // complete.
            let partial = with_suffix(path, "partial");
            remove_if_there(&partial)?;
            db.execute("VACUUM INTO ?1", [partial.to_string_lossy()])?;
            let file = |source| StoreError::File { path: copy.clone(), source };
            std::fs::File::open(&partial).and_then(|opened| opened.sync_all()).map_err(file)?;
            std::fs::rename(&partial, &copy).map_err(file)?;
        }
    }
    let transaction = db.transaction()?;
    let done = usize::try_from(found - 1).unwrap_or(0);
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if found == WITHOUT_CHANNELS {
        repeat_deletions(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", 1 + steps.len() as i64)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([1; 32]);
    const OWN: NodeId = NodeId([2; 32]);

    #[test]
    fn an_older_database_is_migrated_and_its_copy_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("room.db");
        let mut db = Connection::open(&path).expect("open");
        prepare_schema(&mut db, Some(&path), &ROOM, &OWN).expect("new");
        assert_eq!(version(&db).expect("version"), VERSION);

        let steps = ["CREATE TABLE more (a INTEGER) STRICT", "ALTER TABLE more ADD COLUMN b TEXT"];
        db.pragma_update(None, "user_version", 1).expect("an older one");
        migrate(&mut db, Some(&path), &steps, 1).expect("migrated");
        assert_eq!(version(&db).expect("version"), 3);
        db.execute("INSERT INTO more VALUES (1, 'x')", []).expect("both steps were taken");

        let copy = Connection::open(with_suffix(&path, "version-1")).expect("the copy");
        assert_eq!(version(&copy).expect("version"), 1);
        check_owner(&copy, &path, &ROOM, &OWN).expect("with its content");
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_version() {
        let mut db = Connection::open_in_memory().expect("open");
        prepare_schema(&mut db, None, &ROOM, &OWN).expect("new");
        db.pragma_update(None, "user_version", 1).expect("an older one");
        migrate(&mut db, None, &["CREATE TABLE more (a INTEGER)", "nonsense"], 1).expect_err("nonsense");
        assert_eq!(version(&db).expect("version"), 1);
        db.query_row("SELECT count(*) FROM more", [], |_| Ok(())).expect_err("nothing half-done");
    }
}
