//! Messages by the files that they name.

use rusqlite::Connection;

use super::decoded::row;
use super::message::MessageReader;
use crate::proto::entries::timeline::Message;
use crate::proto::ids::{Arrival, Hash, NodeId};
use crate::store::error::StoreError;
use crate::store::tables::attachments;

/// Returns the newest messages that name some content, or any, the newest first.
pub(crate) fn with_files(
    db: &Connection,
    own: NodeId,
    content: Option<Hash>,
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    let Some(content) = content else { return messages(db, own, attachments::newest(db, limit)?) };
    let mut messages = messages(db, own, attachments::naming(db, &content, limit)?)?;
    messages.retain(|message| message.changes.files.iter().any(|file| file.content == content));
    Ok(messages)
}

/// Returns the oldest message that names some content.
pub(crate) fn first_naming(db: &Connection, own: NodeId, content: Hash) -> Result<Option<Message>, StoreError> {
    let first = attachments::first_naming(db, &content)?;
    let found = messages(db, own, first.into_iter().collect())?;
    let names_it = |message: &Message| message.changes.files.iter().any(|file| file.content == content);
    Ok(found.into_iter().find(names_it))
}

fn messages(db: &Connection, own: NodeId, arrivals: Vec<Arrival>) -> Result<Vec<Message>, StoreError> {
    let mut lines = MessageReader::new(db, own);
    let mut messages = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        if let Some(row) = row(db, arrival)? {
            messages.extend(lines.unquoted(&row)?);
        }
    }
    Ok(messages)
}
