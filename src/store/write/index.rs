//! Fills the full-text index, up to a cursor in the database.
//!
//! The index holds no text, since bodies are stored once, in their batches. It receives the output
//! of [`words`], so SQLite's tokenizer only splits at spaces, and a hit is highlighted by the rule
//! that found it.

use rusqlite::{Connection, params};

use crate::proto::entries::tokenizer::words;
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{INDEX_BYTES_MAX, INDEX_ENTRIES_MAX};
use crate::store::error::StoreError;
use crate::store::read::decoded::{EntryRow, rows};
use crate::store::read::message::MessageReader;
use crate::store::sql::int;
use crate::store::tables::runs::max_arrival;
use crate::store::tables::search_index::indexed;

/// Indexes the next messages in the caller's transaction. Returns the arrival number up to which
/// messages are indexed, and the bytes of words.
pub(crate) fn index(db: &Connection, own: NodeId) -> Result<(Arrival, usize), StoreError> {
    const NEXT: &str =
        rows!("entry e", "WHERE e.arrival > ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival LIMIT ?2");
    let mut lines = MessageReader::new(db, own);
    let from = indexed(db)?;
    let mut statement = db.prepare_cached(NEXT)?;
    let mut rows = statement.query([int(from), int(INDEX_ENTRIES_MAX as u64)])?;
    let mut insert = db.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?;
    let (mut bytes, mut count, mut last) = (0, 0, None);
    while let Some(row) = rows.next()?
        && bytes < INDEX_BYTES_MAX
    {
        let row = EntryRow::read(row)?;
        if let Some(text) = lines.searched_text(&row)? {
            let folded = folded(&text);
            bytes += folded.len();
            insert.execute(params![int(row.arrival), folded])?;
        }
        count += 1;
        last = Some(row.arrival);
    }
    let is_cut = count == INDEX_ENTRIES_MAX || bytes >= INDEX_BYTES_MAX;
    let to = if is_cut { last.unwrap_or_default() } else { max_arrival(db)? };
    bytes += index_again(&mut lines, db, from, to)?;
    db.prepare_cached("UPDATE node SET indexed = ?1")?.execute([int(to)])?;
    Ok((to, bytes))
}

/// The words of a text as the index has them.
fn folded(text: &str) -> String {
    words(text).into_iter().map(|word| word.folded).collect::<Vec<_>>().join(" ")
}

/// Puts messages that changed between two numbers into the index as they are now. Returns how many
/// bytes of words.
fn index_again(
    lines: &mut MessageReader<'_>,
    db: &Connection,
    from: Arrival,
    to: Arrival,
) -> Result<usize, StoreError> {
    const CHANGED: &str = rows!(
        "entry e INDEXED BY entry_moved",
        "WHERE e.moved > ?1 AND e.moved <= ?2 AND e.arrival <= ?1 AND e.conversation IS NOT NULL"
    );
    let mut statement = db.prepare_cached(CHANGED)?;
    let rows = statement.query_map([int(from), int(to)], EntryRow::read)?.collect::<Result<Vec<_>, _>>()?;
    let mut bytes = 0;
    for row in rows {
        db.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([int(row.arrival)])?;
        let Some(text) = lines.searched_text(&row)? else { continue };
        let folded = folded(&text);
        bytes += folded.len();
        db.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?
            .execute(params![int(row.arrival), folded])?;
    }
    Ok(bytes)
}
