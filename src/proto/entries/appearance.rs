//! How a message appears now: what edits, deletions and reactions made of it.
//!
//! [`super::message_state`] computes it.

use super::mention::Mention;
use crate::proto::clock::Stamp;
use crate::proto::files::attachment::Attachment;
use crate::proto::ids::NodeId;

/// What became of a message since it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appearance {
    /// The time of the edit that counts.
    pub edited: Option<Stamp>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The files that it names.
    pub files: Vec<Attachment>,
    /// The mentions of the current text that count, in the order of the text.
    pub mentions: Vec<Mention>,
    /// The reactions that count, in the order in which their kinds were first given.
    pub reactions: Vec<Reaction>,
}

/// A kind of reaction to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// The members that gave it, in order.
    pub by: Vec<NodeId>,
}
