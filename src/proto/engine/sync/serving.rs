//! Serves history to peers: a few reads at a time, and addresses take turns, so that many
//! identities at one address leave the others their share.

use std::collections::VecDeque;

use crate::proto::entries::batch::Verified;
use crate::proto::ids::LinkId;
use crate::proto::limits::FETCHES_SERVED_MAX;
use crate::proto::links::address_group::AddressGroup;
use crate::proto::links::version_range::STRIPPED_BATCHES_VERSION;
use crate::proto::replication::frame::Fetch;

/// Requests whose pages the store reads now, and requests that wait for it.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    read: Vec<LinkId>,
    /// By address, the one whose turn is next in front. Each link has one request at the most.
    waiting: VecDeque<(AddressGroup, VecDeque<(LinkId, Fetch)>)>,
}

impl Serving {
    /// Adds a request. Returns false if the link has one already: its peer is to ask later.
    pub(crate) fn ask(&mut self, link: LinkId, group: AddressGroup, fetch: Fetch) -> bool {
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
    pub(crate) fn next(&mut self) -> Option<(LinkId, Fetch)> {
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
    pub(crate) fn done(&mut self, link: LinkId) {
        self.read.retain(|reading| *reading != link);
    }

    /// A link is gone. What is being read for it is still waited for.
    pub(crate) fn remove(&mut self, link: LinkId) {
        self.waiting.iter_mut().for_each(|(_, requests)| requests.retain(|(waiting, _)| *waiting != link));
        self.waiting.retain(|(_, requests)| !requests.is_empty());
    }
}

/// Returns the newest contiguous batches of a page that a peer of this protocol version reads.
pub(crate) fn readable(mut batches: Vec<Verified>, version: u64) -> Vec<Verified> {
    if version >= STRIPPED_BATCHES_VERSION {
        return batches;
    }
    let end = batches.iter().rposition(|batch| !batch.is_extended()).map_or(0, |last| last + 1);
    batches.truncate(end);
    let from = batches.iter().rposition(Verified::is_extended).map_or(0, |before| before + 1);
    batches.split_off(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::clock::Stamp;
    use crate::proto::entries::batch::{HEADER_VERSION, Header, sign, slot};
    use crate::proto::entries::body::{Body, SALT_BYTES};
    use crate::proto::entries::deletion::strip;
    use crate::proto::ids::{LogId, LogKey, NodeId, RoomId};
    use ed25519_dalek::SigningKey;

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
    fn removed_link_leaves_the_queue() {
        let mut serving = Serving::default();
        assert!((0..6).all(|link| ask(&mut serving, link, 1)));
        assert_eq!(next(&mut serving), [0, 1, 2, 3]);
        (0..5).for_each(|link| serving.remove(LinkId(link)));
        assert_eq!(next(&mut serving), [0; 0], "the store is still at it");
        (0..4).for_each(|link| serving.done(LinkId(link)));
        assert_eq!(next(&mut serving), [5]);
    }

    /// A log of batches of one entry, except for one of 64 long texts and short ones, which are
    /// deleted.
    fn stripped_log(at: usize) -> Vec<Verified> {
        let key = SigningKey::from_bytes(&[1; 32]);
        let (mut seq, mut prev, mut log) = (1, None, Vec::new());
        let mut signed = |bodies: &[Body]| {
            let bodies: Vec<_> = bodies.iter().map(|body| body.encode([2; SALT_BYTES])).collect();
            let header = Header {
                version: HEADER_VERSION,
                room: RoomId([1; 32]),
                author: NodeId(key.verifying_key().to_bytes()),
                audience: None,
                log: LogId(1),
                first_seq: seq,
                prev,
                after: None,
                entries: bodies.iter().zip(seq..).map(|(body, time)| slot(Stamp(time), body)).collect(),
            };
            let batch = sign(&key, header, &bodies);
            (seq, prev) = (batch.header().last_seq() + 1, Some(batch.hash()));
            batch
        };
        let say = |text: &str| Body::say(text.to_owned(), None, None);
        for index in 0..4 {
            let long = std::iter::repeat_n(say(&"x".repeat(31_000)), 4).chain(std::iter::repeat_n(say("y"), 60));
            log.push(if index == at { signed(&long.collect::<Vec<_>>()) } else { signed(&[say("z")]) });
        }
        for index in 4..64 {
            let channel = Some("general".to_owned());
            let deletion = signed(&[Body::Delete { entry: log[at].entry_id(index), channel }]);
            log[at] = strip(&log[at], index, &deletion).expect("of the same author");
        }
        assert!(log[at].is_extended(), "{}", log[at].bytes().len());
        log
    }

    #[test]
    fn earlier_version_gets_no_batch_that_it_refuses() {
        for (at, expected) in [(0, 1..4), (1, 2..4), (3, 0..3)] {
            let log = stripped_log(at);
            assert_eq!(readable(log.clone(), 1), log[expected], "{at}");
            assert_eq!(readable(log.clone(), 2), log, "{at}");
        }
        assert_eq!(readable(stripped_log(0)[..1].to_vec(), 1), []);
    }
}
