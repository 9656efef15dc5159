//! Conversations, and how far each was read.

use serde::{Deserialize, Serialize};

use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::Arrival;

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
