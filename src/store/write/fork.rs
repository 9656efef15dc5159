//! Fork handling: applies the rule of [`crate::proto::replication::fork`] to the tables, and ends
//! forked logs.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use tracing::warn;

use super::state::WriteState;
use super::truncate::{RemovalReason, RemovedBatch, TruncationResult, remove_batches, save_for_republish};
use crate::proto::entries::batch::{Verified, verify};
use crate::proto::ids::{LogKey, RoomId, Seq};
use crate::proto::replication::fork::{BatchLookup, Fork, ForkPoint, SignedHeader, adopt, detect};
use crate::proto::replication::log::Fit;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};
use crate::store::tables::batches::find;
use crate::store::tables::forks::put_fork;

/// A log as the fork rule reads it. The rule writes nothing.
struct StoredLog<'a> {
    db: &'a Connection,
    log: i64,
    room: RoomId,
    end: Option<ForkPoint>,
}

impl StoredLog<'_> {
    fn batch(&self, which: &str, params: impl Params) -> Result<Option<SignedHeader>, StoreError> {
        let mut statement = self.db.prepare_cached(&format!("SELECT bytes FROM batch WHERE log = ?1 AND {which}"))?;
        let bytes: Option<Vec<u8>> = statement.query_row(params, |row| row.get(0)).optional()?;
        // A corrupted batch proves nothing.
        Ok(bytes.and_then(|bytes| verify(&Bytes::from(bytes), &self.room).ok()).map(|batch| SignedHeader::of(&batch)))
    }
}

impl BatchLookup for StoredLog<'_> {
    type Error = StoreError;

    fn neighbours(&mut self, seq: Seq) -> Result<Vec<SignedHeader>, StoreError> {
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

    fn cut(&mut self, end: ForkPoint) -> Result<(), StoreError> {
        self.end = Some(end);
        Ok(())
    }
}

/// Decides whether a batch may be stored. If it contradicts a stored one, the log ends where the
/// fork rule says.
pub(crate) fn check_fork_and_fit(
    state: &mut WriteState,
    db: &Connection,
    number: i64,
    batch: &Verified,
    truncation: &mut TruncationResult,
) -> Result<bool, StoreError> {
    let key = batch.header().key();
    match fit(state, db, batch)? {
        Fit::Fits | Fit::TooManyGaps => return Ok(true),
        Fit::Held => return Ok(false),
        Fit::Overlaps | Fit::Conflicts | Fit::Refused | Fit::Closed(_) => {}
    }
    if find(db, number, batch.header().first_seq)?.is_some_and(|found| found.hash == batch.hash()) {
        return Ok(false);
    }
    let known = state.numbers.log(db, key)?.and_then(|log| log.fork.clone());
    let mut held = StoredLog { db, log: number, room: batch.header().room, end: known.as_ref().map(Fork::end) };
    if let Some(fork) = detect(&mut held, known, &SignedHeader::of(batch))? {
        store_fork(state, db, key, number, fork, truncation)?;
    }
    let admitted = matches!(fit(state, db, batch)?, Fit::Fits | Fit::TooManyGaps);
    if !admitted {
        truncation.mark_log_changed(key);
        if key.author == state.own && !truncation.is_new_own_batch {
            save_for_republish(state, db, batch, None, truncation)?;
        }
    }
    Ok(admitted)
}

fn fit(state: &mut WriteState, db: &Connection, batch: &Verified) -> Result<Fit, StoreError> {
    Ok(state.numbers.log(db, batch.header().key())?.map_or(Fit::Fits, |log| log.fit(batch)))
}

/// Applies a fork that a peer reported, if it changes the end of the log.
pub(crate) fn apply_remote_fork(
    state: &mut WriteState,
    db: &Connection,
    fork: &Fork,
    truncation: &mut TruncationResult,
) -> Result<(), StoreError> {
    let header = fork.proof()[0].header();
    let number = state.numbers.get_or_insert_log(db, header)?;
    let known = state.numbers.log(db, header.key())?.and_then(|log| log.fork.clone());
    let mut held = StoredLog { db, log: number, room: header.room, end: known.as_ref().map(Fork::end) };
    match adopt(&mut held, known, fork.clone())? {
        Some(fork) => store_fork(state, db, header.key(), number, fork, truncation),
        None => Ok(()),
    }
}

/// Stores the proof of a fork, and removes the batches past the end.
fn store_fork(
    state: &mut WriteState,
    db: &Connection,
    key: LogKey,
    number: i64,
    fork: Fork,
    truncation: &mut TruncationResult,
) -> Result<(), StoreError> {
    let end = fork.end();
    warn!(author = key.author.short(), log = %key.log, seq = end.seq, "two things were signed for one place: the log ends there");
    put_fork(db, number, &fork)?;
    if let Some(log) = state.numbers.log(db, key)? {
        log.fork = Some(fork);
    }
    truncation.mark_log_changed(key);
    let mut statement = db.prepare_cached(
        "SELECT batch, first_seq, last_seq FROM batch WHERE log = ?1 AND last_seq >= ?2 AND (?3 IS NULL OR hash <> ?3)",
    )?;
    let head = end.head.map(Blob32::from);
    let read = |row: &rusqlite::Row<'_>| {
        let (batch, first, last) =
            (row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(1)?.0, row.get::<_, NonNegative>(2)?.0);
        Ok(RemovedBatch { batch, first, last })
    };
    let removed: Vec<RemovedBatch> =
        statement.query_map(params![number, int(end.seq), head], read)?.collect::<Result<_, _>>()?;
    remove_batches(state, db, key, number, &removed, RemovalReason::BeyondFork, truncation)
}
