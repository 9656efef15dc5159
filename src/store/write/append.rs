//! Appends batches to the tables, with the places of their entries, in the caller's transaction.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::changes::{ChangeEffects, StoredEntry, apply_waiting, record, resettle};
use super::fork::check_fork_and_fit;
use super::marks::{is_blocked, uncount_deleted};
use super::ordering::OrderWriter;
use super::quarantine::restore_own_metadata;
use super::row_cache::append_range;
use super::state::WriteState;
use super::truncate::{TruncationResult, collect_changes};
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::Verified;
use crate::proto::entries::body::{Body, shown_status};
use crate::proto::entries::timeline::{Conversation, Message, Place, assign_places};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, NodeId, Seq};
use crate::proto::limits::RENAMED_LINES_MAX;
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::{Append, LogChanges, OwnBatch, UndeletedEdit};
use crate::store::error::StoreError;
use crate::store::read::decoded::rows;
use crate::store::read::message::MessageReader;
use crate::store::read::topics::{places, topic};
use crate::store::read::undeleted::{all_undeleted_edits, undeleted_edits};
use crate::store::sql::{Blob32, int, log_id};
use crate::store::tables::attachments;
use crate::store::tables::changes::is_deleted;
use crate::store::tables::refs::forget_refs;
use crate::store::tables::unpublished::clear_republished;

/// The result of an append.
#[derive(Debug, Default)]
pub(crate) struct AppendResult {
    /// The new messages, in arrival order.
    pub(crate) lines: Vec<Message>,
    /// Messages stored before that changed, or whose order did.
    pub(crate) moved: Vec<Message>,
    /// Logs that changed otherwise: batches were refused or removed.
    pub(crate) changed: LogChanges,
    /// The places of these messages, and of entries that changed one or a topic.
    pub(crate) tops: Vec<(Conversation, Place, EntryId)>,
    /// The topics of channels in which one was set.
    pub(crate) topics: Vec<(Name, String)>,
    /// Conversations in which unread messages were deleted.
    pub(crate) read: Vec<ReadMarker>,
    /// Logs from which bodies were removed, and how many bytes more they take now.
    pub(crate) resized: Vec<(LogKey, i64)>,
    /// Own edits of messages that the user deleted, with their audience.
    pub(crate) to_delete: Vec<UndeletedEdit>,
    /// The content that deleted messages named.
    pub(crate) released: Vec<Hash>,
}

/// A stored batch.
pub(crate) struct AppendedBatch {
    /// The row id of its log.
    pub(crate) log: i64,
    /// The arrival number of its first entry.
    pub(crate) start: Arrival,
    /// Entries of other batches whose place changed.
    pub(crate) moved: Vec<(LogKey, Seq)>,
    /// What its entries changed.
    pub(crate) effects: ChangeEffects,
}

/// Appends batches in their order. Batches that are stored already are skipped.
pub(crate) fn append(state: &mut WriteState, db: &Connection, batches: &[Append]) -> Result<AppendResult, StoreError> {
    let first = state.highest + 1;
    let mut moved = BTreeSet::new();
    let mut truncation = TruncationResult::default();
    let mut effects = ChangeEffects::default();
    for append in batches {
        if let Some(others) = store(state, db, append, &mut truncation, &mut effects)? {
            moved.extend(others);
            moved.extend(update_dependents(state, db, &append.batch)?);
        }
    }
    let changed = collect_changes(state, db, truncation)?;
    let read = uncount_deleted(state, db, &effects.deleted)?;
    let mut lines = MessageReader::live(db, state.own);
    let mut appended = AppendResult { changed, read, ..AppendResult::default() };
    if state.highest >= first {
        const NEW: &str = rows!("entry e", "WHERE e.arrival >= ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival");
        appended.lines = lines.all(NEW, [int(first)])?;
    }
    let moved = resettle(state, db, moved, &mut effects)?;
    // What came with this very append is already told as it stands now.
    for arrival in moved.union(&effects.messages).filter(|arrival| **arrival < first) {
        const ONE: &str = rows!("entry e", "WHERE e.arrival = ?1 AND e.conversation IS NOT NULL");
        appended.moved.extend(lines.all(ONE, [int(*arrival)])?);
    }
    for message in &effects.messages {
        if is_deleted(db, *message)? {
            appended.released.extend(attachments::remove(db, *message, *message)?);
        }
    }
    appended.tops = places(&mut lines, db, &effects.entries)?;
    let messages = appended.lines.iter().chain(&appended.moved);
    appended.tops.extend(messages.map(|line| (line.conversation.clone(), line.order.place, line.id)));
    appended.to_delete = undeleted_edits(&mut lines, db, &effects.messages)?;
    if appended.to_delete.is_empty() && batches.iter().any(|append| deletes_own_edit(state, &append.batch)) {
        appended.to_delete = all_undeleted_edits(db, state.own)?;
    }
    // What is held of a log whose batches were refused is told with its size.
    let is_told = |key: &LogKey| appended.changed.logs.iter().any(|log| log.key == *key);
    appended.resized = effects.resized.into_iter().filter(|(key, _)| !is_told(key)).collect();
    for channel in effects.topics {
        let text = topic(&mut lines, db, &channel)?.unwrap_or_default();
        appended.topics.extend(Name::new(&channel).ok().map(|name| (name, text)));
    }
    Ok(appended)
}

/// Returns true if a batch deletes an own edit: only such a deletion names no channel.
fn deletes_own_edit(state: &WriteState, batch: &Verified) -> bool {
    let deletes_edit = || matches!(batch.body(0), Some(Body::Delete { channel: None, .. }));
    batch.header().author == state.own && deletes_edit()
}

/// Stores a batch. Returns the entries of other batches whose place changed, or none if the batch
/// is stored already or refused.
fn store(
    state: &mut WriteState,
    db: &Connection,
    append: &Append,
    truncation: &mut TruncationResult,
    effects: &mut ChangeEffects,
) -> Result<Option<Vec<(LogKey, Seq)>>, StoreError> {
    truncation.is_new_own_batch = append.own.is_some();
    let Some(put) = put(state, db, &append.batch, truncation)? else { return Ok(None) };
    let AppendedBatch { log, start, moved, effects: done } = put;
    effects.add(done);
    if append.batch.header().author == state.own {
        own_batch(state, db, log, start, &append.batch, append.own.as_ref())?;
    }
    Ok(Some(moved))
}

/// Stores a batch under the next arrival numbers, with the rows that its signed content determines.
pub(crate) fn put(
    state: &mut WriteState,
    db: &Connection,
    batch: &Verified,
    truncation: &mut TruncationResult,
) -> Result<Option<AppendedBatch>, StoreError> {
    let header = batch.header();
    let number = state.numbers.get_or_insert_log(db, header)?;
    if !check_fork_and_fit(state, db, number, batch, truncation)? {
        return Ok(None);
    }
    let start = state.highest + 1;
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
        db.prepare_cached("INSERT INTO named (batch, id, seq, proof) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            int(start),
            log_id(named.log),
            int(named.seq),
            named.check
        ])?;
    }
    state.highest += header.entries.len() as Arrival;
    let mut settling = OrderWriter::new(db, &mut state.numbers, batch, state.highest)?;
    let moved = assign_places(&mut settling, batch)?;
    let places = std::mem::take(&mut settling.places);

    let mut effects = ChangeEffects::default();
    entries(state, db, (number, start), batch, &places, &mut effects)?;
    apply_waiting(db, batch, &mut effects)?;
    state.has_stripped |= !effects.resized.is_empty() || effects.has_cleared_copies;
    if let Some(log) = state.numbers.log(db, header.key())? {
        append_range(db, log, batch)?;
    }
    Ok(Some(AppendedBatch { log: number, start, moved, effects }))
}

/// Marks messages that a late profile renames. They were shown under an earlier name.
///
/// Only the newest are marked, since pages read the others again.
fn update_dependents(
    state: &mut WriteState,
    db: &Connection,
    batch: &Verified,
) -> Result<Vec<(LogKey, Seq)>, StoreError> {
    let header = batch.header();
    let says_name = (0..header.entries.len()).any(|index| matches!(batch.body(index), Some(Body::Profile { .. })));
    let Some(log) = state.numbers.log(db, header.key())?.filter(|_| says_name).map(|log| log.number) else {
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
        mark.execute(params![arrival, int(state.highest)])?;
    }
    Ok(found.into_iter().map(|(_, seq)| (header.key(), seq.unsigned_abs())).collect())
}

/// Inserts a row for each entry, records its author's name, and counts unread messages.
fn entries(
    state: &mut WriteState,
    db: &Connection,
    (log, start): (i64, Arrival),
    batch: &Verified,
    places: &[Option<u64>],
    effects: &mut ChangeEffects,
) -> Result<(), StoreError> {
    let header = batch.header();
    let mut insert =
        db.prepare_cached("INSERT INTO entry (arrival, batch, conversation, place, time) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let counts = header.author != state.own && !is_blocked(state, db, header.author)?;
    let mut unread = BTreeMap::new();
    for (index, slot) in header.entries.iter().enumerate() {
        let body = batch.body(index);
        if let Some(Body::Profile { name, status }) = &body {
            record_name(state, db, log, header.author, header.first_seq + index as Seq, name, Stamp(slot.time))?;
            record_status(state, db, header.author, status.as_deref(), Stamp(slot.time))?;
        }
        let arrival = start + index as Arrival;
        let place = places.get(index).copied().flatten().unwrap_or(slot.time);
        let mentions_own = counts && body.as_ref().is_some_and(|body| body.mentions(state.own));
        let conversation = match (body.as_ref().filter(|body| body.is_message()), batch.deletion(index)) {
            (Some(body), _) => Conversation::of(state.own, header.author, header.audience, body.channel()),
            (None, Some(Body::Delete { channel: Some(channel), .. })) => {
                Conversation::of(state.own, header.author, header.audience, Some(&channel))
            }
            (None, _) => None,
        };
        let conversation = match conversation {
            Some(conversation) => state.numbers.conversation(db, &conversation, true)?,
            None => None,
        };
        if let Some(number) = conversation
            && counts
            && !batch.is_deleted(index)
            && body.as_ref().is_some_and(|body| body.kind().info().counts_as_unread)
        {
            let (messages, mentions) = unread.entry(number).or_insert((0, 0));
            *messages += 1;
            *mentions += i64::from(mentions_own);
        }
        if mentions_own && conversation.is_some() {
            db.prepare_cached("INSERT OR IGNORE INTO mention (arrival) VALUES (?1)")?.execute([int(arrival)])?;
        }
        insert.execute(params![int(arrival), int(start), conversation, int(place), int(slot.time)])?;
        if let Some(body) = body.as_ref().filter(|_| conversation.is_some()) {
            attachments::put(db, arrival, body.files())?;
        }
        if let Some(body) = body.as_ref().filter(|body| !body.is_message()) {
            let author = state.numbers.author(db, header.author)?;
            record(db, StoredEntry { arrival, batch, index, place, author }, body, effects)?;
        }
    }
    for (number, (messages, mentions)) in unread {
        db.prepare_cached(
            "UPDATE conversation SET unread = unread + ?2, mentions = mentions + ?3 WHERE conversation = ?1",
        )?
        .execute([number, messages, mentions])?;
    }
    Ok(())
}

fn record_name(
    state: &mut WriteState,
    db: &Connection,
    log: i64,
    author: NodeId,
    seq: Seq,
    name: &str,
    time: Stamp,
) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO profile (log, seq, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![log, int(seq), name])?;
    let number = state.numbers.author(db, author)?;
    db.prepare_cached(
        "UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND coalesce(name_time, -1) <= ?3",
    )?
    .execute(params![number, name, int(time.0)])?;
    Ok(())
}

/// Keeps the newest status of an author.
fn record_status(
    state: &mut WriteState,
    db: &Connection,
    author: NodeId,
    status: Option<&str>,
    time: Stamp,
) -> Result<(), StoreError> {
    let number = state.numbers.author(db, author)?;
    db.prepare_cached(
        "UPDATE author SET status = ?2, status_time = ?3 WHERE author = ?1 AND coalesce(status_time, -1) <= ?3",
    )?
    .execute(params![number, shown_status(status), int(time.0)])?;
    Ok(())
}

/// Stores the metadata of an own batch: members in reach and idempotency keys.
fn own_batch(
    state: &mut WriteState,
    db: &Connection,
    number: i64,
    start: Arrival,
    batch: &Verified,
    own: Option<&OwnBatch>,
) -> Result<(), StoreError> {
    if own.is_none() && restore_own_metadata(db, number, start, batch)? {
        return Ok(());
    }
    let reach = match own {
        Some(own) => state.numbers.reach_set_id(db, &own.of)?,
        None => None,
    };
    db.prepare_cached("INSERT INTO own (batch, reach) VALUES (?1, ?2)")?.execute(params![int(start), reach])?;
    clear_republished(db, own.map_or(&[], |own| &own.again))?;
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
