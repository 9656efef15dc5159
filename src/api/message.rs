//! Messages and notices, and pages of them.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::changes::{QuoteJson, ReactionJson, mentioned};
use super::file::FileJson;
use super::{Span, span::spans, time};
use crate::proto::entries::timeline::{self, Conversation, Message, NoticeKind, Order};
use crate::proto::files::status::FileStatus;
use crate::proto::ids::{Arrival, Hash};

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

/// `GET /api/v1/messages/ID/held`: an addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHolders {
    /// The members that reported to hold the message, among those it is counted for.
    pub held: Vec<MessageHolder>,
    /// Full ids of the other members it is counted for.
    pub missing: Vec<String>,
}

/// A member that holds a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHolder {
    /// Full id.
    pub id: String,
    /// The time when this node learned of it; null if that was in an earlier run.
    pub at: Option<String>,
}
