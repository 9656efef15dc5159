//! Joins rows into messages: the entry, its batch, the author's name at that time, and the receipts
//! of other members.
//!
//! The signed batch is authoritative. A row that contradicts it is never shown: the read fails, and
//! the tables are rebuilt.

use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::appearance::current;
use super::decoded::{
    AnyEntry, CachedBatch, CurrentText, DecodedMessage, EntryRow, HolderRows, NameSource, SignedEntry, decode_message,
    row,
};
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{Header, check_hashes};
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::{Conversation, Delivery, Message, MessageKind, Order, Quote};
use crate::proto::ids::{Arrival, EntryId, Hash, NodeId, Seq};
use crate::proto::limits::{BATCHES_LOADED_MAX, QUOTE_CHARS_MAX};
use crate::proto::names::name::Name;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};
use crate::store::tables::batches::{expected_place, find, find_by_id};
use crate::store::tables::changes::last_edit;
use crate::store::tables::conversations::conversation;
use crate::store::tables::members::BlockedAuthors;

/// Receipts for one log: author row ids, and the first and last entry of each range.
type ReceiptCache = Rc<Vec<(i64, Seq, Seq)>>;

/// Reads messages within one read transaction, and caches the rows that they share.
pub(crate) struct MessageReader<'a> {
    db: &'a Connection,
    own: NodeId,
    names: NameSource,
    blocked: BlockedAuthors,
    loaded: Vec<(i64, Rc<CachedBatch>)>,
    conversations: HashMap<i64, Conversation>,
    /// Names by log, and by the entry that gives the name.
    profiles: HashMap<(i64, Seq), Name>,
    reaches: HashMap<i64, Rc<Vec<i64>>>,
    receipts: HashMap<i64, ReceiptCache>,
}

impl<'a> MessageReader<'a> {
    /// Returns a reader of `db` for the user of node `own`.
    pub(crate) fn new(db: &'a Connection, own: NodeId) -> Self {
        Self {
            db,
            own,
            names: NameSource::Current,
            blocked: BlockedAuthors::Shown,
            loaded: Vec::new(),
            conversations: HashMap::new(),
            profiles: HashMap::new(),
            reaches: HashMap::new(),
            receipts: HashMap::new(),
        }
    }

    /// Returns a reader that leaves out authors whom the user blocks.
    pub(crate) fn without_blocked(db: &'a Connection, own: NodeId) -> Result<Self, StoreError> {
        Ok(Self { blocked: BlockedAuthors::hidden(db)?, ..Self::new(db, own) })
    }

    /// Returns a reader of new messages. The engine has to know of all, so those of blocked authors
    /// are returned. But their reactions are left out, and no other message quotes them.
    pub(crate) fn live(db: &'a Connection, own: NodeId) -> Self {
        Self { blocked: BlockedAuthors::unquoted(), ..Self::new(db, own) }
    }

    /// Returns true if the author of a row is hidden.
    pub(crate) fn hides(&self, row: &EntryRow) -> bool {
        self.blocked.hides(row.key.author)
    }

    /// Returns true if any author is hidden.
    pub(crate) fn has_blocked_authors(&self) -> bool {
        self.blocked.hides_any()
    }

    /// Returns a reader whose names come from signed data only.
    pub(crate) fn from_signed_data(db: &'a Connection, own: NodeId) -> Self {
        Self { names: NameSource::SignedLog, ..Self::new(db, own) }
    }

    /// Returns the message of a row. Returns none if its body is no message, or if its author is
    /// blocked.
    pub(crate) fn line(&mut self, row: &EntryRow) -> Result<Option<Message>, StoreError> {
        let Some(mut line) = self.unquoted(row)? else { return Ok(None) };
        if let (NameSource::Current, Some(id)) = (self.names, line.reply_to) {
            line.reply = self.quote(id)?.map(Box::new);
        }
        Ok(Some(line))
    }

    /// As [`MessageReader::line`], without what it answers.
    pub(crate) fn unquoted(&mut self, row: &EntryRow) -> Result<Option<Message>, StoreError> {
        if self.hides(row) {
            return Ok(None);
        }
        let batch = self.batch(row.batch)?;
        self.check(row, &batch)?;
        let Some(DecodedMessage { kind, channel, reply_to, text }) = decode_message(&batch, row.index()) else {
            return Ok(None);
        };
        let CurrentText { text, changes } = self.current(row, text)?;
        let (kind, reply_to) = if changes.deleted { (MessageKind::Say, None) } else { (kind, reply_to) };
        let conversation = self.conversation(row.conversation)?;
        let Header { author, audience, .. } = batch.header;
        let signed = Conversation::of(self.own, author, audience, channel.as_deref());
        // Not every deletion tells where the message stood.
        if (channel.is_some() || !changes.deleted) && signed.as_ref() != Some(&conversation) {
            return Err(StoreError::inconsistent("a message stands in another conversation than it was said in"));
        }
        let own = row.key.author == self.own;
        let to = match &conversation {
            Conversation::Channel(_) => None,
            Conversation::Direct(member) => Some(if own { *member } else { self.own }),
        };
        Ok(Some(Message {
            id: EntryId::new(row.key, row.seq, &batch.hash, row.index()),
            arrival: row.arrival,
            order: row.order(),
            time: row.time,
            name: self.name(row)?,
            conversation,
            to,
            kind,
            text,
            reply_to,
            reply: None,
            changes: Box::new(changes),
            held: if own { Some(self.held(row)?) } else { None },
        }))
    }

    /// The current text of a row alone, for the search; `None` where its body is gone, or of a kind
    /// that is not searched.
    pub(crate) fn searched_text(&mut self, row: &EntryRow) -> Result<Option<String>, StoreError> {
        let batch = self.batch(row.batch)?;
        let said = decode_message(&batch, row.index()).filter(|said| said.kind.info().is_searched);
        let Some(said) = said.map(|said| said.text).filter(|said| !said.changes.deleted) else { return Ok(None) };
        Ok(Some(self.current(row, said)?.text))
    }

    /// The text of a row as it was said, and its author's right to change it.
    pub(crate) fn original(&mut self, row: &EntryRow) -> Result<Option<CurrentText>, StoreError> {
        let batch = self.batch(row.batch)?;
        self.check(row, &batch)?;
        Ok(decode_message(&batch, row.index()).map(|said| said.text))
    }

    /// Returns the text and the appearance of a row now.
    fn current(&mut self, row: &EntryRow, said: CurrentText) -> Result<CurrentText, StoreError> {
        if row.moved.is_none() || said.changes.deleted {
            return Ok(said);
        }
        let edit = match last_edit(self.db, row.arrival)? {
            Some(edit) => self.entry(edit)?,
            None => None,
        };
        current(self.db, (row.arrival, row.key.author), said, edit, self.blocked.not_quoted(self.db)?)
    }

    /// Returns an answered message as it stands above the answer. Returns none if it is not held.
    fn quote(&mut self, id: EntryId) -> Result<Option<Quote>, StoreError> {
        let Some((_, found)) = find_by_id(self.db, id)? else { return Ok(None) };
        let Some(row) = row(self.db, found.arrival)? else { return Ok(None) };
        if self.blocked.not_quoted(self.db)?.contains(&row.key.author) {
            return Ok(None);
        }
        Ok(self.unquoted(&row)?.map(|line| Quote {
            author: line.order.author,
            name: line.name,
            text: line.text.chars().take(QUOTE_CHARS_MAX).collect(),
            deleted: line.changes.deleted,
        }))
    }

    /// Any entry, as it was signed; `None` where its body is gone, or can't be shown.
    pub(crate) fn entry(&mut self, arrival: Arrival) -> Result<Option<SignedEntry>, StoreError> {
        let AnyEntry { id, order, time, body } = self.slot(arrival)?;
        Ok(body.map(|body| SignedEntry { id, order, time, body }))
    }

    /// Any entry, even if its body is gone.
    pub(crate) fn slot(&mut self, arrival: Arrival) -> Result<AnyEntry, StoreError> {
        let db = self.db;
        let mut statement = db.prepare_cached("SELECT batch, place FROM entry WHERE arrival = ?1")?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, NonNegative>(1)?.0));
        let found = statement.query_row([int(arrival)], read).optional()?;
        let (number, place) = found.ok_or(StoreError::inconsistent("an entry is missing"))?;
        let batch = self.batch(number)?;
        let index = usize::try_from(arrival.saturating_sub(number.unsigned_abs())).unwrap_or(usize::MAX);
        let Some(slot) = batch.header.entries.get(index) else {
            return Err(StoreError::inconsistent("an entry stands behind its batch"));
        };
        let (key, seq) = (batch.header.key(), batch.header.first_seq + index as Seq);
        Ok(AnyEntry {
            id: EntryId::new(key, seq, &batch.hash, index),
            order: Order { place, author: key.author, log: key.log, seq },
            time: Stamp(slot.time),
            body: batch.body(index),
        })
    }

    /// Compares a row with the signed header: author, log, number and time. The place is computed
    /// again unless it equals the time, as it mostly does.
    fn check(&self, row: &EntryRow, batch: &CachedBatch) -> Result<(), StoreError> {
        let (header, index) = (&batch.header, row.index());
        let signed = header.entries.get(index).map(|slot| (header.key(), header.first_seq + index as Seq, slot.time));
        if signed != Some((row.key, row.seq, row.time.0)) {
            return Err(StoreError::inconsistent("a message stands under another author, number or time"));
        }
        if row.place != row.time.0 && row.place != expected_place(self.db, row.log, header, index)? {
            return Err(StoreError::inconsistent("a message stands at another place"));
        }
        Ok(())
    }

    /// Returns the messages of all rows that `sql` selects.
    pub(crate) fn all(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Message>, StoreError> {
        let mut lines = Vec::new();
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            lines.extend(self.line(&EntryRow::read(row)?)?);
        }
        Ok(lines)
    }

    /// Returns the id of a row's entry, even if its body was deleted.
    pub(crate) fn id(&mut self, row: &EntryRow) -> Result<EntryId, StoreError> {
        let batch = self.batch(row.batch)?;
        self.check(row, &batch)?;
        Ok(EntryId::new(row.key, row.seq, &batch.hash, row.index()))
    }

    /// Returns the conversation of a row.
    pub(crate) fn conversation_of(&mut self, row: &EntryRow) -> Result<Conversation, StoreError> {
        self.conversation(row.conversation)
    }

    /// Returns the members that were in reach when this own message was sent.
    pub(crate) fn in_reach(&mut self, arrival: Arrival) -> Result<Vec<NodeId>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT batch FROM entry WHERE arrival = ?1")?;
        let batch = statement.query_row([int(arrival)], |row| row.get(0))?;
        let numbers = self.reach(batch)?;
        self.members(&numbers)
    }

    /// Returns the members that hold an own message, and those in reach that do not. Returns none
    /// for a message of another author.
    pub(crate) fn held_by(&mut self, row: &EntryRow) -> Result<Option<HolderRows>, StoreError> {
        if row.key.author != self.own {
            return Ok(None);
        }
        let (held, of) = self.holders(row)?;
        let missing: Vec<i64> = of.iter().copied().filter(|member| !held.contains(member)).collect();
        Ok(Some(HolderRows { held: self.members(&held)?, missing: self.members(&missing)? }))
    }

    fn members(&self, numbers: &[i64]) -> Result<Vec<NodeId>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT key FROM author WHERE author = ?1")?;
        let mut members = Vec::with_capacity(numbers.len());
        for number in numbers {
            members.push(NodeId(statement.query_row([number], |row| row.get::<_, Blob32>(0))?.0));
        }
        Ok(members)
    }

    /// Returns the members in reach of an own batch, as author row ids.
    fn reach(&mut self, batch: i64) -> Result<Rc<Vec<i64>>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT reach FROM own WHERE batch = ?1")?;
        let Some(Some(reach)) = statement.query_row([batch], |row| row.get::<_, Option<i64>>(0)).optional()? else {
            return Ok(Rc::default());
        };
        if let Some(members) = self.reaches.get(&reach) {
            return Ok(members.clone());
        }
        let mut statement = self.db.prepare_cached("SELECT members FROM reach WHERE reach = ?1")?;
        let bytes: Vec<u8> = statement.query_row([reach], |row| row.get(0))?;
        let number = |part: &[u8]| part.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
        let members = Rc::new(bytes.chunks_exact(4).map(number).collect::<Vec<_>>());
        self.reaches.insert(reach, members.clone());
        Ok(members)
    }

    fn batch(&mut self, batch: i64) -> Result<Rc<CachedBatch>, StoreError> {
        if let Some((_, loaded)) = self.loaded.iter().find(|(number, _)| *number == batch) {
            return Ok(loaded.clone());
        }
        let mut statement = self.db.prepare_cached("SELECT hash, bytes FROM batch WHERE batch = ?1")?;
        let (hash, bytes): (Blob32, Vec<u8>) = statement.query_row([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (bytes, hash) = (Bytes::from(bytes), Hash(hash.0));
        let (header, bodies) =
            check_hashes(&bytes, &hash).map_err(|_| StoreError::CorruptBatch(batch.unsigned_abs()))?;
        let loaded = Rc::new(CachedBatch { hash, header, bytes, bodies });
        if self.loaded.len() == BATCHES_LOADED_MAX {
            self.loaded.remove(0);
        }
        self.loaded.push((batch, loaded.clone()));
        Ok(loaded)
    }

    /// Returns the conversation with this row id.
    pub(crate) fn conversation(&mut self, number: i64) -> Result<Conversation, StoreError> {
        if let Some(conversation) = self.conversations.get(&number) {
            return Ok(conversation.clone());
        }
        let mut statement =
            self.db.prepare_cached("SELECT channel, member FROM conversation WHERE conversation = ?1")?;
        let conversation = statement.query_row([number], |row| conversation(row, 0))?;
        self.conversations.insert(number, conversation.clone());
        Ok(conversation)
    }

    /// Returns the author's name at the time of the message. Without one, [`NameSource`] decides.
    fn name(&mut self, row: &EntryRow) -> Result<Name, StoreError> {
        const THEN: &str = "SELECT seq, name FROM profile WHERE log = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1";
        const NEXT: &str = "SELECT seq, name FROM profile WHERE log = ?1 AND seq > ?2 ORDER BY seq LIMIT 1";
        let name = match (self.profile(row, THEN)?, self.names) {
            (Some(name), _) => Some(name),
            (None, NameSource::SignedLog) => self.profile(row, NEXT)?,
            (None, NameSource::Current) => {
                let mut statement = self.db.prepare_cached("SELECT name FROM author WHERE key = ?1")?;
                let name: Option<Option<String>> =
                    statement.query_row([Blob32(row.key.author.0)], |row| row.get(0)).optional()?;
                name.flatten().map(|name| Name::from_lossy(&name, &row.key.author.short()))
            }
        };
        Ok(name.unwrap_or_else(|| Name::from_lossy("", &row.key.author.short())))
    }

    /// Returns the name that `which` selects for a row. Compares it with the signed profile, once.
    fn profile(&mut self, row: &EntryRow, which: &str) -> Result<Option<Name>, StoreError> {
        let db = self.db;
        let mut statement = db.prepare_cached(which)?;
        let mut rows = statement.query(params![row.log, int(row.seq)])?;
        let Some(found) = rows.next()? else { return Ok(None) };
        let seq = found.get::<_, NonNegative>(0)?.0;
        if let Some(name) = self.profiles.get(&(row.log, seq)) {
            return Ok(Some(name.clone()));
        }
        let differs = || StoreError::inconsistent("a name is not the one that was signed");
        let name: String = found.get(1)?;
        let place = find(db, row.log, seq)?.ok_or_else(differs)?;
        let batch = self.batch(int(place.batch))?;
        match batch.body(usize::try_from(place.arrival - place.batch).unwrap_or(usize::MAX)) {
            Some(Body::Profile { name: signed, .. }) if signed == name && batch.header.key() == row.key => {}
            _ => return Err(differs()),
        }
        let name = Name::from_lossy(&name, &row.key.author.short());
        self.profiles.insert((row.log, seq), name.clone());
        Ok(Some(name))
    }

    fn held(&mut self, row: &EntryRow) -> Result<Delivery, StoreError> {
        let (holders, of) = self.holders(row)?;
        Ok(Delivery { held_by: holders.len(), of: of.len() })
    }

    /// Returns the members that hold an own message, and the members that are counted, as author
    /// row ids. The counted ones were in reach when it was sent. Without any, the holders are
    /// counted.
    fn holders(&mut self, row: &EntryRow) -> Result<(Vec<i64>, Rc<Vec<i64>>), StoreError> {
        let reach = self.reach(row.batch)?;
        let receipts = self.receipts(row.log)?;
        let mut holders: Vec<i64> = receipts
            .iter()
            .filter(|(_, first, last)| (*first..=*last).contains(&row.seq))
            .map(|(member, ..)| *member)
            .collect();
        if reach.is_empty() {
            return Ok((holders.clone(), Rc::new(holders)));
        }
        holders.retain(|member| reach.binary_search(member).is_ok());
        Ok((holders, reach))
    }

    fn receipts(&mut self, log: i64) -> Result<ReceiptCache, StoreError> {
        if let Some(receipts) = self.receipts.get(&log) {
            return Ok(receipts.clone());
        }
        let mut statement = self.db.prepare_cached("SELECT member, first_seq, last_seq FROM receipt WHERE log = ?1")?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get::<_, NonNegative>(1)?.0, row.get::<_, NonNegative>(2)?.0))
        };
        let receipts = Rc::new(statement.query_map([log], read)?.collect::<Result<Vec<_>, _>>()?);
        self.receipts.insert(log, receipts.clone());
        Ok(receipts)
    }
}
