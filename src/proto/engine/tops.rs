//! The newest of each conversation: what this node's user says next has to stand below it.
//!
//! Channels cost nothing, so only so many are told apart. For all others stands the greatest place that was forgotten: it is
//! below none of theirs.

use std::collections::BTreeMap;

use crate::proto::ids::EntryId;
use crate::proto::limits::TOPS_MAX;
use crate::proto::timeline::{Conversation, Place};

/// A place, and whose it is.
type Top = (Place, EntryId);

/// The greatest place of each conversation.
#[derive(Debug, Default)]
pub(super) struct Tops {
    of: BTreeMap<Conversation, Top>,
    /// The greatest that was forgotten.
    rest: Option<Top>,
}

impl Tops {
    /// What the store knows.
    pub(super) fn new(known: Vec<(Conversation, Place, EntryId)>) -> Self {
        let mut tops = Self::default();
        for (conversation, place, id) in known {
            tops.stands(conversation, place, id);
        }
        tops
    }

    /// An entry stands there, perhaps elsewhere than before.
    pub(super) fn stands(&mut self, conversation: Conversation, place: Place, id: EntryId) {
        let top = self.of.entry(conversation).or_insert((place, id));
        if place > top.0 || id == top.1 {
            *top = (place, id);
        }
        if self.of.len() > TOPS_MAX
            && let Some((lowest, top)) = self.of.iter().min_by_key(|(_, top)| top.0)
        {
            let (lowest, top) = (lowest.clone(), *top);
            self.of.remove(&lowest);
            self.rest = self.rest.filter(|rest| rest.0 > top.0).or(Some(top));
        }
    }

    /// Below what the next entry of a conversation has to stand, if below anything.
    pub(super) fn of(&self, conversation: &Conversation) -> Option<Top> {
        // One that was forgotten and is back may be known by less than its greatest.
        self.of.get(conversation).into_iter().chain(&self.rest).max_by_key(|top| top.0).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::LogId;
    use crate::proto::name::Name;

    fn channel(number: usize) -> Conversation {
        Conversation::Channel(Name::lossy(&format!("channel {number}"), "?"))
    }

    fn id(seq: u64) -> EntryId {
        EntryId { log: LogId(1), seq, check: [0; 16] }
    }

    #[test]
    fn the_greatest_place_counts_and_what_moves_is_followed() {
        let mut tops = Tops::new(vec![(channel(1), 10, id(1))]);
        tops.stands(channel(1), 8, id(2));
        assert_eq!(tops.of(&channel(1)), Some((10, id(1))));
        tops.stands(channel(1), 20, id(3));
        tops.stands(channel(1), 15, id(3));
        assert_eq!(tops.of(&channel(1)), Some((15, id(3))), "it moved");
        assert_eq!(tops.of(&channel(2)), None);
    }

    #[test]
    fn of_many_channels_some_are_told_apart_and_nothing_stands_too_high_in_the_others() {
        let mut tops = Tops::default();
        for number in 1..=TOPS_MAX + 10 {
            tops.stands(channel(number), number as Place, id(number as u64));
        }
        assert_eq!(tops.of.len(), TOPS_MAX);
        let top = |tops: &Tops, number| tops.of(&channel(number)).map(|(place, _)| place);
        assert_eq!(top(&tops, TOPS_MAX), Some(TOPS_MAX as Place), "the newest are told apart");
        for forgotten in 1..=10 {
            assert_eq!(top(&tops, forgotten), Some(10), "as low as the lowest of them");
        }
        // One of them is back with something that stands high up, and what it had before still counts.
        tops.stands(channel(9), 5, id(0));
        assert_eq!(top(&tops, 9), Some(10));
        tops.stands(channel(9), 5_000, id(0));
        assert_eq!(top(&tops, 9), Some(5_000));
    }
}
