//! From rows to lines: what a reader sees of a message, put together from its row, its batch's bytes, the names its
//! author had, and the receipts of others.
//!
//! The signed batch is the truth. A row that contradicts it is never shown: reading it fails, and the tables are rebuilt.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::find::{expected_place, find};
use super::look::Holders;
use super::sql::{Blob32, Count, LogColumn};
use crate::proto::batch::{BodyRanges, Header, unchanged};
use crate::proto::body::Body;
use crate::proto::clock::Stamp;
use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, NodeId, Seq};
use crate::proto::limits::BATCHES_LOADED_MAX;
use crate::proto::name::Name;
use crate::proto::timeline::{Conversation, Held, Line, LineKind, Order, Place};

/// Selects [`Row`]s; what follows begins with `WHERE` or more joins. `e` is the entry, `b` its batch, `l` its log and
/// `a` its author. `CROSS JOIN` makes SQLite keep this order, so the index on `e` decides.
macro_rules! rows {
    ($from:expr, $rest:expr) => {
        concat!(
            "SELECT e.arrival, e.batch, e.conversation, e.place, e.time, b.first_seq, b.log, l.id, a.key FROM ",
            $from,
            " CROSS JOIN batch b ON b.batch = e.batch CROSS JOIN log l ON l.log = b.log",
            " CROSS JOIN author a ON a.author = l.author ",
            $rest
        )
    };
}
pub(super) use rows;

/// A message as the tables have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) arrival: Arrival,
    batch: i64,
    conversation: i64,
    place: Place,
    pub(super) time: Stamp,
    pub(super) seq: Seq,
    log: i64,
    key: LogKey,
}

impl Row {
    /// Reads what [`rows`] selects, of a message.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (arrival, batch): (Count, i64) = (row.get(0)?, row.get(1)?);
        let first_seq = row.get::<_, Count>(5)?.0;
        Ok(Self {
            arrival: arrival.0,
            batch,
            conversation: row.get(2)?,
            place: row.get::<_, Count>(3)?.0,
            time: Stamp(row.get::<_, Count>(4)?.0),
            seq: first_seq + arrival.0.saturating_sub(batch.unsigned_abs()),
            log: row.get(6)?,
            key: LogKey { log: row.get::<_, LogColumn>(7)?.0, author: NodeId(row.get::<_, Blob32>(8)?.0) },
        })
    }

    /// Its index in its batch.
    fn index(&self) -> usize {
        usize::try_from(self.arrival.saturating_sub(self.batch.unsigned_abs())).unwrap_or(usize::MAX)
    }

    /// Where it stands.
    pub(super) fn order(&self) -> Order {
        Order { place: self.place, author: self.key.author, log: self.key.log, seq: self.seq }
    }
}

/// The header of a batch that was verified when it was stored and has not changed since, and where its bodies stand.
struct Loaded {
    hash: Hash,
    header: Header,
    bytes: Bytes,
    bodies: BodyRanges,
}

impl Loaded {
    /// What the batch says at an index; `None` if that is not here, or can't be shown.
    fn body(&self, index: usize) -> Option<Body> {
        let range = self.bodies.get(index)?.clone()?;
        Body::decode(&self.bytes[range])
    }
}

/// The content of a message.
struct Said {
    kind: LineKind,
    text: String,
    channel: Option<String>,
    reply_to: Option<EntryId>,
}

/// What was said at an index of a batch, and what it answers; `None` if that is not here, or no message.
fn said(batch: &Loaded, index: usize) -> Option<Said> {
    match batch.body(index)? {
        Body::Say { text, channel, reply_to } => Some(Said { kind: LineKind::Say, text, channel, reply_to }),
        Body::Hooray { text, channel } => Some(Said { kind: LineKind::Hooray, text, channel, reply_to: None }),
        Body::Edit { .. } | Body::Delete { .. } | Body::React { .. } | Body::Profile { .. } | Body::File { .. } => None,
    }
}

/// Author numbers and the entries that each of them has stored of one log.
type Receipts = Rc<Vec<(i64, Seq, Seq)>>;

/// What an author is called where their name as it was then is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// What they are called now, as far as this node knows: helpful, and different on every node.
    Known,
    /// What they call themselves next in the same log, else the short form of their id: the same on all nodes that
    /// hold the same.
    Signed,
}

/// Makes lines within one read transaction, and remembers what they share.
pub(super) struct Lines<'a> {
    db: &'a Connection,
    own: NodeId,
    names: Names,
    /// Of these nothing is shown.
    hidden: BTreeSet<NodeId>,
    loaded: Vec<(i64, Rc<Loaded>)>,
    conversations: HashMap<i64, Conversation>,
    /// By log and by the number of the entry that gives the name.
    profiles: HashMap<(i64, Seq), Name>,
    reaches: HashMap<i64, Rc<Vec<i64>>>,
    receipts: HashMap<i64, Receipts>,
}

impl<'a> Lines<'a> {
    /// Reads from `db`, for the user of `own`.
    pub(super) fn new(db: &'a Connection, own: NodeId) -> Self {
        Self {
            db,
            own,
            names: Names::Known,
            hidden: BTreeSet::new(),
            loaded: Vec::new(),
            conversations: HashMap::new(),
            profiles: HashMap::new(),
            reaches: HashMap::new(),
            receipts: HashMap::new(),
        }
    }

    /// As [`Lines::new`], but only what is shown to the user: nothing by those whom the user blocks.
    pub(super) fn shown(db: &'a Connection, own: NodeId) -> Result<Self, StoreError> {
        let marks = super::marks::marks(db)?;
        let hidden = marks.into_iter().filter(|(_, marks)| marks.blocked).map(|(id, _)| id).collect();
        Ok(Self { hidden, ..Self::new(db, own) })
    }

    /// Whether the user wants nothing from the author of a row.
    pub(super) fn hides(&self, row: &Row) -> bool {
        self.hidden.contains(&row.key.author)
    }

    /// Whether nothing of anybody is shown.
    pub(super) fn hides_any(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// As [`Lines::new`], but nothing in the lines comes from anywhere but signed data.
    pub(super) fn signed(db: &'a Connection, own: NodeId) -> Self {
        Self { names: Names::Signed, ..Self::new(db, own) }
    }

    /// The line of a row; `None` where its body is gone, or where it is not shown.
    pub(super) fn line(&mut self, row: &Row) -> Result<Option<Line>, StoreError> {
        if self.hides(row) {
            return Ok(None);
        }
        let batch = self.batch(row.batch)?;
        self.check(row, &batch)?;
        let Some(Said { kind, text, channel, reply_to }) = said(&batch, row.index()) else { return Ok(None) };
        let conversation = self.conversation(row.conversation)?;
        let Header { author, audience, .. } = batch.header;
        if Conversation::of(self.own, author, audience, channel.as_deref()).as_ref() != Some(&conversation) {
            return Err(StoreError::inconsistent("a message stands in another conversation than it was said in"));
        }
        let own = row.key.author == self.own;
        let to = match &conversation {
            Conversation::Channel(_) => None,
            Conversation::Direct(member) => Some(if own { *member } else { self.own }),
        };
        Ok(Some(Line {
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
            held: if own { Some(self.held(row)?) } else { None },
        }))
    }

    /// The text of a row alone; `None` where its body is gone.
    pub(super) fn text(&mut self, row: &Row) -> Result<Option<String>, StoreError> {
        let batch = self.batch(row.batch)?;
        Ok(said(&batch, row.index()).map(|said| said.text))
    }

    /// Compares a row with the header that was signed: author, log, number, time and, where it is not simply the time, the
    /// place.
    fn check(&self, row: &Row, batch: &Loaded) -> Result<(), StoreError> {
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

    /// The lines of all rows that `sql` selects.
    pub(super) fn all(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Line>, StoreError> {
        let mut lines = Vec::new();
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            lines.extend(self.line(&Row::read(row)?)?);
        }
        Ok(lines)
    }

    /// The id of a row's entry: whatever became of its body.
    pub(super) fn id(&mut self, row: &Row) -> Result<EntryId, StoreError> {
        let batch = self.batch(row.batch)?;
        self.check(row, &batch)?;
        Ok(EntryId::new(row.key, row.seq, &batch.hash, row.index()))
    }

    /// The conversation of a row.
    pub(super) fn conversation_of(&mut self, row: &Row) -> Result<Conversation, StoreError> {
        self.conversation(row.conversation)
    }

    /// Who was in reach when this own message was said.
    pub(super) fn in_reach(&mut self, arrival: Arrival) -> Result<Vec<NodeId>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT batch FROM entry WHERE arrival = ?1")?;
        let batch = statement.query_row([super::sql::int(arrival)], |row| row.get(0))?;
        let numbers = self.reach(batch)?;
        self.members(&numbers)
    }

    /// Who holds an own message, and who of those it is counted for does not; `None` for one of somebody else.
    pub(super) fn held_by(&mut self, row: &Row) -> Result<Option<Holders>, StoreError> {
        if row.key.author != self.own {
            return Ok(None);
        }
        let (held, of) = self.holders(row)?;
        let missing: Vec<i64> = of.iter().copied().filter(|member| !held.contains(member)).collect();
        Ok(Some(Holders { held: self.members(&held)?, missing: self.members(&missing)? }))
    }

    fn members(&self, numbers: &[i64]) -> Result<Vec<NodeId>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT key FROM author WHERE author = ?1")?;
        let mut members = Vec::with_capacity(numbers.len());
        for number in numbers {
            members.push(NodeId(statement.query_row([number], |row| row.get::<_, Blob32>(0))?.0));
        }
        Ok(members)
    }

    /// Who was in reach when the batch was said, by author number.
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

    fn batch(&mut self, batch: i64) -> Result<Rc<Loaded>, StoreError> {
        if let Some((_, loaded)) = self.loaded.iter().find(|(number, _)| *number == batch) {
            return Ok(loaded.clone());
        }
        let mut statement = self.db.prepare_cached("SELECT hash, bytes FROM batch WHERE batch = ?1")?;
        let (hash, bytes): (Blob32, Vec<u8>) = statement.query_row([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (bytes, hash) = (Bytes::from(bytes), Hash(hash.0));
        let (header, bodies) = unchanged(&bytes, &hash).map_err(|_| StoreError::Altered(batch.unsigned_abs()))?;
        let loaded = Rc::new(Loaded { hash, header, bytes, bodies });
        if self.loaded.len() == BATCHES_LOADED_MAX {
            self.loaded.remove(0);
        }
        self.loaded.push((batch, loaded.clone()));
        Ok(loaded)
    }

    /// The conversation with this number.
    pub(super) fn conversation(&mut self, number: i64) -> Result<Conversation, StoreError> {
        if let Some(conversation) = self.conversations.get(&number) {
            return Ok(conversation.clone());
        }
        let mut statement =
            self.db.prepare_cached("SELECT channel, member FROM conversation WHERE conversation = ?1")?;
        let conversation = statement.query_row([number], |row| conversation(row, 0))?;
        self.conversations.insert(number, conversation.clone());
        Ok(conversation)
    }

    /// What the author was called then; as long as that has not come, see [`Names`].
    fn name(&mut self, row: &Row) -> Result<Name, StoreError> {
        const THEN: &str = "SELECT seq, name FROM profile WHERE log = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1";
        const NEXT: &str = "SELECT seq, name FROM profile WHERE log = ?1 AND seq > ?2 ORDER BY seq LIMIT 1";
        let name = match (self.profile(row, THEN)?, self.names) {
            (Some(name), _) => Some(name),
            (None, Names::Signed) => self.profile(row, NEXT)?,
            (None, Names::Known) => {
                let mut statement = self.db.prepare_cached("SELECT name FROM author WHERE key = ?1")?;
                let name: Option<Option<String>> =
                    statement.query_row([Blob32(row.key.author.0)], |row| row.get(0)).optional()?;
                name.flatten().map(|name| Name::lossy(&name, &row.key.author.short()))
            }
        };
        Ok(name.unwrap_or_else(|| Name::lossy("", &row.key.author.short())))
    }

    /// The name that `which` finds for a row. It is compared with what was signed, once.
    fn profile(&mut self, row: &Row, which: &str) -> Result<Option<Name>, StoreError> {
        let db = self.db;
        let mut statement = db.prepare_cached(which)?;
        let mut rows = statement.query(params![row.log, super::sql::int(row.seq)])?;
        let Some(found) = rows.next()? else { return Ok(None) };
        let seq = found.get::<_, Count>(0)?.0;
        if let Some(name) = self.profiles.get(&(row.log, seq)) {
            return Ok(Some(name.clone()));
        }
        let differs = || StoreError::inconsistent("a name is not the one that was signed");
        let name: String = found.get(1)?;
        let place = find(db, row.log, seq)?.ok_or_else(differs)?;
        let batch = self.batch(super::sql::int(place.batch))?;
        match batch.body(usize::try_from(place.arrival - place.batch).unwrap_or(usize::MAX)) {
            Some(Body::Profile { name: signed, .. }) if signed == name && batch.header.key() == row.key => {}
            _ => return Err(differs()),
        }
        let name = Name::lossy(&name, &row.key.author.short());
        self.profiles.insert((row.log, seq), name.clone());
        Ok(Some(name))
    }

    fn held(&mut self, row: &Row) -> Result<Held, StoreError> {
        let (holders, of) = self.holders(row)?;
        Ok(Held { held_by: holders.len(), of: of.len() })
    }

    /// Who holds an own message, and of whom: those who were in reach when it was said, or the holders if there were
    /// none. By author number.
    fn holders(&mut self, row: &Row) -> Result<(Vec<i64>, Rc<Vec<i64>>), StoreError> {
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

    fn receipts(&mut self, log: i64) -> Result<Receipts, StoreError> {
        if let Some(receipts) = self.receipts.get(&log) {
            return Ok(receipts.clone());
        }
        let mut statement = self.db.prepare_cached("SELECT member, first_seq, last_seq FROM receipt WHERE log = ?1")?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Count>(1)?.0, row.get::<_, Count>(2)?.0));
        let receipts = Rc::new(statement.query_map([log], read)?.collect::<Result<Vec<_>, _>>()?);
        self.receipts.insert(log, receipts.clone());
        Ok(receipts)
    }
}

/// Reads the columns `channel` and `member` of a conversation.
pub(super) fn conversation(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Conversation> {
    let channel: Option<String> = row.get(column)?;
    match channel {
        Some(name) => Ok(Conversation::Channel(Name::lossy(&name, Conversation::GENERAL))),
        None => Ok(Conversation::Direct(NodeId(row.get::<_, Blob32>(column + 1)?.0))),
    }
}
