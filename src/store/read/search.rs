//! Full-text search: hits from the index, and from the newest messages that are not indexed yet.

use std::collections::BTreeSet;

use rusqlite::{Connection, ToSql};

use super::decoded::EntryRow;
use super::message::MessageReader;
use crate::proto::entries::tokenizer::SearchTerms;
use crate::proto::history::{HitRow, PageBudget, SearchQuery, SearchResult};
use crate::proto::ids::NodeId;
use crate::proto::limits::{SEARCH_TIES_MAX, SEARCH_UNINDEXED_MAX};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};
use crate::store::tables::conversations::find_conversation;
use crate::store::tables::search_index::indexed;

/// Bytes that the range of a word in a hit takes on a page: two numbers of five digits.
const RANGE_BYTES: usize = 16;

/// Bytes around a hit's message and ranges.
const HIT_BYTES: usize = 32;

/// Returns the hits within a budget, newest first.
pub(crate) fn search(
    db: &Connection,
    own: NodeId,
    search: &SearchQuery,
    budget: PageBudget,
) -> Result<SearchResult, StoreError> {
    let mut lines = MessageReader::without_blocked(db, own)?;
    let hides = lines.has_blocked_authors();
    let mut found = candidates(db, search, hides, INDEXED, &fts(&search.wanted), search.limit + SEARCH_TIES_MAX)?;
    let is_more = found.len() == search.limit + SEARCH_TIES_MAX;
    // The unindexed tail is short, and users mostly search for recent messages.
    let rest = candidates(db, search, hides, UNINDEXED_TAIL, &int(indexed(db)?), SEARCH_UNINDEXED_MAX)?;
    let oldest = found.iter().map(|row| row.order()).min().filter(|_| is_more);
    found.extend(rest.into_iter().filter(|row| oldest.is_none_or(|oldest| row.order() > oldest)));
    found.retain(|row| search.before.is_none_or(|before| row.order() < before));
    found.retain(|row| search.after.is_none_or(|after| row.order() > after));
    found.sort_unstable_by_key(|row| std::cmp::Reverse(row.order()));

    let (mut hits, mut bytes): (Vec<HitRow>, usize) = (Vec::new(), 0);
    for row in found {
        if hits.len() == search.limit {
            return Ok(cut(hits));
        }
        let Some(ranges) = lines.searched_text(&row)?.and_then(|text| search.wanted.find(&text)) else { continue };
        let Some(line) = lines.line(&row)? else { continue };
        bytes += (budget.sizes.line)(&line) + HIT_BYTES + RANGE_BYTES * ranges.len();
        if bytes > budget.bytes && !hits.is_empty() {
            return Ok(cut(hits));
        }
        hits.push(HitRow { line, ranges });
    }
    Ok(SearchResult { hits, before: None })
}

/// Returns hits with a cursor for older ones.
fn cut(hits: Vec<HitRow>) -> SearchResult {
    let before = hits.last().map(|hit| hit.line.order);
    SearchResult { hits, before }
}

/// Selects messages that match, from the index.
const INDEXED: &str = "search(?1) s CROSS JOIN entry e ON e.arrival = s.rowid";

/// Selects the newest messages that are not indexed yet.
const UNINDEXED_TAIL: &str =
    "(SELECT * FROM entry WHERE arrival > ?1 AND conversation IS NOT NULL ORDER BY arrival DESC LIMIT 1000) e";
const _: () = assert!(SEARCH_UNINDEXED_MAX == 1_000, "as it stands in `REST`");

/// Returns the newest rows of `from` with the parameter `what`, filtered as the search says.
fn candidates(
    db: &Connection,
    search: &SearchQuery,
    hides: bool,
    from: &str,
    what: &dyn ToSql,
    limit: usize,
) -> Result<Vec<EntryRow>, StoreError> {
    let conversation = match &search.conversation {
        // A conversation without messages has no row. No row has this id.
        Some(conversation) => Some(find_conversation(db, conversation)?.unwrap_or(-1)),
        None => None,
    };
    // Only places are sorted at first: a common word is in most messages, and each lookup costs.
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
        let arrival = number.get::<_, NonNegative>(0)?.0;
        if seen.insert(arrival) {
            found.extend(crate::store::read::decoded::row(db, arrival)?);
        }
    }
    Ok(found)
}

/// Returns the search terms in the query syntax of FTS5. Each term is quoted, so that it contains
/// no operators.
fn fts(wanted: &SearchTerms) -> String {
    let rows: Vec<_> = wanted.phrases().iter().map(|row| format!("\"{}\"", row.join(" "))).collect();
    rows.join(" AND ") + " *"
}
