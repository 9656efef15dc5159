//! Throttles the notices about each member.
//!
//! A member that comes and goes without end, or renames itself without end, would otherwise push
//! every other line out of the list and out of sight. Presence, names and conflicts have a token
//! bucket each, per member. While the bucket has tokens, a notice is told at once. Without a token
//! it is held: a later one replaces it, and the last one is told with the next token. A held notice
//! that says nothing new by then is dropped.

use std::collections::BTreeMap;

use super::bucket::Bucket;
use super::clock::Now;
use super::ids::NodeId;
use super::limits::{NOTICES_AT_ONCE, NOTICES_REFILL_MS};
use super::name::Name;
use super::timeline::NoticeKind;

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
struct Throttle {
    tokens: Bucket,
    /// The last notice that was told.
    told: (NoticeKind, Name),
    held: Option<NewNotice>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct NoticeThrottle(BTreeMap<(NodeId, Subject), Throttle>);

impl NoticeThrottle {
    /// Returns the notice if it is to be told now. Otherwise it is held, or told by [`Self::due`].
    pub fn admit(&mut self, now: Now, notice: NewNotice) -> Option<NewNotice> {
        let Some(subject) = Subject::of(notice.kind) else { return Some(notice) };
        let throttle = self.0.entry((notice.member, subject)).or_insert_with(|| Throttle {
            tokens: Bucket::new(NOTICES_AT_ONCE, NOTICES_REFILL_MS),
            told: (notice.kind, notice.name.clone()),
            held: None,
        });
        // One that is held already goes first.
        if throttle.held.is_none() && throttle.tokens.take(now.mono_ms) {
            throttle.told = (notice.kind, notice.name.clone());
            return Some(notice);
        }
        throttle.held = Some(notice);
        None
    }

    /// Returns the held notices whose time has come, and forgets members that have been quiet.
    pub fn due(&mut self, mono_ms: u64) -> Vec<NewNotice> {
        let due = self.0.values_mut().filter_map(|throttle| throttle.due(mono_ms)).collect();
        self.0.retain(|_, throttle| throttle.held.is_some() || !throttle.tokens.is_full(mono_ms));
        due
    }

    /// Returns the time of the next [`Self::due`] on the monotonic clock, if a notice is held.
    pub fn next_ms(&self) -> Option<u64> {
        let held = self.0.values().filter(|throttle| throttle.held.is_some());
        held.map(|throttle| throttle.tokens.next_ms()).min()
    }
}

impl Throttle {
    fn due(&mut self, mono_ms: u64) -> Option<NewNotice> {
        if self.held.is_none() || self.tokens.left(mono_ms) == 0 {
            return None;
        }
        let mut notice = self.held.take()?;
        notice.kind = since(self.told.0, notice.kind);
        let says_nothing_new = match Subject::of(notice.kind) {
            Some(Subject::Presence) => self.told.0 == notice.kind || is_here(self.told.0) && is_here(notice.kind),
            Some(Subject::Name | Subject::Conflict) | None => self.told.1 == notice.name,
        };
        if says_nothing_new {
            return None;
        }
        self.tokens.take(mono_ms);
        self.told = (notice.kind, notice.name.clone());
        Some(notice)
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
        NewNotice { wall_ms: 5, kind, member: ANA, name: Name::lossy(name, "?") }
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
    fn held_presence_tells_the_last_state_once() {
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
                let notice = notice(kinds[number as usize % 2], &format!("Ana {number}"));
                told += usize::from(throttle.admit(now, notice).is_some());
            }
            assert!((6..=16).contains(&told), "{told} of {kinds:?}");
        }
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
