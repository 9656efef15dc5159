//! The first frame from the node on a socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conversation::UnreadCount;
use super::member::MemberJson;
use super::message::{MessageJson, NoticeJson};
use super::node::NodeJson;
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::Arrival;
use crate::proto::limits;

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
