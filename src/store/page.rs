//! Pages of the timeline. Each is read in one transaction, so it shows one state of the database and says which.
//!
//! A notice has no place in the order of the room, only a time. A page carries the notices of the stretch of time
//! that it covers: from its first message (or the beginning, if nothing is older) up to where the newer page began, or
//! where its own last message stands (or the end, if nothing is newer); one that follows a cursor begins there. So
//! pages that follow each other in either direction carry every notice once. Notices belong to no conversation and
//! come with every filter.

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::find::by_id;
use super::line::{Lines, Row, rows};
use super::numbers::{find_conversation, highest};
use super::sql::{Blob32, Count, int, log_id};
use crate::proto::history::{At, Budget, Page, PageQuery, Sizes};
use crate::proto::ids::{Arrival, EntryId, LogId, NodeId};
use crate::proto::name::Name;
use crate::proto::timeline::{Line, Notice, Order, Place};

/// The cursor before everything.
pub const BEGINNING: Order = Order { place: 0, author: NodeId([0; 32]), log: LogId(0), seq: 0 };

/// The cursor behind everything.
const END: Order = Order { place: Place::MAX, author: NodeId([0xff; 32]), log: LogId(u64::MAX), seq: i64::MAX as u64 };

/// Reads a page within a budget. `None`: the message of [`At::Around`] is not here.
pub(super) fn page(
    db: &Connection,
    own: NodeId,
    query: &PageQuery,
    budget: Budget,
) -> Result<Option<Page>, StoreError> {
    let Some((page, bytes_left)) = page_of_lines(db, own, query, budget)? else { return Ok(None) };
    let notices: usize = page.notices.iter().map(budget.sizes.notice).sum();
    if notices <= bytes_left || page.lines.len() <= 1 {
        return Ok(Some(page));
    }
    // Fewer messages cover less time, so no notice is added.
    let bytes = budget.bytes.saturating_sub(notices);
    Ok(page_of_lines(db, own, query, Budget { bytes, ..budget })?.map(|(page, _)| page))
}

/// As [`page`], but notices cost nothing. Returns what is left of the budget too.
pub(super) fn page_of_lines(
    db: &Connection,
    own: NodeId,
    query: &PageQuery,
    budget: Budget,
) -> Result<Option<(Page, usize)>, StoreError> {
    let &PageQuery { at, ref conversation, limit } = query;
    let covered = highest(db)?;
    let mut reader = Reader::new(db, Lines::shown(db, own)?, budget);
    if let Some(conversation) = conversation {
        // A conversation in which nothing was said yet has no number; none has this one.
        reader.conversation = Some(find_conversation(db, conversation)?.unwrap_or(-1));
    }
    let (lines, cursor) = match at {
        At::Newest => (reader.older(END, limit)?, BEGINNING),
        At::Before(order) => (reader.older(order, limit)?, order),
        At::After(order) => (reader.newer(order, limit)?, order),
        At::Around(id) => match reader.around(id, limit)? {
            Some((lines, order)) => (lines, order),
            None => return Ok(None),
        },
        At::Since(arrival) => return Ok(Some((reader.since(arrival, limit, covered)?, usize::MAX))),
    };
    let first = lines.first().map_or(cursor, |line| line.order);
    let last = lines.last().map_or(cursor, |line| line.order);
    let is_older = reader.scan(first, false, |reader, row| Ok(reader.lines.hides(&row)))?;
    let is_newer = reader.scan(last, true, |reader, row| Ok(reader.lines.hides(&row)))?;
    let from_ms = match at {
        _ if !is_older => 0,
        // From where the page before it ended: what happened between the two is on neither otherwise.
        At::After(order) => order.place >> 16,
        _ => first.place >> 16,
    };
    let to_ms = match at {
        At::Before(order) => order.place >> 16,
        _ if is_newer => last.place >> 16,
        _ => u64::MAX,
    };
    let notices = notices(db, NOTICES_BETWEEN, [int(from_ms), int(to_ms)])?;
    let page = Page { lines, notices, before: is_older.then_some(first), after: last, arrival: covered };
    Ok(Some((page, reader.bytes_left)))
}

/// Walks along the timeline.
pub(super) struct Reader<'a> {
    db: &'a Connection,
    pub(super) lines: Lines<'a>,
    conversation: Option<i64>,
    sizes: Sizes,
    /// What is left to spend on lines.
    bytes_left: usize,
}

impl<'a> Reader<'a> {
    /// Walks along all of it within a budget.
    pub(super) fn new(db: &'a Connection, lines: Lines<'a>, budget: Budget) -> Self {
        Self { db, lines, conversation: None, sizes: budget.sizes, bytes_left: budget.bytes }
    }

    fn older(&mut self, than: Order, limit: usize) -> Result<Vec<Line>, StoreError> {
        let mut lines = self.collect(than, false, limit, true)?;
        lines.reverse();
        Ok(lines)
    }

    fn newer(&mut self, than: Order, limit: usize) -> Result<Vec<Line>, StoreError> {
        self.collect(than, true, limit, true)
    }

    fn around(&mut self, id: EntryId, limit: usize) -> Result<Option<(Vec<Line>, Order)>, StoreError> {
        let Some((_, found)) = by_id(self.db, id)? else { return Ok(None) };
        let Some(row) = super::append::row(self.db, found.arrival)? else { return Ok(None) };
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

    /// The nearest lines in one direction, nearest first; `one` of them at least, whatever it costs.
    fn collect(&mut self, from: Order, newer: bool, limit: usize, one: bool) -> Result<Vec<Line>, StoreError> {
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

    /// Hands over the rows strictly beyond a place, nearest first, until told to stop. Whether it was told so.
    pub(super) fn scan(
        &mut self,
        from: Order,
        newer: bool,
        mut each: impl FnMut(&mut Self, Row) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        // The index gives the places in order, and SQLite sorts only those that are equal.
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
            if !each(self, Row::read(row)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn since(mut self, after: Arrival, limit: usize, covered: Arrival) -> Result<Page, StoreError> {
        let budget = Budget { bytes: self.bytes_left, sizes: self.sizes };
        let found = stream(&mut self.lines, self.db, self.conversation, after, limit, budget)?;
        let last = match found.lines.iter().map(|line| line.order).max() {
            Some(last) => last,
            // Whoever goes on from here must not get everything again.
            None => self.older(END, 1)?.last().map_or(BEGINNING, |line| line.order),
        };
        let arrival = found.cut.unwrap_or(covered);
        Ok(Page { lines: found.lines, notices: found.notices, before: None, after: last, arrival })
    }
}

/// What arrived after a number.
pub(super) struct Arrived {
    pub(super) lines: Vec<Line>,
    pub(super) notices: Vec<Notice>,
    /// The number of the last one, if there is more.
    pub(super) cut: Option<Arrival>,
    /// What lines and notices cost, in bytes.
    pub(super) bytes: usize,
}

impl Arrived {
    /// Adds the size of one more line or notice. Returns false if there is no room for it.
    fn takes(&mut self, size: usize, limit: usize, bytes: usize) -> bool {
        let count = self.lines.len() + self.notices.len();
        if count >= limit || (count > 0 && self.bytes + size > bytes) {
            return false;
        }
        self.bytes += size;
        true
    }
}

/// Reads what arrived after a number: at most `limit` lines and notices together, within a budget, at least one.
pub(super) fn stream(
    lines: &mut Lines<'_>,
    db: &Connection,
    conversation: Option<i64>,
    after: Arrival,
    limit: usize,
    budget: Budget,
) -> Result<Arrived, StoreError> {
    const ALL: &str = rows!("entry e", "WHERE e.arrival > ?1 AND e.conversation IS NOT NULL ORDER BY e.arrival");
    const OF: &str = rows!("entry e", "WHERE e.arrival > ?1 AND +e.conversation = ?2 ORDER BY e.arrival");
    let notices = notices(db, NOTICES_SINCE, [int(after), int(limit as u64 + 1)])?;
    let mut arrived = Arrived { lines: Vec::new(), notices: Vec::new(), cut: None, bytes: 0 };
    let mut statement = db.prepare_cached(if conversation.is_some() { OF } else { ALL })?;
    let mut rows = match conversation {
        Some(number) => statement.query([int(after), number])?,
        None => statement.query([int(after)])?,
    };
    let mut notices = notices.into_iter().peekable();
    let mut last = after;
    loop {
        let line = match rows.next()? {
            Some(row) => {
                let row = Row::read(row)?;
                match lines.line(&row)? {
                    Some(line) => Some(line),
                    None => continue,
                }
            }
            None => None,
        };
        let next = line.as_ref().map_or(Arrival::MAX, |line| line.arrival);
        while let Some(notice) = notices.next_if(|notice| notice.arrival < next) {
            if !arrived.takes((budget.sizes.notice)(&notice), limit, budget.bytes) {
                arrived.cut = Some(last);
                return Ok(arrived);
            }
            last = notice.arrival;
            arrived.notices.push(notice);
        }
        let Some(line) = line else { return Ok(arrived) };
        if !arrived.takes((budget.sizes.line)(&line), limit, budget.bytes) {
            arrived.cut = Some(last);
            return Ok(arrived);
        }
        last = line.arrival;
        arrived.lines.push(line);
    }
}

/// Selects notices; what follows begins with `WHERE`.
macro_rules! notice_rows {
    ($rest:expr) => {
        concat!(
            "SELECT n.arrival, n.wall_ms, n.kind, a.key, n.name FROM notice n LEFT JOIN author a ON a.author = n.member ",
            $rest
        )
    };
}

/// The notices of a stretch of time, from the first millisecond up to, not with, the second.
const NOTICES_BETWEEN: &str = notice_rows!("WHERE n.wall_ms >= ?1 AND n.wall_ms < ?2 ORDER BY n.arrival");
/// Those with a greater number, at most so many.
const NOTICES_SINCE: &str = notice_rows!("WHERE n.arrival > ?1 ORDER BY n.arrival LIMIT ?2");

fn notices(db: &Connection, sql: &str, bounds: [i64; 2]) -> Result<Vec<Notice>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(bounds)?;
    let mut notices = Vec::new();
    while let Some(row) = rows.next()? {
        let member = NodeId(row.get::<_, Blob32>(3)?.0);
        let Some(kind) = super::keep::kind_of(&row.get::<_, String>(2)?) else {
            return Err(StoreError::inconsistent("a notice of no known kind"));
        };
        notices.push(Notice {
            arrival: row.get::<_, Count>(0)?.0,
            wall_ms: row.get::<_, Count>(1)?.0,
            kind,
            member,
            name: Name::lossy(&row.get::<_, String>(4)?, &member.short()),
        });
    }
    Ok(notices)
}
