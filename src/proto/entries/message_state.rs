//! The current appearance of a message: a pure function of the entries that are held, whatever the
//! order in which they arrived. So it is the same on all nodes that hold the same entries.
//!
//! - Of the edits by the author for the same audience, the last in the order of the room counts.
//! - A deletion by the author for the same audience is final.
//! - A reaction is on or off as the last entry of its author for this message and emoji says.
//!
//! A [`MessageState`] keeps for each author and emoji the entry that counts, so applying an entry
//! twice, or in another order, changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::appearance::{Appearance, Reaction};
use super::body::Body;
use super::mention::Mentions;
use super::timeline::Order;
use crate::proto::clock::Stamp;
use crate::proto::ids::NodeId;
use crate::proto::limits::{REACTION_KINDS_MAX, REACTIONS_OF_AUTHOR_MAX};

/// The readers of an entry: the room, or two members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readers {
    /// The author of the entry.
    pub author: NodeId,
    /// The audience of its log.
    pub audience: Option<NodeId>,
}

impl Readers {
    /// Returns true if an edit or a deletion of `self` counts for a message of `message`.
    pub fn may_rewrite(&self, message: &Self) -> bool {
        self == message
    }

    /// Returns true if a reaction of `self` counts for a message of `message`: both belong to the
    /// room, or to the
    /// direct messages of the same two members.
    pub fn may_react(&self, message: &Self) -> bool {
        match (self.audience, message.audience) {
            (None, None) => true,
            (Some(mine), Some(_)) => {
                self == message || (mine == message.author && Some(self.author) == message.audience)
            }
            _ => false,
        }
    }
}

/// The entries that count for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageState {
    message: Readers,
    edit: Option<(Order, Stamp, Body)>,
    deleted: bool,
    /// The last entry for each author and emoji, and whether it takes the reaction back.
    reactions: BTreeMap<(NodeId, String), (Order, bool)>,
}

impl MessageState {
    /// A message that nothing has changed.
    pub fn new(message: Readers) -> Self {
        Self { message, edit: None, deleted: false, reactions: BTreeMap::new() }
    }

    /// Applies an entry that names this message. What may not change it is ignored.
    pub fn apply(&mut self, order: Order, time: Stamp, audience: Option<NodeId>, body: &Body) {
        let by = Readers { author: order.author, audience };
        match body {
            Body::Edit { .. } if by.may_rewrite(&self.message) && self.is_newest_edit(&order) => {
                self.edit = Some((order, time, body.clone()));
            }
            Body::Delete { .. } => self.deleted |= by.may_rewrite(&self.message),
            Body::React { emoji, off, .. } if by.may_react(&self.message) => {
                let last = self.reactions.entry((order.author, emoji.clone())).or_insert((order, *off));
                if last.0 <= order {
                    *last = (order, *off);
                }
            }
            _ => {}
        }
    }

    fn is_newest_edit(&self, order: &Order) -> bool {
        self.edit.as_ref().is_none_or(|(last, ..)| last < order)
    }

    /// The text and appearance of a message that was said with this text and these mentions.
    pub fn current(&self, text: String, mentions: &Mentions) -> (String, Appearance) {
        if self.deleted {
            return (String::new(), Appearance { deleted: true, ..Appearance::default() });
        }
        let (text, mentions, edited) = match &self.edit {
            Some((_, time, Body::Edit { text, mentions, .. })) => (text.clone(), mentions, Some(*time)),
            _ => (text, mentions, None),
        };
        let mentions = mentions.counted(&text);
        (text, Appearance { edited, mentions, reactions: self.reactions(), ..Appearance::default() })
    }

    /// The reactions that count.
    fn reactions(&self) -> Vec<Reaction> {
        let on = self.reactions.iter().filter(|(_, (_, off))| !off);
        counted_reactions(on.map(|((_, emoji), (order, _))| (*order, emoji.clone())).collect())
    }
}

/// The reactions that count, of those that are on: the first of each author, and the first kinds.
pub fn counted_reactions(mut on: Vec<(Order, String)>) -> Vec<Reaction> {
    on.sort_unstable();
    let mut of_author: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut counted: Vec<Reaction> = Vec::new();
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for (order, emoji) in on {
        let given = of_author.entry(order.author).or_default();
        if *given == REACTIONS_OF_AUTHOR_MAX {
            continue;
        }
        *given += 1;
        if kinds.len() < REACTION_KINDS_MAX && kinds.insert(emoji.clone()) {
            counted.push(Reaction { emoji, by: vec![order.author] });
        } else if let Some(kind) = counted.iter_mut().find(|kind| kind.emoji == emoji) {
            kind.by.push(order.author);
        }
    }
    counted
}

#[cfg(test)]
mod tests;
