//! Logs whose author signed two things for one place: what the rule of [`crate::proto::fork`] finds in the tables, and
//! what becomes of them.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use tracing::warn;

use super::append::Appender;
use super::error::StoreError;
use super::fall::{Falls, Gone, Why};
use super::find::find;
use super::sql::{Blob32, Count, int};
use crate::proto::batch::{Verified, verify};
use crate::proto::fork::{End, Fork, Held, Signed, found, told};
use crate::proto::ids::{LogKey, RoomId, Seq};
use crate::proto::log::Fit;

/// One log as the rule sees it; nothing is written before it has decided.
struct HeldLog<'a> {
    db: &'a Connection,
    log: i64,
    room: RoomId,
    end: Option<End>,
}

impl HeldLog<'_> {
    fn batch(&self, which: &str, params: impl Params) -> Result<Option<Signed>, StoreError> {
        let mut statement = self.db.prepare_cached(&format!("SELECT bytes FROM batch WHERE log = ?1 AND {which}"))?;
        let bytes: Option<Vec<u8>> = statement.query_row(params, |row| row.get(0)).optional()?;
        // One that the disk changed says nothing.
        Ok(bytes.and_then(|bytes| verify(&Bytes::from(bytes), &self.room).ok()).map(|batch| Signed::of(&batch)))
    }
}

impl Held for HeldLog<'_> {
    type Error = StoreError;

    fn neighbours(&mut self, seq: Seq) -> Result<Vec<Signed>, StoreError> {
        let (end, head) = match self.end {
            Some(end) => (int(end.seq), end.head.map(Blob32::from)),
            None => (i64::MAX, None),
        };
        let mut neighbours = Vec::new();
        for which in [
            "first_seq < ?2 AND (last_seq < ?3 OR hash = ?4) ORDER BY first_seq DESC LIMIT 1",
            "first_seq = ?2 AND (last_seq < ?3 OR hash = ?4)",
            "first_seq > ?2 AND (last_seq < ?3 OR hash = ?4) ORDER BY first_seq LIMIT 1",
        ] {
            neighbours.extend(self.batch(which, params![self.log, int(seq), end, head])?);
        }
        Ok(neighbours)
    }

    fn cut(&mut self, end: End) -> Result<(), StoreError> {
        self.end = Some(end);
        Ok(())
    }
}

impl Appender {
    /// Whether a batch is to be stored. If it contradicts what is held, the log ends where the rule says.
    pub(super) fn admit(
        &mut self,
        db: &Connection,
        number: i64,
        batch: &Verified,
        falls: &mut Falls,
    ) -> Result<bool, StoreError> {
        let key = batch.header().key();
        match self.fit(db, batch)? {
            Fit::Fits | Fit::TooManyGaps => return Ok(true),
            Fit::Held => return Ok(false),
            Fit::Inside | Fit::Contradicts | Fit::Refused | Fit::Closed(_) => {}
        }
        if find(db, number, batch.header().first_seq)?.is_some_and(|found| found.hash == batch.hash()) {
            return Ok(false);
        }
        let known = self.numbers.log(db, key)?.and_then(|log| log.fork.clone());
        let mut held = HeldLog { db, log: number, room: batch.header().room, end: known.as_ref().map(Fork::end) };
        if let Some(fork) = found(&mut held, known, &Signed::of(batch))? {
            self.forked(db, key, number, fork, falls)?;
        }
        let admitted = matches!(self.fit(db, batch)?, Fit::Fits | Fit::TooManyGaps);
        if !admitted {
            falls.refused(key);
            if key.author == self.own {
                self.keep_fallen(db, batch, None, falls)?;
            }
        }
        Ok(admitted)
    }

    fn fit(&mut self, db: &Connection, batch: &Verified) -> Result<Fit, StoreError> {
        Ok(self.numbers.log(db, batch.header().key())?.map_or(Fit::Fits, |log| log.fit(batch)))
    }

    /// Takes over a fork that others found, if it says something new.
    pub(super) fn fork_told(&mut self, db: &Connection, fork: &Fork, falls: &mut Falls) -> Result<(), StoreError> {
        let header = fork.proof()[0].header();
        let number = self.numbers.log_of(db, header)?;
        let known = self.numbers.log(db, header.key())?.and_then(|log| log.fork.clone());
        let mut held = HeldLog { db, log: number, room: header.room, end: known.as_ref().map(Fork::end) };
        match told(&mut held, known, fork.clone())? {
            Some(fork) => self.forked(db, header.key(), number, fork, falls),
            None => Ok(()),
        }
    }

    /// Keeps the proof, and lets fall what is behind the end.
    fn forked(
        &mut self,
        db: &Connection,
        key: LogKey,
        number: i64,
        fork: Fork,
        falls: &mut Falls,
    ) -> Result<(), StoreError> {
        let end = fork.end();
        warn!(author = key.author.short(), log = %key.log, seq = end.seq, "two things were signed for one place: the log ends there");
        let [one, other] = fork.proof();
        db.prepare_cached("INSERT OR REPLACE INTO fork (log, one, other) VALUES (?1, ?2, ?3)")?.execute(params![
            number,
            one.bytes().as_ref(),
            other.bytes().as_ref()
        ])?;
        if let Some(log) = self.numbers.log(db, key)? {
            log.fork = Some(fork);
        }
        falls.refused(key);
        let mut statement = db.prepare_cached(
            "SELECT batch, first_seq, last_seq FROM batch WHERE log = ?1 AND last_seq >= ?2 AND (?3 IS NULL OR hash <> ?3)",
        )?;
        let head = end.head.map(Blob32::from);
        let read = |row: &rusqlite::Row<'_>| {
            let (batch, first, last) =
                (row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0, row.get::<_, Count>(2)?.0);
            Ok(Gone { batch, first, last })
        };
        let gone: Vec<Gone> =
            statement.query_map(params![number, int(end.seq), head], read)?.collect::<Result<_, _>>()?;
        self.fall(db, key, number, &gone, Why::Ended, falls)
    }
}

/// The fork of a log, if there is one. A proof that the disk changed is none; others tell it again.
pub(super) fn fork(db: &Connection, log: i64) -> Result<Option<Fork>, StoreError> {
    let mut statement = db.prepare_cached("SELECT one, other, (SELECT room FROM node) FROM fork WHERE log = ?1")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Blob32>(2)?));
    let Some((one, other, room)) = statement.query_row([log], read).optional()? else { return Ok(None) };
    let signed = |bytes: Vec<u8>| Signed::verify(&Bytes::from(bytes), &RoomId(room.0)).ok();
    Ok(signed(one).zip(signed(other)).and_then(|(one, other)| Fork::new(one, other)))
}
