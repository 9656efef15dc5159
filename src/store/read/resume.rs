//! The rows that a tab receives when it opens its socket: missed ones after a resume, or a fresh
//! page. They come from one state of the database, so they are complete up to the arrival number
//! that they name.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::decoded::{EntryRow, rows};
use super::message::MessageReader;
use super::page::{page_of_lines, read_since};
use super::topics::topic;
use crate::proto::entries::timeline::{Conversation, Message, Notice, Order};
use crate::proto::history::{PageBudget, PagePosition, PageQuery, ReadMarker, SizeEstimator, TimelinePage};
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{RESUME_BYTES_MAX, RESUME_ENTRIES_MAX, WELCOME_BYTES_MAX, WELCOME_MESSAGES};
use crate::store::error::StoreError;
use crate::store::sql::int;
use crate::store::tables::conversations::conversations;
use crate::store::tables::notices::may_be_gone;
use crate::store::tables::page_storage;
use crate::store::tables::runs::{last_of_run, max_arrival};

/// The rows that a tab missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedEntries {
    /// Messages with greater arrival numbers, in arrival order.
    pub lines: Vec<Message>,
    /// Notices with greater arrival numbers, in arrival order.
    pub notices: Vec<Notice>,
    /// Messages that the tab has, and that have moved in the timeline since.
    pub moved: Vec<Message>,
    /// The highest arrival number covered.
    pub arrival: Arrival,
}

/// The first rows of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialRows {
    /// True if the tab could not resume from its arrival number.
    pub reset: bool,
    /// The newest messages in timeline order, or after a resume the missed ones in arrival order.
    pub lines: Vec<Message>,
    /// The notices that belong to the messages.
    pub notices: Vec<Notice>,
    /// After a resume: messages that the tab has, and that have moved in the timeline since.
    pub moved: Vec<Message>,
    /// The cursor for messages older than the fresh page. None if nothing is older, and after a
    /// resume.
    pub before: Option<Order>,
    /// The conversations with messages, up to the limit of the list.
    pub conversations: Vec<ReadMarker>,
    /// The topics of those that have one.
    pub topics: BTreeMap<Conversation, String>,
    /// The highest arrival number covered.
    pub arrival: Arrival,
    /// The storage of the user's pages.
    pub storage: BTreeMap<String, String>,
}

/// Reads the first rows of a socket. `after` is the run and the arrival number of the tab, if it
/// has any.
pub(crate) fn welcome(
    db: &Connection,
    own: NodeId,
    after: Option<(&str, Arrival)>,
    sizes: SizeEstimator,
) -> Result<InitialRows, StoreError> {
    let conversations = conversations(db)?;
    let topics = topics(db, own, &conversations)?;
    let storage = page_storage::items(db)?;
    let resumed = match after {
        Some((run, arrival)) => {
            resume(db, own, run, arrival, RESUME_ENTRIES_MAX, PageBudget { bytes: RESUME_BYTES_MAX, sizes })?
        }
        None => None,
    };
    if let Some(MissedEntries { lines, notices, moved, arrival }) = resumed {
        let (reset, before) = (false, None);
        return Ok(InitialRows { reset, lines, notices, moved, before, conversations, topics, arrival, storage });
    }
    let newest = PageQuery { at: PagePosition::Newest, conversation: None, limit: WELCOME_MESSAGES };
    let fresh = page_of_lines(db, own, &newest, PageBudget { bytes: WELCOME_BYTES_MAX, sizes })?;
    let (TimelinePage { lines, notices, before, arrival, .. }, _) = fresh.ok_or(StoreError::Closed)?;
    Ok(InitialRows {
        reset: after.is_some(),
        lines,
        notices,
        moved: Vec::new(),
        before,
        conversations,
        topics,
        arrival,
        storage,
    })
}

/// The topics of these conversations.
fn topics(
    db: &Connection,
    own: NodeId,
    conversations: &[ReadMarker],
) -> Result<BTreeMap<Conversation, String>, StoreError> {
    let mut lines = MessageReader::new(db, own);
    let mut topics = BTreeMap::new();
    for marker in conversations {
        let Conversation::Channel(name) = &marker.conversation else { continue };
        let topic = topic(&mut lines, db, name.as_str())?.filter(|topic| !topic.is_empty());
        topics.extend(topic.map(|topic| (marker.conversation.clone(), topic)));
    }
    Ok(topics)
}

/// Reads the rows that a tab missed. Returns none if the tab has to start afresh.
pub(crate) fn resume(
    db: &Connection,
    own: NodeId,
    run: &str,
    after: Arrival,
    limit: usize,
    budget: PageBudget,
) -> Result<Option<MissedEntries>, StoreError> {
    let arrival = max_arrival(db)?;
    if last_of_run(db, run, arrival)?.is_none_or(|last| after > last) {
        return Ok(None);
    }
    let mut lines = MessageReader::without_blocked(db, own)?;
    let found = read_since(&mut lines, db, None, after, limit, budget, false)?;
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
        let Some(line) = lines.line(&EntryRow::read(row)?)? else { continue };
        let size = (budget.sizes.line)(&line);
        if moved.len() == limit || size > bytes_left {
            return Ok(None);
        }
        bytes_left -= size;
        moved.push(line);
    }
    Ok(Some(MissedEntries { lines: found.lines, notices: found.notices, moved, arrival }))
}
