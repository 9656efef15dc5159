//! Batches that the disk changed. Whoever reads one finds that it is not what was signed; the writer then takes it out of its
//! log, keeps it as it was found, and the engine hears that it is lacking. So others bring it back like anything else that
//! this node does not hold, and what its own user kept beside it is put back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use tracing::warn;

use super::append::Appender;
use super::error::StoreError;
use super::fall::{Falls, Gone, Why, room};
use super::sql::{Blob32, Count, LogColumn, int};
use super::writer::Writer;
use crate::proto::batch::{Verified, verify};
use crate::proto::ids::{Arrival, LogKey, NodeId, RoomId};
use crate::proto::limits::WARN_EVERY_MS;
use crate::proto::record::{Changed, Written};

/// What the user is told, in the log once a minute at most.
pub(super) const ALTERED: &str = "The disk changed a message that was stored: it is kept as it was found, and asked of the others again. Check the disk.";

/// A batch as it lies on the disk.
struct Stored {
    at: Gone,
    log: i64,
    key: LogKey,
    bytes: Bytes,
}

impl Stored {
    fn find(db: &Connection, which: &str, params: impl Params) -> Result<Option<Self>, StoreError> {
        let mut statement = db.prepare_cached(&format!(
            "SELECT b.batch, b.first_seq, b.last_seq, b.log, b.bytes, l.id, a.key FROM batch b
             JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author WHERE {which}"
        ))?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Self {
                at: Gone {
                    batch: row.get::<_, Count>(0)?.0,
                    first: row.get::<_, Count>(1)?.0,
                    last: row.get::<_, Count>(2)?.0,
                },
                log: row.get(3)?,
                bytes: Bytes::from(row.get::<_, Vec<u8>>(4)?),
                key: LogKey { log: row.get::<_, LogColumn>(5)?.0, author: NodeId(row.get::<_, Blob32>(6)?.0) },
            })
        };
        Ok(statement.query_row(params, read).optional()?)
    }

    /// True if it is what was signed.
    fn is_sound(&self, room: &RoomId) -> bool {
        verify(&self.bytes, room).is_ok()
    }
}

impl Appender {
    /// Takes a batch out of its log, and with it those right behind it that the disk changed as well: what is left hangs
    /// together by what its batches name. `None` if there is no such batch: it was set aside before.
    pub(super) fn set_aside(&mut self, db: &Connection, batch: Arrival) -> Result<Option<Changed>, StoreError> {
        let room = room(db)?;
        let Some(found) = Stored::find(db, "b.batch = ?1", [int(batch)])? else {
            // Its log or the author may be what is missing.
            let is_here = db.prepare_cached("SELECT 1 FROM batch WHERE batch = ?1")?.exists([int(batch)])?;
            return if is_here { Err(StoreError::inconsistent("the log of a message is missing")) } else { Ok(None) };
        };
        if found.is_sound(&room) {
            // Then what is wrong stands beside it.
            return Err(StoreError::inconsistent("a message can't be read, though it is what was signed"));
        }
        let (key, log) = (found.key, found.log);
        let mut gone = Vec::new();
        let mut next = Some(found);
        while let Some(changed) = next.take_if(|next| !next.is_sound(&room)) {
            changed.at.check(db, log)?;
            db.prepare_cached("INSERT OR REPLACE INTO damaged (batch, log, first_seq, bytes) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![int(changed.at.batch), log, int(changed.at.first), changed.bytes.as_ref()])?;
            gone.push(changed.at);
            let behind = params![log, int(changed.at.last + 1)];
            next = Stored::find(db, "b.log = ?1 AND b.first_seq = ?2", behind)?;
        }
        let mut falls = Falls::default();
        self.fall(db, key, log, &gone, Why::Altered, &mut falls)?;
        self.changed(db, falls).map(Some)
    }
}

/// Puts what was kept beside an own batch that the disk changed beside it again, now that others have brought it back as
/// number `start`. False if there is no such thing.
pub(super) fn put_back(db: &Connection, log: i64, start: Arrival, batch: &Verified) -> Result<bool, StoreError> {
    let header = batch.header();
    let mut statement =
        db.prepare_cached("SELECT max(batch) FROM damaged WHERE log = ?1 AND first_seq = ?2 GROUP BY log")?;
    let before = statement.query_row(params![log, int(header.first_seq)], |row| row.get::<_, Count>(0)).optional()?;
    let Some(Count(before)) = before else { return Ok(false) };
    let last = before + header.entries.len() as Arrival - 1;
    db.prepare_cached("UPDATE ref SET arrival = arrival - ?1 + ?2 WHERE arrival BETWEEN ?1 AND ?3")?.execute([
        int(before),
        int(start),
        int(last),
    ])?;
    let moved = db.prepare_cached("UPDATE own SET batch = ?2 WHERE batch = ?1")?.execute([int(before), int(start)])?;
    Ok(moved > 0)
}

impl Writer {
    /// Has a batch set aside that the writer itself met. If there is none, the tables contradict each other: without a
    /// rebuild the writer would meet it again and again.
    pub(super) fn set_aside_own(&mut self, batch: Arrival) -> Result<(), StoreError> {
        if self.set_aside(batch)? { Ok(()) } else { self.rebuild("a message that is not stored was read") }
    }

    /// Has a batch set aside that is not what was signed, and tells the engine what is lacking now. Returns false if there
    /// is no such batch: another reader had it set aside.
    pub(super) fn set_aside(&mut self, batch: Arrival) -> Result<bool, StoreError> {
        let changed = match self.committed(|writer| writer.appender.set_aside(&writer.db, batch)) {
            Err(StoreError::Inconsistent(reason)) => return self.rebuild(&reason).map(|()| true),
            changed => changed?,
        };
        let is_found = changed.is_some();
        if let Some(changed) = changed {
            self.mended.add(ALTERED);
            if self.altered_told.is_none_or(|told| told.elapsed() > Duration::from_millis(WARN_EVERY_MS)) {
                self.altered_told = Some(Instant::now());
                warn!("{ALTERED}");
            }
            // Nobody listens any more while the node stops.
            let _ = self.answers.send(Written::Changed(changed));
        }
        Ok(is_found)
    }
}
