//! Pages of the timeline. Each is read in one transaction, so it shows one state of the database
//! and names its arrival number.
//!
//! A notice has a time, but no place in the timeline. So a page carries the notices of the time
//! range that it covers, and consecutive pages carry each notice once.
//!
//! The range starts at the page's first message, or at the cursor of an `after` page, or at the
//! beginning if nothing is older. It ends where the newer page began, or at its last message, or at
//! the end if nothing is newer. Notices belong to no conversation, so they come with every filter.

use rusqlite::{Connection, params};

use super::decoded::{EntryRow, rows};
use super::message::MessageReader;
use crate::proto::entries::timeline::{Message, Notice, Order, Place};
use crate::proto::history::{PageBudget, PagePosition, PageQuery, SizeEstimator, TimelinePage};
use crate::proto::ids::{Arrival, EntryId, LogId, NodeId};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, int, log_id};
use crate::store::tables::batches::find_by_id;
use crate::store::tables::conversations::find_conversation;
use crate::store::tables::notices::{NOTICES_BETWEEN, NOTICES_SINCE, notices};
use crate::store::tables::runs::max_arrival;

/// The cursor before all messages.
pub const BEGINNING: Order = Order { place: 0, author: NodeId([0; 32]), log: LogId(0), seq: 0 };

/// The cursor after all messages.
const END: Order = Order { place: Place::MAX, author: NodeId([0xff; 32]), log: LogId(u64::MAX), seq: i64::MAX as u64 };

/// Reads a page within a budget. Returns none if the message of [`PagePosition::Around`] is not
/// stored.
pub(crate) fn page(
    db: &Connection,
    own: NodeId,
    query: &PageQuery,
    budget: PageBudget,
) -> Result<Option<TimelinePage>, StoreError> {
    let Some((page, bytes_left)) = page_of_lines(db, own, query, budget)? else { return Ok(None) };
    let notices: usize = page.notices.iter().map(budget.sizes.notice).sum();
    if notices <= bytes_left || page.lines.len() <= 1 {
        return Ok(Some(page));
    }
    // Fewer messages cover less time, so no notice is added.
    let bytes = budget.bytes.saturating_sub(notices);
    Ok(page_of_lines(db, own, query, PageBudget { bytes, ..budget })?.map(|(page, _)| page))
}

/// Reads a page as [`page`] does, but without the cost of notices. Returns the rest of the budget,
/// too.
pub(crate) fn page_of_lines(
    db: &Connection,
    own: NodeId,
    query: &PageQuery,
    budget: PageBudget,
) -> Result<Option<(TimelinePage, usize)>, StoreError> {
    let &PageQuery { at, ref conversation, limit } = query;
    let covered = max_arrival(db)?;
    let mut reader = Reader::new(db, MessageReader::without_blocked(db, own)?, budget);
    if let Some(conversation) = conversation {
        // A conversation without messages has no row. No row has this id.
        reader.conversation = Some(find_conversation(db, conversation)?.unwrap_or(-1));
    }
    let (lines, cursor) = match at {
        PagePosition::Newest => (reader.older(END, limit)?, BEGINNING),
        PagePosition::Before(order) => (reader.older(order, limit)?, order),
        PagePosition::After(order) => (reader.newer(order, limit)?, order),
        PagePosition::Around(id) => match reader.around(id, limit)? {
            Some((lines, order)) => (lines, order),
            None => return Ok(None),
        },
        PagePosition::Since(arrival) => return Ok(Some((reader.since(arrival, limit, covered)?, usize::MAX))),
    };
    let first = lines.first().map_or(cursor, |line| line.order);
    let last = lines.last().map_or(cursor, |line| line.order);
    let is_older = reader.scan(first, false, |reader, row| Ok(reader.lines.hides(&row)))?;
    let is_newer = reader.scan(last, true, |reader, row| Ok(reader.lines.hides(&row)))?;
    let from_ms = match at {
        _ if !is_older => 0,
        // Starts at the cursor, so that no notice is lost between two pages.
        PagePosition::After(order) => order.place >> 16,
        _ => first.place >> 16,
    };
    let to_ms = match at {
        PagePosition::Before(order) => order.place >> 16,
        _ if is_newer => last.place >> 16,
        _ => u64::MAX,
    };
    let notices = notices(db, NOTICES_BETWEEN, [int(from_ms), int(to_ms)])?;
    let page = TimelinePage { lines, notices, before: is_older.then_some(first), after: last, arrival: covered };
    Ok(Some((page, reader.bytes_left)))
}

/// Walks along the timeline.
pub(crate) struct Reader<'a> {
    db: &'a Connection,
    pub(crate) lines: MessageReader<'a>,
    conversation: Option<i64>,
    sizes: SizeEstimator,
    /// The rest of the budget for messages, in bytes.
    bytes_left: usize,
}

impl<'a> Reader<'a> {
    /// Returns a reader of all conversations within a budget.
    pub(crate) fn new(db: &'a Connection, lines: MessageReader<'a>, budget: PageBudget) -> Self {
        Self { db, lines, conversation: None, sizes: budget.sizes, bytes_left: budget.bytes }
    }

    fn older(&mut self, than: Order, limit: usize) -> Result<Vec<Message>, StoreError> {
        let mut lines = self.collect(than, false, limit, true)?;
        lines.reverse();
        Ok(lines)
    }

    fn newer(&mut self, than: Order, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.collect(than, true, limit, true)
    }

    fn around(&mut self, id: EntryId, limit: usize) -> Result<Option<(Vec<Message>, Order)>, StoreError> {
        let Some((_, found)) = find_by_id(self.db, id)? else { return Ok(None) };
        let Some(row) = crate::store::read::decoded::row(self.db, found.arrival)? else { return Ok(None) };
        let Some(middle) = self.lines.line(&row)? else { return Ok(None) };
        let rest = limit.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub((self.sizes.line)(&middle));
        let all = self.bytes_left;
        self.bytes_left = all / 2;
        let mut lines = self.collect(row.order(), false, rest / 2, false)?;
        lines.reverse();
        self.bytes_left += all - all / 2;
        let newer = self.collect(row.order(), true, rest - rest / 2, false)?;
        let wanted = match self.conversation {
            Some(number) => self.lines.conversation(number).is_ok_and(|wanted| wanted == middle.conversation),
            None => true,
        };
        lines.extend(wanted.then_some(middle));
        lines.extend(newer);
        Ok(Some((lines, row.order())))
    }

    /// Collects the nearest messages in one direction, nearest first. With `one`, returns at least
    /// one message, even if it exceeds the budget.
    fn collect(&mut self, from: Order, newer: bool, limit: usize, one: bool) -> Result<Vec<Message>, StoreError> {
        let mut lines = Vec::new();
        let mut bytes_left = self.bytes_left;
        if limit == 0 {
            return Ok(lines);
        }
        self.scan(from, newer, |reader, row| {
            let Some(line) = reader.lines.line(&row)? else { return Ok(true) };
            let size = (reader.sizes.line)(&line);
            if size > bytes_left && !(one && lines.is_empty()) {
                return Ok(false);
            }
            bytes_left = bytes_left.saturating_sub(size);
            lines.push(line);
            Ok(lines.len() < limit)
        })?;
        self.bytes_left = bytes_left;
        Ok(lines)
    }

    /// Passes the rows strictly beyond a position to `each`, nearest first, until it returns false.
    /// Returns true if `each` stopped the walk.
    pub(crate) fn scan(
        &mut self,
        from: Order,
        newer: bool,
        mut each: impl FnMut(&mut Self, EntryRow) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        // The index gives the order of places, and SQLite sorts only equal ones.
        const OLDER: &str = rows!(
            "entry e INDEXED BY entry_place",
            "WHERE e.conversation IS NOT NULL AND e.place <= ?1
             AND (e.place, a.key, l.id, b.first_seq + e.arrival - e.batch) < (?1, ?2, ?3, ?4)
             ORDER BY e.place DESC, a.key DESC, l.id DESC, b.first_seq + e.arrival - e.batch DESC"
        );
        const NEWER: &str = rows!(
            "entry e INDEXED BY entry_place",
            "WHERE e.conversation IS NOT NULL AND e.place >= ?1
             AND (e.place, a.key, l.id, b.first_seq + e.arrival - e.batch) > (?1, ?2, ?3, ?4)
             ORDER BY e.place, a.key, l.id, b.first_seq + e.arrival - e.batch"
        );
        const OLDER_OF: &str = rows!(
            "entry e INDEXED BY entry_conversation",
            "WHERE e.conversation = ?5 AND e.place <= ?1
             AND (e.place, a.key, l.id, b.first_seq + e.arrival - e.batch) < (?1, ?2, ?3, ?4)
             ORDER BY e.place DESC, a.key DESC, l.id DESC, b.first_seq + e.arrival - e.batch DESC"
        );
        const NEWER_OF: &str = rows!(
            "entry e INDEXED BY entry_conversation",
            "WHERE e.conversation = ?5 AND e.place >= ?1
             AND (e.place, a.key, l.id, b.first_seq + e.arrival - e.batch) > (?1, ?2, ?3, ?4)
             ORDER BY e.place, a.key, l.id, b.first_seq + e.arrival - e.batch"
        );
        let sql = match (self.conversation, newer) {
            (None, false) => OLDER,
            (None, true) => NEWER,
            (Some(_), false) => OLDER_OF,
            (Some(_), true) => NEWER_OF,
        };
        let db = self.db;
        let mut statement = db.prepare_cached(sql)?;
        let (place, author) = (int(from.place), Blob32(from.author.0));
        let (log, seq) = (log_id(from.log), int(from.seq));
        let mut rows = match self.conversation {
            None => statement.query(params![place, author, log, seq])?,
            Some(number) => statement.query(params![place, author, log, seq, number])?,
        };
        while let Some(row) = rows.next()? {
            if !each(self, EntryRow::read(row)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn since(mut self, after: Arrival, limit: usize, covered: Arrival) -> Result<TimelinePage, StoreError> {
        let budget = PageBudget { bytes: self.bytes_left, sizes: self.sizes };
        let found = read_since(&mut self.lines, self.db, self.conversation, after, limit, budget, true)?;
        let last = match found.lines.iter().map(|line| line.order).max() {
            Some(last) => last,
            // A follow-up request must not start from the beginning again.
            None => self.older(END, 1)?.last().map_or(BEGINNING, |line| line.order),
        };
        let arrival = found.cut.unwrap_or(covered);
        Ok(TimelinePage { lines: found.lines, notices: found.notices, before: None, after: last, arrival })
    }
}

/// Messages and notices that arrived after a number.
pub(crate) struct ArrivalPage {
    pub(crate) lines: Vec<Message>,
    pub(crate) notices: Vec<Notice>,
    /// The arrival number of the last one, if there are more.
    pub(crate) cut: Option<Arrival>,
    /// The cost of messages and notices, in bytes.
    pub(crate) bytes: usize,
}

impl ArrivalPage {
    /// Adds the size of one more message or notice. Returns false if the limit is reached.
    fn takes(&mut self, size: usize, limit: usize, bytes: usize) -> bool {
        let count = self.lines.len() + self.notices.len();
        if count >= limit || (count > 0 && self.bytes + size > bytes) {
            return false;
        }
        self.bytes += size;
        true
    }
}

/// Something else than a new message, by its number.
enum SinceRow {
    Notice(Notice),
    /// A message that has an older number of its own.
    Changed(EntryRow),
}

/// Messages that changed after a number, and arrived before.
fn changed_since(
    db: &Connection,
    conversation: Option<i64>,
    after: Arrival,
    limit: usize,
) -> Result<Vec<(Arrival, SinceRow)>, StoreError> {
    const CHANGED: &str = rows!(
        "entry e INDEXED BY entry_moved",
        "WHERE e.moved > ?1 AND e.arrival <= ?1 AND e.conversation IS NOT NULL AND (?2 IS NULL OR e.conversation = ?2)
         ORDER BY e.moved, e.arrival LIMIT ?3"
    );
    let mut statement = db.prepare_cached(CHANGED)?;
    let rows = statement.query_map(params![int(after), conversation, int(limit as u64 + 1)], EntryRow::read)?;
    let numbered = |row: EntryRow| (row.moved.unwrap_or(row.arrival), SinceRow::Changed(row));
    Ok(rows.map(|row| row.map(numbered)).collect::<Result<_, _>>()?)
}

/// Reads messages and notices that arrived after a number: up to `limit` within a budget, but at
/// least one. `changed`: with messages that changed after it.
pub(crate) fn read_since(
    lines: &mut MessageReader<'_>,
    db: &Connection,
    conversation: Option<i64>,
    after: Arrival,
    limit: usize,
    budget: PageBudget,
    changed: bool,
) -> Result<ArrivalPage, StoreError> {
    const ALL: &str = rows!("entry e", "WHERE e.arrival > ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival");
    const OF: &str = rows!("entry e", "WHERE e.arrival > ?1 AND +e.conversation = ?2 ORDER BY e.arrival");
    let notices = notices(db, NOTICES_SINCE, [int(after), int(limit as u64 + 1)])?;
    let mut others = if changed { changed_since(db, conversation, after, limit)? } else { Vec::new() };
    others.extend(notices.into_iter().map(|notice| (notice.arrival, SinceRow::Notice(notice))));
    others.sort_by_key(|(number, _)| *number);
    let mut arrived = ArrivalPage { lines: Vec::new(), notices: Vec::new(), cut: None, bytes: 0 };
    let mut statement = db.prepare_cached(if conversation.is_some() { OF } else { ALL })?;
    let mut rows = match conversation {
        Some(number) => statement.query([int(after), number])?,
        None => statement.query([int(after)])?,
    };
    let mut others = others.into_iter().peekable();
    let mut last = after;
    // The number of the last changed message. More may stand under it until a greater number comes.
    let mut open = after;
    loop {
        let line = match rows.next()? {
            Some(row) => {
                let row = EntryRow::read(row)?;
                match lines.line(&row)? {
                    Some(line) => Some(line),
                    None => continue,
                }
            }
            None => None,
        };
        let next = line.as_ref().map_or(Arrival::MAX, |line| line.arrival);
        while let Some((number, other)) = others.next_if(|(number, _)| *number <= next) {
            if number > open {
                last = last.max(open);
            }
            match other {
                SinceRow::Notice(notice) => {
                    if !arrived.takes((budget.sizes.notice)(&notice), limit, budget.bytes) {
                        arrived.cut = Some(last);
                        return Ok(arrived);
                    }
                    last = notice.arrival;
                    arrived.notices.push(notice);
                }
                SinceRow::Changed(row) => {
                    let Some(line) = lines.line(&row)? else { continue };
                    if !arrived.takes((budget.sizes.line)(&line), limit, budget.bytes) {
                        // Of more messages under one number than a page holds, pages read the rest
                        // anew.
                        arrived.cut = Some(if last == after { number } else { last });
                        return Ok(arrived);
                    }
                    open = number;
                    arrived.lines.push(line);
                }
            }
        }
        let Some(line) = line else { return Ok(arrived) };
        last = last.max(open);
        if !arrived.takes((budget.sizes.line)(&line), limit, budget.bytes) {
            arrived.cut = Some(last);
            return Ok(arrived);
        }
        last = line.arrival;
        arrived.lines.push(line);
    }
}
