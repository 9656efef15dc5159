//! What becomes of a message after it was said, as the forms have it: replies, mentions,
//! reactions, versions.

use serde::{Deserialize, Serialize};

use super::{Cursor, time};
use crate::proto::entries::appearance::Reaction;
use crate::proto::entries::mention::Mention;
use crate::proto::entries::timeline::Quote;
use crate::proto::history::VersionPage;
use crate::proto::ids::EntryId;

/// An answered message above the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteJson {
    /// The message's id.
    pub id: String,
    /// The message's author.
    pub author: String,
    /// The author's name as it was then.
    pub name: String,
    /// The beginning of its text as it is now.
    pub text: String,
    /// Whether it was deleted.
    pub deleted: bool,
}

impl QuoteJson {
    /// The form of a quote of the message with this id.
    pub fn new(id: EntryId, quote: &Quote) -> Self {
        Self {
            id: id.to_string(),
            author: quote.author.to_string(),
            name: quote.name.to_string(),
            text: quote.text.clone(),
            deleted: quote.deleted,
        }
    }
}

/// A kind of reaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionJson {
    /// The emoji.
    pub emoji: String,
    /// The ids of the members that gave it, in order.
    pub by: Vec<String>,
}

impl From<&Reaction> for ReactionJson {
    fn from(reaction: &Reaction) -> Self {
        Self { emoji: reaction.emoji.clone(), by: reaction.by.iter().map(ToString::to_string).collect() }
    }
}

/// The ids of mentioned members, each once, in the order of the text.
pub(super) fn mentioned(mentions: &[Mention]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for mention in mentions {
        let id = mention.id.to_string();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// A text that a message had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionJson {
    /// The text.
    pub text: String,
    /// When its author wrote it.
    pub time: String,
}

/// `GET /api/v1/messages/ID/versions`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Oldest first.
    pub versions: Vec<VersionJson>,
    /// Where to go on towards the past; null at the original.
    pub before: Option<String>,
}

impl From<&VersionPage> for Versions {
    fn from(page: &VersionPage) -> Self {
        let version = |version: &crate::proto::history::MessageVersion| VersionJson {
            text: version.text.clone(),
            time: time(version.time.ms()),
        };
        Self {
            versions: page.versions.iter().map(version).collect(),
            before: page.before.map(|order| Cursor(order).to_string()),
        }
    }
}
