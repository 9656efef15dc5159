//! What a tab gets when it opens its socket: what it missed, or a fresh beginning. All of it is one state of the
//! database, so that everything up to the number it names is in it and everything beyond it is not.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::error::StoreError;
use super::line::{Lines, conversation, rows};
use super::notices::may_be_gone;
use super::numbers::highest;
use super::page::{page_of_lines, stream};
use super::page_storage;
use super::sql::{Count, int};
use crate::proto::history::{At, Budget, Page, PageQuery, Reading, Sizes};
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{
    CONVERSATIONS_LISTED_MAX, RESUME_BYTES_MAX, RESUME_ENTRIES_MAX, WELCOME_BYTES_MAX, WELCOME_MESSAGES,
};
use crate::proto::timeline::{Line, Notice, Order};

/// What a tab missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Messages with greater numbers, in arrival order.
    pub lines: Vec<Line>,
    /// Notices with greater numbers, in arrival order.
    pub notices: Vec<Notice>,
    /// Messages that it has, but which since stand elsewhere in the timeline.
    pub moved: Vec<Line>,
    /// The highest number covered.
    pub arrival: Arrival,
}

/// The beginning of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Whether the tab's number could not be resumed from.
    pub reset: bool,
    /// Messages: the newest in timeline order, or what was missed in arrival order.
    pub lines: Vec<Line>,
    /// Notices that go with them.
    pub notices: Vec<Notice>,
    /// After a resume: messages that the tab has, but which since stand elsewhere.
    pub moved: Vec<Line>,
    /// The cursor for what is older than the fresh page; none where nothing is, and after a resume.
    pub before: Option<Order>,
    /// The conversations in which something was said, as many as are listed.
    pub conversations: Vec<Reading>,
    /// The highest number covered.
    pub arrival: Arrival,
    /// The storage of the user's pages.
    pub storage: BTreeMap<String, String>,
}

/// Reads everything for a socket. `after` is the run and the number that the tab shows, if it has any.
pub(super) fn welcome(
    db: &Connection,
    own: NodeId,
    after: Option<(&str, Arrival)>,
    sizes: Sizes,
) -> Result<Welcome, StoreError> {
    let conversations = conversations(db)?;
    let storage = page_storage::items(db)?;
    let resumed = match after {
        Some((run, arrival)) => {
            resume(db, own, run, arrival, RESUME_ENTRIES_MAX, Budget { bytes: RESUME_BYTES_MAX, sizes })?
        }
        None => None,
    };
    if let Some(Resumed { lines, notices, moved, arrival }) = resumed {
        return Ok(Welcome { reset: false, lines, notices, moved, before: None, conversations, arrival, storage });
    }
    let newest = PageQuery { at: At::Newest, conversation: None, limit: WELCOME_MESSAGES };
    let fresh = page_of_lines(db, own, &newest, Budget { bytes: WELCOME_BYTES_MAX, sizes })?;
    let (Page { lines, notices, before, arrival, .. }, _) = fresh.ok_or(StoreError::Closed)?;
    Ok(Welcome { reset: after.is_some(), lines, notices, moved: Vec::new(), before, conversations, arrival, storage })
}

/// Reads what a tab missed; `None` where it has to start afresh.
pub(super) fn resume(
    db: &Connection,
    own: NodeId,
    run: &str,
    after: Arrival,
    limit: usize,
    budget: Budget,
) -> Result<Option<Resumed>, StoreError> {
    let arrival = highest(db)?;
    if last_of_run(db, run, arrival)?.is_none_or(|last| after > last) {
        return Ok(None);
    }
    let mut lines = Lines::shown(db, own)?;
    let found = stream(&mut lines, db, None, after, limit, budget)?;
    if found.cut.is_some() || found.bytes > budget.bytes || may_be_gone(db, after)? {
        return Ok(None);
    }
    const MOVED: &str = rows!(
        "entry e INDEXED BY entry_moved",
        "WHERE e.moved > ?1 AND e.arrival <= ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival LIMIT ?2"
    );
    let limit = limit.saturating_sub(found.lines.len() + found.notices.len());
    let mut statement = db.prepare_cached(MOVED)?;
    let mut rows = statement.query([int(after), int(limit as u64 + 1)])?;
    let mut moved = Vec::new();
    let mut bytes_left = budget.bytes - found.bytes;
    while let Some(row) = rows.next()? {
        let Some(line) = lines.line(&super::line::Row::read(row)?)? else { continue };
        let size = (budget.sizes.line)(&line);
        if moved.len() == limit || size > bytes_left {
            return Ok(None);
        }
        bytes_left -= size;
        moved.push(line);
    }
    Ok(Some(Resumed { lines: found.lines, notices: found.notices, moved, arrival }))
}

/// The highest number that was given in a run; `None` if it is unknown. A backup that was put back knows the run
/// that went on after it was taken, but not the numbers: for the next run here began below them.
fn last_of_run(db: &Connection, run: &str, highest: Arrival) -> Result<Option<Arrival>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT (SELECT min(start) FROM run later WHERE later.run > this.run) FROM run this WHERE id = ?1",
    )?;
    let next: Option<Option<Count>> = statement.query_row([run], |row| row.get(0)).optional()?;
    Ok(next.map(|next| next.map_or(highest, |start| start.0)))
}

/// The conversations in which something was said, and how far each was read; of those that are too many first direct ones,
/// then those of which something was read, then the newest. In the order in which they began.
pub(super) fn conversations(db: &Connection) -> Result<Vec<Reading>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT channel, member, unread, read FROM conversation WHERE conversation IN
         (SELECT conversation FROM conversation ORDER BY member IS NULL, read = 0, conversation DESC LIMIT ?1) ORDER BY conversation")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Reading {
            conversation: conversation(row, 0)?,
            unread: row.get::<_, Count>(2)?.0,
            read: row.get::<_, Count>(3)?.0,
        })
    };
    Ok(statement.query_map([int(CONVERSATIONS_LISTED_MAX as u64)], read)?.collect::<Result<_, _>>()?)
}
