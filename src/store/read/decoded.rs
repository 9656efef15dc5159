//! Stored batches and entries: the rows, and what is decoded of them.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};

use crate::proto::clock::Stamp;
use crate::proto::entries::appearance::Appearance;
use crate::proto::entries::batch::Header;
use crate::proto::entries::body::Body;
use crate::proto::entries::body_range::BodyRanges;
use crate::proto::entries::timeline::{MessageKind, Order, Place};
use crate::proto::ids::{Arrival, EntryId, Hash, LogKey, NodeId, Seq};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};

/// Selects [`EntryRow`]s. `$rest` begins with `WHERE` or with more joins. `e` is the entry, `b` its
/// batch, `l` its log and `a` its author.
///
/// `CROSS JOIN` fixes the order of the joins, so the index on `e` determines the plan.
macro_rules! rows {
    ($from:expr, $rest:expr) => {
        concat!(
            "SELECT e.arrival, e.batch, e.conversation, e.place, e.time, b.first_seq, b.log, l.id, a.key, e.moved FROM ",
            $from,
            " CROSS JOIN batch b ON b.batch = e.batch CROSS JOIN log l ON l.log = b.log",
            " CROSS JOIN author a ON a.author = l.author ",
            $rest
        )
    };
}
pub(crate) use rows;

/// The rows of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryRow {
    pub(crate) arrival: Arrival,
    pub(super) batch: i64,
    pub(super) conversation: i64,
    pub(super) place: Place,
    pub(crate) time: Stamp,
    pub(crate) seq: Seq,
    pub(super) log: i64,
    pub(super) key: LogKey,
    /// The number at which it last changed, or got another place.
    pub(crate) moved: Option<Arrival>,
}

impl EntryRow {
    /// Reads a message from a row of [`rows`].
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (arrival, batch): (NonNegative, i64) = (row.get(0)?, row.get(1)?);
        let first_seq = row.get::<_, NonNegative>(5)?.0;
        Ok(Self {
            arrival: arrival.0,
            batch,
            conversation: row.get(2)?,
            place: row.get::<_, NonNegative>(3)?.0,
            time: Stamp(row.get::<_, NonNegative>(4)?.0),
            seq: first_seq + arrival.0.saturating_sub(batch.unsigned_abs()),
            log: row.get(6)?,
            key: LogKey { log: row.get::<_, LogColumn>(7)?.0, author: NodeId(row.get::<_, Blob32>(8)?.0) },
            moved: row.get::<_, Option<NonNegative>>(9)?.map(|moved| moved.0),
        })
    }

    /// Returns the index of the entry in its batch.
    pub(super) fn index(&self) -> usize {
        usize::try_from(self.arrival.saturating_sub(self.batch.unsigned_abs())).unwrap_or(usize::MAX)
    }

    /// Returns the position in the timeline.
    pub(crate) fn order(&self) -> Order {
        Order { place: self.place, author: self.key.author, log: self.key.log, seq: self.seq }
    }
}

/// Returns the [`EntryRow`] of a message.
pub(crate) fn row(db: &Connection, arrival: Arrival) -> Result<Option<EntryRow>, StoreError> {
    const ONE: &str = rows!("entry e", "WHERE e.arrival = ?1 AND e.conversation IS NOT NULL");
    Ok(db.prepare_cached(ONE)?.query_row([int(arrival)], EntryRow::read).optional()?)
}

/// The text of a message, and what became of it.
pub(crate) struct CurrentText {
    pub(crate) text: String,
    pub(crate) changes: Appearance,
}

impl CurrentText {
    /// What is shown of a deleted message.
    pub(crate) fn deleted() -> Self {
        Self { text: String::new(), changes: Appearance { deleted: true, ..Appearance::default() } }
    }
}

/// An entry as it was signed.
pub(crate) struct SignedEntry {
    pub(crate) id: EntryId,
    pub(crate) order: Order,
    pub(crate) time: Stamp,
    pub(crate) body: Body,
}

/// An entry, also one whose body was deleted.
pub(crate) struct AnyEntry {
    pub(crate) id: EntryId,
    pub(crate) order: Order,
    pub(crate) time: Stamp,
    /// None: it was deleted, or is of an unknown kind.
    pub(crate) body: Option<Body>,
}

/// A stored batch whose hashes were checked, and the ranges of its bodies.
pub(crate) struct CachedBatch {
    pub(crate) hash: Hash,
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
    pub(crate) bodies: BodyRanges,
}

impl CachedBatch {
    /// Returns the body at an index. Returns none if it was deleted, or is of an unknown kind.
    pub(crate) fn body(&self, index: usize) -> Option<Body> {
        self.bodies.get(index)?.body(&self.bytes)
    }

    /// Returns the deletion in place of the body at an index, if that was deleted.
    fn deletion(&self, index: usize) -> Option<Body> {
        self.bodies.get(index)?.deletion(&self.bytes)
    }
}

/// The content of a message.
pub(crate) struct DecodedMessage {
    pub(crate) kind: MessageKind,
    /// The channel, if what is left of the message tells it.
    pub(crate) channel: Option<String>,
    pub(crate) reply_to: Option<EntryId>,
    pub(crate) text: CurrentText,
}

/// Returns the message at an index of a batch; of a deleted one, that it was deleted. Returns none
/// if the body is no message.
pub(crate) fn decode_message(batch: &CachedBatch, index: usize) -> Option<DecodedMessage> {
    if let Some(Body::Delete { channel, .. }) = batch.deletion(index) {
        let text = CurrentText::deleted();
        return Some(DecodedMessage { kind: MessageKind::Say, channel, reply_to: None, text });
    }
    match batch.body(index)? {
        Body::Say { text, channel, reply_to, files, mentions } => {
            let mentions = mentions.counted(&text);
            let changes = Appearance { files: files.0, mentions, ..Appearance::default() };
            let text = CurrentText { text, changes };
            Some(DecodedMessage { kind: MessageKind::Say, channel, reply_to, text })
        }
        Body::Hooray { text, channel } => {
            let text = CurrentText { text, changes: Appearance::default() };
            Some(DecodedMessage { kind: MessageKind::Hooray, channel, reply_to: None, text })
        }
        _ => None,
    }
}

/// The source of an author's name if no profile at or before the message is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameSource {
    /// The current name that this node knows. It can differ between nodes.
    Current,
    /// The next name in the same log, or else the short form of the id. It is the same on all nodes
    /// with the same batches.
    SignedLog,
}

/// The delivery of an own message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderRows {
    /// Members that hold it.
    pub held: Vec<NodeId>,
    /// Members that were in reach when it was sent, and do not hold it yet.
    pub missing: Vec<NodeId>,
}
