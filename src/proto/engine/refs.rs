//! The callers' own names for what they said lately: the same `ref` never makes a second message, also while the first is
//! still on its way to the disk, where the store can't know of it.

use std::collections::{BTreeMap, VecDeque};

use super::AskId;
use crate::proto::ids::{EntryId, Hash};
use crate::proto::limits::REFS_REMEMBERED_MAX;
use crate::proto::record::Ref;

/// What is known of a `ref`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: from now on it stands for this message.
    New,
    /// The message is on its way to the disk; this question is answered with the first.
    Waits,
    /// It is said.
    Said(EntryId),
    /// It stands for something else.
    Other,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Refs {
    used: BTreeMap<String, Used>,
    /// Those of what is said, oldest first, each once. The store knows of these.
    said: VecDeque<String>,
}

#[derive(Debug)]
struct Used {
    content: Hash,
    /// None: it is not on the disk yet.
    id: Option<EntryId>,
    /// Who asked again before it was.
    again: Vec<AskId>,
}

impl Refs {
    /// Somebody wants to say something under this name.
    pub(super) fn claim(&mut self, asker: AskId, reference: &Ref) -> Known {
        let Some(used) = self.used.get_mut(&reference.name) else {
            let used = Used { content: reference.content, id: None, again: Vec::new() };
            self.used.insert(reference.name.clone(), used);
            return Known::New;
        };
        match used.id {
            _ if used.content != reference.content => Known::Other,
            Some(id) => Known::Said(id),
            None => {
                used.again.push(asker);
                Known::Waits
            }
        }
    }

    /// It is on the disk. Returns who asked again meanwhile.
    pub(super) fn said(&mut self, reference: &Ref, id: EntryId) -> Vec<AskId> {
        let Some(used) = self.used.get_mut(&reference.name) else { return Vec::new() };
        let again = std::mem::take(&mut used.again);
        // What fell with a log is said a second time, under another id.
        if used.id.replace(id).is_none() {
            self.said.push_back(reference.name.clone());
        }
        if self.said.len() > REFS_REMEMBERED_MAX
            && let Some(oldest) = self.said.pop_front()
        {
            self.used.remove(&oldest);
        }
        again
    }

    /// It could not be said: the name is free, unless it stood on the disk before. Returns who asked again meanwhile.
    pub(super) fn unsaid(&mut self, reference: &Ref) -> Vec<AskId> {
        match self.used.get(&reference.name) {
            Some(Used { id: None, .. }) => self.used.remove(&reference.name).map_or_else(Vec::new, |used| used.again),
            Some(_) | None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::LogId;

    fn named(number: usize) -> Ref {
        Ref { name: format!("ref {number}"), content: Hash([1; 32]) }
    }

    fn id(seq: u64) -> EntryId {
        EntryId { log: LogId(1), seq, check: [0; 16] }
    }

    #[test]
    fn whoever_asks_again_is_answered_with_the_first() {
        let mut refs = Refs::default();
        assert_eq!(refs.claim(AskId(1), &named(0)), Known::New);
        assert_eq!(refs.claim(AskId(2), &named(0)), Known::Waits);
        assert_eq!(refs.claim(AskId(3), &Ref { content: Hash([2; 32]), ..named(0) }), Known::Other);
        assert_eq!(refs.said(&named(0), id(1)), [AskId(2)]);
        assert_eq!(refs.claim(AskId(4), &named(0)), Known::Said(id(1)));
    }

    #[test]
    fn what_could_not_be_said_is_remembered_in_full_once_it_is() {
        let mut refs = Refs::default();
        for asker in 0..3 {
            assert_eq!(refs.claim(AskId(asker), &named(0)), Known::New);
            assert_eq!(refs.unsaid(&named(0)), []);
        }
        refs.claim(AskId(9), &named(0));
        refs.said(&named(0), id(1));
        // Its failures are none of its age: it goes as the oldest, not before.
        for number in 1..REFS_REMEMBERED_MAX {
            refs.claim(AskId(9), &named(number));
            refs.said(&named(number), id(number as u64 + 1));
        }
        assert_eq!(refs.claim(AskId(9), &named(0)), Known::Said(id(1)));
        refs.claim(AskId(9), &named(REFS_REMEMBERED_MAX));
        refs.said(&named(REFS_REMEMBERED_MAX), id(0));
        assert_eq!((refs.used.len(), refs.said.len()), (REFS_REMEMBERED_MAX, REFS_REMEMBERED_MAX));
        assert_eq!(refs.claim(AskId(9), &named(0)), Known::New, "the store knows of it");
    }

    #[test]
    fn what_is_said_again_after_its_log_fell_keeps_its_name() {
        let mut refs = Refs::default();
        refs.claim(AskId(1), &named(0));
        refs.said(&named(0), id(1));
        assert_eq!(refs.unsaid(&named(0)), []);
        assert_eq!(refs.claim(AskId(2), &named(0)), Known::Said(id(1)));
        refs.said(&named(0), id(7));
        assert_eq!(refs.claim(AskId(3), &named(0)), Known::Said(id(7)));
        assert_eq!(refs.said.len(), 1);
    }

    #[test]
    fn what_waits_for_the_disk_is_never_forgotten() {
        let mut refs = Refs::default();
        for number in 0..=REFS_REMEMBERED_MAX {
            assert_eq!(refs.claim(AskId(1), &named(number)), Known::New);
        }
        assert_eq!(refs.claim(AskId(2), &named(0)), Known::Waits);
    }
}
