//! Batches into tables, with the places of their entries, in the transaction of the caller. Nothing here commits.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::altered::put_back;
use super::error::StoreError;
use super::fall::{Falls, said_again};
use super::find::find;
use super::line::{Lines, Row, rows};
use super::numbers::{Numbers, extend};
use super::places::Settling;
use super::sql::{Blob32, int, log_id};
use crate::proto::batch::Verified;
use crate::proto::body::Body;
use crate::proto::clock::Stamp;
use crate::proto::ids::{Arrival, LogKey, NodeId, Seq};
use crate::proto::limits::{REF_MS, RENAMED_LINES_MAX};
use crate::proto::record::{Append, Changed, OwnBatch};
use crate::proto::timeline::{Conversation, Line, settle};

/// The writer's view of the tables. After a rollback it must be made anew.
pub(super) struct Appender {
    pub(super) own: NodeId,
    /// The highest arrival number given.
    pub(super) highest: Arrival,
    pub(super) numbers: Numbers,
}

/// What came of an append.
#[derive(Debug, Default)]
pub(super) struct Appended {
    /// The messages, in arrival order.
    pub(super) lines: Vec<Line>,
    /// Messages stored before whose order changed.
    pub(super) moved: Vec<Line>,
    /// What was refused, or had to go.
    pub(super) changed: Changed,
}

/// A batch that was stored.
pub(super) struct Put {
    /// The number of its log.
    pub(super) log: i64,
    /// The arrival number of its first entry.
    pub(super) start: Arrival,
    /// The entries outside it whose place changed.
    pub(super) moved: Vec<(LogKey, Seq)>,
}

impl Appender {
    /// Goes on where `db` is.
    pub(super) fn new(db: &Connection, own: NodeId) -> Result<Self, StoreError> {
        Ok(Self { own, highest: super::numbers::highest(db)?, numbers: Numbers::default() })
    }

    /// Stores batches in their order; skips those that are here already.
    pub(super) fn append(&mut self, db: &Connection, batches: &[Append]) -> Result<Appended, StoreError> {
        let first = self.highest + 1;
        let mut moved = BTreeSet::new();
        let mut falls = Falls::default();
        for append in batches {
            if let Some(others) = self.store(db, append, &mut falls)? {
                moved.extend(others);
                moved.extend(self.renamed(db, &append.batch)?);
            }
        }
        let changed = self.changed(db, falls)?;
        let mut lines = Lines::new(db, self.own);
        let mut appended = Appended { changed, ..Appended::default() };
        if self.highest >= first {
            const NEW: &str =
                rows!("entry e", "WHERE e.arrival >= ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival");
            appended.lines = lines.all(NEW, [int(first)])?;
        }
        for (key, seq) in moved {
            const ONE: &str = rows!("entry e", "WHERE e.arrival = ?1 AND e.conversation IS NOT NULL");
            let Some(log) = self.numbers.log(db, key)?.map(|log| log.number) else { continue };
            let Some(found) = find(db, log, seq)? else { continue };
            // What came with this very append is already told as it stands now.
            if found.arrival < first {
                appended.moved.extend(lines.all(ONE, [int(found.arrival)])?);
            }
        }
        Ok(appended)
    }

    /// Stores one batch; returns the entries outside it whose place changed. `None` if it is here already, or refused.
    fn store(
        &mut self,
        db: &Connection,
        append: &Append,
        falls: &mut Falls,
    ) -> Result<Option<Vec<(LogKey, Seq)>>, StoreError> {
        let Some(Put { log, start, moved }) = self.put(db, &append.batch, falls)? else { return Ok(None) };
        if append.batch.header().author == self.own {
            self.own_batch(db, log, start, &append.batch, append.own.as_ref())?;
        }
        Ok(Some(moved))
    }

    /// Stores a batch under the next arrival numbers, with everything that follows from its signed content alone.
    pub(super) fn put(
        &mut self,
        db: &Connection,
        batch: &Verified,
        falls: &mut Falls,
    ) -> Result<Option<Put>, StoreError> {
        let header = batch.header();
        let number = self.numbers.log_of(db, header)?;
        if !self.admit(db, number, batch, falls)? {
            return Ok(None);
        }
        let start = self.highest + 1;
        db.prepare_cached(
            "INSERT INTO batch (batch, log, first_seq, last_seq, hash, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            int(start),
            number,
            int(header.first_seq),
            int(header.last_seq()),
            Blob32(batch.hash().0),
            batch.bytes().as_ref()
        ])?;
        if let Some(named) = header.after {
            db.prepare_cached("INSERT INTO named (batch, id, seq, proof) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![int(start), log_id(named.log), int(named.seq), named.check])?;
        }
        self.highest += header.entries.len() as Arrival;
        let mut settling = Settling::new(db, &mut self.numbers, batch, self.highest)?;
        let moved = settle(&mut settling, batch)?;
        let places = std::mem::take(&mut settling.places);

        self.entries(db, number, start, batch, &places)?;
        if let Some(log) = self.numbers.log(db, header.key())? {
            extend(db, log, batch)?;
        }
        Ok(Some(Put { log: number, start, moved }))
    }

    /// Messages behind a name that came late: they were told under an earlier one. The newest are enough, since pages
    /// read the rest anew.
    fn renamed(&mut self, db: &Connection, batch: &Verified) -> Result<Vec<(LogKey, Seq)>, StoreError> {
        let header = batch.header();
        let says_name = (0..header.entries.len()).any(|index| matches!(batch.body(index), Some(Body::Profile { .. })));
        let Some(log) = self.numbers.log(db, header.key())?.filter(|_| says_name).map(|log| log.number) else {
            return Ok(Vec::new());
        };
        let mut statement = db.prepare_cached(
            "SELECT e.arrival, b.first_seq + e.arrival - b.batch FROM batch b
             CROSS JOIN entry e ON e.arrival BETWEEN b.batch AND b.batch + b.last_seq - b.first_seq
             WHERE b.log = ?1 AND b.first_seq > ?2 AND e.conversation IS NOT NULL
             AND b.first_seq < (SELECT coalesce(min(seq), ?3) FROM profile WHERE log = ?1 AND seq > ?2)
             ORDER BY b.first_seq DESC, e.arrival DESC LIMIT ?4",
        )?;
        let most = int(RENAMED_LINES_MAX as u64);
        let found: Vec<(i64, i64)> = statement
            .query_map(params![log, int(header.last_seq()), i64::MAX, most], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut mark = db.prepare_cached("UPDATE entry SET moved = ?2 WHERE arrival = ?1")?;
        for (arrival, _) in &found {
            mark.execute(params![arrival, int(self.highest)])?;
        }
        Ok(found.into_iter().map(|(_, seq)| (header.key(), seq.unsigned_abs())).collect())
    }

    /// One row for each entry, what it does to its author's name, and what is unread.
    fn entries(
        &mut self,
        db: &Connection,
        log: i64,
        start: Arrival,
        batch: &Verified,
        places: &[Option<u64>],
    ) -> Result<(), StoreError> {
        let header = batch.header();
        let mut insert = db.prepare_cached(
            "INSERT INTO entry (arrival, batch, conversation, place, time) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let counts = header.author != self.own && !self.is_blocked(db, header.author)?;
        let mut unread = BTreeMap::new();
        for (index, slot) in header.entries.iter().enumerate() {
            let body = batch.body(index);
            if let Some(Body::Profile { name, .. }) = &body {
                self.name(db, log, header.author, header.first_seq + index as Seq, name, Stamp(slot.time))?;
            }
            let conversation = match body.filter(Body::is_message).as_ref() {
                Some(body) => Conversation::of(self.own, header.author, header.audience, body.channel()),
                None => None,
            };
            let conversation = match conversation {
                Some(conversation) => self.numbers.conversation(db, &conversation, true)?,
                None => None,
            };
            if let Some(number) = conversation
                && counts
            {
                *unread.entry(number).or_insert(0) += 1;
            }
            let place = places.get(index).copied().flatten().unwrap_or(slot.time);
            insert.execute(params![int(start) + index as i64, int(start), conversation, int(place), int(slot.time)])?;
        }
        for (number, count) in unread {
            db.prepare_cached("UPDATE conversation SET unread = unread + ?2 WHERE conversation = ?1")?
                .execute([number, count])?;
        }
        Ok(())
    }

    fn name(
        &mut self,
        db: &Connection,
        log: i64,
        author: NodeId,
        seq: Seq,
        name: &str,
        time: Stamp,
    ) -> Result<(), StoreError> {
        db.prepare_cached("INSERT INTO profile (log, seq, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![log, int(seq), name])?;
        let number = self.numbers.author(db, author)?;
        db.prepare_cached(
            "UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND coalesce(name_time, -1) <= ?3",
        )?
        .execute(params![number, name, int(time.0)])?;
        Ok(())
    }

    /// What is kept beside a batch of this node's own user.
    fn own_batch(
        &mut self,
        db: &Connection,
        number: i64,
        start: Arrival,
        batch: &Verified,
        own: Option<&OwnBatch>,
    ) -> Result<(), StoreError> {
        if own.is_none() && put_back(db, number, start, batch)? {
            return Ok(());
        }
        let reach = match own {
            Some(own) => self.numbers.reach(db, &own.of)?,
            None => None,
        };
        db.prepare_cached("INSERT INTO own (batch, reach) VALUES (?1, ?2)")?.execute(params![int(start), reach])?;
        said_again(db, own.map_or(&[], |own| &own.again))?;
        let refs = own.map_or(&[][..], |own| &own.refs);
        for (index, (name, slot)) in refs.iter().zip(&batch.header().entries).enumerate() {
            let Some(name) = name else { continue };
            let said_ms = Stamp(slot.time).ms();
            forget_refs(db, said_ms)?;
            db.prepare_cached("INSERT OR REPLACE INTO ref (arrival, name, content, said_ms) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![int(start) + index as i64, name.name, Blob32(name.content.0), int(said_ms)])?;
        }
        Ok(())
    }
}

/// Forgets the callers' names for messages that are older than 30 days.
pub(super) fn forget_refs(db: &Connection, now_ms: u64) -> Result<(), StoreError> {
    let Some(limit_ms) = now_ms.checked_sub(REF_MS) else { return Ok(()) };
    let mut statement =
        db.prepare_cached("DELETE FROM ref WHERE arrival = (SELECT min(arrival) FROM ref) AND said_ms < ?1")?;
    while statement.execute([int(limit_ms)])? > 0 {}
    Ok(())
}

/// A row that names one entry; see [`rows`].
pub(super) fn row(db: &Connection, arrival: Arrival) -> Result<Option<Row>, StoreError> {
    use rusqlite::OptionalExtension as _;
    const ONE: &str = rows!("entry e", "WHERE e.arrival = ?1 AND e.conversation IS NOT NULL");
    Ok(db.prepare_cached(ONE)?.query_row([int(arrival)], Row::read).optional()?)
}
