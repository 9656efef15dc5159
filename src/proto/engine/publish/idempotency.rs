//! Decides whether a `ref` is new: the same `ref` never makes a second message within 30 days.
//!
//! Pending and recent refs are kept whole. Of older ones the set keeps digests, so that only a
//! repetition, and not every message, costs a read of the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::proto::engine::io::AskId;
use crate::proto::ids::{EntryId, Hash};
use crate::proto::limits::{REF_MS, REFS_KNOWN_MAX, REFS_REMEMBERED_MAX};
use crate::proto::replication::store_api::{IdempotencyKey, StoredRef};

/// The result of claiming a `ref`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimResult {
    /// It is new, and from now on stands for this message.
    New,
    /// The message is on its way to the disk. This request is answered with the first.
    Waits,
    /// The message is on the disk.
    Said(EntryId),
    /// It stands for another message.
    Other,
}

/// The `ref`s of the user's messages, pending and stored.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    used: BTreeMap<String, Used>,
    /// The refs of stored messages in `used`, oldest first, each once.
    by_age: VecDeque<String>,
    stored: StoredRefs,
}

#[derive(Debug)]
struct Used {
    content: Hash,
    /// None: the message is not on the disk yet.
    id: Option<EntryId>,
    /// Repeated requests that wait for that.
    again: Vec<AskId>,
}

impl Refs {
    /// `stored`: the newest refs in the store, oldest first, with one more than
    /// [`REFS_KNOWN_MAX`] if there are more.
    pub(crate) fn new(stored: Vec<StoredRef>) -> Self {
        let mut refs = Self::default();
        stored.into_iter().for_each(|stored| refs.stored.add(stored));
        refs
    }

    /// Returns true if only the store can tell whether this `ref` was used. The caller asks it and
    /// passes what it finds to [`Refs::remember`].
    pub(crate) fn needs_lookup(&self, name: &str, wall_ms: u64) -> bool {
        !self.used.contains_key(name) && self.stored.may_contain(name, wall_ms)
    }

    /// Returns true if this `ref` was used, as far as that is known without the store.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.used.contains_key(name)
    }

    /// The store has this `ref`, for this message.
    pub(crate) fn remember(&mut self, reference: IdempotencyKey, id: EntryId) {
        if !self.used.contains_key(&reference.name) {
            let used = Used { content: reference.content, id: Some(id), again: Vec::new() };
            self.used.insert(reference.name.clone(), used);
            self.push_said(reference.name);
        }
    }

    /// A request wants to send a message under this `ref`.
    pub(crate) fn claim(&mut self, asker: AskId, reference: &IdempotencyKey) -> ClaimResult {
        let Some(used) = self.used.get_mut(&reference.name) else {
            self.reserve(reference);
            return ClaimResult::New;
        };
        match used.id {
            _ if used.content != reference.content => ClaimResult::Other,
            Some(id) => ClaimResult::Said(id),
            None => {
                used.again.push(asker);
                ClaimResult::Waits
            }
        }
    }

    /// A message goes to the disk under this `ref`, unless one is there already.
    pub(crate) fn reserve(&mut self, reference: &IdempotencyKey) {
        let used = || Used { content: reference.content, id: None, again: Vec::new() };
        self.used.entry(reference.name.clone()).or_insert_with(used);
    }

    /// The message is on the disk. Returns the requests that repeated it meanwhile.
    pub(crate) fn commit(&mut self, reference: &IdempotencyKey, id: EntryId, wall_ms: u64) -> Vec<AskId> {
        let Some(used) = self.used.get_mut(&reference.name) else { return Vec::new() };
        let again = std::mem::take(&mut used.again);
        // A message that was removed with its log is published a second time, under another id.
        if used.id.replace(id).is_none() {
            self.stored.add(StoredRef::new(&reference.name, wall_ms));
            self.push_said(reference.name.clone());
        }
        again
    }

    /// The message could not be stored: its `ref` is free, unless it was on the disk before.
    /// Returns the requests that repeated it meanwhile.
    pub(crate) fn release(&mut self, reference: &IdempotencyKey) -> Vec<AskId> {
        match self.used.get(&reference.name) {
            Some(Used { id: None, .. }) => self.used.remove(&reference.name).map_or_else(Vec::new, |used| used.again),
            Some(_) | None => Vec::new(),
        }
    }

    /// The message could not be stored yet, and its `ref` stays taken. Returns the requests that
    /// repeated it meanwhile.
    pub(crate) fn take_repeats(&mut self, reference: &IdempotencyKey) -> Vec<AskId> {
        self.used.get_mut(&reference.name).map(|used| std::mem::take(&mut used.again)).unwrap_or_default()
    }

    fn push_said(&mut self, name: String) {
        self.by_age.push_back(name);
        if self.by_age.len() > REFS_REMEMBERED_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.used.remove(&oldest);
        }
    }
}

/// The digests of the refs in the store. It may contain refs that the store has forgotten, and
/// lacks none that the store has.
#[derive(Debug, Default)]
struct StoredRefs {
    digests: BTreeSet<u64>,
    /// The same, oldest first, with their times.
    by_age: VecDeque<StoredRef>,
    /// The time of the newest one that had no room. None: all are here.
    left_out_ms: Option<u64>,
}

impl StoredRefs {
    fn may_contain(&self, name: &str, wall_ms: u64) -> bool {
        let is_partial = self.left_out_ms.is_some_and(|time_ms| time_ms + REF_MS >= wall_ms);
        is_partial || self.digests.contains(&StoredRef::new(name, 0).digest)
    }

    fn add(&mut self, stored: StoredRef) {
        let is_old = |oldest: &mut StoredRef| oldest.said_ms + REF_MS < stored.said_ms;
        while let Some(oldest) = self.by_age.pop_front_if(is_old) {
            self.digests.remove(&oldest.digest);
        }
        if self.digests.insert(stored.digest) {
            self.by_age.push_back(stored);
        }
        if self.by_age.len() > REFS_KNOWN_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.digests.remove(&oldest.digest);
            self.left_out_ms = self.left_out_ms.max(Some(oldest.said_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::LogId;

    const NOW_MS: u64 = 2 * REF_MS;

    fn named(number: usize) -> IdempotencyKey {
        IdempotencyKey { name: format!("ref {number}"), content: Hash([1; 32]) }
    }

    fn id(seq: u64) -> EntryId {
        EntryId { log: LogId(1), seq, check: [0; 16] }
    }

    fn say(refs: &mut Refs, number: usize, wall_ms: u64) {
        assert_eq!(refs.claim(AskId(9), &named(number)), ClaimResult::New);
        assert_eq!(refs.commit(&named(number), id(number as u64), wall_ms), []);
    }

    #[test]
    fn repeated_ref_returns_the_first_message() {
        let mut refs = Refs::default();
        assert_eq!(refs.claim(AskId(1), &named(0)), ClaimResult::New);
        assert_eq!(refs.claim(AskId(2), &named(0)), ClaimResult::Waits);
        assert_eq!(refs.claim(AskId(3), &IdempotencyKey { content: Hash([2; 32]), ..named(0) }), ClaimResult::Other);
        assert_eq!(refs.commit(&named(0), id(1), NOW_MS), [AskId(2)]);
        assert_eq!(refs.claim(AskId(4), &named(0)), ClaimResult::Said(id(1)));
    }

    #[test]
    fn ref_age_counts_from_its_success() {
        let mut refs = Refs::default();
        for asker in 0..3 {
            assert_eq!(refs.claim(AskId(asker), &named(0)), ClaimResult::New);
            assert_eq!(refs.release(&named(0)), []);
        }
        // Its failures are none of its age: it goes as the oldest, not before.
        (0..REFS_REMEMBERED_MAX).for_each(|number| say(&mut refs, number, NOW_MS));
        assert_eq!(refs.claim(AskId(9), &named(0)), ClaimResult::Said(id(0)));
        say(&mut refs, REFS_REMEMBERED_MAX, NOW_MS);
        assert_eq!((refs.used.len(), refs.by_age.len()), (REFS_REMEMBERED_MAX, REFS_REMEMBERED_MAX));
        assert!(refs.needs_lookup("ref 0", NOW_MS) && !refs.needs_lookup("ref 1", NOW_MS));
    }

    #[test]
    fn only_refs_in_the_store_are_looked_up() {
        let mut refs = Refs::new(vec![StoredRef::new("ref 0", NOW_MS), StoredRef::new("ref 1", NOW_MS)]);
        assert!(refs.needs_lookup("ref 0", NOW_MS) && !refs.needs_lookup("ref 2", NOW_MS));
        refs.remember(named(0), id(7));
        assert!(!refs.needs_lookup("ref 0", NOW_MS));
        assert_eq!(refs.claim(AskId(1), &named(0)), ClaimResult::Said(id(7)));
    }

    #[test]
    fn refs_older_than_thirty_days_are_forgotten() {
        let mut refs = Refs::new(vec![StoredRef::new("ref 0", NOW_MS)]);
        say(&mut refs, 1, NOW_MS + REF_MS);
        assert!(refs.needs_lookup("ref 0", NOW_MS));
        say(&mut refs, 2, NOW_MS + REF_MS + 1);
        assert!(!refs.needs_lookup("ref 0", NOW_MS));
    }

    #[test]
    fn all_refs_are_looked_up_while_some_are_left_out() {
        let name = |number: usize| StoredRef::new(&format!("old {number}"), NOW_MS);
        assert!(!Refs::new((0..REFS_KNOWN_MAX).map(name).collect()).needs_lookup("new", NOW_MS));
        let refs = Refs::new((0..=REFS_KNOWN_MAX).map(name).collect());
        assert!(refs.needs_lookup("new", NOW_MS) && refs.needs_lookup("new", NOW_MS + REF_MS));
        assert!(!refs.needs_lookup("new", NOW_MS + REF_MS + 1));
    }

    #[test]
    fn republished_entry_keeps_its_ref() {
        let mut refs = Refs::default();
        say(&mut refs, 0, NOW_MS);
        assert_eq!(refs.release(&named(0)), []);
        assert_eq!(refs.claim(AskId(2), &named(0)), ClaimResult::Said(id(0)));
        refs.commit(&named(0), id(7), NOW_MS);
        assert_eq!(refs.claim(AskId(3), &named(0)), ClaimResult::Said(id(7)));
        assert_eq!(refs.by_age.len(), 1);
    }

    #[test]
    fn pending_ref_is_never_evicted() {
        let mut refs = Refs::default();
        for number in 0..=REFS_REMEMBERED_MAX {
            assert_eq!(refs.claim(AskId(1), &named(number)), ClaimResult::New);
        }
        assert_eq!(refs.claim(AskId(2), &named(0)), ClaimResult::Waits);
    }
}
