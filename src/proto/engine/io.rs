//! What an engine is told and what it asks for: closed lists of all that can happen and all that can be done.

use std::net::{IpAddr, SocketAddr};

use crate::proto::book::{Dial, Target};
use crate::proto::frame::{Beacon, CloseReason, Fetch, Frame, Peer};
use crate::proto::ids::{Arrival, DialId, EntryId, LinkId, NodeId};
use crate::proto::marks::MarkChange;
use crate::proto::name::Name;
use crate::proto::record::{HistoryPage, Ref, Write, Written};
use crate::proto::roster::Member;
use crate::proto::timeline::{Conversation, Held, Line, Notice};

/// Names a question of the node's user, for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Something the node's user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// To one member; none: to the room.
    pub to: Option<NodeId>,
    /// In which channel; has no meaning in a direct message.
    pub channel: Name,
    /// Exactly what was typed: checked to be neither blank nor too long.
    pub text: String,
    /// What it answers.
    pub reply_to: Option<EntryId>,
    /// Whether it is a festive greeting.
    pub hooray: bool,
    /// The caller's own name for it.
    pub reference: Option<Ref>,
}

/// Everything that can happen.
#[derive(Debug)]
pub enum Input {
    /// Nothing but time.
    Tick,
    /// A beacon came in.
    Beacon {
        /// Where from: this address is dialled, never one that is named inside.
        source: SocketAddr,
        /// What it says.
        beacon: Beacon,
    },
    /// The own addresses are these now.
    Network(Vec<IpAddr>),
    /// A dial ended without a link.
    DialFailed(DialId),
    /// A dial ended with somebody who has another room key, or is somebody else.
    DialRefused(DialId),
    /// A link is through its handshake.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// The dial that it came from; none: the other side dialled.
        dial: Option<DialId>,
        /// Who is at the other end.
        peer: Peer,
    },
    /// A link has ended.
    LinkDown {
        /// Its number.
        link: LinkId,
        /// Why, if the other side said so, or broke the protocol.
        reason: Option<CloseReason>,
    },
    /// Part of a frame came in: a sign of life.
    Heard(LinkId),
    /// A frame came in.
    Frame {
        /// On which link.
        link: LinkId,
        /// What it says.
        frame: Frame,
    },
    /// The store has done something.
    Written(Written),
    /// The store has read history for a peer.
    History {
        /// For which link.
        link: LinkId,
        /// What it found.
        page: HistoryPage,
    },
    /// The user says something.
    Say {
        /// For the answer.
        asker: AskId,
        /// What.
        say: Say,
    },
    /// The user wants another name.
    Rename {
        /// For the answer.
        asker: AskId,
        /// Which.
        name: Name,
    },
    /// The user thinks otherwise of a member.
    Mark {
        /// Of whom.
        member: NodeId,
        /// What.
        change: MarkChange,
    },
    /// Whether there is so little room on the disk that it is kept for what this node's own user says.
    LittleDisk(bool),
    /// The user names somebody to dial, as with `--peer`.
    Peer(Target),
    /// The program is asked to stop: a goodbye on every link.
    Stop,
}

/// Everything that can be asked of the drivers.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send this beacon everywhere.
    Announce(Beacon),
    /// Connect.
    Dial(Dial),
    /// Send a frame on each of these links; encode it once.
    Send {
        /// Which links.
        links: Vec<LinkId>,
        /// What.
        frame: Frame,
    },
    /// Say why, and end the link.
    Close {
        /// Which link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Work for the store.
    Write(WriteAction),
    /// Read a page of history for a peer; answered by [`Input::History`].
    ReadHistory {
        /// For which link.
        link: LinkId,
        /// What it asked for.
        fetch: Fetch,
    },
    /// Answer a question of the user.
    Answer {
        /// Which.
        asker: AskId,
        /// How.
        answer: Answer,
    },
    /// Show something on every page.
    Show(Show),
    /// Tell the user's log.
    Warn(Warning),
}

/// [`Write`], comparable, so that actions can be compared in tests.
#[derive(Clone, Debug)]
pub struct WriteAction(pub Write);

impl PartialEq for WriteAction {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

/// The answer to a question of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is said and on the disk.
    Said(Box<Line>),
    /// It was said before, under the same `ref`.
    SaidBefore(EntryId),
    /// It is done.
    Done,
    /// The same `ref` stands for something else.
    RefUsed,
    /// Nobody of this id was ever seen.
    NoSuchMember,
    /// One can't write to oneself.
    Oneself,
    /// Too much waits for the disk.
    Busy,
    /// The disk is full.
    DiskFull,
    /// The node is stopping.
    Stopping,
}

/// Something for every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// A message; the question it answers if it was said here.
    Line {
        /// The message.
        line: Line,
        /// Who asked for it.
        asker: Option<AskId>,
    },
    /// A message that stands elsewhere now.
    Moved(Line),
    /// A notice.
    Notice(Notice),
    /// A member as it is now.
    Member(Member),
    /// Other messages are shown than before: this run has begun, and every page has to start afresh.
    Afresh(String),
    /// An own message is held by more.
    Held {
        /// Which message.
        id: EntryId,
        /// By how many.
        held: Held,
    },
    /// A conversation was read further.
    Read {
        /// Which.
        conversation: Conversation,
        /// Everything up to here.
        arrival: Arrival,
    },
}

/// Something that the user may have to know to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Two machines run with one key; this one.
    KeyInUse(NodeId),
    /// A member signed two things for one place of its log.
    Fork(NodeId),
    /// Nothing more of a member is taken, since its logs take all that one member's may.
    Full(NodeId),
}
