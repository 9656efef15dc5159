//! The forms of the contract, in its order of fields, and how each is made from the program's
//! types.

use std::collections::BTreeMap;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::changes::{QuoteJson, ReactionJson, mentioned};
use super::copies::RetainedCopy;
use super::file::FileJson;
use super::member::MemberJson;
use super::{Code, Span, span::spans, time};
use crate::proto::entries::timeline::{self, Conversation, Message, NoticeKind, Order};
use crate::proto::files::status::FileStatus;
use crate::proto::ids::{Arrival, Hash};
use crate::proto::limits;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageJson {
    /// The message's id.
    pub id: String,
    /// The author's full id.
    pub author: String,
    /// The author's name as it was then.
    pub name: String,
    /// The time by the author's clock.
    pub time: String,
    /// `say` or `hooray`.
    pub kind: String,
    /// The channel; null in a direct message.
    pub channel: Option<String>,
    /// The recipient; null in a channel.
    pub to: Option<String>,
    /// The text as typed.
    pub text: String,
    /// The formatted text.
    pub spans: Vec<Span>,
    /// The message that this one replies to.
    pub reply_to: Option<String>,
    /// Own messages: the number of members that hold it.
    pub held_by: Option<u64>,
    /// Own messages: the number of members it is counted for.
    pub of: Option<u64>,
    /// The place in the timeline, which compares as bytes.
    pub order: String,
    /// The arrival number.
    pub arrival: Arrival,
    /// The message that it answers, if that is here.
    #[serde(default)]
    pub reply: Option<QuoteJson>,
    /// When its author wrote the current text; null if it was never edited.
    #[serde(default)]
    pub edited: Option<String>,
    /// Whether its author deleted it.
    #[serde(default)]
    pub deleted: bool,
    /// The members that it mentions, in the order of the text.
    #[serde(default)]
    pub mentions: Vec<String>,
    /// The reactions to it.
    #[serde(default)]
    pub reactions: Vec<ReactionJson>,
    /// The files that it names.
    #[serde(default)]
    pub files: Vec<FileJson>,
}

impl MessageJson {
    /// Makes the form of a message, with the status of the content that it names.
    pub fn new(line: &Message, status: impl Fn(&Hash) -> FileStatus) -> Self {
        let channel = match &line.conversation {
            Conversation::Channel(name) => Some(name.to_string()),
            Conversation::Direct(_) => None,
        };
        Self {
            id: line.id.to_string(),
            author: line.order.author.to_string(),
            name: line.name.to_string(),
            time: time(line.time.ms()),
            kind: line.kind.info().word.to_owned(),
            channel,
            to: line.to.map(|id| id.to_string()),
            text: line.text.clone(),
            spans: spans(&line.text, &line.changes.mentions),
            reply_to: line.reply_to.map(|id| id.to_string()),
            held_by: line.held.map(|held| held.held_by as u64),
            of: line.held.map(|held| held.of as u64),
            order: Cursor(line.order).to_string(),
            arrival: line.arrival,
            reply: line.reply_to.zip(line.reply.as_deref()).map(|(id, quote)| QuoteJson::new(id, quote)),
            edited: line.changes.edited.map(|edited| time(edited.ms())),
            deleted: line.changes.deleted,
            mentions: mentioned(&line.changes.mentions),
            reactions: line.changes.reactions.iter().map(Into::into).collect(),
            files: line.changes.files.iter().map(|file| FileJson::new(file, status(&file.content))).collect(),
        }
    }
}

impl From<&Message> for MessageJson {
    /// As [`MessageJson::new`], with content of which nothing is here.
    fn from(line: &Message) -> Self {
        Self::new(line, |_| FileStatus::default())
    }
}

/// A notice that the node made for its own user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeJson {
    /// The arrival number, of the same counter as messages.
    pub arrival: Arrival,
    /// The time by this node's clock.
    pub time: String,
    /// `joined`, `back`, `left`, `lost`, `renamed`, `conflict`, or `forked` (signed two entries for
    /// one place).
    pub kind: String,
    /// The member's full id.
    pub member: String,
    /// The member's name at that time.
    pub name: String,
}

impl From<&timeline::Notice> for NoticeJson {
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

/// A place in the timeline as an opaque text, valid for ever: 112 hex digits that compare as the
/// order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Order);

impl Cursor {
    /// Reads the output of `Display`.
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

/// A conversation: `{"channel":"…"}` or `{"with":ID}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConversationRef {
    /// A channel of the room.
    Channel(String),
    /// The direct messages with a member.
    With(String),
}

impl From<&Conversation> for ConversationRef {
    fn from(conversation: &Conversation) -> Self {
        match conversation {
            Conversation::Channel(name) => Self::Channel(name.to_string()),
            Conversation::Direct(id) => Self::With(id.to_string()),
        }
    }
}

/// A conversation with its read mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadCount {
    /// The conversation.
    #[serde(flatten)]
    pub room: ConversationRef,
    /// The number of messages of others after `read`.
    pub unread: u64,
    /// The read mark, an arrival number.
    pub read: Arrival,
    /// Those of the unread messages that mention this node's user.
    #[serde(default)]
    pub mentions: u64,
    /// What the channel is about; null in a direct conversation, and without a topic.
    #[serde(default)]
    pub topic: Option<String>,
}

/// The read mark of a conversation, as all tabs get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMarkerJson {
    /// The conversation.
    #[serde(flatten)]
    pub room: ConversationRef,
    /// The read mark, an arrival number.
    pub read: Arrival,
    /// Messages of others after `read`.
    #[serde(default)]
    pub unread: u64,
    /// Those of them that mention this node's user.
    #[serde(default)]
    pub mentions: u64,
}

/// The node that answers: `GET /api/v1/node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeJson {
    /// Full id.
    pub id: String,
    /// The present name.
    pub name: String,
    /// The room's name.
    pub room: String,
    /// The version of the program.
    pub version: String,
    /// The addresses that others can dial.
    pub tcp: Vec<String>,
    /// The UDP port of the beacons.
    pub udp: u16,
    /// The start of this run.
    pub started: String,
    /// The address of the page without the token; null if it is on the socket only.
    pub web: Option<String>,
    /// The Unix socket of the page.
    pub socket: String,
    /// The data directory.
    pub data_dir: String,
    /// True if other people work on this machine, so that each start has a new link. An addition to
    /// the contract.
    #[serde(default)]
    pub shared: bool,
    /// The stored history.
    pub history: History,
    /// The path of the page's parts, `/static/HASH`. A page that was loaded from another path
    /// belongs to another build. An addition to the contract.
    #[serde(default)]
    pub page: String,
    /// The state of each announcement. An addition to the contract.
    pub discovery: Vec<DiscoveryTarget>,
    /// This node's addresses without port, as others see them. An addition to the contract.
    pub addresses: Vec<String>,
    /// The command that starts this node again, as it runs. An addition to the contract.
    #[serde(default)]
    pub command: String,
    /// Repairs within the last week, as sentences; null if none. An addition to the contract.
    #[serde(default)]
    pub mended: Option<String>,
    /// The time of the latest repair, which identifies reports. An addition to the contract.
    #[serde(default)]
    pub mended_at: Option<String>,
    /// Copies of the database that were set aside. An addition to the contract.
    #[serde(default)]
    pub copies: Vec<RetainedCopy>,
}

/// The history that a node stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Stored entries.
    pub entries: u64,
    /// Known entries that are missing.
    pub missing: u64,
    /// The time of the oldest message; null if there is none.
    pub oldest: Option<String>,
    /// The authors with the most missing entries, at most 16. An addition to the contract.
    #[serde(default)]
    pub lacking: Vec<AuthorGaps>,
}

/// An author with gaps in its logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorGaps {
    /// Full id.
    pub id: String,
    /// The number of missing entries.
    pub entries: u64,
}

/// A destination of beacons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryTarget {
    /// The interface.
    pub interface: String,
    /// The address.
    pub target: String,
    /// The time of the last beacon; null if there was none.
    pub sent: Option<String>,
    /// The last error; null if the last beacon was sent.
    pub error: Option<String>,
}

/// `GET /api/v1/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// All members, this node included.
    pub members: Vec<MemberJson>,
}

/// `GET /api/v1/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// The messages, oldest first; with `since` in arrival order.
    pub messages: Vec<MessageJson>,
    /// The notices of the same period.
    pub notices: Vec<NoticeJson>,
    /// The cursor towards the past; null at the beginning.
    pub before: Option<String>,
    /// The cursor towards the present.
    pub after: String,
    /// The arrival number to go on from; with `since` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
}

/// `GET /api/v1/messages/find`. An addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundMessages {
    /// Full ids, the newest first.
    pub ids: Vec<String>,
}

/// `POST /api/v1/messages`, and with a type the frame `say`. Only the text is required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SayBody {
    /// The text as typed.
    pub text: String,
    /// The client's `ref`, which makes the request idempotent.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The recipient of a direct message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The message that this one replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// The first frame from the node on a socket, without its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeFrame {
    /// The run to resume with.
    pub run: String,
    /// The bearer for HTTP, valid during this run.
    pub bearer: String,
    /// The node.
    pub node: NodeJson,
    /// All members.
    pub members: Vec<MemberJson>,
    /// The listed conversations.
    pub conversations: Vec<UnreadCount>,
    /// Fresh: the newest, in timeline order. Resumed: the new ones, in arrival order.
    pub messages: Vec<MessageJson>,
    /// The notices.
    pub notices: Vec<NoticeJson>,
    /// The cursor towards the past; null at the beginning.
    pub before: Option<String>,
    /// The highest arrival number that is covered.
    pub arrival: Arrival,
    /// True if the client must drop what it holds.
    pub reset: bool,
    /// Limits of what the page may send.
    pub limits: LimitsJson,
    /// Values that a node uses if its user gives none. An addition to the contract.
    pub defaults: DefaultsJson,
    /// The items of the page's storage; missing if there are none. An addition to the contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<String, String>,
}

/// Limits of what a page may send, so that it can say so while its user types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsJson {
    /// Longest text of a message, in bytes of UTF-8.
    pub text_bytes: usize,
    /// Longest name, in characters as people see them.
    pub name_graphemes: usize,
    /// Longest name, in bytes of UTF-8.
    pub name_bytes: usize,
    /// Files of one message.
    pub files: usize,
    /// Longest text of a message with files, in bytes of UTF-8.
    pub text_with_files_bytes: usize,
    /// Largest file in bytes.
    pub file_bytes: u64,
    /// Longest part of an upload in bytes.
    pub upload_part_bytes: usize,
    /// Longest preview of a picture in bytes.
    pub preview_bytes: usize,
}

impl Default for LimitsJson {
    fn default() -> Self {
        Self {
            text_bytes: limits::TEXT_BYTES_MAX,
            name_graphemes: limits::NAME_GRAPHEMES_MAX,
            name_bytes: limits::NAME_BYTES_MAX,
            files: limits::FILES_PER_MESSAGE_MAX,
            text_with_files_bytes: limits::TEXT_WITH_FILES_BYTES_MAX,
            file_bytes: limits::FILE_BYTES_MAX,
            upload_part_bytes: limits::UPLOAD_PART_BYTES_MAX,
            preview_bytes: limits::PREVIEW_BYTES_MAX,
        }
    }
}

/// Values that a node uses if its user gives none. An addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultsJson {
    /// The channel of a message without one.
    pub channel: String,
    /// The room.
    pub room: String,
    /// The UDP port of the beacons.
    pub port: u16,
}

impl Default for DefaultsJson {
    fn default() -> Self {
        Self {
            channel: Conversation::GENERAL.to_owned(),
            room: limits::DEFAULT_ROOM.to_owned(),
            port: limits::DEFAULT_PORT,
        }
    }
}

/// The body of every refusal over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code.
    pub error: Code,
    /// A sentence for a person.
    pub message: String,
}
