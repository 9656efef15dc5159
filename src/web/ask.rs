//! What the page's server asks of the node, as messages: it never touches engine or store itself.
//!
//! Everything that can be checked without knowing the node's state is checked before it is asked.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::api;
use crate::proto::history::{Export, ExportQuery, Found, Page, PageQuery, Reading, SearchQuery};
use crate::proto::ids::{Arrival, EntryId, NodeId};
use crate::proto::marks::MarkChange;
use crate::proto::name::Name;
use crate::proto::roster::Member;
use crate::proto::timeline::{Conversation, Held, Line, LineKind, Notice, Order};

/// A page's socket, numbered by this run of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketNo(pub u64);

/// Where an answer goes. It is dropped unanswered when the node stops.
pub type Answer<T> = oneshot::Sender<T>;

/// A question or a wish.
#[derive(Debug)]
pub enum Ask {
    /// Say something. Answered once it is stored, and after its event was published.
    Say {
        /// Which socket says it; none over HTTP.
        source: Option<SocketNo>,
        /// What.
        say: Say,
        /// The message, or why not.
        answer: Answer<Result<Said, SayError>>,
    },
    /// Whether a `ref` was used in the last 30 days.
    RefUsed {
        /// Which.
        reference: String,
        /// Whether.
        answer: Answer<bool>,
    },
    /// Take another name.
    Rename {
        /// Which.
        name: Name,
        /// Done, or why not.
        answer: Answer<Result<(), SayError>>,
    },
    /// The user has read a conversation up to there. Told to all sockets as [`super::hub::Event::Read`].
    MarkRead {
        /// Which one.
        conversation: Conversation,
        /// Up to which arrival number; the mark never goes back.
        arrival: Arrival,
        /// Done, or why not.
        answer: Answer<Result<(), SayError>>,
    },
    /// Set an item of the storage of the user's pages, or remove it if there is no value.
    SetItem {
        /// Which.
        key: String,
        /// To what.
        value: Option<String>,
        /// Done, or why not.
        answer: Answer<Result<(), SayError>>,
    },
    /// Leave the room and stop the node, by `/exit` or `roomful stop`.
    Exit {
        /// That it will.
        answer: Answer<()>,
    },
    /// Make and store a new token, put it into [`super::Keys`], publish [`super::hub::Event::TokenRotated`].
    RotateToken {
        /// Done, or why not.
        answer: Answer<Result<(), SayError>>,
    },
    /// Everybody ever known, oneself included.
    Members {
        /// Them.
        answer: Answer<Vec<Member>>,
    },
    /// Think otherwise of a member. Answered once it is stored, and after its event was published.
    Mark {
        /// Of whom.
        member: NodeId,
        /// What.
        change: MarkChange,
        /// The member as it is now, or why not.
        answer: Answer<Result<Member, SayError>>,
    },
    /// What the node is and has.
    Info {
        /// That.
        answer: Answer<api::Node>,
    },
    /// Why others are not seen.
    Doctor {
        /// What can be told of it.
        answer: Answer<api::Doctor>,
    },
    /// A page of history.
    Page {
        /// Which.
        query: PageQuery,
        /// It; none if the message in its middle is not known.
        answer: Answer<Option<Page>>,
    },
    /// Who holds a message of this node's user.
    Holders {
        /// Which.
        id: EntryId,
        /// Them; none if there is no such message.
        answer: Answer<Option<api::Holders>>,
    },
    /// Dial somebody too, as with `--peer`.
    AddPeer {
        /// `HOST` or `HOST:PORT`.
        address: String,
        /// That it will; or what is wrong with the address, as half a sentence.
        answer: Answer<Result<(), &'static str>>,
    },
    /// The next piece of an export.
    Export {
        /// Which.
        query: ExportQuery,
        /// It.
        answer: Answer<Export>,
    },
    /// Messages with words in them.
    Search {
        /// Which.
        query: SearchQuery,
        /// Them, newest first.
        answer: Answer<Found>,
    },
    /// What a page needs to begin, all of it from one snapshot of the database.
    Welcome {
        /// What the page holds already; none for a fresh one.
        resume: Option<Resume>,
        /// That.
        answer: Answer<Welcome>,
    },
}

/// Something to say. Its text is checked: not empty, not too long, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// What kind of message.
    pub kind: LineKind,
    /// Exactly what was typed.
    pub text: String,
    /// 1 to 64 characters; the same one never makes a second message.
    pub reference: Option<String>,
    /// To whom, for a direct message; then there is no channel.
    pub to: Option<NodeId>,
    /// In which channel; none of both: the default channel.
    pub channel: Option<Name>,
    /// What it answers.
    pub reply_to: Option<EntryId>,
}

/// What became of a [`Say`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The message as it is stored.
    pub line: Line,
    /// Whether it was made now; otherwise the same `ref` had made it before, and no event is published.
    pub new: bool,
}

/// Why something was not said or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// The same `ref` was used for something else.
    #[error("this ref was used for another message already")]
    RefUsed,
    /// To oneself, or an answer to an unknown message.
    #[error("it cannot be said there")]
    BadTarget,
    /// To somebody never seen.
    #[error("nobody with this id is known here")]
    NoSuchMember,
    /// No room to store it.
    #[error("the disk is full")]
    DiskFull,
    /// The storage of the user's pages is full.
    #[error("the storage of the pages is full")]
    StorageFull,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// What a page that comes back holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Everything up to this arrival number.
    pub after: Arrival,
    /// As the welcome gave it; empty if the page did not say, so no database knows it.
    pub run: String,
}

/// What a page needs to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Names the database and the run, to come back with.
    pub run: String,
    /// What the node is and has.
    pub info: api::Node,
    /// Everybody ever known, oneself included.
    pub members: Vec<Member>,
    /// The conversations, as many as are listed.
    pub conversations: Vec<Reading>,
    /// Fresh: the newest [`crate::proto::limits::WELCOME_MESSAGES`], oldest first. Resumed: all with a greater arrival
    /// number, in arrival order, at most [`crate::proto::limits::RESUME_ENTRIES_MAX`] together with the notices.
    pub lines: Vec<Line>,
    /// The node's own lines, chosen alike.
    pub notices: Vec<Notice>,
    /// Resumed: messages that the page has, but which stand elsewhere since.
    pub moved: Vec<Line>,
    /// Where to go on towards the past; none at the beginning.
    pub before: Option<Order>,
    /// The highest arrival number that the snapshot covers.
    pub arrival: Arrival,
    /// Whether a resume was asked for and could not be had: this is a fresh start.
    pub reset: bool,
    /// The storage of the user's pages.
    pub storage: BTreeMap<String, String>,
    /// Resumed: how many hold the newest [`crate::proto::limits::RESUME_HELD_MAX`] own messages.
    pub held: Vec<(EntryId, Held)>,
}
