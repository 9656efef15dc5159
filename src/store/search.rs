//! The index of words, filled behind the writer by a cursor of its own, and the search in it.
//!
//! The index holds no text: bodies stay in their batches, once. What goes into it is what [`words`] makes of a text, so
//! the tokenizer has nothing left to decide but to cut at spaces, and a hit is marked by the same rule that found it.

use std::collections::BTreeSet;

use rusqlite::{Connection, ToSql, params};

use super::error::StoreError;
use super::line::{Lines, Row, rows};
use super::numbers::{find_conversation, highest};
use super::sql::{Blob32, Count, int};
use crate::proto::history::{Budget, Found, Hit, SearchQuery};
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{INDEX_BYTES_MAX, INDEX_ENTRIES_MAX, SEARCH_TIES_MAX, SEARCH_UNINDEXED_MAX};
use crate::proto::words::{Wanted, words};

/// The index, as `schema.sql` has it.
const CREATE: &str = "CREATE VIRTUAL TABLE search USING
    fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1 2')";

/// What the user is told of an index that is made again.
pub(super) const REINDEXED: &str = "The search index was damaged. It is being made again; no message was lost.";

/// Throws the index away and begins a new one, in the transaction of the caller.
pub(super) fn clear(db: &Connection) -> Result<(), StoreError> {
    Ok(db.execute_batch(&format!("DROP TABLE search; {CREATE}; UPDATE node SET indexed = 0"))?)
}

/// Messages up to this number are in the index.
pub(super) fn indexed(db: &Connection) -> Result<Arrival, StoreError> {
    Ok(db.prepare_cached("SELECT indexed FROM node")?.query_row([], |row| row.get::<_, Count>(0))?.0)
}

/// Puts the next messages into the index, in the transaction of the caller. Returns up to which number, and how many
/// bytes of words.
pub(super) fn index(db: &Connection, own: NodeId) -> Result<(Arrival, usize), StoreError> {
    const NEXT: &str =
        rows!("entry e", "WHERE e.arrival > ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival LIMIT ?2");
    let mut lines = Lines::new(db, own);
    let mut statement = db.prepare_cached(NEXT)?;
    let mut rows = statement.query([int(indexed(db)?), int(INDEX_ENTRIES_MAX as u64)])?;
    let mut insert = db.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?;
    let (mut bytes, mut count, mut last) = (0, 0, None);
    while let Some(row) = rows.next()?
        && bytes < INDEX_BYTES_MAX
    {
        let row = Row::read(row)?;
        if let Some(text) = lines.text(&row)? {
            let folded: Vec<_> = words(&text).into_iter().map(|word| word.folded).collect();
            let folded = folded.join(" ");
            bytes += folded.len();
            insert.execute(params![int(row.arrival), folded])?;
        }
        count += 1;
        last = Some(row.arrival);
    }
    let is_cut = count == INDEX_ENTRIES_MAX || bytes >= INDEX_BYTES_MAX;
    let to = if is_cut { last.unwrap_or_default() } else { highest(db)? };
    db.prepare_cached("UPDATE node SET indexed = ?1")?.execute([int(to)])?;
    Ok((to, bytes))
}

/// What the place of a word in a hit takes on a page, in bytes: two numbers of five digits.
const RANGE_BYTES: usize = 16;

/// What stands around a hit's message and places, in bytes.
const HIT_BYTES: usize = 32;

/// The hits, newest first, within a budget.
pub(super) fn search(db: &Connection, own: NodeId, search: &SearchQuery, budget: Budget) -> Result<Found, StoreError> {
    let mut lines = Lines::shown(db, own)?;
    let hides = lines.hides_any();
    let mut found = candidates(db, search, hides, INDEXED, &fts(&search.wanted), search.limit + SEARCH_TIES_MAX)?;
    let is_more = found.len() == search.limit + SEARCH_TIES_MAX;
    // What is not in the index yet is little, and what was said last is what one looks for first.
    let rest = candidates(db, search, hides, REST, &int(indexed(db)?), SEARCH_UNINDEXED_MAX)?;
    let oldest = found.iter().map(|row| row.order()).min().filter(|_| is_more);
    found.extend(rest.into_iter().filter(|row| oldest.is_none_or(|oldest| row.order() > oldest)));
    found.retain(|row| search.before.is_none_or(|before| row.order() < before));
    found.retain(|row| search.after.is_none_or(|after| row.order() > after));
    found.sort_unstable_by_key(|row| std::cmp::Reverse(row.order()));

    let (mut hits, mut bytes): (Vec<Hit>, usize) = (Vec::new(), 0);
    for row in found {
        if hits.len() == search.limit {
            return Ok(cut(hits));
        }
        let Some(ranges) = lines.text(&row)?.and_then(|text| search.wanted.find(&text)) else { continue };
        let Some(line) = lines.line(&row)? else { continue };
        bytes += (budget.sizes.line)(&line) + HIT_BYTES + RANGE_BYTES * ranges.len();
        if bytes > budget.bytes && !hits.is_empty() {
            return Ok(cut(hits));
        }
        hits.push(Hit { line, ranges });
    }
    Ok(Found { hits, before: None })
}

/// Hits behind which there may be more.
fn cut(hits: Vec<Hit>) -> Found {
    let before = hits.last().map(|hit| hit.line.order);
    Found { hits, before }
}

/// Messages whose words fit, from the index.
const INDEXED: &str = "search(?1) s CROSS JOIN entry e ON e.arrival = s.rowid";

/// Messages that the index has not got to, the last ones of them.
const REST: &str =
    "(SELECT * FROM entry WHERE arrival > ?1 AND conversation IS NOT NULL ORDER BY arrival DESC LIMIT 1000) e";
const _: () = assert!(SEARCH_UNINDEXED_MAX == 1_000, "as it stands in `REST`");

/// The newest of those that `from` gives for `what`, as far as the search says where.
fn candidates(
    db: &Connection,
    search: &SearchQuery,
    hides: bool,
    from: &str,
    what: &dyn ToSql,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let conversation = match &search.conversation {
        // A conversation in which nothing was said yet has no number; none has this one.
        Some(conversation) => Some(find_conversation(db, conversation)?.unwrap_or(-1)),
        None => None,
    };
    // The places alone are sorted first: a common word is in most messages, and each look-up counts there.
    let authors = if search.from.is_some() || hides {
        "CROSS JOIN batch b ON b.batch = e.batch CROSS JOIN log l ON l.log = b.log
         CROSS JOIN author a ON a.author = l.author AND a.blocked = 0"
    } else {
        ""
    };
    let author = if search.from.is_some() { "AND a.key = ?6" } else { "" };
    let sql = format!(
        "SELECT e.arrival FROM {from} {authors}
         WHERE e.place <= ?2 AND e.place >= ?3 AND (?4 IS NULL OR e.conversation = ?4) {author}
         ORDER BY e.place DESC LIMIT ?5"
    );
    let newest = search.before.map_or(i64::MAX, |before| int(before.place));
    let oldest = search.after.map_or(0, |after| int(after.place));
    let limit = int(limit as u64);
    let id = search.from.map(|id| Blob32(id.0));
    let mut values: Vec<&dyn ToSql> = vec![what, &newest, &oldest, &conversation, &limit];
    values.extend(id.as_ref().map(|id| id as &dyn ToSql));
    let mut statement = db.prepare_cached(&sql)?;
    let mut numbers = statement.query(values.as_slice())?;
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(number) = numbers.next()? {
        let arrival = number.get::<_, Count>(0)?.0;
        if seen.insert(arrival) {
            found.extend(super::append::row(db, arrival)?);
        }
    }
    Ok(found)
}

/// What is wanted in the index's own language, in which everything but our quotes is inside quotes.
fn fts(wanted: &Wanted) -> String {
    let rows: Vec<_> = wanted.rows().iter().map(|row| format!("\"{}\"", row.join(" "))).collect();
    rows.join(" AND ") + " *"
}
