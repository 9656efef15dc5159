//! Serves history to peers: a few reads at a time, and addresses take turns, so that many identities
//! at one address leave the others their share.

use std::collections::VecDeque;

use crate::proto::address_group::AddressGroup;
use crate::proto::frame::Fetch;
use crate::proto::ids::LinkId;
use crate::proto::limits::FETCHES_SERVED_MAX;

/// Requests whose pages the store reads now, and requests that wait for it.
#[derive(Debug, Default)]
pub(super) struct Serving {
    read: Vec<LinkId>,
    /// By address, the one whose turn is next in front. Each link has one request at the most.
    waiting: VecDeque<(AddressGroup, VecDeque<(LinkId, Fetch)>)>,
}

impl Serving {
    /// Adds a request. Returns false if the link has one already: its peer is to ask later.
    pub(super) fn ask(&mut self, link: LinkId, group: AddressGroup, fetch: Fetch) -> bool {
        let is_of_link = |(waiting, _): &(LinkId, Fetch)| *waiting == link;
        if self.read.contains(&link) || self.waiting.iter().any(|(_, requests)| requests.iter().any(is_of_link)) {
            return false;
        }
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == group) {
            Some((_, requests)) => requests.push_back((link, fetch)),
            None => self.waiting.push_back((group, [(link, fetch)].into())),
        }
        true
    }

    /// Returns the request that is to be read next, if there is one and the store has time for it.
    pub(super) fn next(&mut self) -> Option<(LinkId, Fetch)> {
        if self.read.len() >= FETCHES_SERVED_MAX {
            return None;
        }
        let (group, mut requests) = self.waiting.pop_front()?;
        let next = requests.pop_front();
        if !requests.is_empty() {
            self.waiting.push_back((group, requests));
        }
        self.read.extend(next.map(|(link, _)| link));
        next
    }

    /// The store has read the page for a link.
    pub(super) fn done(&mut self, link: LinkId) {
        self.read.retain(|reading| *reading != link);
    }

    /// A link is gone. What is being read for it is still waited for.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.waiting.iter_mut().for_each(|(_, requests)| requests.retain(|(waiting, _)| *waiting != link));
        self.waiting.retain(|(_, requests)| !requests.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::{LogId, LogKey, NodeId};

    const FETCH: Fetch = Fetch { key: LogKey { author: NodeId([1; 32]), log: LogId(1) }, first: 1, last: 9, bytes: 9 };

    fn ask(serving: &mut Serving, link: u64, address: u8) -> bool {
        serving.ask(LinkId(link), AddressGroup::of([192, 0, 2, address].into()), FETCH)
    }

    fn next(serving: &mut Serving) -> Vec<u64> {
        std::iter::from_fn(|| serving.next()).map(|(link, _)| link.0).collect()
    }

    #[test]
    fn many_links_of_one_address_leave_others_their_share() {
        let mut serving = Serving::default();
        assert!((0..60).all(|link| ask(&mut serving, link, 1)));
        assert_eq!(next(&mut serving), [0, 1, 2, 3], "as long as nothing else waits");
        assert!(ask(&mut serving, 100, 2));
        assert!(!ask(&mut serving, 100, 2) && !ask(&mut serving, 0, 1) && !ask(&mut serving, 59, 1));
        serving.done(LinkId(2));
        serving.done(LinkId(0));
        assert_eq!(next(&mut serving), [4, 100]);
    }

    #[test]
    fn removed_link_waits_no_more() {
        let mut serving = Serving::default();
        assert!((0..6).all(|link| ask(&mut serving, link, 1)));
        assert_eq!(next(&mut serving), [0, 1, 2, 3]);
        (0..5).for_each(|link| serving.remove(LinkId(link)));
        assert_eq!(next(&mut serving), [0; 0], "the store is still at it");
        (0..4).for_each(|link| serving.done(LinkId(link)));
        assert_eq!(next(&mut serving), [5]);
    }
}
