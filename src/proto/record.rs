//! What the engine and the store say to each other: what to write, what was written, what was there at the start.

use std::net::IpAddr;

use super::batch::Verified;
use super::body::Body;
use super::clock::Stamp;
use super::fork::Fork;
use super::frame::Fetch;
use super::ids::{Arrival, EntryId, Hash, LogId, LogKey, NodeId, Seq};
use super::marks::{MarkChange, Marks};
use super::name::Name;
use super::timeline::{Conversation, Line, NoticeKind, Place};

/// One piece of work for the store. All of them are done in the order they were given; many share one commit.
#[derive(Clone, Debug)]
pub enum Write {
    /// Store batches; answered by [`Written::Appended`] or [`Written::Failed`] with the same token.
    Append {
        /// Names the answer.
        token: u64,
        /// In the order they get their arrival numbers.
        batches: Vec<Append>,
    },
    /// Somebody found that two things were signed for one place of a log; answered by [`Written::Changed`].
    Fork(Fork),
    /// Others have stored entries of own logs; answered by [`Written::Receipts`].
    Receipts(Vec<MemberReceipt>),
    /// Number and keep a notice; answered by [`Written::Noted`].
    Notice {
        /// When, in milliseconds since 1970.
        wall_ms: u64,
        /// What happened.
        kind: NoticeKind,
        /// To whom.
        member: NodeId,
        /// Their name then.
        name: Name,
    },
    /// Keep what is known of a member.
    Member(MemberRecord),
    /// Keep this node's name for the next start.
    OwnName(Name),
    /// The user has read a conversation up to here; never goes back. Answered by [`Written::Read`] if it grew.
    Read {
        /// Which conversation.
        conversation: Conversation,
        /// Everything up to here.
        arrival: Arrival,
    },
    /// The user thinks otherwise of a member; answered by [`Written::Marked`] or [`Written::NotMarked`].
    Mark {
        /// Of whom.
        member: NodeId,
        /// What.
        change: MarkChange,
    },
}

/// A batch to store.
#[derive(Clone, Debug)]
pub struct Append {
    /// The batch.
    pub batch: Verified,
    /// What goes with an own one.
    pub own: Option<OwnBatch>,
}

/// What a node keeps beside a batch that its own user wrote.
#[derive(Clone, Debug, Default)]
pub struct OwnBatch {
    /// For each entry the caller's `ref`, if there was one.
    pub refs: Vec<Option<Ref>>,
    /// The other members in reach (of a direct message: the recipient).
    pub of: Vec<NodeId>,
    /// What of [`Fallen`] is said again in it, by number.
    pub again: Vec<u64>,
}

/// A caller's own name for a message: the same one never makes a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// 1 to 64 characters.
    pub name: String,
    /// A hash of what was asked for, to tell a repetition from a mistake.
    pub content: Hash,
}

/// A member's word that it stored entries of an own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberReceipt {
    /// Whose word.
    pub member: NodeId,
    /// Which own log.
    pub log: LogId,
    /// The first entry.
    pub first: Seq,
    /// The last entry.
    pub last: Seq,
}

/// What the store answers, in the order of the commits.
#[derive(Clone, Debug)]
pub enum Written {
    /// All batches of an [`Write::Append`] are on the disk.
    Appended {
        /// The token of the request.
        token: u64,
        /// The messages in them, in arrival order.
        lines: Vec<Line>,
        /// Messages stored before whose order changed.
        moved: Vec<Line>,
        /// What else became of the logs that were written to.
        changed: Changed,
    },
    /// Logs were cut.
    Changed(Changed),
    /// Nothing of this [`Write::Append`] was stored.
    Failed {
        /// The token of the request.
        token: u64,
        /// Why.
        error: WriteError,
    },
    /// These are on the disk, so whoever is told of them is never told less.
    Receipts(Vec<MemberReceipt>),
    /// A notice has its number.
    Noted(super::timeline::Notice),
    /// A conversation was read further.
    Read {
        /// Which conversation.
        conversation: Conversation,
        /// Everything up to here.
        arrival: Arrival,
    },
    /// The marks of a member were changed.
    Marked(Marked),
    /// There is no room on the disk to change the marks of this member.
    NotMarked(NodeId),
}

/// What became of a [`Write::Mark`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Whose marks.
    pub member: NodeId,
    /// What they are now.
    pub marks: Marks,
    /// If other messages are shown now than before: the name of the run that has begun, since tabs can't go on.
    pub run: Option<String>,
}

/// What an engine could not foresee of what became of its logs.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// Logs of which something was refused, or fell: all that is held of them now.
    pub logs: Vec<LogRecord>,
    /// What this node's user said there and is to be said again.
    pub fallen: Vec<Fallen>,
    /// If messages are gone: the name of the run that has begun, since tabs can't go on.
    pub run: Option<String>,
    /// In that case: the greatest place of each conversation, and whose it is.
    pub tops: Vec<(Conversation, Place, EntryId)>,
}

/// Something that this node's user said in a log that ended before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// Its number in the store, which forgets it once it is said again.
    pub number: u64,
    /// To whom; none: to the room.
    pub audience: Option<NodeId>,
    /// What.
    pub body: Body,
    /// The caller's own name for it.
    pub reference: Option<Ref>,
}

/// Why nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No room on the disk; it goes on when there is.
    #[error("the disk is full")]
    DiskFull,
}

/// What a node keeps of a member beside its logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Who.
    pub id: NodeId,
    /// What they were called last, and since when by their own clock.
    pub name: Name,
    /// See `name`.
    pub name_time: Stamp,
    /// Where they were last seen.
    pub addresses: Vec<IpAddr>,
    /// The port where they listened last.
    pub port: u16,
    /// When they went, or came, by this node's wall clock in milliseconds since 1970.
    pub since_ms: u64,
    /// Whether they went without a goodbye.
    pub lost: bool,
}

impl MemberRecord {
    /// Whether there ever was a link, or somebody who passed on: else it is known from history alone.
    pub fn was_met(&self) -> bool {
        self.port != 0 || !self.addresses.is_empty()
    }
}

/// Everything that an engine has to know of the past when it starts.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is held of each log.
    pub logs: Vec<LogRecord>,
    /// The greatest place of each conversation, and whose it is.
    pub tops: Vec<(Conversation, Place, EntryId)>,
    /// Everybody ever known, from records or from logs alone.
    pub members: Vec<MemberRecord>,
    /// What this node's user thinks of them, where that is anything.
    pub marks: Vec<(NodeId, Marks)>,
    /// The newest 200 own messages, oldest first.
    pub own: Vec<OwnLine>,
    /// What others have stored of own logs.
    pub receipts: Vec<MemberReceipt>,
    /// What is still to be said again.
    pub fallen: Vec<Fallen>,
}

/// What is held of one log.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// Which log of whom.
    pub key: LogKey,
    /// Who may hold it.
    pub audience: Option<NodeId>,
    /// Ascending; only the first may begin at 1.
    pub ranges: Vec<Run>,
    /// How many bytes the batches in them have.
    pub bytes: u64,
    /// Where it ends for ever, if its author signed two things for one place.
    pub fork: Option<Fork>,
}

/// Whole batches of one log without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first entry.
    pub first: Seq,
    /// What the first batch names as `prev`.
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

/// An own message whose receipts are still of interest.
#[derive(Clone, Debug)]
pub struct OwnLine {
    /// Its id.
    pub id: EntryId,
    /// Who was in reach when it was said.
    pub of: Vec<NodeId>,
}

/// A page of history for a peer: the answer to a [`Fetch`].
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// What was asked for.
    pub fetch: Fetch,
    /// The batches as they were stored, ascending; every one was checked again when it was read.
    pub batches: Vec<Verified>,
}
