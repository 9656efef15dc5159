//! The table `fallen`: own entries to be published again, since a fork cut them off, or since an
//! earlier version signed them without what they need.

use rusqlite::{Connection, params};

use crate::proto::entries::body::{Body, SALT_BYTES};
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::{EntryId, Hash, NodeId};
use crate::proto::replication::store_api::{IdempotencyKey, UnpublishedEntry};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};

/// Returns the entries that wait to be published again.
pub(crate) fn unpublished_entries(db: &Connection) -> Result<Vec<UnpublishedEntry>, StoreError> {
    let mut statement =
        db.prepare("SELECT fallen, audience, body, name, content FROM fallen WHERE body IS NOT NULL ORDER BY fallen")?;
    let mut rows = statement.query([])?;
    let mut fallen = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(body) = Body::decode(&row.get::<_, Vec<u8>>(2)?) else { continue };
        let (name, content): (Option<String>, Option<Blob32>) = (row.get(3)?, row.get(4)?);
        fallen.push(UnpublishedEntry {
            number: row.get::<_, NonNegative>(0)?.0,
            audience: row.get::<_, Option<Blob32>>(1)?.map(|id| NodeId(id.0)),
            body,
            reference: name.zip(content).map(|(name, content)| IdempotencyKey { name, content: Hash(content.0) }),
        });
    }
    Ok(fallen)
}

/// Adds the deletions of own messages, to be published again with the channel. Only then every node
/// removes the text.
pub(crate) fn repeat_deletions(db: &Connection) -> Result<(), StoreError> {
    let mut statement = db.prepare(
        "SELECT b.hash, d.arrival - b.batch, l.audience, d.id, d.seq, d.proof, c.channel
         FROM change d JOIN entry e ON e.arrival = d.arrival JOIN batch b ON b.batch = e.batch
         JOIN log l ON l.log = b.log JOIN conversation c ON c.conversation = d.conversation
         WHERE d.kind = 2 AND d.author = (SELECT author FROM author WHERE key = (SELECT own FROM node))",
    )?;
    let mut insert =
        db.prepare("INSERT INTO fallen (hash, place, audience, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Ok(check) = row.get::<_, Vec<u8>>(5)?.try_into() else { continue };
        let entry = EntryId { log: row.get::<_, LogColumn>(3)?.0, seq: row.get::<_, NonNegative>(4)?.0, check };
        let channel = row.get::<_, Option<String>>(6)?;
        let body = Body::Delete { entry, channel: Some(channel.unwrap_or_else(|| Conversation::GENERAL.to_owned())) };
        let (hash, index, audience): (Blob32, i64, Option<Blob32>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        insert.execute(params![hash, index, audience, body.encode([0; SALT_BYTES])])?;
    }
    Ok(())
}

/// Clears the content of entries that were published again. Their rows remain, so that none is
/// published twice.
pub(crate) fn clear_republished(db: &Connection, numbers: &[u64]) -> Result<(), StoreError> {
    let mut statement =
        db.prepare_cached("UPDATE fallen SET body = NULL, name = NULL, content = NULL WHERE fallen = ?1")?;
    for number in numbers {
        statement.execute([int(*number)])?;
    }
    Ok(())
}
