//! Flags that the user gives a member: verified, muted, blocked.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::state::WriteState;
use crate::proto::entries::batch::check_hashes;
use crate::proto::entries::body_range::{BodyRange, BodyRanges};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{Arrival, Hash, NodeId};
use crate::proto::member_flags::FlagChange;
use crate::proto::replication::store_api::FlagWriteResult;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, int};
use crate::store::tables::conversations::read_marker;
use crate::store::tables::members::marks_of;

/// Changes the flags of a member.
///
/// Blocking also hides or shows past messages. So unread counts are recomputed, and a new run
/// begins, which makes every tab start afresh.
pub(crate) fn set_member_flags(
    state: &mut WriteState,
    db: &Connection,
    member: NodeId,
    change: FlagChange,
) -> Result<FlagWriteResult, StoreError> {
    let author = state.numbers.author(db, member)?;
    let before = marks_of(db, author)?;
    let marks = change.apply(before);
    db.prepare_cached("UPDATE author SET verified = ?2, muted = ?3, blocked = ?4 WHERE author = ?1")?
        .execute(params![author, marks.verified, marks.muted, marks.blocked])?;
    if before.blocked == marks.blocked {
        return Ok(FlagWriteResult { member, marks, run: None });
    }
    Ok(FlagWriteResult { member, marks, run: Some(reset_sessions(state, db)?) })
}

/// Recomputes unread counts and begins a run, since other messages are visible from now on. Returns
/// the name of the run.
pub(crate) fn reset_sessions(state: &mut WriteState, db: &Connection) -> Result<String, StoreError> {
    let own = state.numbers.author(db, state.own)?;
    db.prepare_cached(
        "UPDATE conversation SET unread = (
             SELECT count(*) FROM entry e JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log
             JOIN author a ON a.author = l.author
             WHERE e.arrival > conversation.read AND +e.conversation = conversation.conversation
             AND l.author <> ?1 AND a.blocked = 0
             AND NOT EXISTS (SELECT 1 FROM change d WHERE d.target = e.arrival AND d.kind = 2)),
         mentions = (
             SELECT count(*) FROM mention m JOIN entry e ON e.arrival = m.arrival JOIN batch b ON b.batch = e.batch
             JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author
             WHERE m.arrival > conversation.read AND +e.conversation = conversation.conversation
             AND l.author <> ?1 AND a.blocked = 0
             AND NOT EXISTS (SELECT 1 FROM change d WHERE d.target = e.arrival AND d.kind = 2))",
    )?
    .execute([own])?;
    uncount_stripped(db, own)?;
    let run = format!("{:016x}", rand::random::<u64>());
    db.prepare_cached("DELETE FROM run")?.execute([])?;
    db.prepare_cached("INSERT INTO run (id, start) VALUES (?1, ?2)")?.execute(params![run, int(state.highest)])?;
    Ok(run)
}

/// Takes messages from the unread counts whose bodies are gone. Their deletions may not be here.
fn uncount_stripped(db: &Connection, own: i64) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT b.batch, b.hash, b.bytes, e.arrival - b.batch, e.conversation FROM conversation c
         JOIN entry e ON e.arrival > c.read AND +e.conversation = c.conversation
         JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author
         WHERE l.author <> ?1 AND a.blocked = 0
         AND NOT EXISTS (SELECT 1 FROM change d WHERE d.target = e.arrival AND d.kind = 2) ORDER BY b.batch",
    )?;
    let mut uncount =
        db.prepare_cached("UPDATE conversation SET unread = unread - 1 WHERE conversation = ?1 AND unread > 0")?;
    let mut rows = statement.query([own])?;
    let mut last: Option<(i64, BodyRanges)> = None;
    while let Some(row) = rows.next()? {
        let batch: i64 = row.get(0)?;
        if last.as_ref().is_none_or(|(number, _)| *number != batch) {
            let bytes = Bytes::copy_from_slice(row.get_ref(2)?.as_blob().unwrap_or_default());
            // A corrupted batch is repaired by its next reader.
            let ranges = check_hashes(&bytes, &Hash(row.get::<_, Blob32>(1)?.0)).map(|(_, ranges)| ranges);
            last = Some((batch, ranges.unwrap_or_default()));
        }
        let index = usize::try_from(row.get::<_, i64>(3)?).unwrap_or(usize::MAX);
        if last.as_ref().and_then(|(_, ranges)| ranges.get(index)).is_some_and(BodyRange::is_deleted) {
            uncount.execute([row.get::<_, i64>(4)?])?;
        }
    }
    Ok(())
}

/// Counts messages as unread no more that were deleted just now. Returns the conversations that
/// have fewer.
pub(crate) fn uncount_deleted(
    state: &mut WriteState,
    db: &Connection,
    messages: &BTreeSet<Arrival>,
) -> Result<Vec<ReadMarker>, StoreError> {
    let own = state.numbers.author(db, state.own)?;
    let mut numbers = BTreeSet::new();
    for message in messages {
        let mentions = db.prepare_cached("DELETE FROM mention WHERE arrival = ?1")?.execute([int(*message)])?;
        let mut uncount = db.prepare_cached(
            "UPDATE conversation SET unread = unread - 1, mentions = mentions - ?2
             WHERE read < ?1 AND unread > 0 AND conversation = (
                 SELECT e.conversation FROM entry e JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log
                 JOIN author a ON a.author = l.author
                 WHERE e.arrival = ?1 AND l.author <> ?3 AND a.blocked = 0)
             RETURNING conversation",
        )?;
        let number: Option<i64> =
            uncount.query_row(params![int(*message), mentions as i64, own], |row| row.get(0)).optional()?;
        numbers.extend(number);
    }
    numbers.into_iter().map(|number| read_marker(db, number)).collect()
}

/// Returns true if the user has blocked an author.
pub(crate) fn is_blocked(state: &mut WriteState, db: &Connection, author: NodeId) -> Result<bool, StoreError> {
    let author = state.numbers.author(db, author)?;
    Ok(marks_of(db, author)?.blocked)
}
