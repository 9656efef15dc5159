//! The inputs and the actions of an engine: closed lists of all that can happen and all that can be
//! done.

use std::net::{IpAddr, SocketAddr};

use crate::proto::commands::SayCommand;
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::{Conversation, Delivery, Notice};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{DialId, EntryId, LinkId, NodeId};
use crate::proto::links::address_book::{Dial, DialTarget};
use crate::proto::member_flags::FlagChange;
use crate::proto::members::member::Member;
use crate::proto::names::name::Name;
use crate::proto::replication::frame::{Beacon, CloseReason, Fetch, Frame, Peer};
use crate::proto::replication::store_api::{HistoryPage, IdempotencyKey, Write, WriteResult};

/// Identifies a request of the node's user, for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Something that changes a message, or a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInput {
    /// The conversation of the message, or the channel.
    pub conversation: Conversation,
    /// The entry. Its form is checked, and that the user may change the message.
    pub body: Body,
    /// The caller's own name for it.
    pub reference: Option<IdempotencyKey>,
}

/// Everything that can happen.
#[derive(Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A beacon came in.
    Beacon {
        /// Its source. This address is dialled, never one that is named inside.
        source: SocketAddr,
        /// Its content.
        beacon: Beacon,
    },
    /// The own addresses changed to these.
    Network(Vec<IpAddr>),
    /// A dial ended without a link.
    DialFailed(DialId),
    /// A dial led to a node with another room key, or to another node than expected.
    DialRefused(DialId),
    /// A link is through its handshake.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// The dial that it came from. None: the other side dialled.
        dial: Option<DialId>,
        /// The node at the other end.
        peer: Peer,
    },
    /// A link has ended.
    LinkDown {
        /// Its number.
        link: LinkId,
        /// The reason, if the other side gave one, or broke the protocol.
        reason: Option<CloseReason>,
    },
    /// Part of a frame came in: a sign of life.
    Heard(LinkId),
    /// A frame came in.
    Frame {
        /// The link.
        link: LinkId,
        /// The frame.
        frame: Frame,
    },
    /// The store has completed a write.
    Written(WriteResult),
    /// The store has read history for a peer.
    History {
        /// The link of the peer.
        link: LinkId,
        /// The page.
        page: HistoryPage,
    },
    /// The store has this `ref`, for this entry. Sent before a request that needed the lookup; see
    /// [`Engine::needs_ref_lookup`](super::Engine::needs_ref_lookup).
    RefFound {
        /// The `ref`.
        reference: IdempotencyKey,
        /// The entry.
        id: EntryId,
    },
    /// A request whose `ref` was used before: answered as that one was, without another entry.
    Repeat {
        /// Identifies the answer.
        asker: AskId,
        /// The `ref`.
        reference: IdempotencyKey,
    },
    /// The user sends a message.
    Say {
        /// Identifies the answer.
        asker: AskId,
        /// The message.
        say: SayCommand,
    },
    /// The user takes another name.
    Rename {
        /// Identifies the answer.
        asker: AskId,
        /// The new name.
        name: Name,
    },
    /// The user is typing in a conversation.
    Typing(Conversation),
    /// The user says what they are doing.
    SetStatus {
        /// For the answer.
        asker: AskId,
        /// The status; none: it is taken back.
        status: Option<String>,
    },
    /// The user changes a message or a topic.
    Change {
        /// For the answer.
        asker: AskId,
        /// The change.
        change: ChangeInput,
    },
    /// The user changes the flags of a member.
    Mark {
        /// The member.
        member: NodeId,
        /// The change.
        change: FlagChange,
    },
    /// The disk has become so full that the rest is kept for the own user (true), or has room again
    /// (false).
    LittleDisk(bool),
    /// The user names a node to dial, as with `--peer`, or names it no longer.
    Peer {
        /// The node.
        target: DialTarget,
        /// True if it is named.
        is_wanted: bool,
    },
    /// The program is to stop: a goodbye goes out on every link.
    Stop,
}

/// Everything that can be asked of the drivers.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send this beacon everywhere.
    Announce(Beacon),
    /// Connect.
    Dial(Dial),
    /// Send a frame on each of these links.
    Send {
        /// The links.
        links: Vec<LinkId>,
        /// The frame, to be encoded once.
        frame: Frame,
    },
    /// Tell the reason, and end the link.
    Close {
        /// The link.
        link: LinkId,
        /// The reason.
        reason: CloseReason,
    },
    /// Work for the store.
    Write(WriteAction),
    /// Read a page of history for a peer. Answered by [`Input::History`].
    ReadHistory {
        /// The link of the peer.
        link: LinkId,
        /// Its request.
        fetch: Fetch,
    },
    /// Answer a request of the user.
    Answer {
        /// The request.
        asker: AskId,
        /// The answer.
        answer: Reply,
    },
    /// Show something on all pages.
    Show(UiEvent),
    /// Write a warning to the user's log.
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

/// The answer to a request of the user. A new message is answered by [`UiEvent::NewMessage`]
/// instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The message was sent before, under the same `ref`.
    SaidBefore(EntryId),
    /// It is done.
    Done,
    /// The `ref` was used for another message.
    RefUsed,
    /// No member has this id.
    NoSuchMember,
    /// The recipient is this node itself.
    Oneself,
    /// Too many messages wait for the disk.
    Busy,
    /// The disk is full.
    DiskFull,
    /// The node is stopping.
    Stopping,
}

/// Something to be shown on all pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiEvent {
    /// A new message.
    NewMessage {
        /// Its id. The caller has the message from the store.
        id: EntryId,
        /// The request that it answers, if this node sent it.
        asker: Option<AskId>,
    },
    /// A message that changed, or whose place in the order did.
    ChangedMessage(EntryId),
    /// A channel has this topic now; empty: none.
    Topic {
        /// The channel.
        channel: Name,
        /// The topic.
        text: String,
    },
    /// A notice.
    Notice(Notice),
    /// A member as it is now.
    Member(Member),
    /// Other messages are visible than before: all pages have to load again, in this new session.
    Resync(String),
    /// More members hold an own message.
    Held {
        /// The message.
        id: EntryId,
        /// The count.
        held: Delivery,
    },
    /// A member is typing.
    Typing {
        /// The member.
        member: NodeId,
        /// Where it is typing.
        conversation: Conversation,
    },
    /// A conversation was read further.
    Read(ReadMarker),
}

/// A fault that the user may have to know to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Two machines run with this key.
    KeyInUse(NodeId),
    /// A member signed two batches for one position of its log.
    Fork(NodeId),
    /// No more of a member is taken, since it has reached a limit.
    Full(NodeId),
}
