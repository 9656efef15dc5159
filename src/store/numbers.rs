//! The small numbers that stand for authors, logs and conversations in the tables, and what the writer remembers of
//! them so that it need not ask. Only the writer has this; after a rollback it is thrown away.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::fork::fork;
use super::sql::{Blob32, Count, int, log_id};
use crate::proto::batch::{Header, Verified};
use crate::proto::clock::Stamp;
use crate::proto::fork::Fork;
use crate::proto::ids::{Arrival, Hash, LogKey, NodeId, Seq};
use crate::proto::limits::{ARRIVAL_MAX, CONVERSATIONS_REMEMBERED_MAX, LOGS_REMEMBERED_MAX};
use crate::proto::log::{Fit, Ranges};
use crate::proto::record::Run;
use crate::proto::timeline::Conversation;

/// A log as the writer knows it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) number: i64,
    /// The one other member it is for.
    pub(super) audience: Option<NodeId>,
    /// What is held of it, ascending.
    pub(super) spans: Vec<Run>,
    /// Where it ends, if its author signed two things for one place.
    pub(super) fork: Option<Fork>,
}

impl Log {
    /// Whether this entry is held.
    pub(super) fn holds(&self, seq: Seq) -> bool {
        self.spans.iter().any(|span| (span.first..=span.last).contains(&seq))
    }

    /// How a batch stands to what is held.
    pub(super) fn fit(&self, batch: &Verified) -> Fit {
        if self.audience != batch.header().audience || !self.admits(batch) {
            return Fit::Refused;
        }
        Ranges::new(self.spans.clone(), 0).fit(batch)
    }

    /// Whether the log does not end before a batch.
    fn admits(&self, batch: &Verified) -> bool {
        self.fork.as_ref().is_none_or(|fork| fork.end().admits(batch.header(), batch.hash()))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    authors: HashMap<NodeId, i64>,
    logs: HashMap<LogKey, Log>,
    conversations: HashMap<Conversation, i64>,
    reach: Option<(Vec<NodeId>, i64)>,
}

impl Numbers {
    /// The number of an author, who is from now on known.
    pub(super) fn author(&mut self, db: &Connection, id: NodeId) -> Result<i64, StoreError> {
        if let Some(number) = self.authors.get(&id) {
            return Ok(*number);
        }
        db.prepare_cached("INSERT INTO author (key) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([Blob32(id.0)])?;
        let mut statement = db.prepare_cached("SELECT author FROM author WHERE key = ?1")?;
        let number = statement.query_row([Blob32(id.0)], |row| row.get(0))?;
        self.authors.insert(id, number);
        Ok(number)
    }

    /// A log that is held in part, or nothing.
    pub(super) fn log(&mut self, db: &Connection, key: LogKey) -> Result<Option<&mut Log>, StoreError> {
        if !self.logs.contains_key(&key) {
            let mut statement = db.prepare_cached(
                "SELECT log, audience FROM log WHERE id = ?1 AND author = (SELECT author FROM author WHERE key = ?2)",
            )?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<Blob32>>(1)?));
            let found = statement.query_row(params![log_id(key.log), Blob32(key.author.0)], read);
            let Some((number, audience)) = found.optional()? else { return Ok(None) };
            let (audience, fork) = (audience.map(|id| NodeId(id.0)), fork(db, number)?);
            self.remember(key, Log { number, audience, spans: spans(db, number)?, fork });
        }
        Ok(self.logs.get_mut(&key))
    }

    /// The log that a header belongs to; made if this is the first of it.
    pub(super) fn log_of(&mut self, db: &Connection, header: &Header) -> Result<i64, StoreError> {
        let (key, audience) = (header.key(), header.audience);
        if let Some(log) = self.log(db, key)? {
            return Ok(log.number);
        }
        let author = self.author(db, key.author)?;
        db.prepare_cached("INSERT INTO log (id, author, audience) VALUES (?1, ?2, ?3)")?.execute(params![
            log_id(key.log),
            author,
            audience.map(Blob32::from)
        ])?;
        let number = db.last_insert_rowid();
        self.remember(key, Log { number, audience, spans: Vec::new(), fork: None });
        Ok(number)
    }

    fn remember(&mut self, key: LogKey, log: Log) {
        if self.logs.len() >= LOGS_REMEMBERED_MAX {
            self.logs.clear();
        }
        self.logs.insert(key, log);
    }

    /// The number of a conversation, made if `make` says so.
    pub(super) fn conversation(
        &mut self,
        db: &Connection,
        conversation: &Conversation,
        make: bool,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(number) = self.conversations.get(conversation) {
            return Ok(Some(*number));
        }
        let mut found = find_conversation(db, conversation)?;
        if found.is_none() && make {
            let (channel, member) = columns(conversation);
            db.prepare_cached("INSERT INTO conversation (channel, member) VALUES (?1, ?2)")?
                .execute(params![channel, member])?;
            found = Some(db.last_insert_rowid());
        }
        if let Some(number) = found {
            if self.conversations.len() >= CONVERSATIONS_REMEMBERED_MAX {
                self.conversations.clear();
            }
            self.conversations.insert(conversation.clone(), number);
        }
        Ok(found)
    }

    /// The number of a set of members in reach; none for the empty one.
    pub(super) fn reach(&mut self, db: &Connection, members: &[NodeId]) -> Result<Option<i64>, StoreError> {
        if members.is_empty() {
            return Ok(None);
        }
        if let Some((last, number)) = &self.reach
            && last == members
        {
            return Ok(Some(*number));
        }
        let mut numbers = members.iter().map(|id| self.author(db, *id)).collect::<Result<Vec<_>, _>>()?;
        numbers.sort_unstable();
        numbers.dedup();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| (*number as u32).to_be_bytes()).collect();
        db.prepare_cached("INSERT INTO reach (members) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([&bytes])?;
        let mut statement = db.prepare_cached("SELECT reach FROM reach WHERE members = ?1")?;
        let number = statement.query_row([&bytes], |row| row.get(0))?;
        self.reach = Some((members.to_vec(), number));
        Ok(Some(number))
    }
}

/// The number of a conversation in which something was said.
pub(super) fn find_conversation(db: &Connection, conversation: &Conversation) -> Result<Option<i64>, StoreError> {
    let (channel, member) = columns(conversation);
    let mut statement = db.prepare_cached("SELECT conversation FROM conversation WHERE channel = ?1 OR member = ?2")?;
    Ok(statement.query_row(params![channel, member], |row| row.get(0)).optional()?)
}

fn columns(conversation: &Conversation) -> (Option<&str>, Option<Blob32>) {
    match conversation {
        Conversation::Channel(name) => (Some(name.as_str()), None),
        Conversation::Direct(member) => (None, Some(Blob32(member.0))),
    }
}

/// What is held of a log, ascending.
pub(super) fn spans(db: &Connection, log: i64) -> Result<Vec<Run>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT first_seq, prev, last_seq, head, first_time, last_time FROM span WHERE log = ?1 ORDER BY first_seq",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Run {
            first: row.get::<_, Count>(0)?.0,
            prev: row.get::<_, Option<Blob32>>(1)?.map(|hash| Hash(hash.0)),
            last: row.get::<_, Count>(2)?.0,
            head: Hash(row.get::<_, Blob32>(3)?.0),
            first_time: Stamp(row.get::<_, Count>(4)?.0),
            last_time: Stamp(row.get::<_, Count>(5)?.0),
        })
    };
    Ok(statement.query_map([log], read)?.collect::<Result<_, _>>()?)
}

/// Enters a batch into what is held of its log; joins what it connects.
pub(super) fn extend(db: &Connection, log: &mut Log, batch: &Verified) -> Result<(), StoreError> {
    let header = batch.header();
    let mut span = Run {
        first: header.first_seq,
        prev: header.prev,
        last: header.last_seq(),
        head: batch.hash(),
        first_time: Stamp(header.entries.first().map_or(0, |slot| slot.time)),
        last_time: header.last_time(),
    };
    let left = log.spans.iter().find(|left| left.last + 1 == span.first && Some(left.head) == span.prev).copied();
    let right = log.spans.iter().find(|right| span.last + 1 == right.first && right.prev == Some(span.head)).copied();
    if let Some(left) = left {
        span = Run { first: left.first, prev: left.prev, first_time: left.first_time, ..span };
    }
    if let Some(right) = right {
        span = Run { last: right.last, head: right.head, last_time: right.last_time, ..span };
        let mut statement = db.prepare_cached("DELETE FROM span WHERE log = ?1 AND first_seq = ?2")?;
        statement.execute(params![log.number, int(right.first)])?;
    }
    put_span(db, log.number, &span)?;
    let mut statement = db.prepare_cached("UPDATE log SET bytes = bytes + ?2 WHERE log = ?1")?;
    statement.execute(params![log.number, int(batch.bytes().len() as u64)])?;
    let joined = |held: &Run| [left, right].into_iter().flatten().any(|old| old.first == held.first);
    log.spans.retain(|held| !joined(held));
    let at = log.spans.partition_point(|held| held.first < span.first);
    log.spans.insert(at, span);
    Ok(())
}

/// Writes a span; one that begins at the same entry becomes it.
pub(super) fn put_span(db: &Connection, log: i64, span: &Run) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO span (log, first_seq, last_seq, prev, head, first_time, last_time)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE
         SET last_seq = excluded.last_seq, head = excluded.head, last_time = excluded.last_time",
    )?
    .execute(params![
        log,
        int(span.first),
        int(span.last),
        span.prev.map(Blob32::from),
        Blob32(span.head.0),
        int(span.first_time.0),
        int(span.last_time.0)
    ])?;
    Ok(())
}

/// The highest number that an entry or a notice ever had here. Fails if a number stands there that was never given.
pub(super) fn highest(db: &Connection) -> Result<Arrival, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT max(coalesce((SELECT max(arrival) FROM entry), 0), coalesce((SELECT max(arrival) FROM notice), 0),
                    coalesce((SELECT max(start) FROM run), 0))",
    )?;
    let highest = statement.query_row([], |row| row.get::<_, Count>(0))?.0;
    if highest > ARRIVAL_MAX {
        return Err(StoreError::inconsistent("an arrival number out of range"));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::batch::HEADER_VERSION;
    use crate::proto::ids::{LogId, RoomId};
    use crate::proto::name::Name;
    use crate::store::schema::prepare;

    const ROOM: RoomId = RoomId([1; 32]);
    const OWN: NodeId = NodeId([2; 32]);

    #[test]
    fn of_very_many_some_are_remembered_and_all_keep_their_numbers() {
        let mut db = Connection::open_in_memory().expect("open");
        prepare(&mut db, None, &ROOM, &OWN).expect("new");
        let work = db.transaction().expect("a transaction");
        let mut numbers = Numbers::default();
        let header = |log: u64| Header {
            version: HEADER_VERSION,
            room: ROOM,
            author: NodeId([3; 32]),
            audience: None,
            log: LogId(log),
            first_seq: 1,
            prev: None,
            after: None,
            entries: Vec::new(),
        };
        let channel = |number: u64| Conversation::Channel(Name::lossy(&format!("channel {number}"), "?"));
        let mut first = None;
        for number in 0..LOGS_REMEMBERED_MAX.max(CONVERSATIONS_REMEMBERED_MAX) as u64 + 100 {
            let log = numbers.log_of(&work, &header(number)).expect("a log");
            let conversation = numbers.conversation(&work, &channel(number), true).expect("a conversation");
            first.get_or_insert((log, conversation));
            assert!(numbers.logs.len() <= LOGS_REMEMBERED_MAX, "{} logs", numbers.logs.len());
            let channels = numbers.conversations.len();
            assert!(channels <= CONVERSATIONS_REMEMBERED_MAX, "{channels} conversations");
        }
        let again = numbers.log_of(&work, &header(0)).expect("a log");
        let conversation = numbers.conversation(&work, &channel(0), false).expect("a conversation");
        assert_eq!(Some((again, conversation)), first);
    }
}
