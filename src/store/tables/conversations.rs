//! The table `conversation`: row ids, and how far the user has read each conversation.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::proto::entries::timeline::Conversation;
use crate::proto::history::ReadMarker;
use crate::proto::ids::NodeId;
use crate::proto::limits::CONVERSATIONS_LISTED_MAX;
use crate::proto::names::name::Name;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};

/// Returns the row id of a conversation. A conversation without messages has no row.
pub(crate) fn find_conversation(db: &Connection, conversation: &Conversation) -> Result<Option<i64>, StoreError> {
    let (channel, member) = columns(conversation);
    let mut statement = db.prepare_cached("SELECT conversation FROM conversation WHERE channel = ?1 OR member = ?2")?;
    Ok(statement.query_row(params![channel, member], |row| row.get(0)).optional()?)
}

pub(crate) fn columns(conversation: &Conversation) -> (Option<&str>, Option<Blob32>) {
    match conversation {
        Conversation::Channel(name) => (Some(name.as_str()), None),
        Conversation::Direct(member) => (None, Some(Blob32(member.0))),
    }
}

/// Reads a conversation from the column `channel`, at index `column`, and the column `member`
/// behind it.
pub(crate) fn conversation(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Conversation> {
    let channel: Option<String> = row.get(column)?;
    match channel {
        Some(name) => Ok(Conversation::Channel(Name::from_lossy(&name, Conversation::GENERAL))),
        None => Ok(Conversation::Direct(NodeId(row.get::<_, Blob32>(column + 1)?.0))),
    }
}

/// Returns the conversations that have messages, with their read marks, in the order in which they
/// began.
///
/// Beyond [`CONVERSATIONS_LISTED_MAX`], direct ones are preferred, then those that the user has
/// read in, then the newest.
pub(crate) fn conversations(db: &Connection) -> Result<Vec<ReadMarker>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT channel, member, unread, read, mentions FROM conversation WHERE conversation IN
         (SELECT conversation FROM conversation ORDER BY member IS NULL, read = 0, conversation DESC LIMIT ?1) ORDER BY conversation")?;
    Ok(statement.query_map([int(CONVERSATIONS_LISTED_MAX as u64)], marker)?.collect::<Result<_, _>>()?)
}

/// Returns the read mark of the conversation with this row id.
pub(crate) fn read_marker(db: &Connection, number: i64) -> Result<ReadMarker, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT channel, member, unread, read, mentions FROM conversation WHERE conversation = ?1")?;
    Ok(statement.query_row([number], marker)?)
}

fn marker(row: &rusqlite::Row<'_>) -> rusqlite::Result<ReadMarker> {
    Ok(ReadMarker {
        conversation: conversation(row, 0)?,
        unread: row.get::<_, NonNegative>(2)?.0,
        read: row.get::<_, NonNegative>(3)?.0,
        mentions: row.get::<_, NonNegative>(4)?.0,
    })
}

/// Renames channels to the form that today's rule for names gives. Channels that get the same name
/// are merged.
pub(crate) fn rename_channels(db: &mut Connection) -> Result<(), StoreError> {
    let renamed = surplus(db)?;
    if renamed.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for (number, name) in renamed {
        let find = "SELECT conversation FROM conversation WHERE channel = ?1";
        let other: Option<i64> = transaction.query_row(find, [name.as_str()], |row| row.get(0)).optional()?;
        let Some(other) = other else {
            let rename = "UPDATE conversation SET channel = ?2 WHERE conversation = ?1";
            transaction.execute(rename, params![number, name.as_str()])?;
            continue;
        };
        transaction.execute("UPDATE entry SET conversation = ?2 WHERE conversation = ?1", [number, other])?;
        transaction.execute("UPDATE change SET conversation = ?2 WHERE conversation = ?1", [number, other])?;
        transaction.execute(
            "UPDATE conversation SET read = min(conversation.read, old.read), unread = conversation.unread + old.unread,
                 mentions = conversation.mentions + old.mentions
             FROM conversation old WHERE conversation.conversation = ?2 AND old.conversation = ?1",
            [number, other],
        )?;
        transaction.execute("DELETE FROM conversation WHERE conversation = ?1", [number])?;
    }
    Ok(transaction.commit()?)
}

/// Returns channels whose names contain marks that today's rule removes, and their new names.
///
/// Names that were never clean are damage, and are left to the integrity check.
fn surplus(db: &Connection) -> Result<Vec<(i64, Name)>, StoreError> {
    let mut statement = db.prepare("SELECT conversation, channel FROM conversation WHERE channel IS NOT NULL")?;
    let mut rows = statement.query([])?;
    let mut renamed = Vec::new();
    while let Some(row) = rows.next()? {
        let channel: String = row.get(1)?;
        let Some(name) = Name::new(&channel).ok().filter(|_| Name::was_clean(&channel)) else { continue };
        if name.as_str() != channel {
            renamed.push((row.get(0)?, name));
        }
    }
    Ok(renamed)
}
