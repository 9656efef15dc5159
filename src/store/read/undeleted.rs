//! Own edits of messages that the user deleted. The text of an edit stays until it is deleted too,
//! by an entry of its own.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::message::MessageReader;
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::EDITS_DELETED_AT_ONCE;
use crate::proto::replication::store_api::UndeletedEdit;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};

/// Returns own edits whose text is still here, of those of these messages that the user deleted.
/// Limited to [`EDITS_DELETED_AT_ONCE`]; each one that is deleted brings the next of its message,
/// and the last of them those of other messages.
pub(crate) fn undeleted_edits(
    lines: &mut MessageReader<'_>,
    db: &Connection,
    messages: &BTreeSet<Arrival>,
) -> Result<Vec<UndeletedEdit>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT e.arrival FROM change e WHERE e.target = ?1 AND e.kind = 1
         AND e.author = (SELECT author FROM author WHERE key = (SELECT own FROM node))
         AND EXISTS (SELECT 1 FROM change d WHERE d.target = ?1 AND d.kind = 2) LIMIT ?2",
    )?;
    let mut found = Vec::new();
    for message in messages {
        let left = (EDITS_DELETED_AT_ONCE - found.len()) as i64;
        let arrivals = statement.query_map([int(*message), left], |row| row.get::<_, NonNegative>(0))?;
        for arrival in arrivals.collect::<Result<Vec<_>, _>>()? {
            found.extend(undeleted(lines, db, arrival.0)?);
        }
        if found.len() == EDITS_DELETED_AT_ONCE {
            break;
        }
    }
    Ok(found)
}

/// Returns the first of all own edits of deleted messages whose text is still here. Limited to
/// [`EDITS_DELETED_AT_ONCE`].
pub(crate) fn all_undeleted_edits(db: &Connection, own: NodeId) -> Result<Vec<UndeletedEdit>, StoreError> {
    let mut lines = MessageReader::new(db, own);
    let mut statement = db.prepare(
        "SELECT DISTINCT e.arrival FROM change d CROSS JOIN change e ON e.target = d.target AND e.kind = 1
         WHERE d.kind = 2 AND d.target IS NOT NULL AND e.author = (SELECT author FROM author WHERE key = ?1) LIMIT ?2",
    )?;
    let limit = EDITS_DELETED_AT_ONCE as i64;
    let arrivals = statement.query_map(params![Blob32(own.0), limit], |row| row.get::<_, NonNegative>(0))?;
    let mut found = Vec::new();
    for arrival in arrivals.collect::<Result<Vec<_>, _>>()? {
        found.extend(undeleted(&mut lines, db, arrival.0)?);
    }
    Ok(found)
}

fn undeleted(
    lines: &mut MessageReader<'_>,
    db: &Connection,
    edit: Arrival,
) -> Result<Option<UndeletedEdit>, StoreError> {
    let Some(entry) = lines.entry(edit)? else { return Ok(None) };
    let mut statement = db.prepare_cached(
        "SELECT l.audience FROM entry e JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log
         WHERE e.arrival = ?1",
    )?;
    let audience: Option<Blob32> = statement.query_row([int(edit)], |row| row.get(0))?;
    Ok(Some(UndeletedEdit { id: entry.id, audience: audience.map(|id| NodeId(id.0)) }))
}
