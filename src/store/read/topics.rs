//! The topics of channels, and where the entries stand that set them or changed a message.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use super::message::MessageReader;
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::{Conversation, Place};
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::names::name::Name;
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int};

/// The topic of a channel, the last in order; `None` if there was none.
pub(crate) fn topic(
    lines: &mut MessageReader<'_>,
    db: &Connection,
    channel: &str,
) -> Result<Option<String>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT t.arrival FROM topic t CROSS JOIN entry e ON e.arrival = t.arrival CROSS JOIN batch b ON b.batch = e.batch
         CROSS JOIN log l ON l.log = b.log CROSS JOIN author a ON a.author = l.author WHERE t.channel = ?1
         ORDER BY t.place DESC, a.key DESC, l.id DESC, b.first_seq + e.arrival - e.batch DESC LIMIT 1",
    )?;
    let found = statement.query_row([channel], |row| row.get::<_, NonNegative>(0)).optional()?;
    let Some(found) = found else { return Ok(None) };
    match lines.entry(found.0)?.map(|entry| entry.body) {
        Some(Body::Topic { channel: signed, text }) if signed == channel => Ok(Some(text)),
        Some(_) => Err(StoreError::inconsistent("a topic is none")),
        None => Ok(None),
    }
}

/// The conversations and places of entries that changed a message or a topic.
pub(crate) fn places(
    lines: &mut MessageReader<'_>,
    db: &Connection,
    entries: &BTreeSet<Arrival>,
) -> Result<Vec<(Conversation, Place, EntryId)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT conversation FROM change WHERE arrival = ?1")?;
    let mut places = Vec::new();
    for arrival in entries {
        let number: Option<i64> = statement.query_row([int(*arrival)], |row| row.get(0)).optional()?.flatten();
        let Some(entry) = lines.entry(*arrival)? else { continue };
        let conversation = match (number, &entry.body) {
            (Some(number), _) => Some(lines.conversation(number)?),
            (None, Body::Topic { channel, .. }) => Name::new(channel).ok().map(Conversation::Channel),
            (None, _) => None,
        };
        places.extend(conversation.map(|conversation| (conversation, entry.order.place, entry.id)));
    }
    Ok(places)
}
