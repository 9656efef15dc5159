//! What two nodes say to each other, as values. How each looks in bytes is the business of [`crate::wire`].

use std::net::{IpAddr, SocketAddr};

use super::batch::Verified;
use super::closed::Closings;
use super::fork::Fork;
use super::ids::{Hash, Instance, LogId, LogKey, NodeId, RoomTag, Seq};
use super::name::Name;

/// The UDP packet that announces a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Which room; beacons of other rooms are passed over.
    pub room: RoomTag,
    /// Who sends it.
    pub id: NodeId,
    /// Which start of the program.
    pub instance: Instance,
    /// The TCP port where it listens, 1024 and up.
    pub port: u16,
    /// What its user is called.
    pub name: Name,
}

/// The first frame on a link, in both directions: what must fit before anybody proves anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest and highest version of the protocol that the sender speaks.
    pub versions: (u64, u64),
    /// Which room.
    pub room: RoomTag,
    /// Which start of the program.
    pub instance: Instance,
}

/// The third step, once the other's proof was right: what a node tells only to a member of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intro {
    /// What the user is called now.
    pub name: Name,
    /// Milliseconds since the program started.
    pub uptime_ms: u64,
    /// The wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
    /// Where the sender listens, as far as it knows.
    pub listens: Vec<SocketAddr>,
}

/// Everything that follows on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Are you there? Sent after silence; carries the sender's wall clock in milliseconds since 1970.
    Ping {
        /// The sender's wall clock.
        wall_ms: u64,
    },
    /// Yes.
    Pong {
        /// The sender's wall clock.
        wall_ms: u64,
    },
    /// New batches of the sender's own logs, or of a log that it was asked to pass on.
    Push(Vec<Verified>),
    /// The sender has stored these batches of the receiver's own logs.
    Receipt(Vec<Receipt>),
    /// Do we hold the same? Asks for a page of hashes per author if not.
    Compare {
        /// Hash of all that the sender holds and the receiver may hold.
        hash: Hash,
        /// Authors greater than this one only: the next page.
        from: Option<NodeId>,
        /// Whom the sender is linked with.
        linked: Vec<NodeId>,
    },
    /// The answer: nothing where the hashes are the same.
    Authors {
        /// Whether the hashes were the same.
        same: bool,
        /// In ascending order, a hash of all that the sender holds of each.
        authors: Vec<(NodeId, Hash)>,
        /// Whether greater ones follow.
        more: bool,
        /// Whom the sender is linked with.
        linked: Vec<NodeId>,
    },
    /// What do you hold of this author?
    AskLogs {
        /// Whose logs.
        author: NodeId,
        /// Logs with a greater number than this one only: the next page.
        from: Option<LogId>,
    },
    /// The answer.
    Logs {
        /// Whose logs.
        author: NodeId,
        /// In ascending order of their numbers.
        logs: Vec<Holding>,
        /// Whether greater ones follow.
        more: bool,
    },
    /// Send me the newest of these entries, whole batches.
    Fetch(Fetch),
    /// The answer: a page of them.
    Page {
        /// Of which log.
        key: LogKey,
        /// Batches in ascending order; empty where nothing is held or `busy` is set.
        batches: Vec<Verified>,
        /// Whether the sender serves too many others now; ask elsewhere.
        busy: bool,
    },
    /// Pass on what a member writes for the room, and whether you reach it; or do so no more.
    Relay {
        /// Which member: one that the receiver is linked with and the sender is not.
        member: NodeId,
        /// Whether to begin or to end it.
        on: bool,
    },
    /// Whether the sender reaches a member that the receiver asked it about.
    Reach(Reach),
    /// Receipts that go through the one who passes on.
    Carry {
        /// Whose logs they are for.
        author: NodeId,
        /// Whose word it is.
        from: NodeId,
        /// What is stored.
        receipts: Vec<Receipt>,
    },
    /// Whose logs the sender takes no further: they are left out of what the two compare. Replaces what was said before.
    Closed(Closings),
    /// The last frame: why the sender ends the link.
    Close(CloseReason),
}

/// What a node knows of a member that another can't reach itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Who.
    pub member: NodeId,
    /// Whether it is here.
    pub state: Reached,
    /// What it is called.
    pub name: Name,
    /// Milliseconds since its program started.
    pub uptime_ms: u64,
    /// Where it listens, as far as it said so.
    pub listens: Vec<SocketAddr>,
}

/// Whether a member is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Linked, and heard from within 8 s.
    Here,
    /// It said goodbye.
    Left,
    /// It is not linked, or silent.
    Gone,
}

/// A peer's word that it has stored entries `first` to `last` of a log of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    /// The log, of the receiver.
    pub log: LogId,
    /// The first entry.
    pub first: Seq,
    /// The last entry.
    pub last: Seq,
}

/// What a node holds of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The log's number.
    pub log: LogId,
    /// Who may hold it: none, the whole room.
    pub audience: Option<NodeId>,
    /// Whole batches without a gap, ascending; at most 9.
    pub ranges: Vec<Span>,
    /// Why it ends, if its author signed two things for one place.
    pub fork: Option<Fork>,
}

/// Entries of one log without a gap between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first entry, the first of its batch.
    pub first: Seq,
    /// The last entry, the last of its batch.
    pub last: Seq,
    /// The header hash of the last batch.
    pub head: Hash,
}

/// A request for history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Which log.
    pub key: LogKey,
    /// From this entry on.
    pub first: Seq,
    /// To this entry: the page ends here, and goes back from it.
    pub last: Seq,
    /// At most so many bytes, but at least one batch.
    pub bytes: u64,
}

/// Why a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The node stops: a goodbye.
    Stopping,
    /// There is another link between these two.
    Duplicate,
    /// Another machine runs with the same key, and is alive.
    KeyInUse,
    /// No version of the protocol that both speak.
    Version,
    /// Another room, or a wrong room key.
    Room,
    /// The other side broke the protocol.
    Protocol,
    /// Nothing was heard for too long.
    Silent,
    /// Too many links.
    Busy,
    /// A reason that this program does not know.
    Other,
}

/// The other end of a link, once all first frames were right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is: proved by the handshake.
    pub id: NodeId,
    /// Which start of its program.
    pub instance: Instance,
    /// What it said of itself.
    pub intro: Intro,
    /// The address at the other end of the connection.
    pub address: IpAddr,
    /// Whether this side dialled.
    pub dialled: bool,
}
