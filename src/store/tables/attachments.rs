//! The table `attachment`: the content that messages name.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use crate::proto::files::attachment::Attachment;
use crate::proto::files::naming::Naming;
use crate::proto::ids::{Arrival, Hash, NodeId};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};

/// Stores the files of a message.
pub(crate) fn put(db: &Connection, arrival: Arrival, files: &[Attachment]) -> Result<(), StoreError> {
    for (number, file) in files.iter().enumerate() {
        db.prepare_cached("INSERT INTO attachment (arrival, number, content) VALUES (?1, ?2, ?3)")?
            .execute(params![int(arrival), int(number as u64), Blob32(file.content.0)])?;
    }
    Ok(())
}

/// Removes the files of the messages `from..=to`. Returns their content.
pub(crate) fn remove(db: &Connection, from: Arrival, to: Arrival) -> Result<Vec<Hash>, StoreError> {
    let mut statement =
        db.prepare_cached("DELETE FROM attachment WHERE arrival BETWEEN ?1 AND ?2 RETURNING content")?;
    let read = |row: &rusqlite::Row<'_>| Ok(Hash(row.get::<_, Blob32>(0)?.0));
    Ok(statement.query_map([int(from), int(to)], read)?.collect::<Result<_, _>>()?)
}

/// The newest messages that name some content.
pub(crate) fn naming(db: &Connection, content: &Hash, limit: usize) -> Result<Vec<Arrival>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT arrival FROM attachment WHERE content = ?1 ORDER BY arrival DESC LIMIT ?2")?;
    let found = statement.query_map(params![Blob32(content.0), int(limit as u64)], arrival)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The oldest message that names some content.
pub(crate) fn first_naming(db: &Connection, content: &Hash) -> Result<Option<Arrival>, StoreError> {
    let mut statement = db.prepare_cached("SELECT min(arrival) FROM attachment WHERE content = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Option<NonNegative>>(0)?.map(|arrival| arrival.0));
    Ok(statement.query_row([Blob32(content.0)], read)?)
}

/// All audiences and authors of the messages that name some content.
pub(crate) fn namings(db: &Connection, content: &Hash) -> Result<BTreeSet<Naming>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT c.member, a.key FROM attachment t
         CROSS JOIN entry e ON e.arrival = t.arrival CROSS JOIN conversation c ON c.conversation = e.conversation
         CROSS JOIN batch b ON b.batch = e.batch CROSS JOIN log l ON l.log = b.log
         CROSS JOIN author a ON a.author = l.author WHERE t.content = ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let audience = row.get::<_, Option<Blob32>>(0)?.map(|member| NodeId(member.0));
        Ok(Naming { audience, author: NodeId(row.get::<_, Blob32>(1)?.0) })
    };
    Ok(statement.query_map([Blob32(content.0)], read)?.collect::<Result<_, _>>()?)
}

/// The newest messages with files.
pub(crate) fn newest(db: &Connection, limit: usize) -> Result<Vec<Arrival>, StoreError> {
    let mut statement = db.prepare_cached("SELECT DISTINCT arrival FROM attachment ORDER BY arrival DESC LIMIT ?1")?;
    let found = statement.query_map([int(limit as u64)], arrival)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn arrival(row: &rusqlite::Row<'_>) -> rusqlite::Result<Arrival> {
    Ok(row.get::<_, NonNegative>(0)?.0)
}
