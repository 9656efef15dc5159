//! What a message looks like now: its row's changes, each read as it was signed. What is read grows
//! with the changes that count, not with their number.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::decoded::{CurrentText, SignedEntry};
use crate::proto::entries::appearance::Reaction;
use crate::proto::entries::body::Body;
use crate::proto::entries::message_state::counted_reactions;
use crate::proto::entries::timeline::Order;
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::REACTIONS_OF_AUTHOR_MAX;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};
use crate::store::tables::changes::is_deleted;

/// The current appearance of a message of `author` that was said as `said`. `edit`: the edit that
/// counts. Reactions of `hidden` members are left out.
pub(crate) fn current(
    db: &Connection,
    (message, author): (Arrival, NodeId),
    said: CurrentText,
    edit: Option<SignedEntry>,
    hidden: &BTreeSet<NodeId>,
) -> Result<CurrentText, StoreError> {
    if is_deleted(db, message)? {
        return Ok(CurrentText::deleted());
    }
    let mut current = said;
    if let Some(edit) = edit {
        let Body::Edit { text, mentions, .. } = edit.body else {
            return Err(StoreError::inconsistent("an edit is none"));
        };
        if edit.order.author != author {
            return Err(StoreError::inconsistent("a message was edited by another member"));
        }
        current.changes.mentions = mentions.counted(&text);
        current.changes.edited = Some(edit.time);
        current.text = text;
    }
    current.changes.reactions = reactions(db, message)?;
    for reaction in &mut current.changes.reactions {
        reaction.by.retain(|author| !hidden.contains(author));
    }
    current.changes.reactions.retain(|reaction| !reaction.by.is_empty());
    Ok(current)
}

/// The reactions to a message that count. Of each author only the first are read.
fn reactions(db: &Connection, message: Arrival) -> Result<Vec<Reaction>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT c.author, c.place, c.log, c.number, c.emoji, a.key FROM change c CROSS JOIN author a ON a.author = c.author
         WHERE c.target = ?1 AND c.kind = 3 AND c.current = 1 AND c.author > ?2 ORDER BY c.author, c.place",
    )?;
    let mut on = Vec::new();
    let mut last_author = -1;
    'authors: loop {
        let mut rows = statement.query(params![int(message), last_author])?;
        let (mut author, mut count, mut last_place) = (last_author, 0, 0);
        while let Some(row) = rows.next()? {
            let place = row.get::<_, NonNegative>(1)?.0;
            if row.get::<_, i64>(0)? != author {
                (author, count) = (row.get(0)?, 0);
            }
            count += 1;
            // Of those at one place the log decides.
            if count > REACTIONS_OF_AUTHOR_MAX && place != last_place {
                last_author = author;
                continue 'authors;
            }
            last_place = place;
            let key = NodeId(row.get::<_, Blob32>(5)?.0);
            let order =
                Order { place, author: key, log: row.get::<_, LogColumn>(2)?.0, seq: row.get::<_, NonNegative>(3)?.0 };
            on.push((order, row.get::<_, String>(4)?));
        }
        return Ok(counted_reactions(on));
    }
}
