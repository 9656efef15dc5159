//! The requests of the page's server to the node, as messages. The server never touches engine or
//! store.
//!
//! The server checks all that needs no state of the node before it sends a request.

use std::collections::BTreeMap;

use super::file_requests::FileRequest;
pub use super::refusal::{RequestError, Responder};
use crate::api;
use crate::metrics::MetricsSnapshot;
use crate::proto::commands::{ChangeCommand, SayCommand};
use crate::proto::entries::timeline::{Conversation, Delivery, Message, Notice, Order};
use crate::proto::history::{
    ExportQuery, ExportRows, MessageSelector, PageQuery, ReadMarker, SearchQuery, SearchResult, TimelinePage,
    VersionPage,
};
use crate::proto::ids::{Arrival, EntryId, NodeId};
use crate::proto::member_flags::FlagChange;
use crate::proto::members::member::Member;
use crate::proto::names::name::Name;

/// The id of a page's socket within this run of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// A request to the node.
#[derive(Debug)]
#[allow(missing_docs, reason = "the variants say what their fields are")]
pub enum NodeRequest {
    /// Send a message. The response follows the commit and the broadcast.
    Say { source: Option<SocketId>, say: SayCommand, answer: Responder<Result<SayResult, RequestError>> },
    /// Change a message or a topic. The response is the message as it is now, none of a topic.
    Change { change: ChangeCommand, answer: Responder<Result<Option<Message>, RequestError>> },
    /// Set the user's status, or take it back.
    SetStatus { status: Option<String>, answer: Responder<Result<(), RequestError>> },
    /// Find messages by a part of their ids, or the user's last one.
    FindMessages { selector: MessageSelector, answer: Responder<Vec<EntryId>> },
    /// Read the versions of a message, or those before a place. None if the message is not held.
    Versions { id: EntryId, before: Option<Order>, answer: Responder<Option<VersionPage>> },
    /// Check whether a `ref` was used in the last 30 days.
    RefUsed { reference: String, answer: Responder<bool> },
    /// Change the user's name.
    Rename { name: Name, answer: Responder<Result<(), RequestError>> },
    /// Mark a conversation as read up to an arrival number; the mark never goes back. All sockets
    /// get [`super::broadcast::BroadcastEvent::Read`].
    MarkRead { conversation: Conversation, arrival: Arrival, answer: Responder<Result<(), RequestError>> },
    /// Tell the other members that the user is typing in a conversation.
    Typing { conversation: Conversation, answer: Responder<Result<(), RequestError>> },
    /// Set an item of the page's storage, or remove it if there is no value.
    SetItem { key: String, value: Option<String>, answer: Responder<Result<(), RequestError>> },
    /// Leave the room and stop the node.
    Exit { answer: Responder<()> },
    /// Make and store a new token, put it into [`super::Credentials`], and publish
    /// [`super::broadcast::BroadcastEvent::TokenRotated`].
    RotateToken { answer: Responder<Result<(), RequestError>> },
    /// List all members ever known, this node included.
    Members { answer: Responder<Vec<Member>> },
    /// Change the user's marks of a member. The response follows the commit and the broadcast.
    Mark { member: NodeId, change: FlagChange, answer: Responder<Result<Member, RequestError>> },
    /// Describe the node.
    Info { answer: Responder<api::NodeJson> },
    /// Remove the retained copies of the database.
    RemoveCopies { answer: Responder<api::RemovedCopies> },
    /// Measure the state of the node.
    Metrics { answer: Responder<MetricsSnapshot> },
    /// Diagnose why other nodes are not seen.
    Doctor { answer: Responder<api::Doctor> },
    /// Read a page of history. The response is none if the message in its middle is unknown.
    Page { query: PageQuery, answer: Responder<Option<TimelinePage>> },
    /// List the members that hold an own message. The response is none if there is no such message.
    Holders { id: EntryId, answer: Responder<Option<api::MessageHolders>> },
    /// Dial `HOST` or `HOST:PORT` too, as with `--peer`. An error is half a sentence about the
    /// address.
    AddPeer { address: String, answer: Responder<Result<(), &'static str>> },
    /// Read the next page of an export.
    Export { query: ExportQuery, answer: Responder<ExportRows> },
    /// A request that concerns files.
    Files(FileRequest),
    /// Search messages, newest first.
    Search { query: SearchQuery, answer: Responder<SearchResult> },
    /// Read the state that a page starts from, from one snapshot of the database. `resume` is none
    /// for a fresh page.
    Welcome { resume: Option<Resume>, answer: Responder<WelcomeReply> },
}

/// The outcome of a [`SayCommand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SayResult {
    /// The message is new. Its event tells it to the socket that sent it.
    Published,
    /// The message is new. No socket sent it.
    New(Box<Message>),
    /// An earlier request with the same `ref` made this message. No event is published.
    Before(Box<Message>),
}

/// The state of a page that resumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The page holds all entries up to this arrival number.
    pub after: Arrival,
    /// The run as the welcome gave it. Empty if the page did not send one; no database has an empty
    /// run.
    pub run: String,
}

/// The state that a page starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WelcomeReply {
    /// The database and run, with which the page resumes.
    pub run: String,
    /// The description of the node.
    pub info: api::NodeJson,
    /// All members ever known, this node included.
    pub members: Vec<Member>,
    /// The listed conversations.
    pub conversations: Vec<ReadMarker>,
    /// The topics of those that have one.
    pub topics: BTreeMap<Conversation, String>,
    /// Fresh: the newest [`crate::proto::limits::WELCOME_MESSAGES`], oldest first. Resumed: all
    /// with a greater arrival number, in arrival order, at most
    /// [`crate::proto::limits::RESUME_ENTRIES_MAX`] together with the notices.
    pub lines: Vec<Message>,
    /// The notices, chosen alike.
    pub notices: Vec<Notice>,
    /// Resumed: messages that the page holds at an outdated place.
    pub moved: Vec<Message>,
    /// The cursor towards the past; none at the beginning.
    pub before: Option<Order>,
    /// The highest arrival number that the snapshot covers.
    pub arrival: Arrival,
    /// True if a resume was requested but is not possible, so this is a fresh start.
    pub reset: bool,
    /// The items of the page's storage.
    pub storage: BTreeMap<String, String>,
    /// Resumed: the delivery counts of the newest [`crate::proto::limits::RESUME_HELD_MAX`] own
    /// messages.
    pub held: Vec<(EntryId, Delivery)>,
}
