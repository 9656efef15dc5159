//! Caches the row ids of authors, logs, conversations and reach sets. Only the writer has this
//! cache. It is discarded after a rollback.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{Header, Verified};
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::{LogKey, NodeId, Seq};
use crate::proto::limits::{CONVERSATIONS_REMEMBERED_MAX, LOGS_REMEMBERED_MAX};
use crate::proto::replication::fork::Fork;
use crate::proto::replication::log::{Fit, HeldBatches};
use crate::proto::replication::range_set::RangeSet;
use crate::proto::replication::store_api::Run;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, int, log_id};
use crate::store::tables::conversations::{columns, find_conversation};
use crate::store::tables::forks::fork;
use crate::store::tables::logs::{load_ranges, upsert_range};

/// A cached log.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    pub(crate) number: i64,
    /// The only other member that can read the log. None: the whole room.
    pub(crate) audience: Option<NodeId>,
    /// The stored ranges in ascending order.
    pub(crate) spans: Vec<Run>,
    /// The fork that ends the log, if its author signed two batches for one place.
    pub(crate) fork: Option<Fork>,
}

impl LogRow {
    /// Returns true if this entry is stored.
    pub(crate) fn holds(&self, seq: Seq) -> bool {
        self.spans.iter().any(|span| (span.first..=span.last).contains(&seq))
    }

    /// Returns how a batch fits the stored ranges.
    pub(crate) fn fit(&self, batch: &Verified) -> Fit {
        if self.audience != batch.header().audience || !self.admits(batch) {
            return Fit::Refused;
        }
        HeldBatches::new(self.spans.clone(), 0).fit(batch)
    }

    /// Returns true if the log does not end before a batch.
    fn admits(&self, batch: &Verified) -> bool {
        self.fork.as_ref().is_none_or(|fork| fork.end().admits(batch.header(), batch.hash()))
    }
}

/// The cache of row ids. The caches of logs and conversations are cleared when they are full.
#[derive(Debug, Default)]
pub(crate) struct RowIdCache {
    authors: HashMap<NodeId, i64>,
    logs: HashMap<LogKey, LogRow>,
    conversations: HashMap<Conversation, i64>,
    reach: Option<(Vec<NodeId>, i64)>,
}

impl RowIdCache {
    /// Returns the row id of an author, inserting a row if there is none.
    pub(crate) fn author(&mut self, db: &Connection, id: NodeId) -> Result<i64, StoreError> {
        if let Some(number) = self.authors.get(&id) {
            return Ok(*number);
        }
        db.prepare_cached("INSERT INTO author (key) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([Blob32(id.0)])?;
        let mut statement = db.prepare_cached("SELECT author FROM author WHERE key = ?1")?;
        let number = statement.query_row([Blob32(id.0)], |row| row.get(0))?;
        self.authors.insert(id, number);
        Ok(number)
    }

    /// Returns a log, if it has a row.
    pub(crate) fn log(&mut self, db: &Connection, key: LogKey) -> Result<Option<&mut LogRow>, StoreError> {
        if !self.logs.contains_key(&key) {
            let mut statement = db.prepare_cached(
                "SELECT log, audience FROM log WHERE id = ?1 AND author = (SELECT author FROM author WHERE key = ?2)",
            )?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<Blob32>>(1)?));
            let found = statement.query_row(params![log_id(key.log), Blob32(key.author.0)], read);
            let Some((number, audience)) = found.optional()? else { return Ok(None) };
            let (audience, fork) = (audience.map(|id| NodeId(id.0)), fork(db, number)?);
            self.remember(key, LogRow { number, audience, spans: load_ranges(db, number)?, fork });
        }
        Ok(self.logs.get_mut(&key))
    }

    /// Returns the row id of a header's log, inserting a row if there is none.
    pub(crate) fn get_or_insert_log(&mut self, db: &Connection, header: &Header) -> Result<i64, StoreError> {
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
        self.remember(key, LogRow { number, audience, spans: Vec::new(), fork: None });
        Ok(number)
    }

    fn remember(&mut self, key: LogKey, log: LogRow) {
        if self.logs.len() >= LOGS_REMEMBERED_MAX {
            self.logs.clear();
        }
        self.logs.insert(key, log);
    }

    /// Returns the row id of a conversation. Without a row, inserts one if `make` is true.
    pub(crate) fn conversation(
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

    /// Returns the row id of a set of members in reach. The empty set has none.
    pub(crate) fn reach_set_id(&mut self, db: &Connection, members: &[NodeId]) -> Result<Option<i64>, StoreError> {
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

/// Adds a batch to the stored ranges of its log, joining ranges that it connects.
pub(crate) fn append_range(db: &Connection, log: &mut LogRow, batch: &Verified) -> Result<(), StoreError> {
    let header = batch.header();
    let span = Run {
        first: header.first_seq,
        prev: header.prev,
        last: header.last_seq(),
        head: batch.hash(),
        first_time: Stamp(header.entries.first().map_or(0, |slot| slot.time)),
        last_time: header.last_time(),
    };
    let mut spans = RangeSet::new(log.spans.clone());
    spans.insert(span);
    let joined = spans.range_of(header.first_seq).copied().unwrap_or(span);
    if joined.last > header.last_seq() {
        // The next span is part of the joined one now.
        let mut statement = db.prepare_cached("DELETE FROM span WHERE log = ?1 AND first_seq = ?2")?;
        statement.execute(params![log.number, int(header.last_seq() + 1)])?;
    }
    log.spans = spans.into_vec();
    upsert_range(db, log.number, &joined)?;
    let mut statement = db.prepare_cached("UPDATE log SET bytes = bytes + ?2 WHERE log = ?1")?;
    statement.execute(params![log.number, int(batch.bytes().len() as u64)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::entries::batch::HEADER_VERSION;
    use crate::proto::ids::{LogId, RoomId};
    use crate::proto::names::name::Name;
    use crate::store::schema::prepare_schema;

    const ROOM: RoomId = RoomId([1; 32]);
    const OWN: NodeId = NodeId([2; 32]);

    #[test]
    fn cleared_cache_keeps_all_row_ids() {
        let mut db = Connection::open_in_memory().expect("open");
        prepare_schema(&mut db, None, &ROOM, &OWN).expect("new");
        let work = db.transaction().expect("a transaction");
        let mut numbers = RowIdCache::default();
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
        let channel = |number: u64| Conversation::Channel(Name::from_lossy(&format!("channel {number}"), "?"));
        let mut first = None;
        for number in 0..LOGS_REMEMBERED_MAX.max(CONVERSATIONS_REMEMBERED_MAX) as u64 + 100 {
            let log = numbers.get_or_insert_log(&work, &header(number)).expect("a log");
            let conversation = numbers.conversation(&work, &channel(number), true).expect("a conversation");
            first.get_or_insert((log, conversation));
            assert!(numbers.logs.len() <= LOGS_REMEMBERED_MAX, "{} logs", numbers.logs.len());
            let channels = numbers.conversations.len();
            assert!(channels <= CONVERSATIONS_REMEMBERED_MAX, "{channels} conversations");
        }
        let again = numbers.get_or_insert_log(&work, &header(0)).expect("a log");
        let conversation = numbers.conversation(&work, &channel(0), false).expect("a conversation");
        assert_eq!(Some((again, conversation)), first);
    }
}
