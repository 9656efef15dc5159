//! Schedules links by address: the addresses take turns, and one link of each has its turn at a
//! time.
//!
//! A link keeps its turn until it is done or its time is over. After that it is still listened to,
//! and the next link of its address begins. Each that is over and not done lets one more of its
//! address begin beside the others, so many that do not answer are soon through.

use std::collections::{BTreeMap, VecDeque};

use crate::proto::ids::LinkId;
use crate::proto::limits::PROBES_PER_ADDRESS_MAX;
use crate::proto::links::address_group::AddressGroup;

/// A link that has begun and is not done.
#[derive(Debug)]
struct Turn {
    group: AddressGroup,
    ends_ms: u64,
}

/// The claim of a link to the next turn of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim<K> {
    /// Among those that wait at an address, the one with the least begins.
    pub(crate) order: K,
    /// The length of its turn, in milliseconds.
    pub(crate) turn_ms: u64,
}

/// Links that wait, and those that have begun.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// By address, the one whose turn is next in front.
    waiting: VecDeque<(AddressGroup, VecDeque<LinkId>)>,
    begun: BTreeMap<LinkId, Turn>,
}

impl Turns {
    /// Adds a link behind the others of its address, unless it waits already.
    pub(crate) fn wait(&mut self, link: LinkId, group: AddressGroup) {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == group) {
            Some((_, links)) if links.contains(&link) => {}
            Some((_, links)) => links.push_back(link),
            None => self.waiting.push_back((group, [link].into())),
        }
    }

    /// Begins the next turn, if fewer than `most` go on and there is a link that may have one.
    ///
    /// `claim` returns none for a link that has to wait.
    pub(crate) fn begin<K: Ord>(
        &mut self,
        mono_ms: u64,
        most: usize,
        claim: impl Fn(LinkId) -> Option<Claim<K>>,
    ) -> Option<LinkId> {
        if self.going_on(mono_ms).count() >= most {
            return None;
        }
        let (at, position, turn_ms) = self.waiting.iter().enumerate().find_map(|(at, (group, links))| {
            if self.is_taken(*group, mono_ms) {
                return None;
            }
            let claims = links.iter().enumerate().filter_map(|(position, link)| Some((claim(*link)?, position)));
            let (claim, position) = claims.min_by(|a, b| (&a.0.order, a.1).cmp(&(&b.0.order, b.1)))?;
            Some((at, position, claim.turn_ms))
        })?;
        let (group, mut links) = self.waiting.remove(at)?;
        let link = links.remove(position)?;
        if !links.is_empty() {
            self.waiting.push_back((group, links));
        }
        self.begun.insert(link, Turn { group, ends_ms: mono_ms + turn_ms });
        Some(link)
    }

    /// Returns true if no link of an address may begin now.
    fn is_taken(&self, group: AddressGroup, mono_ms: u64) -> bool {
        let (over, going_on): (Vec<&Turn>, Vec<&Turn>) =
            self.begun.values().filter(|turn| turn.group == group).partition(|turn| mono_ms >= turn.ends_ms);
        going_on.len() >= PROBES_PER_ADDRESS_MAX.min(1 + over.len())
    }

    fn going_on(&self, mono_ms: u64) -> impl Iterator<Item = &Turn> {
        self.begun.values().filter(move |turn| mono_ms < turn.ends_ms)
    }

    /// Returns true if the time of a link that has begun is over and others wait for it. If none
    /// do, its time is prolonged by `turn_ms`.
    pub(crate) fn is_over(&mut self, link: LinkId, mono_ms: u64, most: usize, turn_ms: u64) -> bool {
        let many = self.going_on(mono_ms).count();
        let Some(turn) = self.begun.get_mut(&link).filter(|turn| mono_ms >= turn.ends_ms) else { return false };
        let is_full = many >= most;
        let waits = |(group, links): &(AddressGroup, VecDeque<LinkId>)| {
            (is_full || *group == turn.group) && links.iter().any(|other| *other != link)
        };
        let is_over = self.waiting.iter().any(waits);
        if !is_over {
            turn.ends_ms = mono_ms + turn_ms;
        }
        is_over
    }

    /// A link is done.
    pub(crate) fn end(&mut self, link: LinkId) {
        self.begun.remove(&link);
    }

    /// A link is gone.
    pub(crate) fn remove(&mut self, link: LinkId) {
        self.end(link);
        self.waiting.iter_mut().for_each(|(_, links)| links.retain(|waiting| *waiting != link));
        self.waiting.retain(|(_, links)| !links.is_empty());
    }

    /// Returns the links that wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = LinkId> {
        self.waiting.iter().flat_map(|(_, links)| links.iter().copied())
    }

    /// Returns when a turn ends for which others may wait.
    pub(crate) fn next_ms(&self, mono_ms: u64) -> Option<u64> {
        let ends = self.going_on(mono_ms).map(|turn| turn.ends_ms);
        ends.min().filter(|_| !self.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN_MS: u64 = 100;
    const MOST: usize = 3;

    fn group(last: u8) -> AddressGroup {
        AddressGroup::of([192, 0, 2, last].into())
    }

    /// Begins as many turns as may begin, each link as good as any other.
    fn begin(turns: &mut Turns, mono_ms: u64) -> Vec<u64> {
        let claim = |_| Some(Claim { order: (), turn_ms: TURN_MS });
        std::iter::from_fn(|| turns.begin(mono_ms, MOST, claim)).map(|link| link.0).collect()
    }

    /// Links 10, 11 … at address 1, 20 … at address 2, and so on.
    fn waiting(many: &[u64]) -> Turns {
        let mut turns = Turns::default();
        for (address, many) in (1..).zip(many) {
            (0..*many).for_each(|link| turns.wait(LinkId(address * 10 + link), group(address as u8)));
        }
        turns
    }

    #[test]
    fn one_link_per_address_has_the_turn() {
        let mut turns = waiting(&[4, 1]);
        assert_eq!(begin(&mut turns, 0), [10, 20]);
        assert_eq!(begin(&mut turns, TURN_MS - 1), [0; 0]);
        assert_eq!(turns.next_ms(TURN_MS - 1), Some(TURN_MS));
        assert_eq!(begin(&mut turns, TURN_MS), [11, 12], "the first is still listened to");
        turns.end(LinkId(11));
        assert_eq!(begin(&mut turns, TURN_MS + 1), [13]);
        assert_eq!((turns.waiting().count(), turns.next_ms(TURN_MS + 1)), (0, None));
    }

    #[test]
    fn addresses_take_turns_however_many_links_they_have() {
        let mut turns = waiting(&[2, 2, 2, 1]);
        assert_eq!(begin(&mut turns, 0), [10, 20, 30], "no more than so many at once");
        turns.end(LinkId(10));
        assert_eq!(begin(&mut turns, 1), [40]);
        turns.end(LinkId(20));
        turns.wait(LinkId(40), group(4));
        assert_eq!(begin(&mut turns, 2), [11]);
    }

    #[test]
    fn link_with_the_least_order_is_first() {
        let mut turns = waiting(&[4]);
        let claim = |link: LinkId| Some(Claim { order: 9 - link.0 % 3, turn_ms: 1 }).filter(|_| link != LinkId(11));
        assert_eq!(turns.begin(0, MOST, claim), Some(LinkId(10)), "11 has to wait, 12 is later");
        assert_eq!(turns.begin(1, MOST, claim), Some(LinkId(13)));
        assert_eq!(turns.begin(2, MOST, claim), Some(LinkId(12)));
        assert_eq!(turns.begin(3, MOST, claim), None);
    }

    #[test]
    fn turn_is_over_once_another_link_waits_for_it() {
        let mut turns = waiting(&[1, 1]);
        begin(&mut turns, 0);
        assert!(!turns.is_over(LinkId(10), TURN_MS, MOST, TURN_MS), "none waits at its address");
        turns.wait(LinkId(11), group(1));
        assert!(!turns.is_over(LinkId(10), TURN_MS + 1, MOST, TURN_MS), "prolonged");
        assert!(turns.is_over(LinkId(10), 2 * TURN_MS, MOST, TURN_MS));
    }

    #[test]
    fn removed_link_loses_its_turn() {
        let mut turns = waiting(&[2]);
        begin(&mut turns, 0);
        turns.remove(LinkId(10));
        turns.remove(LinkId(11));
        assert_eq!((begin(&mut turns, 1), turns.waiting().count()), (vec![], 0));
    }
}
