//! The messages between engine and store: writes, their results, and the snapshot at the start.

use std::net::IpAddr;

use super::fork::Fork;
use super::frame::Fetch;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::Verified;
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::{Conversation, Message, NoticeKind, Place};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{Arrival, EntryId, Hash, LogId, LogKey, NodeId, Seq};
use crate::proto::member_flags::{FlagChange, MemberFlags};
use crate::proto::names::name::Name;

/// A write. Writes are carried out in the order in which they were given; many share one commit.
#[derive(Clone, Debug)]
pub enum Write {
    /// Stores batches. Answered by [`WriteResult::Appended`] or [`WriteResult::Failed`] with the
    /// same token.
    Append {
        /// Identifies the answer.
        token: u64,
        /// The batches, in the order of their arrival numbers.
        batches: Vec<Append>,
    },
    /// Records that an author signed two batches for one position. Answered by
    /// [`WriteResult::Changed`].
    Fork(Fork),
    /// Records receipts of other members for own logs. Answered by [`WriteResult::Receipts`].
    Receipts(Vec<MemberReceipt>),
    /// Numbers and stores a notice. Answered by [`WriteResult::Noted`].
    Notice {
        /// When it happened, in milliseconds since 1970.
        wall_ms: u64,
        /// What happened.
        kind: NoticeKind,
        /// The member concerned.
        member: NodeId,
        /// The member's name at that time.
        name: Name,
    },
    /// Stores what is known of a member.
    Member(MemberRecord),
    /// Stores this node's name for the next start.
    OwnName(Name),
    /// Moves the read marker of a conversation forward. Answered by [`WriteResult::Read`] if it
    /// moved.
    Read {
        /// The conversation.
        conversation: Conversation,
        /// The new marker: everything up to this arrival number is read.
        arrival: Arrival,
    },
    /// Changes the user's flags for a member. Answered by [`WriteResult::Marked`] or
    /// [`WriteResult::NotMarked`].
    Mark {
        /// The member.
        member: NodeId,
        /// The change.
        change: FlagChange,
    },
}

/// A batch to store.
#[derive(Clone, Debug)]
pub struct Append {
    /// The batch.
    pub batch: Verified,
    /// Local data of a batch of the own user.
    pub own: Option<OwnBatch>,
}

/// The local data stored with a batch of the own user.
#[derive(Clone, Debug, Default)]
pub struct OwnBatch {
    /// The caller's `ref` of each entry, if it gave one.
    pub refs: Vec<Option<IdempotencyKey>>,
    /// The other members in reach; for a direct message, the recipient.
    pub of: Vec<NodeId>,
    /// The numbers of the [`UnpublishedEntry`] values that are published again in this batch.
    pub again: Vec<u64>,
}

/// A caller's idempotency key for a message (`ref`): using it twice never creates a second message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, 1 to 64 characters.
    pub name: String,
    /// A hash of the request, to tell a repetition from a key used for something else.
    pub content: Hash,
}

/// An idempotency key in the store, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRef {
    /// The digest of its name.
    pub digest: u64,
    /// The time of its entry, in milliseconds since 1970.
    pub said_ms: u64,
}

impl StoredRef {
    /// The key with this name.
    pub fn new(name: &str, said_ms: u64) -> Self {
        let hash = blake3::hash(name.as_bytes());
        let digest = hash.as_bytes().iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte));
        Self { digest, said_ms }
    }
}

/// A member's confirmation that it stored entries of an own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberReceipt {
    /// The member.
    pub member: NodeId,
    /// The own log.
    pub log: LogId,
    /// The first entry.
    pub first: Seq,
    /// The last entry.
    pub last: Seq,
}

/// The result of a write. Results come in the order of the commits.
#[derive(Clone, Debug)]
pub enum WriteResult {
    /// All batches of a [`Write::Append`] are committed.
    Appended(Appended),
    /// Logs were truncated.
    Changed(LogChanges),
    /// Nothing of a [`Write::Append`] was stored.
    Failed {
        /// The token of the request.
        token: u64,
        /// The reason.
        error: WriteError,
    },
    /// These receipts are committed, so a count shown to the user never decreases.
    Receipts(Vec<MemberReceipt>),
    /// A notice was stored.
    Noted(crate::proto::entries::timeline::Notice),
    /// A read marker moved.
    Read(ReadMarker),
    /// The flags of a member were changed.
    Marked(FlagWriteResult),
    /// The flags of this member could not be changed: the disk is full.
    NotMarked(NodeId),
}

/// A result for the engine, with the messages that it makes the engine show.
///
/// The engine decides by their ids. Their texts go from the store to the pages beside it.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The result.
    pub result: WriteResult,
    /// The messages of [`Appended::messages`] and [`Appended::moved`].
    pub shown: Vec<Message>,
}

impl From<WriteResult> for Committed {
    fn from(result: WriteResult) -> Self {
        Self { result, shown: Vec::new() }
    }
}

/// The result of a [`Write::Append`].
#[derive(Clone, Debug, Default)]
pub struct Appended {
    /// The token of the request.
    pub token: u64,
    /// The messages in them, in arrival order.
    pub messages: Vec<EntryId>,
    /// Messages stored before that changed, or whose order did.
    pub moved: Vec<EntryId>,
    /// The places of all these, and of entries that changed a message or a topic.
    pub tops: Vec<(Conversation, Place, EntryId)>,
    /// The topics of channels in which one was set.
    pub topics: Vec<(Name, String)>,
    /// The content that deleted messages named.
    pub released: Vec<Hash>,
    /// Other changes to the logs that were written to.
    pub changed: LogChanges,
    /// Conversations in which unread messages were deleted.
    pub read: Vec<ReadMarker>,
    /// Logs from which deleted bodies were removed, and how many bytes more their batches take now.
    pub resized: Vec<(LogKey, i64)>,
    /// Own edits whose message the user deleted.
    pub to_delete: Vec<UndeletedEdit>,
}

/// An own edit of a message that the user deleted. Its text is removed once it is deleted too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndeletedEdit {
    /// The edit.
    pub id: EntryId,
    /// The recipient of the message. `None`: the room.
    pub audience: Option<NodeId>,
}

/// The result of a [`Write::Mark`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagWriteResult {
    /// The member.
    pub member: NodeId,
    /// Its flags now.
    pub marks: MemberFlags,
    /// The name of the new session, if the set of visible messages changed. Tabs must then reload.
    pub run: Option<String>,
}

/// Changes to logs that the engine could not predict.
#[derive(Clone, Debug, Default)]
pub struct LogChanges {
    /// Logs in which a batch was refused or removed, with all that is held of them now.
    pub logs: Vec<LogRecord>,
    /// Own entries that were removed and must be published again.
    pub fallen: Vec<UnpublishedEntry>,
    /// The name of the new session, if messages were removed. Tabs must then reload.
    pub run: Option<String>,
    /// With `run`: the latest place of each conversation, and the entry there.
    pub tops: Vec<(Conversation, Place, EntryId)>,
}

/// An own entry behind the end of a forked log, to be published again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpublishedEntry {
    /// Its number in the store, which deletes it once it is published again.
    pub number: u64,
    /// The recipient. `None`: the room.
    pub audience: Option<NodeId>,
    /// The body.
    pub body: Body,
    /// The caller's idempotency key.
    pub reference: Option<IdempotencyKey>,
}

/// Why nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The disk is full. Writing resumes when there is space again.
    #[error("the disk is full")]
    DiskFull,
}

/// What a node stores of a member besides its logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// The member's id.
    pub id: NodeId,
    /// Its last known name.
    pub name: Name,
    /// When it took that name, by its own clock.
    pub name_time: Stamp,
    /// The addresses where it was last seen.
    pub addresses: Vec<IpAddr>,
    /// The port on which it last listened; 0 if unknown.
    pub port: u16,
    /// When it last went online or offline, by this node's wall clock in milliseconds since 1970.
    pub since_ms: u64,
    /// True if it went offline without a goodbye.
    pub lost: bool,
}

impl MemberRecord {
    /// Returns true if the member was ever linked or relayed. Otherwise it is known from history
    /// alone.
    pub fn was_met(&self) -> bool {
        self.port != 0 || !self.addresses.is_empty()
    }
}

/// The state from which an engine starts.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is held of each log.
    pub logs: Vec<LogRecord>,
    /// The latest place of each conversation, and the entry there.
    pub tops: Vec<(Conversation, Place, EntryId)>,
    /// All members ever known, from records or from logs alone.
    pub members: Vec<MemberRecord>,
    /// The user's flags of members that have any.
    pub marks: Vec<(NodeId, MemberFlags)>,
    /// The newest 200 own messages, oldest first.
    pub own: Vec<TrackedMessage>,
    /// The receipts of other members for own logs.
    pub receipts: Vec<MemberReceipt>,
    /// Own entries that are still to be published again.
    pub fallen: Vec<UnpublishedEntry>,
    /// The newest idempotency keys of own entries, oldest first: one more than
    /// [`REFS_KNOWN_MAX`](crate::proto::limits::REFS_KNOWN_MAX) if there are more.
    pub refs: Vec<StoredRef>,
    /// What members say they are doing, this node's user included, and since when by their own
    /// clocks.
    pub statuses: Vec<(NodeId, String, Stamp)>,
    /// Own edits whose message the user deleted.
    pub to_delete: Vec<UndeletedEdit>,
}

/// What is held of one log.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// The log and its author.
    pub key: LogKey,
    /// The only member besides the author that may hold it. `None`: the whole room.
    pub audience: Option<NodeId>,
    /// The contiguous ranges held, ascending.
    pub ranges: Vec<Run>,
    /// The size of their batches in bytes.
    pub bytes: u64,
    /// The fork that ends the log for ever, if its author signed two batches for one position.
    pub fork: Option<Fork>,
}

/// A contiguous range of whole batches in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first entry.
    pub first: Seq,
    /// The `prev` of the first batch.
    pub prev: Option<Hash>,
    /// The last entry.
    pub last: Seq,
    /// The header hash of the last batch.
    pub head: Hash,
    /// The time of the first entry.
    pub first_time: Stamp,
    /// The time of the last entry.
    pub last_time: Stamp,
}

/// An own message whose receipts are tracked.
#[derive(Clone, Debug)]
pub struct TrackedMessage {
    /// Its id.
    pub id: EntryId,
    /// The members that were in reach when it was sent.
    pub of: Vec<NodeId>,
}

/// A page of history for a peer: the answer to a [`Fetch`].
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The request.
    pub fetch: Fetch,
    /// The stored batches, ascending. Each was verified again when it was read.
    pub batches: Vec<Verified>,
}
