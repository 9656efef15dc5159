//! Applies writes other than batches: receipts, notices, members and read marks.

use rusqlite::{Connection, params};

use super::state::WriteState;
use crate::proto::entries::timeline::{Conversation, Notice, NoticeKind};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{Arrival, LogKey, NodeId};
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::{MemberReceipt, MemberRecord};
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int};
use crate::store::tables::notices::{evict, kind_word};
use crate::store::tables::receipts::overlapping_or_adjacent;

/// Stores a member's receipt for entries of an own log. Receipts for other logs, or for entries
/// that were never written, are ignored.
pub(crate) fn put_receipt(state: &mut WriteState, db: &Connection, receipt: &MemberReceipt) -> Result<(), StoreError> {
    let key = LogKey { author: state.own, log: receipt.log };
    let Some(log) = state.numbers.log(db, key)? else { return Ok(()) };
    let written = log.spans.last().map_or(0, |span| span.last);
    let (log, mut first, mut last) = (log.number, receipt.first, receipt.last.min(written));
    if first == 0 || first > last {
        return Ok(());
    }
    let member = state.numbers.author(db, receipt.member)?;
    for (old_first, old_last) in overlapping_or_adjacent(db, log, member, first, last)? {
        first = first.min(old_first);
        last = last.max(old_last);
        db.prepare_cached("DELETE FROM receipt WHERE log = ?1 AND member = ?2 AND first_seq = ?3")?
            .execute(params![log, member, int(old_first)])?;
    }
    db.prepare_cached("INSERT INTO receipt (log, member, first_seq, last_seq) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![log, member, int(first), int(last)])?;
    Ok(())
}

/// Stores a notice under the next arrival number. Evicts older ones if there are too many.
pub(crate) fn put_notice(
    state: &mut WriteState,
    db: &Connection,
    wall_ms: u64,
    kind: NoticeKind,
    member: NodeId,
    name: &Name,
) -> Result<Notice, StoreError> {
    let author = state.numbers.author(db, member)?;
    state.highest += 1;
    db.prepare_cached("INSERT INTO notice (arrival, wall_ms, kind, member, name) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![int(state.highest), int(wall_ms), kind_word(kind), author, name.as_str()])?;
    evict(db)?;
    Ok(Notice { arrival: state.highest, wall_ms, kind, member, name: name.clone() })
}

/// Stores what the engine knows of a member. A name from the member's logs stays if it is newer or
/// of the same time, since it is signed.
pub(crate) fn put_member(state: &mut WriteState, db: &Connection, record: &MemberRecord) -> Result<(), StoreError> {
    let author = state.numbers.author(db, record.id)?;
    let addresses: Vec<_> = record.addresses.iter().map(ToString::to_string).collect();
    db.prepare_cached("UPDATE author SET addresses = ?2, port = ?3, since_ms = ?4, lost = ?5 WHERE author = ?1")?
        .execute(params![author, addresses.join(","), record.port, int(record.since_ms), record.lost])?;
    db.prepare_cached(
        "UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND coalesce(name_time, -1) < ?3",
    )?
    .execute(params![author, record.name.as_str(), int(record.name_time.0)])?;
    Ok(())
}

/// Moves the mark of what was read; returns it, with what is unread behind it, if it grew.
pub(crate) fn mark_read(
    state: &mut WriteState,
    db: &Connection,
    conversation: &Conversation,
    arrival: Arrival,
) -> Result<Option<ReadMarker>, StoreError> {
    let Some(number) = state.numbers.conversation(db, conversation, false)? else { return Ok(None) };
    // A mark beyond the highest arrival number would cover messages that have not come yet.
    let arrival = arrival.min(state.highest);
    let mut statement = db.prepare_cached("UPDATE conversation SET read = ?2 WHERE conversation = ?1 AND read < ?2")?;
    if statement.execute(params![number, int(arrival)])? == 0 {
        return Ok(None);
    }
    let own = state.numbers.author(db, state.own)?;
    let mut statement = db.prepare_cached(
        "UPDATE conversation SET unread = (
             SELECT count(*) FROM entry e JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log
             JOIN author a ON a.author = l.author
             WHERE e.arrival > ?2 AND +e.conversation = ?1 AND l.author <> ?3 AND a.blocked = 0
             AND NOT EXISTS (SELECT 1 FROM change d WHERE d.target = e.arrival AND d.kind = 2)),
         mentions = (
             SELECT count(*) FROM mention m JOIN entry e ON e.arrival = m.arrival JOIN batch b ON b.batch = e.batch
             JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author
             WHERE m.arrival > ?2 AND +e.conversation = ?1 AND l.author <> ?3 AND a.blocked = 0
             AND NOT EXISTS (SELECT 1 FROM change d WHERE d.target = e.arrival AND d.kind = 2))
         WHERE conversation = ?1 RETURNING unread, mentions",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let (unread, mentions) = (row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(1)?.0);
        Ok(ReadMarker { conversation: conversation.clone(), unread, read: arrival, mentions })
    };
    Ok(Some(statement.query_row(params![number, int(arrival), own], read)?))
}
