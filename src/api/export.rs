//! The form of a message in an export. It contains nothing that differs between nodes that hold the
//! same.

use serde::{Deserialize, Serialize};

use super::{ExportFile, ReactionJson, time};
use crate::proto::entries::timeline::{Conversation, Message};

/// A message as `roomful export --format json` prints it: exactly these fields, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportEntry {
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
    /// The message that this one replies to.
    pub reply_to: Option<String>,
    /// When its author wrote the current text; null if it was never edited.
    pub edited: Option<String>,
    /// Whether its author deleted it.
    pub deleted: bool,
    /// The reactions to it.
    pub reactions: Vec<ReactionJson>,
    /// The files that it names.
    #[serde(default)]
    pub files: Vec<ExportFile>,
}

/// `GET /api/v1/export`: a page of the history. An addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPage {
    /// The messages in the order of the room.
    pub entries: Vec<ExportEntry>,
    /// The cursor to go on from; null at the end.
    pub after: Option<String>,
}

impl From<&Message> for ExportEntry {
    fn from(line: &Message) -> Self {
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
            reply_to: line.reply_to.map(|id| id.to_string()),
            edited: line.changes.edited.map(|edited| time(edited.ms())),
            deleted: line.changes.deleted,
            reactions: line.changes.reactions.iter().map(Into::into).collect(),
            files: line.changes.files.iter().map(Into::into).collect(),
        }
    }
}
