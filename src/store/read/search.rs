//! Full-text search: hits from the index, and from the newest messages that are not indexed yet.
//!
//! The index has no order of places. So a search of a large history first reads the texts of the
//! newest messages, which is enough for a common word. If it is not, the index tells the messages
//! with the words. The search goes down the places, as many as there are such messages, and finds
//! those of them that are new. The places of the others are looked up and sorted.

use rusqlite::{Connection, Statement, params};

use super::decoded::{EntryRow, row};
use super::message::MessageReader;
use crate::proto::entries::timeline::Place;
use crate::proto::entries::tokenizer::SearchTerms;
use crate::proto::history::{HitRow, PageBudget, SearchQuery, SearchResult};
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{SEARCH_SCANNED, SEARCH_SCANNED_FROM, SEARCH_UNINDEXED_MAX};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};
use crate::store::tables::conversations::find_conversation;
use crate::store::tables::search_index::indexed;

/// Bytes that the range of a word in a hit takes on a page: two numbers of five digits.
const RANGE_BYTES: usize = 16;

/// Bytes around a hit's message and ranges.
const HIT_BYTES: usize = 32;

/// Selects the places of all messages, the newest first.
const PLACES: &str = "SELECT e.place, e.arrival FROM entry e INDEXED BY entry_place
    WHERE e.conversation IS NOT NULL AND e.place <= ?1 AND e.place >= ?2 AND ?3 IS NULL ORDER BY e.place DESC";

/// Selects the places of the messages of one conversation, the newest first.
const PLACES_OF_CONVERSATION: &str = "SELECT e.place, e.arrival FROM entry e INDEXED BY entry_conversation
    WHERE e.conversation = ?3 AND e.place <= ?1 AND e.place >= ?2 ORDER BY e.place DESC";

/// Selects the place of one message.
const PLACE: &str = "SELECT e.place, e.arrival FROM entry e
    WHERE e.arrival = ?4 AND e.place <= ?1 AND e.place >= ?2
    AND e.conversation IS NOT NULL AND (?3 IS NULL OR e.conversation = ?3)";

/// Selects a message unless its author is hidden, or another one than is searched for.
const BY_AUTHOR: &str = "SELECT 1 FROM entry e CROSS JOIN batch b ON b.batch = e.batch
    CROSS JOIN log l ON l.log = b.log CROSS JOIN author a ON a.author = l.author AND a.blocked = 0
    WHERE e.arrival = ?1 AND (?2 IS NULL OR a.key = ?2)";

/// Selects the newest messages that are not indexed yet.
const UNINDEXED: &str =
    "SELECT arrival FROM entry WHERE arrival > ?1 AND conversation IS NOT NULL ORDER BY arrival DESC LIMIT ?2";

/// Returns the hits within a budget, newest first.
pub(crate) fn search(
    db: &Connection,
    own: NodeId,
    search: &SearchQuery,
    budget: PageBudget,
) -> Result<SearchResult, StoreError> {
    let conversation = match &search.conversation {
        // A conversation without messages has no row. No row has this id.
        Some(conversation) => Some(find_conversation(db, conversation)?.unwrap_or(-1)),
        None => None,
    };
    let mut newest = search.before.map_or(i64::MAX, |before| int(before.place));
    let oldest = search.after.map_or(0, |after| int(after.place));
    let mut page = HitPage::new(db, own, search, budget)?;
    let mut by_place = db.prepare_cached(if conversation.is_some() { PLACES_OF_CONVERSATION } else { PLACES })?;
    let indexed = indexed(db)?;
    if indexed >= SEARCH_SCANNED_FROM {
        let places = by_place.query_map(params![newest, oldest, conversation], place_and_arrival)?;
        match page.collect(places, |_| true, SEARCH_SCANNED)? {
            Some(next) => newest = int(next),
            None => return Ok(page.end()),
        }
    }
    let found = found_in_index(db, &search.wanted, indexed)?;
    let values = params![newest, oldest, conversation];
    let mut last = 0;
    let may_match = |arrival| contains(&found, arrival, &mut last);
    // A step costs less than a lookup, so the way down never costs much more than the lookups.
    match page.collect(by_place.query_map(values, place_and_arrival)?, may_match, found.len())? {
        Some(next) => newest = int(next),
        None => return Ok(page.end()),
    }
    let mut places = Vec::new();
    let mut place = db.prepare_cached(PLACE)?;
    for arrival in found {
        let values = params![newest, oldest, conversation, int(arrival)];
        for found in place.query_map(values, place_and_arrival)? {
            places.push(found?);
        }
    }
    places.sort_unstable_by_key(|found| std::cmp::Reverse(*found));
    page.collect(places.into_iter().map(Ok), |_| true, usize::MAX)?;
    Ok(page.end())
}

fn place_and_arrival(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Place, Arrival)> {
    Ok((row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(1)?.0))
}

/// Returns the messages that match as the index says, and the newest ones that it lacks, by
/// ascending arrival number.
fn found_in_index(db: &Connection, wanted: &SearchTerms, indexed: Arrival) -> Result<Vec<Arrival>, StoreError> {
    let arrival = |row: &rusqlite::Row<'_>| Ok(row.get::<_, NonNegative>(0)?.0);
    let mut statement = db.prepare_cached("SELECT rowid FROM search(?1) ORDER BY rowid")?;
    let mut found = statement.query_map([fts(wanted)], arrival)?.collect::<Result<Vec<_>, _>>()?;
    let mut statement = db.prepare_cached(UNINDEXED)?;
    let tail = statement.query_map([int(indexed), int(SEARCH_UNINDEXED_MAX as u64)], arrival)?;
    found.extend(tail.collect::<Result<Vec<_>, _>>()?);
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Returns true if an ascending list contains an arrival number. Neighbours in the order of places
/// mostly are neighbours in the list, so the search begins beside the `last` result.
fn contains(found: &[Arrival], arrival: Arrival, last: &mut usize) -> bool {
    const NEAR: usize = 32;
    let near = last.saturating_sub(NEAR)..found.len().min(*last + NEAR);
    let is_near = found[near.clone()].first().is_some_and(|first| *first <= arrival)
        && found[near.clone()].last().is_some_and(|last| arrival <= *last);
    let range = if is_near { near } else { 0..found.len() };
    let position = found[range.clone()].binary_search(&arrival);
    *last = range.start + position.unwrap_or_else(|next| next);
    position.is_ok()
}

/// The hits so far.
struct HitPage<'a> {
    db: &'a Connection,
    search: &'a SearchQuery,
    budget: PageBudget,
    lines: MessageReader<'a>,
    /// Checks authors; none if any author will do.
    by_author: Option<rusqlite::CachedStatement<'a>>,
    hits: Vec<HitRow>,
    bytes: usize,
    /// True if there are more hits than the page takes.
    is_cut: bool,
}

impl<'a> HitPage<'a> {
    fn new(db: &'a Connection, own: NodeId, search: &'a SearchQuery, budget: PageBudget) -> Result<Self, StoreError> {
        let lines = MessageReader::without_blocked(db, own)?;
        let by_author = if search.from.is_some() || lines.has_blocked_authors() {
            Some(db.prepare_cached(BY_AUTHOR)?)
        } else {
            None
        };
        Ok(Self { db, search, budget, lines, by_author, hits: Vec::new(), bytes: 0, is_cut: false })
    }

    /// Adds the hits among messages that come by descending place. Returns the place to continue
    /// with after `most` messages; none if the page is complete or no message is left.
    fn collect(
        &mut self,
        messages: impl Iterator<Item = rusqlite::Result<(Place, Arrival)>>,
        mut may_match: impl FnMut(Arrival) -> bool,
        most: usize,
    ) -> Result<Option<Place>, StoreError> {
        let (mut count, mut same_place, mut at) = (0, Vec::new(), None);
        for message in messages {
            let (place, arrival) = message?;
            if at.replace(place).is_some_and(|before| before != place) {
                self.add(std::mem::take(&mut same_place))?;
                if self.is_cut {
                    return Ok(None);
                }
                if count >= most {
                    return Ok(Some(place));
                }
            }
            count += 1;
            if may_match(arrival) && self.has_author(arrival)? {
                same_place.extend(row(self.db, arrival)?);
            }
        }
        self.add(same_place)?;
        Ok(None)
    }

    fn has_author(&mut self, arrival: Arrival) -> Result<bool, StoreError> {
        let wanted = self.search.from.map(|id| Blob32(id.0));
        let exists = |statement: &mut Statement<'_>| statement.exists(params![int(arrival), wanted]);
        Ok(self.by_author.as_mut().map_or(Ok(true), |statement| exists(statement))?)
    }

    /// Adds those messages of one place that match.
    fn add(&mut self, mut rows: Vec<EntryRow>) -> Result<(), StoreError> {
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.order()));
        for row in rows {
            let SearchQuery { wanted, before, after, limit, .. } = self.search;
            if before.is_some_and(|before| row.order() >= before) || after.is_some_and(|after| row.order() <= after) {
                continue;
            }
            let Some(ranges) = self.lines.searched_text(&row)?.and_then(|text| wanted.find(&text)) else { continue };
            let Some(line) = self.lines.line(&row)? else { continue };
            self.bytes += (self.budget.sizes.line)(&line) + HIT_BYTES + RANGE_BYTES * ranges.len();
            if self.hits.len() == *limit || (self.bytes > self.budget.bytes && !self.hits.is_empty()) {
                self.is_cut = true;
                return Ok(());
            }
            self.hits.push(HitRow { line, ranges });
        }
        Ok(())
    }

    /// Returns the hits, with a cursor if there are older ones.
    fn end(self) -> SearchResult {
        let before = self.hits.last().filter(|_| self.is_cut).map(|hit| hit.line.order);
        SearchResult { hits: self.hits, before }
    }
}

/// Returns the search terms in the query syntax of FTS5. Each term is quoted, so that it contains
/// no operators.
fn fts(wanted: &SearchTerms) -> String {
    let rows: Vec<_> = wanted.phrases().iter().map(|row| format!("\"{}\"", row.join(" "))).collect();
    rows.join(" AND ") + " *"
}
