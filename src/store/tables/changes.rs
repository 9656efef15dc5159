//! The table of edits, deletions and reactions, by the message that they change.
//!
//! A row points to its message once that is here and the rules let the entry change it. `current`
//! marks the rows that
//! count: each edit that was not deleted itself, and of the reactions of one author with one emoji
//! the last, if it is
//! on. So a reader finds what counts without reading what does not, however much there is of it.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::proto::entries::timeline::Place;
use crate::proto::ids::Arrival;
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int};

/// What a row does, as the number of its kind of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// A new text.
    Edit = 1,
    /// No text any more.
    Delete = 2,
    /// A reaction, on or off.
    React = 3,
}

impl ChangeKind {
    /// The number in the table.
    pub(crate) fn number(self) -> i64 {
        self as i64
    }
}

/// What is known of the message that a row changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangeTarget {
    /// The message; of the deletion of an edit, that edit.
    pub(crate) target: Arrival,
    pub(crate) kind: i64,
    pub(crate) author: i64,
}

/// The message that a row changes, if it is here and may be changed.
pub(crate) fn target_of(db: &Connection, arrival: Arrival) -> Result<Option<ChangeTarget>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT target, kind, author FROM change WHERE arrival = ?1 AND target IS NOT NULL")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(ChangeTarget { target: row.get::<_, NonNegative>(0)?.0, kind: row.get(1)?, author: row.get(2)? })
    };
    Ok(statement.query_row([int(arrival)], read).optional()?)
}

/// Returns true if the author deleted the message.
pub(crate) fn is_deleted(db: &Connection, message: Arrival) -> Result<bool, StoreError> {
    let mut statement = db.prepare_cached("SELECT 1 FROM change WHERE target = ?1 AND kind = 2")?;
    Ok(statement.exists([int(message)])?)
}

/// The edit of a message that counts.
pub(crate) fn last_edit(db: &Connection, message: Arrival) -> Result<Option<Arrival>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT arrival FROM change WHERE target = ?1 AND kind = 1 AND current = 1
         ORDER BY author DESC, place DESC, log DESC, number DESC LIMIT 1",
    )?;
    Ok(statement.query_row([int(message)], |row| row.get::<_, NonNegative>(0)).optional()?.map(|found| found.0))
}

/// Marks the last reaction with an emoji as the one that counts, if it is on.
pub(crate) fn choose_reaction(db: &Connection, message: Arrival, author: i64, emoji: &str) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT arrival, off, place, log, number FROM change
         WHERE target = ?1 AND kind = 3 AND author = ?2 AND emoji = ?3 AND current = ?4
         ORDER BY place DESC, log DESC, number DESC LIMIT 1",
    )?;
    let mut last = |current: bool| {
        let read = |row: &rusqlite::Row<'_>| {
            let order: (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((order, row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
        };
        statement.query_row(params![int(message), author, emoji, current], read).optional()
    };
    let (counted, other) = (last(true)?, last(false)?);
    let Some((order, arrival, off)) = other else { return Ok(()) };
    if counted.is_some_and(|(counted, ..)| counted > order) {
        return Ok(());
    }
    if let Some((_, arrival, _)) = counted {
        db.prepare_cached("UPDATE change SET current = 0 WHERE arrival = ?1")?.execute([arrival])?;
    }
    if !off {
        db.prepare_cached("UPDATE change SET current = 1 WHERE arrival = ?1")?.execute([arrival])?;
    }
    Ok(())
}

/// Gives the rows of an entry its place.
pub(crate) fn set_place(db: &Connection, arrival: Arrival, place: Place) -> Result<(), StoreError> {
    for sql in ["UPDATE topic SET place = ?2 WHERE arrival = ?1", "UPDATE change SET place = ?2 WHERE arrival = ?1"] {
        db.prepare_cached(sql)?.execute([int(arrival), int(place)])?;
    }
    Ok(())
}

/// Tells pages that come back of a message: it changed with the entry of this number.
pub(crate) fn mark_changed(db: &Connection, message: Arrival, by: Arrival) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE entry SET moved = max(coalesce(moved, 0), ?2) WHERE arrival = ?1")?
        .execute([int(message), int(by)])?;
    Ok(())
}
