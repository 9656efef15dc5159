//! Batches that leave their log again: behind the end of a forked one, or because the disk changed them. Their traces in
//! the tables go with them, what stood on them finds its place anew, and what this node's own user said is kept to be
//! said again.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::append::Appender;
use super::error::StoreError;
use super::places::{Settling, named_by};
use super::snapshot::tops;
use super::sql::{Blob32, Count, int};
use crate::proto::batch::{Verified, verify};
use crate::proto::body::{Body, SALT_BYTES};
use crate::proto::clock::Stamp;
use crate::proto::ids::{Arrival, Hash, LogKey, NodeId, RoomId, Seq};
use crate::proto::limits::BATCH_ENTRIES_MAX;
use crate::proto::record::{Changed, Fallen, LogRecord, Ref, Run};
use crate::proto::timeline::resettle;

/// A batch that goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    /// The arrival number of its first entry.
    pub(super) batch: Arrival,
    pub(super) first: Seq,
    pub(super) last: Seq,
}

impl Gone {
    /// Succeeds if the columns of the batch fit everything around them. The disk may have changed them as well, and what they
    /// name is deleted: without this check, entries of other batches.
    pub(super) fn check(&self, db: &Connection, log: i64) -> Result<(), StoreError> {
        let Self { first, last, .. } = *self;
        let count = last.checked_sub(first).map_or(0, |more| more.saturating_add(1));
        let most = BATCH_ENTRIES_MAX as u64;
        let is_range = (1..=most).contains(&count) && first > 0;
        if is_range && self.has_entries(db, count)? && self.is_alone(db, log)? {
            return Ok(());
        }
        Err(StoreError::inconsistent("a batch that goes has other numbers than its entries or its log"))
    }

    /// Returns true if exactly `count` entries belong to the batch.
    fn has_entries(&self, db: &Connection, count: u64) -> Result<bool, StoreError> {
        let mut statement = db.prepare_cached(
            "SELECT count(*), coalesce(max(arrival), 0) FROM entry WHERE arrival BETWEEN ?1 AND ?2 AND batch = ?1",
        )?;
        let to = int(self.batch.saturating_add(BATCH_ENTRIES_MAX as u64));
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0));
        let found = statement.query_row([int(self.batch), to], read)?;
        Ok(found == (count, self.batch + count - 1))
    }

    /// Returns true if the log holds the range, and no other batch of it does.
    fn is_alone(&self, db: &Connection, log: i64) -> Result<bool, StoreError> {
        let held = super::numbers::spans(db, log)?;
        let mut statement = db.prepare_cached(
            "SELECT count(*), max(batch) FROM batch WHERE log = ?1 AND first_seq BETWEEN ?2 AND ?3 AND last_seq >= ?4",
        )?;
        let from = self.first.saturating_sub(BATCH_ENTRIES_MAX as u64);
        let params = params![log, int(from), int(self.last), int(self.first)];
        let found: (i64, Option<i64>) = statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let is_held = held.iter().any(|span| span.first <= self.first && self.last <= span.last);
        Ok(is_held && found == (1, Some(int(self.batch))))
    }
}

/// Why batches go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Their log ends before them, and they never come back.
    Ended,
    /// The disk changed them: they come back from others, and what this node kept beside its own waits for that.
    Altered,
}

/// What fell, or was refused, in one piece of work.
#[derive(Debug, Default)]
pub(super) struct Falls {
    logs: BTreeSet<LogKey>,
    /// What stood on something that is gone.
    unsettled: Vec<(LogKey, Seq)>,
    /// Whether messages are among it.
    messages: bool,
    fallen: Vec<Fallen>,
}

impl Falls {
    /// The engine has to hear what is held of this log.
    pub(super) fn refused(&mut self, key: LogKey) {
        self.logs.insert(key);
    }
}

impl Appender {
    /// Takes batches out of a log.
    pub(super) fn fall(
        &mut self,
        db: &Connection,
        key: LogKey,
        number: i64,
        gone: &[Gone],
        why: Why,
        falls: &mut Falls,
    ) -> Result<(), StoreError> {
        falls.refused(key);
        if gone.is_empty() {
            return Ok(());
        }
        for batch in gone {
            batch.check(db, number)?;
        }
        let spans = self.numbers.log(db, key)?.map(|log| log.spans.clone()).unwrap_or_default();
        let left = without(db, number, spans, gone)?;
        for batch in gone {
            if why == Why::Ended
                && key.author == self.own
                && let Some(held) = stored(db, batch.batch)?
            {
                self.keep_fallen(db, &held, Some(batch.batch), falls)?;
            }
            let standing = named_by(db, key.log, batch.first, batch.last)?;
            falls.unsettled.extend(standing.into_iter().map(|(_, key, first)| (key, first)));
            falls.unsettled.push((key, batch.last + 1));
            falls.messages |= forget(db, number, *batch, why)?;
        }
        db.prepare_cached("DELETE FROM span WHERE log = ?1")?.execute([number])?;
        for run in &left {
            super::numbers::put_span(db, number, run)?;
        }
        if let Some(log) = self.numbers.log(db, key)? {
            log.spans = left;
        }
        Ok(())
    }

    /// Keeps what this node's user said in a batch that is not, or no more, part of its log; each thing once for ever.
    pub(super) fn keep_fallen(
        &mut self,
        db: &Connection,
        batch: &Verified,
        arrival: Option<Arrival>,
        falls: &mut Falls,
    ) -> Result<(), StoreError> {
        for index in 0..batch.header().entries.len() {
            let Some(body) = batch.body(index).filter(|body| !matches!(body, Body::Profile { .. })) else { continue };
            let reference = match arrival {
                Some(first) => reference(db, first + index as Arrival)?,
                None => None,
            };
            let (name, content) = (
                reference.as_ref().map(|reference| reference.name.clone()),
                reference.as_ref().map(|reference| Blob32(reference.content.0)),
            );
            let audience = batch.header().audience;
            let new = db
                .prepare_cached(
                    "INSERT INTO fallen (hash, place, audience, body, name, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    Blob32(batch.hash().0),
                    index as i64,
                    audience.map(Blob32::from),
                    body.encode([0; SALT_BYTES]),
                    name,
                    content
                ])?;
            if new > 0 {
                let number = db.last_insert_rowid().unsigned_abs();
                falls.fallen.push(Fallen { number, audience, body, reference });
            }
        }
        Ok(())
    }

    /// Puts what stood on something gone where it belongs now, and says what the engine has to know.
    pub(super) fn changed(&mut self, db: &Connection, falls: Falls) -> Result<Changed, StoreError> {
        let mut changed = Changed { fallen: falls.fallen, ..Changed::default() };
        resettle(&mut Settling::alone(db, &mut self.numbers, self.highest), falls.unsettled)?;
        for key in falls.logs {
            let Some(log) = self.numbers.log(db, key)? else { continue };
            let (audience, ranges, fork) = (log.audience, log.spans.clone(), log.fork.clone());
            let mut bytes = db.prepare_cached("SELECT bytes FROM log WHERE log = ?1")?;
            let bytes = bytes.query_row([log.number], |row| row.get::<_, Count>(0))?.0;
            changed.logs.push(LogRecord { key, audience, ranges, bytes, fork });
        }
        if falls.messages {
            changed.run = Some(self.afresh(db)?);
            changed.tops = tops(db)?;
        }
        Ok(changed)
    }
}

/// What is still to be said again.
pub(super) fn fallen(db: &Connection) -> Result<Vec<Fallen>, StoreError> {
    let mut statement =
        db.prepare("SELECT fallen, audience, body, name, content FROM fallen WHERE body IS NOT NULL ORDER BY fallen")?;
    let mut rows = statement.query([])?;
    let mut fallen = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(body) = Body::decode(&row.get::<_, Vec<u8>>(2)?) else { continue };
        let (name, content): (Option<String>, Option<Blob32>) = (row.get(3)?, row.get(4)?);
        fallen.push(Fallen {
            number: row.get::<_, Count>(0)?.0,
            audience: row.get::<_, Option<Blob32>>(1)?.map(|id| NodeId(id.0)),
            body,
            reference: name.zip(content).map(|(name, content)| Ref { name, content: Hash(content.0) }),
        });
    }
    Ok(fallen)
}

/// These are said again.
pub(super) fn said_again(db: &Connection, numbers: &[u64]) -> Result<(), StoreError> {
    let mut statement =
        db.prepare_cached("UPDATE fallen SET body = NULL, name = NULL, content = NULL WHERE fallen = ?1")?;
    for number in numbers {
        statement.execute([int(*number)])?;
    }
    Ok(())
}

/// Every trace of a batch but its span. Whether there were messages in it.
fn forget(db: &Connection, log: i64, Gone { batch, first, last }: Gone, why: Why) -> Result<bool, StoreError> {
    let (from, to) = (int(batch), int(batch + (last - first)));
    let mut messages =
        db.prepare_cached("SELECT arrival FROM entry WHERE arrival BETWEEN ?1 AND ?2 AND conversation IS NOT NULL")?;
    let messages: Vec<i64> = messages.query_map([from, to], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let indexed = int(super::search::indexed(db)?);
    for arrival in messages.iter().filter(|arrival| **arrival <= indexed) {
        db.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([arrival])?;
    }
    db.prepare_cached("DELETE FROM entry WHERE arrival BETWEEN ?1 AND ?2")?.execute([from, to])?;
    db.prepare_cached("DELETE FROM named WHERE batch = ?1")?.execute([from])?;
    if why == Why::Ended {
        db.prepare_cached("DELETE FROM ref WHERE arrival BETWEEN ?1 AND ?2")?.execute([from, to])?;
        db.prepare_cached("DELETE FROM own WHERE batch = ?1")?.execute([from])?;
    }
    db.prepare_cached("DELETE FROM profile WHERE log = ?1 AND seq BETWEEN ?2 AND ?3")?.execute(params![
        log,
        int(first),
        int(last)
    ])?;
    let bytes = "UPDATE log SET bytes = bytes - (SELECT length(bytes) FROM batch WHERE batch = ?2) WHERE log = ?1";
    db.prepare_cached(bytes)?.execute([log, from])?;
    db.prepare_cached("DELETE FROM batch WHERE batch = ?1")?.execute([from])?;
    Ok(!messages.is_empty())
}

/// What is left of spans without some batches, whose rows are still there.
fn without(db: &Connection, log: i64, spans: Vec<Run>, gone: &[Gone]) -> Result<Vec<Run>, StoreError> {
    let mut gone = gone.to_vec();
    gone.sort_unstable_by_key(|batch| batch.first);
    let mut left = Vec::new();
    for span in spans {
        let mut rest = Some(span);
        for batch in gone.iter().filter(|batch| span.first <= batch.first && batch.last <= span.last) {
            let Some(run) = rest.take() else { break };
            if run.first < batch.first
                && let Some(last) = edge(db, log, "last_seq = ?2", batch.first - 1)?
            {
                left.push(Run { last: last.last, head: last.head, last_time: last.last_time, ..run });
            }
            if batch.last < run.last {
                let next = edge(db, log, "first_seq = ?2", batch.last + 1)?;
                rest = next.map(|next| Run { last: run.last, head: run.head, last_time: run.last_time, ..next });
            }
        }
        left.extend(rest);
    }
    Ok(left)
}

/// The batch that begins or ends at an entry, as a span of its own.
fn edge(db: &Connection, log: i64, which: &str, seq: Seq) -> Result<Option<Run>, StoreError> {
    let sql = format!(
        "SELECT b.first_seq, b.last_seq, b.hash, b.bytes, f.time, l.time FROM batch b
         JOIN entry f ON f.arrival = b.batch JOIN entry l ON l.arrival = b.batch + b.last_seq - b.first_seq
         WHERE b.log = ?1 AND b.{which}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        let bytes = Bytes::from(row.get::<_, Vec<u8>>(3)?);
        let run = Run {
            first: row.get::<_, Count>(0)?.0,
            prev: None,
            last: row.get::<_, Count>(1)?.0,
            head: Hash(row.get::<_, Blob32>(2)?.0),
            first_time: Stamp(row.get::<_, Count>(4)?.0),
            last_time: Stamp(row.get::<_, Count>(5)?.0),
        };
        Ok((run, bytes))
    };
    let Some((mut run, bytes)) = statement.query_row(params![log, int(seq)], read).optional()? else {
        return Ok(None);
    };
    run.prev = verify(&bytes, &room(db)?).ok().and_then(|batch| batch.header().prev);
    Ok(Some(run))
}

/// A batch as it is stored; none if it does not verify any more.
fn stored(db: &Connection, batch: Arrival) -> Result<Option<Verified>, StoreError> {
    let mut statement = db.prepare_cached("SELECT bytes FROM batch WHERE batch = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([int(batch)], |row| row.get(0)).optional()?;
    let room = room(db)?;
    Ok(bytes.and_then(|bytes| verify(&Bytes::from(bytes), &room).ok()))
}

/// The caller's own name for a message.
fn reference(db: &Connection, arrival: Arrival) -> Result<Option<Ref>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name, content FROM ref WHERE arrival = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok(Ref { name: row.get(0)?, content: Hash(row.get::<_, Blob32>(1)?.0) });
    Ok(statement.query_row([int(arrival)], read).optional()?)
}

pub(super) fn room(db: &Connection) -> Result<RoomId, StoreError> {
    Ok(RoomId(db.prepare_cached("SELECT room FROM node")?.query_row([], |row| row.get::<_, Blob32>(0))?.0))
}
