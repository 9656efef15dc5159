//! What an export holds of a message: nothing that differs between nodes which hold the same.

use serde::{Deserialize, Serialize};

use super::time;
use crate::proto::timeline::{Conversation, Line};

/// A message as `roomful export --format json` prints it: exactly these fields, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
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
    /// What it answers.
    pub reply_to: Option<String>,
}

/// `GET /api/v1/export`: a piece of the history. An addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// In the order of the room.
    pub entries: Vec<Entry>,
    /// Where to go on; null at the end.
    pub after: Option<String>,
}

impl From<&Line> for Entry {
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
            reply_to: line.reply_to.map(|id| id.to_string()),
        }
    }
}
