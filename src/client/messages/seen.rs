//! The messages that a following `tail` has seen, to tell what changed when one comes again.

use std::collections::{HashMap, VecDeque};

use crate::api::{MessageJson, ReactionJson};

/// Messages whose state is remembered. A change of an older one is described by its present state.
const SEEN_MAX: usize = 10_000;

/// A change of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageChange {
    /// It has another text.
    Edited,
    /// It was deleted.
    Deleted,
    /// A member reacted to it, or took a reaction back.
    Reacted { emoji: String, by: String, off: bool },
}

/// The state of messages when they were last seen.
#[derive(Default)]
pub(super) struct SeenMessages {
    states: HashMap<String, SeenState>,
    oldest_first: VecDeque<String>,
}

#[derive(Clone, PartialEq, Eq)]
struct SeenState {
    edited: Option<String>,
    deleted: bool,
    reactions: Vec<ReactionJson>,
}

impl From<&MessageJson> for SeenState {
    fn from(message: &MessageJson) -> Self {
        Self { edited: message.edited.clone(), deleted: message.deleted, reactions: message.reactions.clone() }
    }
}

impl SeenMessages {
    /// Returns true if the message was seen, in whatever state.
    pub(super) fn contains(&self, message: &MessageJson) -> bool {
        self.states.contains_key(&message.id)
    }

    /// Remembers the state of a message, and returns what changed since it was last seen. Of an
    /// unknown message, everything that was ever changed counts.
    pub(super) fn update(&mut self, message: &MessageJson) -> Vec<MessageChange> {
        let now = SeenState::from(message);
        let before = self.states.insert(message.id.clone(), now.clone());
        if before.is_none() {
            self.oldest_first.push_back(message.id.clone());
            if self.oldest_first.len() > SEEN_MAX
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.states.remove(&oldest);
            }
        }
        let before = before.unwrap_or(SeenState { edited: None, deleted: false, reactions: Vec::new() });
        match (&before, &now) {
            (SeenState { deleted: false, .. }, SeenState { deleted: true, .. }) => vec![MessageChange::Deleted],
            (_, SeenState { deleted: true, .. }) => Vec::new(),
            _ => {
                let is_edited = before.edited != now.edited;
                let edited = is_edited.then_some(MessageChange::Edited);
                edited.into_iter().chain(reacted(&before.reactions, &now.reactions)).collect()
            }
        }
    }
}

/// Returns the reactions that were given, then those that were taken back.
fn reacted(before: &[ReactionJson], now: &[ReactionJson]) -> Vec<MessageChange> {
    let missing_in = |all: &[ReactionJson], other: &[ReactionJson], off: bool| {
        let pairs = all.iter().flat_map(|kind| kind.by.iter().map(|by| (kind.emoji.clone(), by.clone())));
        let has = |emoji: &str, by: &String| other.iter().any(|kind| kind.emoji == emoji && kind.by.contains(by));
        let missing = pairs.filter(|(emoji, by)| !has(emoji, by));
        missing.map(|(emoji, by)| MessageChange::Reacted { emoji, by, off }).collect::<Vec<_>>()
    };
    let mut changes = missing_in(now, before, false);
    changes.extend(missing_in(before, now, true));
    changes
}

#[cfg(test)]
mod tests {
    use super::super::tail::tests::message;
    use super::*;

    fn reaction(emoji: &str, by: &[&str]) -> ReactionJson {
        ReactionJson { emoji: emoji.to_owned(), by: by.iter().map(|id| (*id).to_owned()).collect() }
    }

    #[test]
    fn each_change_is_told_once() {
        let reacted =
            |emoji: &str, by: &str, off| MessageChange::Reacted { emoji: emoji.to_owned(), by: by.to_owned(), off };
        let mut seen = SeenMessages::default();
        let mut now = message("Ana", Some("general"), "say", "x");
        assert!(!seen.contains(&now));
        assert_eq!(seen.update(&now), []);
        assert!(seen.contains(&now));
        now.reactions = vec![reaction("👍", &["a", "b"])];
        assert_eq!(seen.update(&now), [reacted("👍", "a", false), reacted("👍", "b", false)]);
        now.edited = Some("later".to_owned());
        now.reactions = vec![reaction("👍", &["b"]), reaction("🎉", &["a"])];
        assert_eq!(seen.update(&now), [MessageChange::Edited, reacted("🎉", "a", false), reacted("👍", "a", true)]);
        assert_eq!(seen.update(&now), []);
        now.deleted = true;
        now.edited = None;
        now.reactions.clear();
        assert_eq!(seen.update(&now), [MessageChange::Deleted]);
        assert_eq!(seen.update(&now), []);
    }

    #[test]
    fn oldest_messages_are_forgotten() {
        let mut seen = SeenMessages::default();
        let numbered = |number: usize| MessageJson {
            id: number.to_string(),
            edited: Some("then".to_owned()),
            ..message("Ana", None, "say", "x")
        };
        for number in 0..=SEEN_MAX {
            seen.update(&numbered(number));
        }
        assert!(!seen.contains(&numbered(0)) && seen.contains(&numbered(1)));
        assert_eq!(seen.update(&numbered(0)), [MessageChange::Edited]);
        assert_eq!((seen.states.len(), seen.oldest_first.len()), (SEEN_MAX, SEEN_MAX));
    }
}
