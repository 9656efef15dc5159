//! The frames that two nodes exchange, as values. [`crate::wire`] encodes and decodes them.

use std::net::{IpAddr, SocketAddr};

use super::author_limits::LimitedAuthors;
use super::fork::Fork;
use crate::proto::entries::batch::Verified;
use crate::proto::files::file_frame::FileFrame;
use crate::proto::ids::{Hash, Instance, LogId, LogKey, NodeId, RoomTag, Seq};
use crate::proto::links::version_range::VersionRange;
use crate::proto::names::name::Name;

/// The UDP packet that announces a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// The room's tag. Beacons of other rooms are ignored.
    pub room: RoomTag,
    /// The sender's id.
    pub id: NodeId,
    /// The sender's current start.
    pub instance: Instance,
    /// The TCP port on which it listens, 1024 or above.
    pub port: u16,
    /// The user's name; in a room with a key, the short id instead.
    pub name: Name,
}

/// The first frame in each direction. Versions and rooms must match before either side proves
/// anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The protocol versions that the sender speaks.
    pub versions: VersionRange,
    /// The room's tag.
    pub room: RoomTag,
    /// The sender's current start.
    pub instance: Instance,
}

/// The frame after the proofs: what a node tells only to members of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intro {
    /// The user's current name.
    pub name: Name,
    /// Milliseconds since the program started.
    pub uptime_ms: u64,
    /// The sender's wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
    /// The addresses on which the sender listens, as far as it knows.
    pub listens: Vec<SocketAddr>,
}

/// A frame on an established link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Asks for a sign of life. Sent after silence.
    Ping {
        /// The sender's wall clock, in milliseconds since 1970.
        wall_ms: u64,
    },
    /// Answers a ping.
    Pong {
        /// The sender's wall clock, in milliseconds since 1970.
        wall_ms: u64,
    },
    /// New batches of the sender's own logs, or of a log that it was asked to relay.
    Push(Vec<Verified>),
    /// The sender has stored these batches of the receiver's own logs.
    Receipt(Vec<Receipt>),
    /// Compares what both sides hold. If the hashes differ, asks for a page of hashes per author.
    Compare {
        /// The hash of all that the sender holds and the receiver may hold.
        hash: Hash,
        /// The cursor: only authors with greater ids.
        from: Option<NodeId>,
        /// The nodes that the sender is linked with.
        linked: Vec<NodeId>,
    },
    /// Answers a comparison. Empty if the hashes are equal.
    Authors {
        /// True if the hashes are equal.
        same: bool,
        /// Authors in ascending order, each with a hash of all that the sender holds of it.
        authors: Vec<(NodeId, Hash)>,
        /// True if more authors follow.
        more: bool,
        /// The nodes that the sender is linked with.
        linked: Vec<NodeId>,
    },
    /// Asks what the receiver holds of an author.
    AskLogs {
        /// The author.
        author: NodeId,
        /// The cursor: only logs with greater numbers.
        from: Option<LogId>,
    },
    /// Answers [`Frame::AskLogs`].
    Logs {
        /// The author.
        author: NodeId,
        /// Its logs, in ascending order of their numbers.
        logs: Vec<LogHoldings>,
        /// True if more logs follow.
        more: bool,
    },
    /// Asks for the newest of these entries, in whole batches.
    Fetch(Fetch),
    /// Answers a fetch with a page of batches.
    Page {
        /// The log.
        key: LogKey,
        /// Batches in ascending order. Empty if none is held or `busy` is set.
        batches: Vec<Verified>,
        /// True if the sender serves too many other fetches now. The receiver should ask another
        /// node.
        busy: bool,
    },
    /// Asks the receiver to relay what a member writes to the room, and whether it reaches the
    /// member; or to stop.
    Relay {
        /// The member: linked with the receiver, but not with the sender.
        member: NodeId,
        /// True to start, false to stop.
        on: bool,
    },
    /// Tells whether the sender reaches a member that the receiver asked about.
    Reach(ReachReport),
    /// Receipts sent through a relaying node.
    Carry {
        /// The author of the logs, to whom the receipts go.
        author: NodeId,
        /// The node that stored the entries.
        from: NodeId,
        /// The stored entries.
        receipts: Vec<Receipt>,
    },
    /// The authors whose entries the sender no longer accepts. They are left out of comparisons.
    /// Replaces the previous frame of this kind.
    Closed(LimitedAuthors),
    /// The sender's user is typing. It expires after a while, and is never stored or relayed.
    Typing {
        /// The channel. None: the direct conversation with the receiver.
        channel: Option<Name>,
    },
    /// A frame about the content of files.
    File(FileFrame),
    /// The last frame on a link: why the sender ends it.
    Close(CloseReason),
}

/// What a node knows of a member that the receiver cannot reach itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachReport {
    /// The member.
    pub member: NodeId,
    /// Whether the sender reaches it.
    pub state: ReachState,
    /// Its name.
    pub name: Name,
    /// Milliseconds since its program started.
    pub uptime_ms: u64,
    /// The addresses on which it listens, as it told the sender.
    pub listens: Vec<SocketAddr>,
}

/// Whether a member is reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachState {
    /// Linked, and heard from within 8 s.
    Here,
    /// It said goodbye.
    Left,
    /// It is not linked, or silent.
    Gone,
}

/// Confirms that the sender has stored entries `first` to `last` of a log of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    /// The log; its author is the receiver.
    pub log: LogId,
    /// The first entry.
    pub first: Seq,
    /// The last entry.
    pub last: Seq,
}

/// What a node holds of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHoldings {
    /// The log's number.
    pub log: LogId,
    /// The only member besides the author that may hold it. `None`: the whole room.
    pub audience: Option<NodeId>,
    /// The entries held, as ascending ranges of whole batches; at most 9.
    pub ranges: Vec<HeldRange>,
    /// The proof of a fork, if the author signed two batches for one position.
    pub fork: Option<Fork>,
}

/// A contiguous range of whole batches in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldRange {
    /// The first entry, which is the first of its batch.
    pub first: Seq,
    /// The last entry, which is the last of its batch.
    pub last: Seq,
    /// The header hash of the last batch.
    pub head: Hash,
}

/// A request for history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The log.
    pub key: LogKey,
    /// The first entry wanted.
    pub first: Seq,
    /// The last entry wanted. The page ends here and extends backwards.
    pub last: Seq,
    /// The size limit of the page in bytes. At least one batch is always sent.
    pub bytes: u64,
}

/// Why a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The node is stopping: a goodbye.
    Stopping,
    /// The two nodes have another link.
    Duplicate,
    /// Another machine runs with the same key, and is responsive.
    KeyInUse,
    /// No common version of the protocol.
    Version,
    /// Another room, or another room key.
    Room,
    /// The receiver broke the protocol.
    Protocol,
    /// Nothing was received for too long.
    Silent,
    /// All links are in use.
    Busy,
    /// A reason that this version does not know.
    Other,
}

/// The peer of a link, after a successful handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id, proved by the handshake.
    pub id: NodeId,
    /// Its current start.
    pub instance: Instance,
    /// The protocol version of the link.
    pub version: u64,
    /// Its intro.
    pub intro: Intro,
    /// The remote address of the connection.
    pub address: IpAddr,
    /// True if this side dialled.
    pub dialled: bool,
}
