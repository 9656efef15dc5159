//! The integrity check: compares the tables with the signed batches.
//!
//! SQLite does not detect a flipped bit in a value. A read detects contradictions with a message's
//! header. This check also detects missing rows, and values that no read uses.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use crate::proto::entries::batch::{Header, check_hashes};
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::{Arrival, Hash, LogKey, NodeId, Seq};
use crate::proto::limits::{BATCH_ENTRIES_MAX, CHECKED_AT_START};
use crate::proto::replication::store_api::Run;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int, log_id};
use crate::store::tables::batches::{expected_place, find, named};
use crate::store::tables::conversations::{conversation, find_conversation};
use crate::store::tables::forks::fork;
use crate::store::tables::logs::load_ranges;
use crate::store::tables::runs::max_arrival;
use crate::store::tables::search_index::indexed;

/// Checks what a start relies on: the newest batches, their logs and own logs, and the small
/// tables.
///
/// Returns the arrival number up to which older batches remain unchecked, if there are any. With
/// `all`, none remain.
pub(crate) fn check_on_open(db: &Connection, own: NodeId, all: bool) -> Result<Option<Arrival>, StoreError> {
    small_tables(db)?;
    let mut statement = db.prepare_cached("SELECT max(batch) FROM batch WHERE batch <= ?1")?;
    let newest = int(max_arrival(db)?) - int(CHECKED_AT_START);
    let rest: Option<NonNegative> = statement.query_row([newest], |row| row.get(0))?;
    let rest = rest.map(|rest| rest.0).filter(|_| !all);
    let mut statement = db.prepare_cached(
        "SELECT log FROM log NOT INDEXED
         WHERE ?1 IS NULL OR author = (SELECT author FROM author WHERE key = ?2)
         OR log IN (SELECT log FROM batch NOT INDEXED WHERE batch > ?1)",
    )?;
    let params = params![rest.map(int), Blob32(own.0)];
    let logs: Vec<i64> = statement.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut audit = IntegrityCheck::new(db, own);
    for log in &logs {
        audit.edges(*log)?;
    }
    audit.batches(rest.map_or(0, |rest| rest + 1), Arrival::MAX, u64::MAX)?;
    if rest.is_none() {
        for log in logs {
            log_bytes(db, log)?;
        }
    }
    Ok(rest)
}

/// Compares the size in a log's row with its batches.
fn log_bytes(db: &Connection, log: i64) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT bytes = (SELECT coalesce(sum(length(b.bytes)), 0) FROM batch b WHERE b.log = log.log) FROM log WHERE log = ?1",
    )?;
    let equal: Option<bool> = statement.query_row([log], |row| row.get(0)).optional()?;
    holds(equal != Some(false), "the size of a log")
}

/// Succeeds if a condition is true. `what` names the contradiction.
fn holds(is_right: bool, what: &str) -> Result<(), StoreError> {
    if is_right { Ok(()) } else { Err(StoreError::inconsistent(what)) }
}

/// Returns true if a query finds a row.
fn exists(db: &Connection, sql: &str, params: impl Params) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(sql)?.exists(params)?)
}

/// Checks references and ranges without reading batches.
fn small_tables(db: &Connection) -> Result<(), StoreError> {
    for (wrong, what) in DANGLING {
        holds(!exists(db, wrong, [])?, what)?;
    }
    let highest = int(max_arrival(db)?);
    for (wrong, what) in BEYOND {
        holds(!exists(db, wrong, [highest])?, what)?;
    }
    holds(!exists(db, UNWRITTEN, [BATCH_ENTRIES_MAX as i64])?, "a receipt is out of range")
}

/// Queries for references to missing rows, and for values that are never written.
const DANGLING: [(&str, &str); 7] = [
    (
        "SELECT 1 FROM (SELECT max(arrival) last FROM entry) WHERE last > (SELECT max(batch) + 63 FROM batch)",
        "an entry stands behind every batch",
    ),
    ("SELECT 1 FROM span WHERE log NOT IN (SELECT log FROM log)", "a log is missing"),
    ("SELECT 1 FROM fork WHERE log NOT IN (SELECT log FROM log)", "the log of a fork is missing"),
    ("SELECT 1 FROM notice WHERE member NOT IN (SELECT author FROM author)", "the member of a notice is missing"),
    ("SELECT 1 FROM receipt WHERE member NOT IN (SELECT author FROM author)", "the member of a receipt is missing"),
    ("SELECT 1 FROM receipt WHERE log NOT IN (SELECT log FROM log)", "the log of a receipt is missing"),
    (
        "SELECT 1 FROM author WHERE max(verified, muted, blocked, coalesce(lost, 0)) > 1
         OR min(verified, muted, blocked, coalesce(lost, 0)) < 0",
        "the marks of a member",
    ),
];

/// Queries for numbers beyond the highest arrival number.
const BEYOND: [(&str, &str); 2] = [
    (
        "SELECT 1 FROM conversation WHERE read NOT BETWEEN 0 AND ?1 OR unread NOT BETWEEN 0 AND ?1
         OR mentions NOT BETWEEN 0 AND unread",
        "a read mark",
    ),
    ("SELECT 1 FROM node WHERE indexed NOT BETWEEN 0 AND ?1", "the cursor of the index of words"),
];

/// A query for receipts of entries that were never written. A log that was truncated, or whose
/// batches were quarantined, keeps its receipts.
const UNWRITTEN: &str = "WITH
    held AS MATERIALIZED (SELECT log, max(last_seq) last FROM span GROUP BY log),
    lost AS MATERIALIZED (SELECT log, max(first_seq) + ?1 last FROM damaged GROUP BY log)
    SELECT 1 FROM receipt r LEFT JOIN held ON held.log = r.log LEFT JOIN lost ON lost.log = r.log
    WHERE r.first_seq < 1 OR r.first_seq > r.last_seq
    OR (r.log NOT IN (SELECT log FROM fork) AND r.last_seq > max(coalesce(held.last, 0), coalesce(lost.last, 0)))";

/// A batch and its columns.
struct AuditedBatch {
    number: Arrival,
    log: i64,
    first: Seq,
    last: Seq,
    hash: Hash,
    bytes: Bytes,
}

impl AuditedBatch {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get::<_, NonNegative>(0)?.0,
            log: row.get(1)?,
            first: row.get::<_, NonNegative>(2)?.0,
            last: row.get::<_, NonNegative>(3)?.0,
            hash: Hash(row.get::<_, Blob32>(4)?.0),
            bytes: Bytes::from(row.get::<_, Vec<u8>>(5)?),
        })
    }

    /// Returns the signed content, if the hashes match.
    fn open(&self) -> Result<Contents, StoreError> {
        let (header, ranges) =
            check_hashes(&self.bytes, &self.hash).map_err(|_| StoreError::CorruptBatch(self.number))?;
        let is_here = ranges.iter().map(|range| !range.is_deleted()).collect();
        let bodies = ranges.iter().map(|range| range.body(&self.bytes)).collect();
        Ok(Contents { header, bodies, is_here })
    }
}

/// The content of a batch.
struct Contents {
    header: Header,
    /// The body of each entry. None if it was deleted, or is of an unknown kind.
    bodies: Vec<Option<Body>>,
    /// True for each entry whose body was not deleted.
    is_here: Vec<bool>,
}

/// The log that batches are compared with.
#[derive(Clone)]
struct AuditedLog {
    key: LogKey,
    audience: Option<NodeId>,
    spans: Vec<Run>,
}

/// A pass over batches in one state of the database. Caches the rows that they share.
pub(crate) struct IntegrityCheck<'a> {
    db: &'a Connection,
    own: NodeId,
    logs: HashMap<i64, AuditedLog>,
    conversations: HashMap<Conversation, i64>,
}

impl<'a> IntegrityCheck<'a> {
    pub(crate) fn new(db: &'a Connection, own: NodeId) -> Self {
        Self { db, own, logs: HashMap::new(), conversations: HashMap::new() }
    }

    /// Checks batches with arrival numbers in `from..=to` until they have `limit` entries. Returns
    /// the next number, or none at the end.
    pub(crate) fn batches(&mut self, from: Arrival, to: Arrival, limit: u64) -> Result<Option<Arrival>, StoreError> {
        let db = self.db;
        let mut statement = db.prepare_cached(
            "SELECT batch, log, first_seq, last_seq, hash, bytes FROM batch
             WHERE batch BETWEEN ?1 AND ?2 ORDER BY batch",
        )?;
        let mut rows = statement.query([int(from), int(to)])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let stored = AuditedBatch::read(row)?;
            if count >= limit {
                return Ok(Some(stored.number));
            }
            count = stored.last.saturating_sub(stored.first).saturating_add(1).saturating_add(count);
            self.batch(&stored)?;
        }
        Ok(None)
    }

    /// Checks a batch and every row derived from it.
    fn batch(&mut self, stored: &AuditedBatch) -> Result<(), StoreError> {
        let contents = stored.open()?;
        let header = &contents.header;
        let log = self.log(stored.log)?;
        let columns = (log.key, log.audience, stored.first, stored.last);
        holds(
            columns == (header.key(), header.audience, header.first_seq, header.last_seq()),
            "a batch's log or number",
        )?;
        let found = find(self.db, stored.log, stored.first)?;
        holds(found.is_some_and(|found| found.batch == stored.number), "the index of batches")?;
        self.span(stored, header, &log.spans)?;
        self.entries(stored, &contents)?;
        self.beside(stored, &contents)
    }

    /// Returns a log, after checking that its indexes find it.
    fn log(&mut self, log: i64) -> Result<AuditedLog, StoreError> {
        if let Some(known) = self.logs.get(&log) {
            return Ok(known.clone());
        }
        let mut statement = self.db.prepare_cached(
            "SELECT l.id, a.key, l.audience FROM log l LEFT JOIN author a ON a.author = l.author WHERE l.log = ?1",
        )?;
        let read = |row: &rusqlite::Row<'_>| {
            let key = LogKey { log: row.get::<_, LogColumn>(0)?.0, author: NodeId(row.get::<_, Blob32>(1)?.0) };
            Ok((key, row.get::<_, Option<Blob32>>(2)?.map(|id| NodeId(id.0))))
        };
        let (key, audience) = statement.query_row([log], read)?;
        holds(exists(self.db, LOG_BY_KEY, params![log, log_id(key.log), Blob32(key.author.0)])?, "the index of logs")?;
        let row = AuditedLog { key, audience, spans: load_ranges(self.db, log)? };
        self.logs.insert(log, row.clone());
        Ok(row)
    }

    /// Checks a log by its first and last batches: author, audience, stored ranges and fork.
    pub(crate) fn edges(&mut self, log: i64) -> Result<(), StoreError> {
        let row = self.log(log)?;
        if exists(self.db, "SELECT 1 FROM fork WHERE log = ?1", [log])? {
            holds(fork(self.db, log)?.is_some_and(|fork| fork.key() == row.key), "the proof of a fork")?;
        }
        let edge = |which: &str| -> Result<Option<AuditedBatch>, StoreError> {
            let sql = format!("SELECT batch, log, first_seq, last_seq, hash, bytes FROM batch WHERE log = ?1 {which}");
            Ok(self.db.prepare_cached(&sql)?.query_row([log], AuditedBatch::read).optional()?)
        };
        let (first, last) = (edge("ORDER BY first_seq LIMIT 1")?, edge("ORDER BY first_seq DESC LIMIT 1")?);
        let stored = first.as_ref().zip(last.as_ref()).map(|(first, last)| (first.first, last.last));
        let told = row.spans.first().zip(row.spans.last()).map(|(first, last)| (first.first, last.last));
        holds(stored == told, "what is held of a log")?;
        holds(row.spans.windows(2).all(|pair| pair[0].last < pair[1].first), "the ranges of a log")?;
        for batch in [first, last].into_iter().flatten() {
            let Contents { header, .. } = batch.open()?;
            holds((header.key(), header.audience) == (row.key, row.audience), "whose log it is")?;
            self.span(&batch, &header, &row.spans)?;
        }
        for span in &row.spans {
            let edges = find(self.db, log, span.first)?.zip(find(self.db, log, span.last)?);
            let is_whole = edges.is_some_and(|(first, last)| first.arrival == first.batch && last.hash == span.head);
            holds(is_whole, "the ends of a range of a log")?;
        }
        Ok(())
    }

    /// Checks that a batch is in a stored range, and that its neighbours there match.
    fn span(&self, stored: &AuditedBatch, header: &Header, spans: &[Run]) -> Result<(), StoreError> {
        const WHAT: &str = "what is held of a log";
        let span = spans.iter().find(|span| span.first <= header.first_seq && header.last_seq() <= span.last);
        let Some(span) = span else { return Err(StoreError::inconsistent(WHAT)) };
        if span.first == header.first_seq {
            let first_time = header.entries.first().map_or(0, |slot| slot.time);
            holds((span.prev, span.first_time.0) == (header.prev, first_time), WHAT)?;
        } else {
            let before = find(self.db, stored.log, header.first_seq - 1)?;
            holds(before.is_some_and(|before| Some(before.hash) == header.prev), WHAT)?;
        }
        if span.last == header.last_seq() {
            return holds((span.head, span.last_time) == (stored.hash, header.last_time()), WHAT);
        }
        let next = find(self.db, stored.log, header.last_seq() + 1)?;
        holds(next.is_some_and(|next| next.arrival == next.batch), WHAT)
    }

    /// Checks the row of each entry: number, time, conversation and place, and that the indexes
    /// find it.
    fn entries(&mut self, stored: &AuditedBatch, contents: &Contents) -> Result<(), StoreError> {
        let Contents { header, bodies, is_here } = contents;
        let db = self.db;
        let mut statement = db.prepare_cached(
            "SELECT arrival, batch, conversation, place, time FROM entry WHERE arrival BETWEEN ?1 AND ?2 ORDER BY arrival",
        )?;
        let mut rows = statement.query([int(stored.number), int(stored.number + header.entries.len() as u64 - 1)])?;
        let mut place = expected_place(db, stored.log, header, 0)?;
        let indexed = indexed(db)?;
        for (index, slot) in header.entries.iter().enumerate() {
            place = place.max(slot.time);
            let row = rows.next()?.ok_or(StoreError::inconsistent("an entry is missing"))?;
            let arrival = stored.number + index as u64;
            let found = [0, 1, 3, 4].map(|column| row.get::<_, NonNegative>(column).map(|count| count.0));
            let expected = [arrival, stored.number, place, slot.time];
            holds(
                found.iter().zip(expected).all(|(found, expected)| found.as_ref().ok() == Some(&expected)),
                "an entry",
            )?;
            place += 1;
            let number: Option<i64> = row.get(2)?;
            if is_here[index] {
                let body = bodies[index].as_ref().filter(|body| body.is_message());
                let expected =
                    body.and_then(|body| Conversation::of(self.own, header.author, header.audience, body.channel()));
                let expected = match expected {
                    Some(conversation) => Some(self.conversation(&conversation)?),
                    None => None,
                };
                holds(number == expected, "the conversation of a message")?;
            }
            if let Some(number) = number {
                let at = params![int(arrival), int(expected[2]), number];
                holds(exists(db, BY_PLACE, at)? && exists(db, BY_CONVERSATION, at)?, "the order of messages")?;
                let is_searched = bodies[index].as_ref().is_some_and(|body| body.kind().info().is_searched);
                if is_here[index] && is_searched && arrival <= indexed {
                    // The full-text index may be damaged itself. A rebuild clears it.
                    let is_indexed = exists(db, "SELECT 1 FROM search_docsize WHERE id = ?1", [int(arrival)]);
                    holds(matches!(is_indexed, Ok(true)), "the index of words")?;
                }
            }
        }
        Ok(())
    }

    /// Returns the row id of a conversation, after checking that its indexes find it.
    fn conversation(&mut self, wanted: &Conversation) -> Result<i64, StoreError> {
        if let Some(number) = self.conversations.get(wanted) {
            return Ok(*number);
        }
        let missing = || StoreError::inconsistent("a conversation is missing");
        let number = find_conversation(self.db, wanted)?.ok_or_else(missing)?;
        let mut statement =
            self.db.prepare_cached("SELECT channel, member FROM conversation WHERE conversation = ?1")?;
        let stored = statement.query_row([number], |row| conversation(row, 0))?;
        holds(stored == *wanted, "the name of a conversation")?;
        self.conversations.insert(wanted.clone(), number);
        Ok(number)
    }

    /// Checks the other rows of a batch: its reference, the names that it gives, and the metadata
    /// of an own one.
    fn beside(&self, stored: &AuditedBatch, contents: &Contents) -> Result<(), StoreError> {
        let Contents { header, bodies, .. } = contents;
        let db = self.db;
        let number = int(stored.number);
        holds(named(db, stored.number)? == header.after, "what a batch stands on")?;
        if let Some(after) = header.after {
            let by_name = "SELECT 1 FROM named INDEXED BY named_entry WHERE id = ?1 AND seq = ?2 AND batch = ?3";
            let is_found = exists(db, by_name, params![log_id(after.log), int(after.seq), number])?;
            holds(is_found, "the index of what batches stand on")?;
        }
        for (index, body) in bodies.iter().enumerate() {
            let Some(Body::Profile { name, .. }) = body else { continue };
            let mut statement = db.prepare_cached("SELECT name FROM profile WHERE log = ?1 AND seq = ?2")?;
            let seq = int(header.first_seq + index as Seq);
            let stored_name: Option<String> =
                statement.query_row(params![stored.log, seq], |row| row.get(0)).optional()?;
            holds(stored_name.as_ref() == Some(name), "the name of an author")?;
            let time = int(header.entries[index].time);
            holds(!exists(db, NEVER_TAKEN, params![Blob32(header.author.0), time, name])?, "the name of a member")?;
        }
        for (index, body) in bodies.iter().enumerate() {
            let arrival = stored.number + index as u64;
            let expected =
                body.as_ref().and_then(|body| changed(body).map(|(kind, emoji)| (body.changes(), kind, emoji)));
            let (id, kind, emoji) = match expected {
                Some((Some(id), kind, emoji)) => (id, kind, emoji),
                _ => {
                    let none = !exists(db, "SELECT 1 FROM change WHERE arrival = ?1", [int(arrival)])?;
                    holds(none, "a change that none is")?;
                    continue;
                }
            };
            let (log, seq) = (log_id(header.log), int(header.first_seq + index as Seq));
            let author = Blob32(header.author.0);
            let row = params![int(arrival), log_id(id.log), int(id.seq), id.check, kind, author, emoji, log, seq];
            holds(exists(db, CHANGE, row)?, "what changes a message")?;
            holds(!exists(db, UNTOLD, [int(arrival)])?, "a message that was changed")?;
        }
        let mut statement = db.prepare_cached("SELECT reach FROM own WHERE batch = ?1")?;
        let own: Option<Option<i64>> = statement.query_row([number], |row| row.get(0)).optional()?;
        holds(own.is_some() == (header.author == self.own), "the list of own messages")?;
        if let Some(Some(reach)) = own {
            let is_known = exists(db, "SELECT 1 FROM reach WHERE reach = ?1", [reach])?;
            holds(is_known, "the members in reach of a message")?;
        }
        Ok(())
    }
}

/// The row of an entry that changes a message, with the place of that entry.
const CHANGE: &str = "SELECT 1 FROM change c JOIN entry e ON e.arrival = c.arrival WHERE c.arrival = ?1 AND c.id = ?2
    AND c.seq = ?3 AND c.proof = ?4 AND c.kind = ?5 AND c.author = (SELECT author FROM author WHERE key = ?6)
    AND c.emoji IS ?7 AND c.log = ?8 AND c.number = ?9 AND c.place = e.place";

/// A change of a message whose row does not tell of it.
const UNTOLD: &str = "SELECT 1 FROM change c JOIN entry e ON e.arrival = c.target
    WHERE c.arrival = ?1 AND e.conversation IS NOT NULL AND e.moved IS NULL";

/// The number of the kind of a body that changes a message, and its emoji.
fn changed(body: &Body) -> Option<(i64, Option<&str>)> {
    match body {
        Body::Edit { .. } => Some((1, None)),
        Body::Delete { .. } => Some((2, None)),
        Body::React { emoji, .. } => Some((3, Some(emoji))),
        Body::Say { .. } | Body::Profile { .. } | Body::Hooray { .. } | Body::File { .. } | Body::Topic { .. } => None,
    }
}

/// Finds a log through the index of its author and number.
const LOG_BY_KEY: &str = "SELECT 1 FROM log INDEXED BY sqlite_autoindex_log_1 WHERE log = ?1 AND id = ?2 AND author =
    (SELECT author FROM author INDEXED BY sqlite_autoindex_author_1 WHERE key = ?3)";

/// Finds a member whose name at a given time is none that the author signed. An author may sign two
/// names for one time, so either is valid.
const NEVER_TAKEN: &str = "SELECT 1 FROM author a WHERE key = ?1 AND name_time = ?2 AND name <> ?3
    AND name NOT IN (SELECT p.name FROM log l JOIN profile p ON p.log = l.log WHERE l.author = a.author)";

/// Finds an entry through the index of all places.
const BY_PLACE: &str = "SELECT 1 FROM entry INDEXED BY entry_place
    WHERE place = ?2 AND arrival = ?1 AND conversation IS NOT NULL AND ?3 IS NOT NULL";

/// Finds an entry through the index of its conversation.
const BY_CONVERSATION: &str = "SELECT 1 FROM entry INDEXED BY entry_conversation
    WHERE conversation = ?3 AND place = ?2 AND arrival = ?1";
