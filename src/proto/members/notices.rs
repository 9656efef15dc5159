//! Throttles the notices about each member.
//!
//! A member that comes and goes without end, or renames itself without end, would otherwise push
//! every other line out of the list and out of sight. Presence, names and conflicts have a token
//! bucket each, per member. While the bucket has tokens, a notice is told at once. Without a token
//! it is held: a later one replaces it, and the last one is told with the next token. A held notice
//! that says nothing new by then is dropped.
//!
//! No conflict is swallowed, or a member could take a name, speak under it and hide that with one
//! more conflict. Conflicts about names that look different are held beside each other, and told
//! one by one. If too many are held, the oldest is told at once. Only a conflict about a name that
//! was told lately is dropped.

use std::collections::{BTreeMap, VecDeque};

use crate::proto::clock::Now;
use crate::proto::entries::timeline::NoticeKind;
use crate::proto::ids::NodeId;
use crate::proto::limits::{CONFLICTS_HELD_MAX, CONFLICTS_TOLD_MAX, NOTICES_AT_ONCE, NOTICES_REFILL_MS};
use crate::proto::links::token_bucket::TokenBucket;
use crate::proto::names::confusables::skeleton;
use crate::proto::names::name::Name;

/// A notice that has no arrival number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// When it happened, by this node's wall clock in milliseconds since 1970.
    pub wall_ms: u64,
    /// What happened.
    pub kind: NoticeKind,
    /// To which member.
    pub member: NodeId,
    /// The member's name then.
    pub name: Name,
}

/// Notices that replace each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Presence,
    Name,
    Conflict,
}

impl Subject {
    /// The subject of a kind; `None` for what happens once in the life of a member.
    fn of(kind: NoticeKind) -> Option<Self> {
        match kind {
            NoticeKind::Joined | NoticeKind::Back | NoticeKind::Left | NoticeKind::Lost => Some(Self::Presence),
            NoticeKind::Renamed => Some(Self::Name),
            NoticeKind::Conflict => Some(Self::Conflict),
            NoticeKind::Forked => None,
        }
    }
}

#[derive(Debug)]
struct MemberThrottle {
    tokens: TokenBucket,
    /// The last notice that was told.
    told: (NoticeKind, Name),
    /// What the names look like about which conflicts were told, the oldest first.
    conflicts_told: VecDeque<String>,
    /// The oldest first. More than one only of conflicts, each about another name.
    held: VecDeque<NewNotice>,
}

/// The token buckets and held notices of each member, by subject.
#[derive(Debug, Default)]
pub struct NoticeThrottle(BTreeMap<(NodeId, Subject), MemberThrottle>);

impl NoticeThrottle {
    /// Returns the notice if it is to be told now. Otherwise it is held, or told by [`Self::due`].
    pub fn admit(&mut self, now: Now, notice: NewNotice) -> Option<NewNotice> {
        let Some(subject) = Subject::of(notice.kind) else { return Some(notice) };
        let throttle = self.0.entry((notice.member, subject)).or_insert_with(|| MemberThrottle {
            tokens: TokenBucket::new(NOTICES_AT_ONCE, NOTICES_REFILL_MS),
            told: (notice.kind, notice.name.clone()),
            conflicts_told: VecDeque::new(),
            held: VecDeque::new(),
        });
        // One that is held already goes first.
        if throttle.held.is_empty() && throttle.tokens.take(now.mono_ms) {
            throttle.note_told(&notice);
            return Some(notice);
        }
        if subject == Subject::Conflict {
            return throttle.hold_conflict(notice);
        }
        throttle.held = VecDeque::from([notice]);
        None
    }

    /// Returns the held notices whose time has come, and forgets members that have been quiet.
    pub fn due(&mut self, mono_ms: u64) -> Vec<NewNotice> {
        let due = self.0.values_mut().flat_map(|throttle| std::iter::from_fn(|| throttle.due(mono_ms))).collect();
        self.0.retain(|_, throttle| !throttle.held.is_empty() || !throttle.tokens.is_full(mono_ms));
        due
    }

    /// Returns all held notices, at the end of the program.
    pub fn rest(&mut self) -> Vec<NewNotice> {
        let throttles = std::mem::take(&mut self.0).into_values();
        throttles.flat_map(|mut throttle| std::iter::from_fn(move || throttle.take_held())).collect()
    }

    /// Returns the time of the next [`Self::due`] on the monotonic clock, if a notice is held.
    pub fn next_ms(&self) -> Option<u64> {
        let held = self.0.values().filter(|throttle| !throttle.held.is_empty());
        held.map(|throttle| throttle.tokens.next_ms()).min()
    }
}

impl MemberThrottle {
    fn due(&mut self, mono_ms: u64) -> Option<NewNotice> {
        if self.held.is_empty() || self.tokens.remaining(mono_ms) == 0 {
            return None;
        }
        let notice = self.take_held()?;
        self.tokens.take(mono_ms);
        Some(notice)
    }

    /// Takes out the oldest held notice, unless it says nothing new.
    fn take_held(&mut self) -> Option<NewNotice> {
        let mut notice = self.held.pop_front()?;
        notice.kind = since(self.told.0, notice.kind);
        let says_nothing_new = match Subject::of(notice.kind) {
            Some(Subject::Presence) => self.told.0 == notice.kind || is_here(self.told.0) && is_here(notice.kind),
            Some(Subject::Name) => self.told.1 == notice.name,
            Some(Subject::Conflict) | None => false,
        };
        if says_nothing_new {
            return None;
        }
        self.note_told(&notice);
        Some(notice)
    }

    /// Holds a conflict about a name that was not told lately. Returns the oldest one if too many
    /// are held.
    fn hold_conflict(&mut self, notice: NewNotice) -> Option<NewNotice> {
        let name = skeleton(notice.name.as_str());
        if self.conflicts_told.contains(&name) || self.held.iter().any(|held| skeleton(held.name.as_str()) == name) {
            return None;
        }
        self.held.push_back(notice);
        if self.held.len() > CONFLICTS_HELD_MAX { self.take_held() } else { None }
    }

    fn note_told(&mut self, notice: &NewNotice) {
        self.told = (notice.kind, notice.name.clone());
        if notice.kind == NoticeKind::Conflict {
            let name = skeleton(notice.name.as_str());
            self.conflicts_told.retain(|other| *other != name);
            self.conflicts_told.push_back(name);
            if self.conflicts_told.len() > CONFLICTS_TOLD_MAX {
                self.conflicts_told.pop_front();
            }
        }
    }
}

/// The kind that fits to what was told last: what came between the two was not told.
fn since(told: NoticeKind, kind: NoticeKind) -> NoticeKind {
    match (told, kind) {
        (NoticeKind::Left, NoticeKind::Back) => NoticeKind::Joined,
        (NoticeKind::Lost, NoticeKind::Joined) => NoticeKind::Back,
        _ => kind,
    }
}

fn is_here(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::Joined | NoticeKind::Back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use NoticeKind::{Back, Conflict, Forked, Joined, Left, Lost, Renamed};

    const ANA: NodeId = NodeId([1; 32]);

    fn notice(kind: NoticeKind, name: &str) -> NewNotice {
        NewNotice { wall_ms: 5, kind, member: ANA, name: Name::from_lossy(name, "?") }
    }

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, wall_ms: mono_ms }
    }

    /// The kinds that are told of these, all within one instant, and of the first minute after.
    fn told(kinds: &[NoticeKind]) -> Vec<NoticeKind> {
        let mut throttle = NoticeThrottle::default();
        let at_once: Vec<_> = kinds.iter().filter_map(|kind| throttle.admit(at(0), notice(*kind, "Ana"))).collect();
        assert_eq!(throttle.due(NOTICES_REFILL_MS - 1), []);
        let later = throttle.due(NOTICES_REFILL_MS);
        at_once.iter().chain(&later).map(|notice| notice.kind).collect()
    }

    #[test]
    fn held_presence_reports_the_last_state_once() {
        let first = [Joined, Left, Joined, Left, Joined, Left];
        assert_eq!(first.len() as u64, NOTICES_AT_ONCE);
        for (more, last) in [
            (&[Joined, Left][..], None),
            (&[Joined][..], Some(Joined)),
            (&[Joined, Lost, Back][..], Some(Joined)),
            (&[Joined, Lost][..], Some(Lost)),
        ] {
            let expected: Vec<_> = first.into_iter().chain(last).collect();
            assert_eq!(told(&[&first, more].concat()), expected, "{more:?}");
        }
        let first = [Lost, Back, Lost, Back, Lost, Back];
        assert_eq!(told(&[&first[..], &[Left, Joined]].concat()), first, "still here");
        let first = [Back, Lost, Back, Lost, Back, Lost];
        let expected = [&first[..], &[Back]].concat();
        assert_eq!(told(&[&first[..], &[Back, Left, Joined]].concat()), expected);
    }

    #[test]
    fn thousand_notices_become_few_a_minute() {
        for kinds in [[Joined, Left], [Renamed, Renamed], [Conflict, Conflict]] {
            let mut throttle = NoticeThrottle::default();
            let mut told = 0;
            // Ten minutes, 100 a minute.
            for number in 0..1_000_u64 {
                let now = at(1 + number * 600);
                told += throttle.due(now.mono_ms).len();
                // Conflicts are about the names of others, which are few.
                let name = if kinds[0] == Conflict { number % 5 } else { number };
                let notice = notice(kinds[number as usize % 2], &format!("Ana {name}"));
                told += usize::from(throttle.admit(now, notice).is_some());
            }
            assert!((6..=16).contains(&told), "{told} of {kinds:?}");
        }
    }

    #[test]
    fn conflict_is_not_hidden_by_a_later_one() {
        let mut throttle = NoticeThrottle::default();
        let mut admit = |name: &str| throttle.admit(at(0), notice(Conflict, name));
        for _ in 0..NOTICES_AT_ONCE {
            assert!(admit("Ben").is_some());
        }
        // The name that is to be hidden, then another known one, one that looks like it, and one
        // told before.
        for name in ["Ana", "Cleo", "Cl\u{435}o", "Ben", "Ana"] {
            assert_eq!(admit(name), None, "{name}");
        }
        assert_eq!(throttle.due(NOTICES_REFILL_MS), [notice(Conflict, "Ana")]);
        assert_eq!(throttle.next_ms(), Some(2 * NOTICES_REFILL_MS));
        assert_eq!(throttle.due(2 * NOTICES_REFILL_MS), [notice(Conflict, "Cleo")]);
        assert_eq!(throttle.next_ms(), None);
    }

    #[test]
    fn conflicts_beyond_the_list_are_shown_at_once() {
        let mut throttle = NoticeThrottle::default();
        let names: Vec<_> = (0..100).map(|number| format!("Ana {number}")).collect();
        let mut told: Vec<_> = names.iter().filter_map(|name| throttle.admit(at(0), notice(Conflict, name))).collect();
        assert_eq!(told.len(), names.len() - CONFLICTS_HELD_MAX);
        told.extend(throttle.rest());
        let told: Vec<_> = told.iter().map(|notice| notice.name.as_str()).collect();
        assert_eq!(told, names, "each once, in their order");
    }

    #[test]
    fn renames_end_with_the_last_name() {
        let mut throttle = NoticeThrottle::default();
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let told: Vec<_> = names.iter().filter_map(|name| throttle.admit(at(0), notice(Renamed, name))).collect();
        assert_eq!(told.last().map(|notice| notice.name.as_str()), Some("f"));
        assert_eq!(throttle.next_ms(), Some(NOTICES_REFILL_MS));
        assert_eq!(throttle.due(NOTICES_REFILL_MS), [notice(Renamed, "h")]);
        assert_eq!(throttle.next_ms(), None);
        // Back to the name that was told: nothing to tell.
        for name in ["i", "h"] {
            assert_eq!(throttle.admit(at(NOTICES_REFILL_MS), notice(Renamed, name)), None);
        }
        assert_eq!(throttle.due(2 * NOTICES_REFILL_MS), []);
    }

    #[test]
    fn members_subjects_and_forks_are_apart() {
        let mut throttle = NoticeThrottle::default();
        while throttle.admit(at(0), notice(Joined, "Ana")).is_some() {}
        for kind in [Renamed, Conflict, Forked, Forked] {
            assert!(throttle.admit(at(0), notice(kind, "Ana")).is_some(), "{kind:?}");
        }
        let ben = NewNotice { member: NodeId([2; 32]), ..notice(Left, "Ben") };
        assert!(throttle.admit(at(0), ben).is_some());
        assert_eq!(throttle.due(NOTICES_AT_ONCE * NOTICES_REFILL_MS), []);
        assert!(throttle.0.is_empty(), "a quiet member costs nothing");
    }
}
