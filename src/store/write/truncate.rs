//! Removes batches from a log: those past a fork, and those that fail verification after a disk
//! error.
//!
//! Removal deletes dependent rows and recomputes the order of entries that referred to a removed
//! one. Own messages past a fork are saved, so that they can be published again in a new log.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::changes::{ChangeEffects, forget, resettle};
use super::marks::reset_sessions;
use super::ordering::OrderWriter;
use super::state::WriteState;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{Verified, verify};
use crate::proto::entries::body::{Body, SALT_BYTES};
use crate::proto::entries::timeline::recompute_places;
use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, Seq};
use crate::proto::limits::{BATCH_ENTRIES_MAX, TEXT_WITH_FILES_BYTES_MAX};
use crate::proto::replication::store_api::{LogChanges, LogRecord, Run, UnpublishedEntry};
use crate::store::error::StoreError;
use crate::store::read::engine_snapshot::latest_order_keys;
use crate::store::read::message::MessageReader;
use crate::store::sql::{Blob32, NonNegative, int, log_id};
use crate::store::tables::batches::{dependents, load};
use crate::store::tables::changes::last_edit;
use crate::store::tables::node::room;
use crate::store::tables::refs::reference;

/// A batch that is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemovedBatch {
    /// The arrival number of its first entry.
    pub(crate) batch: Arrival,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

impl RemovedBatch {
    /// Checks that the columns of the batch fit its entries and its log.
    ///
    /// The disk may have changed these columns too, and the removal deletes the rows that they
    /// name. Without this check it could delete entries of other batches.
    pub(crate) fn check(&self, db: &Connection, log: i64) -> Result<(), StoreError> {
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
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(1)?.0));
        let found = statement.query_row([int(self.batch), to], read)?;
        Ok(found == (count, self.batch + count - 1))
    }

    /// Returns true if the log's ranges contain the batch, and no other batch overlaps it.
    fn is_alone(&self, db: &Connection, log: i64) -> Result<bool, StoreError> {
        let held = crate::store::tables::logs::load_ranges(db, log)?;
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

/// The reason for a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemovalReason {
    /// The log ends before them. They never come back.
    BeyondFork,
    /// The disk changed them. They are fetched again, and metadata of own ones is kept until then.
    Corrupted,
}

/// The changes of one write that removed or refused batches.
#[derive(Debug, Default)]
pub(crate) struct TruncationResult {
    logs: BTreeSet<LogKey>,
    /// Entries whose place must be recomputed, since they referred to a removed one.
    unsettled: Vec<(LogKey, Seq)>,
    /// True if messages were removed.
    messages: bool,
    fallen: Vec<UnpublishedEntry>,
    /// Own entries that were saved to be published again.
    saved: BTreeSet<EntryId>,
    /// True while a new own batch is stored. The engine publishes again what is refused of it, or
    /// answers that it was not published.
    pub(crate) is_new_own_batch: bool,
}

impl TruncationResult {
    /// Marks a log whose new state must be reported to the engine.
    pub(crate) fn mark_log_changed(&mut self, key: LogKey) {
        self.logs.insert(key);
    }
}

/// Removes batches from a log.
pub(crate) fn remove_batches(
    state: &mut WriteState,
    db: &Connection,
    key: LogKey,
    number: i64,
    removed: &[RemovedBatch],
    reason: RemovalReason,
    truncation: &mut TruncationResult,
) -> Result<(), StoreError> {
    truncation.mark_log_changed(key);
    if removed.is_empty() {
        return Ok(());
    }
    for batch in removed {
        batch.check(db, number)?;
    }
    let spans = state.numbers.log(db, key)?.map(|log| log.spans.clone()).unwrap_or_default();
    let left = subtract_ranges(db, number, spans, removed)?;
    for batch in removed {
        if reason == RemovalReason::BeyondFork
            && key.author == state.own
            && let Some(held) = load(db, batch.batch)?
        {
            save_for_republish(state, db, &held, Some(batch.batch), truncation)?;
        }
        let standing = dependents(db, key.log, batch.first, batch.last)?;
        truncation.unsettled.extend(standing.into_iter().map(|(_, key, first)| (key, first)));
        truncation.unsettled.push((key, batch.last + 1));
        truncation.messages |= delete_batch_rows(db, number, *batch, reason)?;
    }
    db.prepare_cached("DELETE FROM span WHERE log = ?1")?.execute([number])?;
    for run in &left {
        crate::store::tables::logs::upsert_range(db, number, run)?;
    }
    if let Some(log) = state.numbers.log(db, key)? {
        log.spans = left;
    }
    Ok(())
}

/// Saves the own messages of a batch that is not, or no longer, part of its log. Each message is
/// saved once, ever.
///
/// A message is saved with its current text: its edits name it by an id that it will not have.
pub(crate) fn save_for_republish(
    state: &mut WriteState,
    db: &Connection,
    batch: &Verified,
    arrival: Option<Arrival>,
    truncation: &mut TruncationResult,
) -> Result<(), StoreError> {
    for index in 0..batch.header().entries.len() {
        let body = batch.body(index);
        if batch.is_deleted(index) || (body.is_some() && has_deletion(db, batch.entry_id(index))?) {
            note_deleted(db, batch, index)?;
            continue;
        }
        let Some(body) = body.filter(|body| !matches!(body, Body::Profile { .. })) else { continue };
        let arrival = arrival.map(|first| first + index as Arrival);
        if matches!(&body, Body::Edit { entry, .. } if truncation.saved.contains(entry)) {
            continue;
        }
        let body = current_body(state, db, arrival, body)?;
        truncation.saved.insert(batch.entry_id(index));
        let reference = match arrival {
            Some(arrival) => reference(db, arrival)?,
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
            truncation.fallen.push(UnpublishedEntry { number, audience, body, reference });
        }
    }
    Ok(())
}

/// Returns true if a deletion of an own entry is here.
fn has_deletion(db: &Connection, entry: EntryId) -> Result<bool, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM change WHERE kind = 2 AND id = ?1 AND seq = ?2 AND proof = ?3
         AND author = (SELECT author FROM author WHERE key = (SELECT own FROM node))",
    )?;
    Ok(statement.exists(params![log_id(entry.log), int(entry.seq), entry.check])?)
}

/// Notes that an own entry was deleted: it is never published again, even if a peer brings it once
/// more and the deletion is gone.
fn note_deleted(db: &Connection, batch: &Verified, index: usize) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO fallen (hash, place) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![Blob32(batch.hash().0), index as i64])?;
    Ok(())
}

/// Returns the body of an own entry with the text of its last edit.
fn current_body(state: &WriteState, db: &Connection, arrival: Option<Arrival>, body: Body) -> Result<Body, StoreError> {
    let (Some(arrival), Body::Say { channel, reply_to, files, .. }) = (arrival, &body) else { return Ok(body) };
    let edit = match last_edit(db, arrival)? {
        Some(edit) => MessageReader::new(db, state.own).entry(edit)?,
        None => None,
    };
    Ok(match edit.map(|edit| edit.body) {
        // A longer text beside files would not fit into a body.
        Some(Body::Edit { text, mentions, .. }) if files.0.is_empty() || text.len() <= TEXT_WITH_FILES_BYTES_MAX => {
            Body::Say { text, channel: channel.clone(), reply_to: *reply_to, files: files.clone(), mentions }
        }
        _ => body,
    })
}

/// Recomputes places after removals. Returns the changes for the engine.
pub(crate) fn collect_changes(
    state: &mut WriteState,
    db: &Connection,
    truncation: TruncationResult,
) -> Result<LogChanges, StoreError> {
    let mut changed = LogChanges { fallen: truncation.fallen, ..LogChanges::default() };
    let mut settling = OrderWriter::for_recompute(db, &mut state.numbers, state.highest);
    let moved = recompute_places(&mut settling, truncation.unsettled)?;
    // Pages start afresh, or nothing changed a message.
    resettle(state, db, moved, &mut ChangeEffects::default())?;
    for key in truncation.logs {
        let Some(log) = state.numbers.log(db, key)? else { continue };
        let (audience, ranges, fork) = (log.audience, log.spans.clone(), log.fork.clone());
        let mut bytes = db.prepare_cached("SELECT bytes FROM log WHERE log = ?1")?;
        let bytes = bytes.query_row([log.number], |row| row.get::<_, NonNegative>(0))?.0;
        changed.logs.push(LogRecord { key, audience, ranges, bytes, fork });
    }
    if truncation.messages {
        changed.run = Some(reset_sessions(state, db)?);
        changed.tops = latest_order_keys(db)?;
    }
    Ok(changed)
}

/// Every trace of a batch but its span. Whether there were messages in it, or changes of messages.
fn delete_batch_rows(
    db: &Connection,
    log: i64,
    RemovedBatch { batch, first, last }: RemovedBatch,
    reason: RemovalReason,
) -> Result<bool, StoreError> {
    let (from, to) = (int(batch), int(batch + (last - first)));
    let mut messages =
        db.prepare_cached("SELECT arrival FROM entry WHERE arrival BETWEEN ?1 AND ?2 AND conversation IS NOT NULL")?;
    let messages: Vec<i64> = messages.query_map([from, to], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let indexed = int(crate::store::tables::search_index::indexed(db)?);
    for arrival in messages.iter().filter(|arrival| **arrival <= indexed) {
        db.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([arrival])?;
    }
    let changes = forget(db, batch, batch + (last - first))?;
    db.prepare_cached("DELETE FROM entry WHERE arrival BETWEEN ?1 AND ?2")?.execute([from, to])?;
    db.prepare_cached("DELETE FROM named WHERE batch = ?1")?.execute([from])?;
    if reason == RemovalReason::BeyondFork {
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
    Ok(changes || !messages.is_empty())
}

/// Returns ranges without the removed batches. Their rows must still exist.
fn subtract_ranges(
    db: &Connection,
    log: i64,
    spans: Vec<Run>,
    removed: &[RemovedBatch],
) -> Result<Vec<Run>, StoreError> {
    let mut removed = removed.to_vec();
    removed.sort_unstable_by_key(|batch| batch.first);
    let mut left = Vec::new();
    for span in spans {
        let mut rest = Some(span);
        for batch in removed.iter().filter(|batch| span.first <= batch.first && batch.last <= span.last) {
            let Some(run) = rest.take() else { break };
            if run.first < batch.first
                && let Some(last) = batch_at_boundary(db, log, "last_seq = ?2", batch.first - 1)?
            {
                left.push(Run { last: last.last, head: last.head, last_time: last.last_time, ..run });
            }
            if batch.last < run.last {
                let next = batch_at_boundary(db, log, "first_seq = ?2", batch.last + 1)?;
                rest = next.map(|next| Run { last: run.last, head: run.head, last_time: run.last_time, ..next });
            }
        }
        left.extend(rest);
    }
    Ok(left)
}

/// Returns the batch that begins or ends at an entry, as a range of its own.
fn batch_at_boundary(db: &Connection, log: i64, which: &str, seq: Seq) -> Result<Option<Run>, StoreError> {
    let sql = format!(
        "SELECT b.first_seq, b.last_seq, b.hash, b.bytes, f.time, l.time FROM batch b
         JOIN entry f ON f.arrival = b.batch JOIN entry l ON l.arrival = b.batch + b.last_seq - b.first_seq
         WHERE b.log = ?1 AND b.{which}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        let bytes = Bytes::from(row.get::<_, Vec<u8>>(3)?);
        let run = Run {
            first: row.get::<_, NonNegative>(0)?.0,
            prev: None,
            last: row.get::<_, NonNegative>(1)?.0,
            head: Hash(row.get::<_, Blob32>(2)?.0),
            first_time: Stamp(row.get::<_, NonNegative>(4)?.0),
            last_time: Stamp(row.get::<_, NonNegative>(5)?.0),
        };
        Ok((run, bytes))
    };
    let Some((mut run, bytes)) = statement.query_row(params![log, int(seq)], read).optional()? else {
        return Ok(None);
    };
    run.prev = verify(&bytes, &room(db)?).ok().and_then(|batch| batch.header().prev);
    Ok(Some(run))
}
