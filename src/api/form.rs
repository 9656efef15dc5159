//! The forms one by one, in the field order of the contract, with how each is made from the program's own types.

use std::collections::BTreeMap;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::{Code, Span, span::spans, time};
use crate::proto::ids::Arrival;
use crate::proto::roster::{self, State};
use crate::proto::timeline::{self, Conversation, Line, NoticeKind, Order};

/// A member of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Full id.
    pub id: String,
    /// The 8 characters that people read.
    pub short: String,
    /// Name now.
    pub name: String,
    /// `online`, `unsure`, `lost` or `left`.
    pub state: String,
    /// Whether it is the node that answers.
    #[serde(rename = "self")]
    pub own: bool,
    /// Without port, the link's first; the last known when gone.
    pub addresses: Vec<String>,
    /// Start of the present state, by this node's clock.
    pub since: String,
    /// Whether this node has a link with them.
    pub direct: bool,
    /// Through whom they are reachable.
    pub via: Option<String>,
    /// Their clock minus ours.
    pub clock_error_ms: Option<i64>,
    /// Whether the user compared safety words with them.
    pub verified: bool,
    /// Whether the user wants no sound from them.
    pub muted: bool,
    /// Whether the user wants nothing from them.
    pub blocked: bool,
    /// Whether they were caught signing two things in one place.
    pub forked: bool,
    /// How much of the disk what they wrote takes here, to within 1 MiB. This and what follows is an addition to the contract.
    pub bytes: u64,
    /// Why nothing more of theirs is taken here: `quota`, `logs` (too many of them), `disk` (little room); null: it is.
    pub closed: Option<String>,
}

impl From<&roster::Member> for Member {
    fn from(member: &roster::Member) -> Self {
        let state = match member.state {
            State::Online => "online",
            State::Unsure => "unsure",
            State::Lost => "lost",
            State::Left => "left",
        };
        Self {
            id: member.id.to_string(),
            short: member.id.short(),
            name: member.name.to_string(),
            state: state.to_owned(),
            own: member.own,
            addresses: member.addresses.iter().map(ToString::to_string).collect(),
            since: time(member.since_ms),
            direct: member.direct,
            via: member.via.map(|id| id.to_string()),
            clock_error_ms: member.clock_error_ms,
            verified: member.marks.verified,
            muted: member.marks.muted,
            blocked: member.marks.blocked,
            forked: member.forked,
            bytes: member.bytes,
            closed: member.closed.map(|closed| closed.as_str().to_owned()),
        }
    }
}

/// Something said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its name on every node.
    pub id: String,
    /// Who said it.
    pub author: String,
    /// The author's name as it was then.
    pub name: String,
    /// When, by the author's clock.
    pub time: String,
    /// `say` or `hooray`.
    pub kind: String,
    /// The channel; null in a direct message.
    pub channel: Option<String>,
    /// To whom; null in a channel.
    pub to: Option<String>,
    /// Exactly what was typed.
    pub text: String,
    /// The same, formatted.
    pub spans: Vec<Span>,
    /// What it answers.
    pub reply_to: Option<String>,
    /// Of own messages: how many others hold it.
    pub held_by: Option<u64>,
    /// Of own messages: out of how many.
    pub of: Option<u64>,
    /// Where it stands: compared as bytes, the timeline's order.
    pub order: String,
    /// Its local number.
    pub arrival: Arrival,
}

impl From<&Line> for Message {
    fn from(line: &Line) -> Self {
        let channel = match &line.conversation {
            Conversation::Channel(name) => Some(name.to_string()),
            Conversation::Direct(_) => None,
        };
        Self {
            id: line.id.to_string(),
            author: line.order.author.to_string(),
            name: line.name.to_string(),
            time: time(line.time.ms()),
            kind: line.kind.as_str().to_owned(),
            channel,
            to: line.to.map(|id| id.to_string()),
            text: line.text.clone(),
            spans: spans(&line.text),
            reply_to: line.reply_to.map(|id| id.to_string()),
            held_by: line.held.map(|held| held.held_by as u64),
            of: line.held.map(|held| held.of as u64),
            order: Cursor(line.order).to_string(),
            arrival: line.arrival,
        }
    }
}

/// A line that the node made for its own user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its local number, by the same counter as messages.
    pub arrival: Arrival,
    /// When, by this node's clock.
    pub time: String,
    /// `joined`, `back`, `left`, `lost`, `renamed`, `conflict`, or `forked`: they signed two things for one place.
    pub kind: String,
    /// To whom it happened.
    pub member: String,
    /// Their name then.
    pub name: String,
}

impl From<&timeline::Notice> for Notice {
    fn from(notice: &timeline::Notice) -> Self {
        let kind = match notice.kind {
            NoticeKind::Joined => "joined",
            NoticeKind::Back => "back",
            NoticeKind::Left => "left",
            NoticeKind::Lost => "lost",
            NoticeKind::Renamed => "renamed",
            NoticeKind::Forked => "forked",
            NoticeKind::Conflict => "conflict",
        };
        Self {
            arrival: notice.arrival,
            time: time(notice.wall_ms),
            kind: kind.to_owned(),
            member: notice.member.to_string(),
            name: notice.name.to_string(),
        }
    }
}

/// A place in the timeline as an opaque text, valid for ever: 112 hex digits that compare as the order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Order);

impl Cursor {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Self(Order::from_bytes(&bytes.try_into().ok()?)))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0.to_bytes()))
    }
}

/// Which conversation: `{"channel":"…"}` or `{"with":ID}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Room {
    /// A channel of the room.
    Channel(String),
    /// The direct messages with one member.
    With(String),
}

impl From<&Conversation> for Room {
    fn from(conversation: &Conversation) -> Self {
        match conversation {
            Conversation::Channel(name) => Self::Channel(name.to_string()),
            Conversation::Direct(id) => Self::With(id.to_string()),
        }
    }
}

/// A conversation with how far it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Which one.
    #[serde(flatten)]
    pub room: Room,
    /// Messages of others after `read`.
    pub unread: u64,
    /// The arrival number up to which it was read.
    pub read: Arrival,
}

/// How far a conversation was read, as all tabs are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Which one.
    #[serde(flatten)]
    pub room: Room,
    /// The arrival number up to which it was read.
    pub read: Arrival,
}

/// The node that answers: `GET /api/v1/node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Full id.
    pub id: String,
    /// Name now.
    pub name: String,
    /// The room's name.
    pub room: String,
    /// Of the program.
    pub version: String,
    /// Every address that others can dial.
    pub tcp: Vec<String>,
    /// The port of the beacons.
    pub udp: u16,
    /// When this run began.
    pub started: String,
    /// Where the page is served, without the token; null if on the socket only.
    pub web: Option<String>,
    /// The Unix socket of the page.
    pub socket: String,
    /// Where identity and history live.
    pub data_dir: String,
    /// True if other people work on this machine, so that each start has a new link. An addition to
    /// the contract.
    #[serde(default)]
    pub shared: bool,
    /// What is held.
    pub history: History,
    /// Where the parts of its page are, `/static/HASH`: another one than that of a page that is open means that the node is
    /// of another build. An addition to the contract.
    #[serde(default)]
    pub page: String,
    /// How each way of announcing this node does. An addition to the contract.
    pub discovery: Vec<Discovery>,
    /// This node's addresses without port, as others see them. An addition to the contract.
    pub addresses: Vec<String>,
    /// What had to be repaired of its history within the last week, as sentences for people; null if nothing was. An
    /// addition to the contract.
    #[serde(default)]
    pub mended: Option<String>,
    /// The time of the latest repair, by which the page knows the reports it has shown. An addition to the contract.
    #[serde(default)]
    pub mended_at: Option<String>,
}

/// What a node holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Entries held.
    pub entries: u64,
    /// Entries known to exist and not here yet.
    pub missing: u64,
    /// The time of the oldest message; null if there is none.
    pub oldest: Option<String>,
    /// Whose entries are missing: most first, the first 16. They come from whoever holds them. An addition to the contract.
    #[serde(default)]
    pub lacking: Vec<Lacking>,
}

/// An author in whose logs this node knows of gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// Full id.
    pub id: String,
    /// How many entries of theirs are missing.
    pub entries: u64,
}

/// One place that beacons are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// From which interface.
    pub interface: String,
    /// To which address.
    pub target: String,
    /// When the last one went out; null if none did.
    pub sent: Option<String>,
    /// What went wrong the last time; null if nothing did.
    pub error: Option<String>,
}

/// `GET /api/v1/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Oneself included.
    pub members: Vec<Member>,
}

/// `GET /api/v1/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Oldest first; with `since` in arrival order.
    pub messages: Vec<Message>,
    /// The node's own lines of the same time.
    pub notices: Vec<Notice>,
    /// Where to go on towards the past; null at the beginning.
    pub before: Option<String>,
    /// Where to go on towards the present.
    pub after: String,
    /// With `since` only: the arrival number to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
}

/// `POST /api/v1/messages`, and, with its type beside it, the frame `say`. Only the text is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// Exactly what was typed.
    pub text: String,
    /// The same `ref` never makes a second message.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// To whom, if it is a direct message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// In which channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// The first frame from the node on a socket; its `type` stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// To come back with.
    pub run: String,
    /// For HTTP, as long as this run lasts.
    pub bearer: String,
    /// The node.
    pub node: Node,
    /// Everybody.
    pub members: Vec<Member>,
    /// The conversations, as many as are listed.
    pub conversations: Vec<Unread>,
    /// Fresh: the newest, in timeline order. After a return: what is new, in arrival order.
    pub messages: Vec<Message>,
    /// The node's own lines.
    pub notices: Vec<Notice>,
    /// Where to go on towards the past; null at the beginning.
    pub before: Option<String>,
    /// The highest arrival number covered.
    pub arrival: Arrival,
    /// Whether what the client held is to be thrown away.
    pub reset: bool,
    /// The storage of the user's pages; missing if it is empty. An addition to the contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<String, String>,
}

/// The body of every refusal over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code.
    pub error: Code,
    /// A sentence for a person.
    pub message: String,
}
