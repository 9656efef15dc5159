//! The versions of an edited message, oldest first, a bounded page at a time.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::decoded::{EntryRow, rows};
use super::message::MessageReader;
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::Order;
use crate::proto::history::{MessageVersion, VersionPage};
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::VERSIONS_MAX;
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int, log_id};
use crate::store::tables::batches::find_by_id;
use crate::store::tables::changes::is_deleted;

/// Reads the newest versions, or those before a place. `None` if the message is not here, or not
/// shown.
pub(crate) fn versions(
    db: &Connection,
    own: NodeId,
    id: EntryId,
    before: Option<Order>,
) -> Result<Option<VersionPage>, StoreError> {
    const ONE: &str = rows!("entry e", "WHERE e.arrival = ?1 AND e.conversation IS NOT NULL");
    let mut lines = MessageReader::without_blocked(db, own)?;
    let Some((_, found)) = find_by_id(db, id)? else { return Ok(None) };
    let row = db.prepare_cached(ONE)?.query_row([int(found.arrival)], EntryRow::read).optional()?;
    let Some(row) = row.filter(|row| !lines.hides(row)) else { return Ok(None) };
    let mut page = VersionPage::default();
    let said = lines.original(&row)?;
    if is_deleted(db, row.arrival)? || said.as_ref().is_some_and(|said| said.changes.deleted) {
        return Ok(Some(page));
    }
    let before = before
        .map_or((i64::MAX, i64::MAX, i64::MAX), |before| (int(before.place), log_id(before.log), int(before.seq)));
    let mut statement = db.prepare_cached(
        "SELECT arrival FROM change WHERE target = ?1 AND kind = 1 AND current = 1 AND place <= ?2
         AND (place, log, number) < (?2, ?3, ?4)
         ORDER BY author DESC, place DESC, log DESC, number DESC LIMIT ?5",
    )?;
    let limit = int(VERSIONS_MAX as u64 + 1);
    let edits =
        statement.query_map(params![int(row.arrival), before.0, before.1, before.2, limit], |row| row.get(0))?;
    let edits: Vec<NonNegative> = edits.collect::<Result<_, _>>()?;
    let mut last = None;
    for arrival in edits.iter().take(VERSIONS_MAX) {
        let Some(edit) = lines.entry(arrival.0)? else { continue };
        let Body::Edit { text, .. } = edit.body else { return Err(StoreError::inconsistent("an edit is none")) };
        page.versions.push(MessageVersion { text, time: edit.time });
        last = Some(edit.order);
    }
    if edits.len() >= VERSIONS_MAX {
        page.before = last;
    } else if let Some(said) = said {
        page.versions.push(MessageVersion { text: said.text, time: row.time });
    }
    page.versions.reverse();
    Ok(Some(page))
}
