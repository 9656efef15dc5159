//! The latest place of each conversation: the own user's next entry is ordered after it.
//!
//! Bounded to [`TOPS_MAX`] conversations, since channels can be created without limit. An unknown
//! conversation has the greatest evicted place: an upper bound, so an entry may sort later than
//! needed, never earlier.

use std::collections::BTreeMap;

use crate::proto::entries::timeline::{Conversation, Place};
use crate::proto::ids::EntryId;
use crate::proto::limits::TOPS_MAX;

/// A place, and the entry there.
type Top = (Place, EntryId);

/// The greatest place of each conversation.
#[derive(Debug, Default)]
pub(crate) struct LatestPlaces {
    of: BTreeMap<Conversation, Top>,
    /// The greatest evicted one.
    rest: Option<Top>,
}

impl LatestPlaces {
    /// The latest places that the store knows.
    pub(crate) fn new(known: Vec<(Conversation, Place, EntryId)>) -> Self {
        let mut tops = Self::default();
        for (conversation, place, id) in known {
            tops.observe(conversation, place, id);
        }
        tops
    }

    /// An entry is at this place now, perhaps after it moved.
    pub(crate) fn observe(&mut self, conversation: Conversation, place: Place, id: EntryId) {
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

    /// The entry after which the next one of a conversation is ordered, if there is one.
    pub(crate) fn of(&self, conversation: &Conversation) -> Option<Top> {
        // A conversation that was evicted and is back may be known by less than its greatest place.
        self.of.get(conversation).into_iter().chain(&self.rest).max_by_key(|top| top.0).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::LogId;
    use crate::proto::names::name::Name;

    fn channel(number: usize) -> Conversation {
        Conversation::Channel(Name::from_lossy(&format!("channel {number}"), "?"))
    }

    fn id(seq: u64) -> EntryId {
        EntryId { log: LogId(1), seq, check: [0; 16] }
    }

    #[test]
    fn latest_place_follows_moved_entries() {
        let mut tops = LatestPlaces::new(vec![(channel(1), 10, id(1))]);
        tops.observe(channel(1), 8, id(2));
        assert_eq!(tops.of(&channel(1)), Some((10, id(1))));
        tops.observe(channel(1), 20, id(3));
        tops.observe(channel(1), 15, id(3));
        assert_eq!(tops.of(&channel(1)), Some((15, id(3))), "it moved");
        assert_eq!(tops.of(&channel(2)), None);
    }

    #[test]
    fn evicted_channels_share_an_upper_bound() {
        let mut tops = LatestPlaces::default();
        for number in 1..=TOPS_MAX + 10 {
            tops.observe(channel(number), number as Place, id(number as u64));
        }
        assert_eq!(tops.of.len(), TOPS_MAX);
        let top = |tops: &LatestPlaces, number| tops.of(&channel(number)).map(|(place, _)| place);
        assert_eq!(top(&tops, TOPS_MAX), Some(TOPS_MAX as Place), "the newest are told apart");
        for forgotten in 1..=10 {
            assert_eq!(top(&tops, forgotten), Some(10), "as low as the lowest of them");
        }
        // One of them is back with something that stands high up, and what it had before still
        // counts.
        tops.observe(channel(9), 5, id(0));
        assert_eq!(top(&tops, 9), Some(10));
        tops.observe(channel(9), 5_000, id(0));
        assert_eq!(top(&tops, 9), Some(5_000));
    }
}
