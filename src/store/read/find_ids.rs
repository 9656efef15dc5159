//! Finds messages by a part of their ids.

use rusqlite::Connection;

use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, NodeId};
use crate::proto::limits::FOUND_IDS_MAX;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};

/// Returns the ids of messages that begin or end with `part` (lower-case hex), the newest first, at
/// most [`FOUND_IDS_MAX`].
///
/// The check in an id is not stored, so this computes the id of every entry. No batch is read for
/// it: 100,000 entries take a fraction of a second.
pub(crate) fn find_ids(db: &Connection, part: &str) -> Result<Vec<EntryId>, StoreError> {
    let mut is_message =
        db.prepare_cached("SELECT 1 FROM entry WHERE arrival = ?1 AND batch = ?2 AND conversation IS NOT NULL")?;
    let mut statement = db.prepare_cached(
        "SELECT b.batch, b.first_seq, b.last_seq, b.hash, l.id, a.key
         FROM batch b JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author ORDER BY b.batch DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = |column| Ok::<_, StoreError>(row.get::<_, NonNegative>(column)?.0);
        let (batch, first, last): (Arrival, _, _) = (number(0)?, number(1)?, number(2)?);
        let hash = Hash(row.get::<_, Blob32>(3)?.0);
        let key = LogKey { author: NodeId(row.get::<_, Blob32>(5)?.0), log: row.get::<_, LogColumn>(4)?.0 };
        for seq in (first..=last).rev() {
            let index = seq - first;
            let id = EntryId::new(key, seq, &hash, usize::try_from(index).unwrap_or(usize::MAX));
            let text = id.to_string();
            if (text.starts_with(part) || text.ends_with(part))
                && is_message.exists([int(batch + index), int(batch)])?
            {
                found.push(id);
                if found.len() == FOUND_IDS_MAX {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}
