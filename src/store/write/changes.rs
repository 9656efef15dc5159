//! Entries that change a message, in the transaction of the caller: each finds its message, now or
//! when that arrives.
//!
//! Each entry is looked at once when it is stored and once when its message is, so a flood of them
//! costs each time as
//! much as one.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::state::WriteState;
use super::strip::{StripResult, clear_copies, strip_body};
use crate::proto::entries::batch::Verified;
use crate::proto::entries::body::Body;
use crate::proto::entries::message_state::Readers;
use crate::proto::entries::timeline::Place;
use crate::proto::ids::{Arrival, EntryId, LogKey, NodeId, Seq};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int, log_id};
use crate::store::tables::attachments;
use crate::store::tables::batches::{BatchRow, find, find_by_id};
use crate::store::tables::changes::{ChangeKind, choose_reaction, is_deleted, mark_changed, target_of};

/// What the changes of one piece of work did.
#[derive(Debug, Default)]
pub(crate) struct ChangeEffects {
    /// The messages that look otherwise now.
    pub(crate) messages: BTreeSet<Arrival>,
    /// The entries that changed them, or moved: each belongs to a conversation.
    pub(crate) entries: BTreeSet<Arrival>,
    /// The channels whose topic may be another.
    pub(crate) topics: BTreeSet<String>,
    /// The messages that were not deleted before.
    pub(crate) deleted: BTreeSet<Arrival>,
    /// Logs from which a body was removed, and how many bytes more they take now.
    pub(crate) resized: BTreeMap<LogKey, i64>,
    /// True if copies of deleted entries were removed.
    pub(crate) has_cleared_copies: bool,
}

impl ChangeEffects {
    /// Adds what another piece of the same work did.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.messages.append(&mut other.messages);
        self.entries.append(&mut other.entries);
        self.topics.append(&mut other.topics);
        self.deleted.append(&mut other.deleted);
        self.has_cleared_copies |= other.has_cleared_copies;
        for (key, bytes) in other.resized {
            *self.resized.entry(key).or_default() += bytes;
        }
    }
}

/// An entry that is being stored.
#[derive(Clone, Copy)]
pub(crate) struct StoredEntry<'a> {
    pub(crate) arrival: Arrival,
    pub(crate) batch: &'a Verified,
    pub(crate) index: usize,
    pub(crate) place: Place,
    /// The number of its author.
    pub(crate) author: i64,
}

impl StoredEntry<'_> {
    fn seq(&self) -> Seq {
        self.batch.header().first_seq + self.index as Seq
    }
}

/// Stores what an entry changes, and lets it change that if it is here.
pub(crate) fn record(
    db: &Connection,
    entry: StoredEntry<'_>,
    body: &Body,
    effects: &mut ChangeEffects,
) -> Result<(), StoreError> {
    let (kind, id, emoji, off) = match body {
        Body::Edit { entry, .. } => (ChangeKind::Edit, entry, None, false),
        Body::Delete { entry, .. } => (ChangeKind::Delete, entry, None, false),
        Body::React { entry, emoji, off } => (ChangeKind::React, entry, Some(emoji), *off),
        Body::Topic { channel, .. } => {
            if entry.batch.header().audience.is_none() {
                db.prepare_cached("INSERT INTO topic (arrival, channel, place) VALUES (?1, ?2, ?3)")?
                    .execute(params![int(entry.arrival), channel, int(entry.place)])?;
                effects.topics.insert(channel.clone());
                effects.entries.insert(entry.arrival);
            }
            return Ok(());
        }
        Body::Say { .. } | Body::Hooray { .. } | Body::Profile { .. } | Body::File { .. } => return Ok(()),
    };
    db.prepare_cached(
        "INSERT INTO change (arrival, id, seq, proof, kind, author, emoji, off, place, log, number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        int(entry.arrival),
        log_id(id.log),
        int(id.seq),
        id.check,
        kind.number(),
        entry.author,
        emoji,
        off,
        int(entry.place),
        log_id(entry.batch.header().log),
        int(entry.seq())
    ])?;
    let by = Readers { author: entry.batch.header().author, audience: entry.batch.header().audience };
    if kind == ChangeKind::Delete {
        effects.has_cleared_copies |= clear_copies(db, by.author, *id)?;
    }
    apply_change(db, entry.arrival, *id, by, effects)
}

/// Lets the changes that came before their message change it: some entries of a batch have just
/// been stored.
pub(crate) fn apply_waiting(db: &Connection, batch: &Verified, effects: &mut ChangeEffects) -> Result<(), StoreError> {
    let header = batch.header();
    let mut statement = db.prepare_cached(
        "SELECT c.arrival, c.seq, c.proof, a.key, l.audience FROM change c
         CROSS JOIN entry e ON e.arrival = c.arrival CROSS JOIN batch b ON b.batch = e.batch
         CROSS JOIN log l ON l.log = b.log CROSS JOIN author a ON a.author = l.author
         WHERE c.id = ?1 AND c.seq BETWEEN ?2 AND ?3 AND c.target IS NULL",
    )?;
    let (first, last) = (int(header.first_seq), int(header.last_seq()));
    let mut rows = statement.query(params![log_id(header.log), first, last])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let proof: Vec<u8> = row.get(2)?;
        let Ok(check) = proof.try_into() else {
            return Err(StoreError::inconsistent("a change names no entry"));
        };
        let id = EntryId { log: header.log, seq: row.get::<_, NonNegative>(1)?.0, check };
        let author = NodeId(row.get::<_, Blob32>(3)?.0);
        let audience = row.get::<_, Option<Blob32>>(4)?.map(|id| NodeId(id.0));
        waiting.push((row.get::<_, NonNegative>(0)?.0, id, Readers { author, audience }));
    }
    for (arrival, id, by) in waiting {
        apply_change(db, arrival, id, by, effects)?;
    }
    Ok(())
}

/// Lets a stored change change its message, if that is here and the rules allow it.
fn apply_change(
    db: &Connection,
    arrival: Arrival,
    id: EntryId,
    by: Readers,
    effects: &mut ChangeEffects,
) -> Result<(), StoreError> {
    let Some((key, found)) = find_by_id(db, id)? else { return Ok(()) };
    let message = Readers { author: key.author, audience: audience(db, key)? };
    let mut statement = db.prepare_cached("SELECT conversation FROM entry WHERE arrival = ?1")?;
    let conversation: Option<i64> = statement.query_row([int(found.arrival)], |row| row.get(0)).optional()?.flatten();
    let mut statement = db.prepare_cached("SELECT kind, author, emoji FROM change WHERE arrival = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (kind, author, emoji): (i64, i64, Option<String>) = statement.query_row([int(arrival)], read)?;
    let edit = target_of(db, found.arrival)?.filter(|edit| edit.kind == ChangeKind::Edit.number());
    let allowed = match kind {
        kind if kind == ChangeKind::React.number() => conversation.is_some() && by.may_react(&message),
        kind if kind == ChangeKind::Edit.number() => conversation.is_some() && by.may_rewrite(&message),
        _ => (conversation.is_some() || edit.is_some()) && by.may_rewrite(&message),
    };
    if !allowed {
        return Ok(());
    }
    let counts = kind == ChangeKind::Edit.number() && !is_edit_deleted(db, arrival)?;
    let deletes = kind == ChangeKind::Delete.number();
    let is_new = deletes && conversation.is_some() && !is_deleted(db, found.arrival)?;
    db.prepare_cached("UPDATE change SET target = ?2, conversation = ?3, current = ?4 WHERE arrival = ?1")?
        .execute(params![int(arrival), int(found.arrival), conversation, counts])?;
    if let Some(emoji) = emoji {
        choose_reaction(db, found.arrival, author, &emoji)?;
    }
    let changed = match edit.filter(|_| conversation.is_none()) {
        Some(edit) => {
            db.prepare_cached("UPDATE change SET current = 0 WHERE arrival = ?1")?.execute([int(found.arrival)])?;
            edit.target
        }
        None => found.arrival,
    };
    if deletes {
        delete_body(db, arrival, &found, is_new, effects)?;
    }
    mark_changed(db, changed, arrival)?;
    effects.messages.insert(changed);
    effects.entries.insert(arrival);
    if kind == ChangeKind::Edit.number() {
        apply_waiting_deletions(db, arrival, effects)?;
    }
    Ok(())
}

/// Removes the body that a deletion names. `is_new`: that is a message that was not deleted before.
fn delete_body(
    db: &Connection,
    deletion: Arrival,
    found: &BatchRow,
    is_new: bool,
    effects: &mut ChangeEffects,
) -> Result<(), StoreError> {
    match strip_body(db, deletion, found)? {
        StripResult::Stripped { log, bytes } => {
            *effects.resized.entry(log).or_default() += bytes;
            // No more is known of an edit than if it had come without its body.
            db.prepare_cached("DELETE FROM change WHERE arrival = ?1 AND kind = 1")?.execute([int(found.arrival)])?;
        }
        StripResult::KeepsBody => {}
        StripResult::WasGone => return Ok(()),
    }
    effects.deleted.extend(is_new.then_some(found.arrival));
    Ok(())
}

/// Returns true if a deletion of this edit is here.
fn is_edit_deleted(db: &Connection, edit: Arrival) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM change WHERE target = ?1 AND kind = 2")?.exists([int(edit)])?)
}

/// Lets deletions of an edit that waited for its message count.
fn apply_waiting_deletions(db: &Connection, edit: Arrival, effects: &mut ChangeEffects) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT b.first_seq + e.arrival - b.batch, l.id, a.key, l.audience, b.hash, e.arrival - b.batch FROM entry e
         CROSS JOIN batch b ON b.batch = e.batch CROSS JOIN log l ON l.log = b.log
         CROSS JOIN author a ON a.author = l.author WHERE e.arrival = ?1",
    )?;
    let (id, by) = statement.query_row([int(edit)], |row| {
        let key = LogKey { log: row.get::<_, LogColumn>(1)?.0, author: NodeId(row.get::<_, Blob32>(2)?.0) };
        let hash = crate::proto::ids::Hash(row.get::<_, Blob32>(4)?.0);
        let (seq, index) = (row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(5)?.0);
        let id = EntryId::new(key, seq, &hash, usize::try_from(index).unwrap_or(usize::MAX));
        Ok((id, Readers { author: key.author, audience: row.get::<_, Option<Blob32>>(3)?.map(|id| NodeId(id.0)) }))
    })?;
    let mut statement = db.prepare_cached(
        "SELECT arrival FROM change WHERE id = ?1 AND seq = ?2 AND proof = ?3 AND target IS NULL AND kind = 2
         AND author = (SELECT author FROM change WHERE arrival = ?4)",
    )?;
    let named = params![log_id(id.log), int(id.seq), id.check, int(edit)];
    let waiting: Vec<NonNegative> = statement.query_map(named, |row| row.get(0))?.collect::<Result<_, _>>()?;
    for arrival in waiting {
        apply_change(db, arrival.0, id, by, effects)?;
    }
    Ok(())
}

/// The audience of a log.
fn audience(db: &Connection, key: LogKey) -> Result<Option<NodeId>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT audience FROM log WHERE id = ?1 AND author = (SELECT author FROM author WHERE key = ?2)",
    )?;
    let found = statement.query_row(params![log_id(key.log), Blob32(key.author.0)], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(|id: Blob32| NodeId(id.0)))
}

/// Looks again at an entry that stands elsewhere now: another one may count instead.
fn moved(db: &Connection, arrival: Arrival, by: Arrival, effects: &mut ChangeEffects) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached("SELECT channel FROM topic WHERE arrival = ?1")?;
    let topic: Option<String> = statement.query_row([int(arrival)], |row| row.get(0)).optional()?;
    if let Some(channel) = topic {
        effects.topics.insert(channel);
        effects.entries.insert(arrival);
    }
    let Some(change) = target_of(db, arrival)? else { return Ok(()) };
    let mut statement = db.prepare_cached("SELECT emoji FROM change WHERE arrival = ?1")?;
    let emoji: Option<String> = statement.query_row([int(arrival)], |row| row.get(0))?;
    if let Some(emoji) = emoji {
        rechoose(db, change.target, change.author, &emoji)?;
    }
    mark_changed(db, change.target, by)?;
    effects.messages.insert(change.target);
    effects.entries.insert(arrival);
    Ok(())
}

/// Looks again at what entries changed that stand elsewhere now. Returns their arrival numbers.
pub(crate) fn resettle(
    state: &mut WriteState,
    db: &Connection,
    entries: impl IntoIterator<Item = (LogKey, Seq)>,
    effects: &mut ChangeEffects,
) -> Result<BTreeSet<Arrival>, StoreError> {
    let mut arrivals = BTreeSet::new();
    for (key, seq) in entries {
        let Some(log) = state.numbers.log(db, key)?.map(|log| log.number) else { continue };
        let Some(found) = find(db, log, seq)? else { continue };
        moved(db, found.arrival, state.highest, effects)?;
        arrivals.insert(found.arrival);
    }
    Ok(arrivals)
}

/// Chooses among the reactions with an emoji anew, after one has moved or gone.
fn rechoose(db: &Connection, message: Arrival, author: i64, emoji: &str) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE change SET current = 0 WHERE target = ?1 AND kind = 3 AND author = ?2 AND emoji = ?3 AND current = 1",
    )?
    .execute(params![int(message), author, emoji])?;
    choose_reaction(db, message, author, emoji)
}

/// Forgets the entries `from..=to`: what they changed, and what changed them. Returns true if
/// there was any change.
pub(crate) fn forget(db: &Connection, from: Arrival, to: Arrival) -> Result<bool, StoreError> {
    let range = [int(from), int(to)];
    let removed = db.prepare_cached("DELETE FROM topic WHERE arrival BETWEEN ?1 AND ?2")?.execute(range)?;
    db.prepare_cached("DELETE FROM mention WHERE arrival BETWEEN ?1 AND ?2")?.execute(range)?;
    attachments::remove(db, from, to)?;
    let mut statement =
        db.prepare_cached("DELETE FROM change WHERE arrival BETWEEN ?1 AND ?2 RETURNING target, kind, author, emoji")?;
    type RemovedChange = (Option<i64>, i64, i64, Option<String>);
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let changes: Vec<RemovedChange> = statement.query_map(range, read)?.collect::<Result<_, _>>()?;
    for (target, kind, author, emoji) in &changes {
        let Some(target) = *target else { continue };
        if let Some(emoji) = emoji {
            rechoose(db, target.unsigned_abs(), *author, emoji)?;
        } else if *kind == ChangeKind::Delete.number() {
            db.prepare_cached(
                "UPDATE change SET current = 1 WHERE arrival = ?1 AND kind = 1 AND target IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM change d WHERE d.target = ?1 AND d.kind = 2)",
            )?
            .execute([target])?;
        }
    }
    db.prepare_cached(
        "UPDATE change SET target = NULL, conversation = NULL, current = 0 WHERE target BETWEEN ?1 AND ?2",
    )?
    .execute(range)?;
    Ok(removed > 0 || !changes.is_empty())
}
