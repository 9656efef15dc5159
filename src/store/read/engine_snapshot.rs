//! The engine's initial state, as stored.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::decoded::{EntryRow, rows};
use super::lookup::own_newest;
use super::message::MessageReader;
use super::topics::places;
use super::undeleted::all_undeleted_edits;
use crate::proto::entries::timeline::{Conversation, Place};
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::{RESUME_HELD_MAX, TOPS_MAX};
use crate::proto::replication::store_api::{Snapshot, TrackedMessage};
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int};
use crate::store::tables::logs::logs;
use crate::store::tables::members::{marks, members, statuses};
use crate::store::tables::receipts::receipts;
use crate::store::tables::refs::stored_refs;
use crate::store::tables::unpublished::unpublished_entries;

/// Reads the snapshot. Opens the batches of the newest own messages and of the latest message per
/// conversation only.
pub(crate) fn snapshot(db: &Connection, own: NodeId) -> Result<Snapshot, StoreError> {
    Ok(Snapshot {
        logs: logs(db)?,
        tops: latest_order_keys(db)?,
        members: members(db, own)?,
        marks: marks(db)?,
        own: own_lines(db, own)?,
        receipts: receipts(db)?,
        fallen: unpublished_entries(db)?,
        refs: stored_refs(db)?,
        statuses: statuses(db)?,
        to_delete: all_undeleted_edits(db, own)?,
    })
}

/// Returns the latest place of each conversation and its entry, greatest first, limited to
/// [`TOPS_MAX`] and one more.
pub(crate) fn latest_order_keys(db: &Connection) -> Result<Vec<(Conversation, Place, EntryId)>, StoreError> {
    const TOP: &str = rows!(
        "conversation c CROSS JOIN entry e ON e.arrival = (SELECT arrival FROM entry t INDEXED BY entry_conversation
         WHERE t.conversation = c.conversation ORDER BY t.place DESC LIMIT 1)",
        "ORDER BY e.place DESC LIMIT ?1"
    );
    let mut lines = MessageReader::new(db, NodeId([0; 32]));
    let mut statement = db.prepare(TOP)?;
    // The additional one stands for all further conversations.
    let mut rows = statement.query([int(TOPS_MAX as u64 + 1)])?;
    let mut tops = Vec::new();
    while let Some(row) = rows.next()? {
        let row = EntryRow::read(row)?;
        let (conversation, id) = (lines.conversation_of(&row)?, lines.id(&row)?);
        tops.push((conversation, row.order().place, id));
    }
    tops.extend(latest_changes(&mut lines, db)?);
    Ok(tops)
}

/// The same of entries that changed a message or a topic.
fn latest_changes(
    lines: &mut MessageReader<'_>,
    db: &Connection,
) -> Result<Vec<(Conversation, Place, EntryId)>, StoreError> {
    let mut entries = BTreeSet::new();
    for sql in [
        "SELECT (SELECT arrival FROM change c WHERE c.conversation = o.conversation ORDER BY c.place DESC LIMIT 1) found
         FROM conversation o WHERE found IS NOT NULL LIMIT ?1",
        "SELECT arrival FROM topic ORDER BY place DESC LIMIT ?1",
    ] {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([int(TOPS_MAX as u64)])?;
        while let Some(row) = rows.next()? {
            entries.insert(row.get::<_, NonNegative>(0)?.0);
        }
    }
    places(lines, db, &entries)
}

fn own_lines(db: &Connection, own: NodeId) -> Result<Vec<TrackedMessage>, StoreError> {
    let mut lines = MessageReader::new(db, own);
    let newest = own_newest(db, own, RESUME_HELD_MAX)?;
    newest.into_iter().map(|line| Ok(TrackedMessage { id: line.id, of: lines.in_reach(line.arrival)? })).collect()
}
