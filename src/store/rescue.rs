//! A damaged database is never deleted: it is set aside, and every batch in it that can still be read and verifies
//! goes into the new one. What else it knew (names, receipts, a caller's refs, what the user thinks of others, proofs of
//! forks, what is to be said again) is taken over as far as it is legible; the rest comes back from others, or is lost
//! and was only ever this node's own.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use tracing::warn;

use super::append::Appender;
use super::error::StoreError;
use super::fall::Falls;
use super::fork::forks;
use super::keep::{last_name, own_name};
use super::marks::marks;
use super::page_storage;
use super::schema::beside;
use super::snapshot::{members, receipts};
use super::sql::{Blob32, Count, int};
use crate::proto::batch::verify;
use crate::proto::ids::{Hash, NodeId, RoomId};
use crate::proto::marks::MarkChange;
use crate::proto::record::{Append, OwnBatch, Ref};

/// Batches taken over in one transaction.
const BATCHES_PER_COMMIT: usize = 1_000;

/// Renames the database and what belongs to it. Returns its new name.
pub(super) fn set_aside(path: &Path, wall_ms: u64) -> Result<PathBuf, StoreError> {
    let mut aside = beside(path, &format!("damaged-{wall_ms}"));
    let mut again = 1;
    while aside.exists() {
        again += 1;
        aside = beside(path, &format!("damaged-{wall_ms}-{again}"));
    }
    // The log first: the name of the database is what a start looks for.
    for suffix in ["-wal", "-shm", ""] {
        let with = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        match std::fs::rename(with(path), with(&aside)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::File { path: with(path), source });
            }
            _ => {}
        }
    }
    Ok(aside)
}

/// Takes over what can be from the file set aside. Returns how many batches.
pub(super) fn take_over(
    aside: &Path,
    db: &mut Connection,
    appender: &mut Appender,
    room: &RoomId,
) -> Result<usize, StoreError> {
    let old =
        match Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX) {
            Ok(old) => old,
            Err(error) => {
                warn!(%error, "nothing can be read from the damaged database");
                return Ok(0);
            }
        };
    let mut salvage = Salvage { old: &old, own: appender.own, room, db, appender, waiting: Vec::new(), taken: 0 };
    salvage.batches()?;
    salvage.flush()?;
    let taken = salvage.taken;
    rest(&old, db, appender)?;
    Ok(taken)
}

struct Salvage<'a> {
    old: &'a Connection,
    own: NodeId,
    room: &'a RoomId,
    db: &'a mut Connection,
    appender: &'a mut Appender,
    waiting: Vec<Append>,
    taken: usize,
}

impl Salvage<'_> {
    /// Goes through the table forwards. Where a page is damaged, it steps over it, ever further, and then comes
    /// back from behind as far as it can.
    fn batches(&mut self) -> Result<(), StoreError> {
        let mut read_to = 0_i64;
        let mut step = 1_i64;
        let mut from = 1_i64;
        loop {
            let (last, complete) = self.run("batch >= ?1 AND batch > ?2 ORDER BY batch", from, read_to)?;
            if let Some(last) = last {
                if from > read_to + 1 {
                    self.run("batch < ?1 AND batch > ?2 ORDER BY batch DESC", from, read_to)?;
                }
                read_to = last;
                step = 1;
            }
            if complete {
                return Ok(());
            }
            step = step.saturating_mul(2);
            from = read_to.max(from).saturating_add(step);
            if from == i64::MAX {
                return Ok(());
            }
        }
    }

    /// Reads rows until one can't be read: the last one's number, and whether it came to the end.
    fn run(&mut self, which: &str, from: i64, read_to: i64) -> Result<(Option<i64>, bool), StoreError> {
        let old = self.old;
        let mut last = None;
        let Ok(mut statement) = old.prepare_cached(&format!("SELECT batch, bytes FROM batch WHERE {which}")) else {
            return Ok((None, true));
        };
        let Ok(mut rows) = statement.query([from, read_to]) else { return Ok((None, false)) };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok((last, true)),
                Err(_) => return Ok((last, false)),
            };
            let (Ok(number), Ok(bytes)) = (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(1)) else { continue };
            last = Some(number);
            self.take(number, Bytes::from(bytes))?;
        }
    }

    fn take(&mut self, number: i64, bytes: Bytes) -> Result<(), StoreError> {
        let Ok(batch) = verify(&bytes, self.room) else { return Ok(()) };
        let own = (batch.header().author == self.own)
            .then(|| own_batch(self.old, number, batch.header().entries.len()).unwrap_or_default());
        self.waiting.push(Append { batch, own });
        if self.waiting.len() >= BATCHES_PER_COMMIT { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let transaction = self.db.transaction()?;
        self.appender.append(&transaction, &self.waiting)?;
        transaction.commit()?;
        self.taken += self.waiting.len();
        self.waiting.clear();
        Ok(())
    }
}

/// What stood beside an own batch.
fn own_batch(old: &Connection, number: i64, entries: usize) -> Result<OwnBatch, StoreError> {
    let mut own = OwnBatch { refs: vec![None; entries], ..OwnBatch::default() };
    let mut statement =
        old.prepare_cached("SELECT arrival - ?1, name, content FROM ref WHERE arrival >= ?1 AND arrival < ?1 + ?2")?;
    let mut rows = statement.query(params![number, entries as i64])?;
    while let Some(row) = rows.next()? {
        let index = usize::try_from(row.get::<_, Count>(0)?.0).unwrap_or(usize::MAX);
        if let Some(slot) = own.refs.get_mut(index) {
            *slot = Some(Ref { name: row.get(1)?, content: Hash(row.get::<_, Blob32>(2)?.0) });
        }
    }
    let mut lines = super::line::Lines::new(old, NodeId([0; 32]));
    own.of = lines.in_reach(number.unsigned_abs())?;
    Ok(own)
}

/// What is not in batches. Each part is taken if all of it can be read.
fn rest(old: &Connection, db: &mut Connection, appender: &mut Appender) -> Result<(), StoreError> {
    let transaction = db.transaction()?;
    for member in members(old, appender.own).unwrap_or_default() {
        appender.member(&transaction, &member)?;
    }
    for receipt in receipts(old).unwrap_or_default() {
        appender.receipt(&transaction, &receipt)?;
    }
    for (member, marks) in marks(old).unwrap_or_default() {
        let (verified, muted, blocked) = (Some(marks.verified), Some(marks.muted), Some(marks.blocked));
        appender.mark(&transaction, member, MarkChange { verified, muted, blocked })?;
    }
    let mut falls = Falls::default();
    for fork in forks(old).unwrap_or_default() {
        appender.fork_told(&transaction, &fork, &mut falls)?;
    }
    appender.changed(&transaction, falls)?;
    copy_fallen(old, &transaction)?;
    page_storage::copy(old, &transaction)?;
    if let Ok(Some(name)) = last_name(old) {
        own_name(&transaction, &name)?;
    }
    // The marks were numbers of the old database. A thousand old messages shown as new would help nobody.
    transaction.execute("UPDATE conversation SET read = ?1, unread = 0", [int(appender.highest)])?;
    Ok(transaction.commit()?)
}

/// What is to be said again, and what was: each thing once for ever.
fn copy_fallen(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    const COLUMNS: usize = 6;
    let read = || -> rusqlite::Result<Vec<[Value; COLUMNS]>> {
        let mut statement =
            old.prepare("SELECT hash, place, audience, body, name, content FROM fallen ORDER BY fallen")?;
        let row = |row: &rusqlite::Row<'_>| {
            let mut values = [const { Value::Null }; COLUMNS];
            for (index, value) in values.iter_mut().enumerate() {
                *value = row.get(index)?;
            }
            Ok(values)
        };
        statement.query_map([], row)?.collect()
    };
    let mut insert = db.prepare(
        "INSERT INTO fallen (hash, place, audience, body, name, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?;
    for row in read().unwrap_or_default() {
        match insert.execute(row) {
            // Read from a page of something else: no row of this table.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            inserted => _ = inserted?,
        }
    }
    Ok(())
}
