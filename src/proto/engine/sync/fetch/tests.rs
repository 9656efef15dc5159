//! Which peer is asked for what, and which fetch holds up another.

use super::*;
use crate::proto::ids::{LogId, NodeId};
use crate::proto::replication::log::tests::chain;

const KEY: LogKey = LogKey { author: NodeId([9; 32]), log: LogId(1) };

fn log(number: u64) -> LogKey {
    LogKey { log: LogId(number), ..KEY }
}

fn frontier() -> Frontier {
    Frontier::new(NodeId([1; 32]), Vec::new(), u64::MAX)
}

fn lack(first: u64, last: u64) -> Gap {
    Gap { first, last, is_fork_suspect: false }
}

/// Links 10, 11 … stand at address 1, 20 … at address 2, and so on; all of them are new, but for
/// those `behind`.
struct World {
    fetches: Fetches,
    frontier: Frontier,
    behind: Vec<u64>,
    proven: Vec<u64>,
}

impl World {
    fn new() -> Self {
        Self { fetches: Fetches::default(), frontier: frontier(), behind: Vec::new(), proven: Vec::new() }
    }

    fn want(&mut self, link: u64, key: LogKey) {
        self.fetches.want(LinkId(link), 0, key, lack(1, 9));
    }

    /// Which log is asked for on which link.
    fn next(&mut self, mono_ms: u64) -> Vec<(u64, u64)> {
        let standing = |link: LinkId| {
            let rank = match link.0 {
                link if self.behind.contains(&link) => Rank::Behind,
                link if self.proven.contains(&link) => Rank::Proven,
                _ => Rank::New,
            };
            let group = AddressGroup::of([192, 0, 2, (link.0 / 10) as u8].into());
            Some(LinkRank { group, rank, paused_until_ms: 0 })
        };
        let due = self.fetches.next(mono_ms, &self.frontier, standing);
        due.fetches.into_iter().map(|(link, fetch)| (link.0, fetch.key.log.0)).collect()
    }

    fn page(&mut self, link: u64, mono_ms: u64, key: LogKey) -> Fetch {
        self.fetches.page_came(LinkId(link), mono_ms, key).expect("it was asked for")
    }
}

#[test]
fn one_page_is_under_way_for_each_address_and_log() {
    let mut world = World::new();
    for link in [10, 11, 20, 30] {
        (1..=2).for_each(|number| world.want(link, log(number)));
    }
    assert_eq!(world.next(0), [(10, 1), (20, 2)], "two logs, and two addresses");
    assert_eq!(world.next(1), []);
    world.page(10, 2, log(1));
    assert_eq!(world.next(2), [], "it is being stored");
    world.fetches.stored(LinkId(10), true);
    assert_eq!(world.next(3), [(10, 1)], "the fastest link first, and the other log is under way");
}

#[test]
fn silent_peer_delays_others_only_briefly() {
    let mut world = World::new();
    world.want(10, KEY);
    world.want(11, KEY);
    world.want(20, KEY);
    assert_eq!(world.next(0), [(10, 1)]);
    assert_eq!(world.next(DOUBTFUL_MS - 1), []);
    assert_eq!(world.next(DOUBTFUL_MS), [(11, 1), (20, 1)], "two, since one did not answer");
    assert_eq!(world.fetches.expire(FETCH_OVERDUE_MS), [LinkId(10)]);
    assert_eq!(world.fetches.expire(FETCH_OVERDUE_MS), [], "counted once");
    assert_eq!(world.page(10, FETCH_OVERDUE_MS + 5, KEY).key, KEY, "what comes late is taken");
}

#[test]
fn better_peers_are_delayed_for_less_time() {
    let mut world = World::new();
    world.proven = vec![20, 30];
    world.want(10, KEY);
    assert_eq!(world.next(0), [(10, 1)]);
    world.want(20, KEY);
    assert_eq!(world.next(DOUBTFUL_MS - 1), [], "it may be about to answer");
    assert_eq!(world.next(DOUBTFUL_MS), [(20, 1)]);
    world.want(30, KEY);
    assert_eq!(world.next(DOUBTFUL_MS + PAGE_MS - 1), []);
    assert_eq!(world.next(DOUBTFUL_MS + PAGE_MS), [(30, 1)]);
}

#[test]
fn peers_of_an_address_are_probed_on_a_stall() {
    let mut world = World::new();
    (10..30).for_each(|link| world.want(link, log(link)));
    world.proven = (10..20).collect();
    for link in 10..20 {
        world.fetches.by_link.get_mut(&LinkId(link)).expect("it wants something").page_bytes = PAGE_BYTES_MAX as u64;
    }
    let asked = |world: &World, link| match world.fetches.by_link[&LinkId(link)].step {
        Step::Asked { fetch, is_probe, .. } => (fetch.bytes, is_probe),
        step => panic!("{step:?}"),
    };
    world.next(0);
    assert_eq!(asked(&world, 10), (PAGE_BYTES_MAX as u64, false));
    assert_eq!(asked(&world, 20), (PAGE_BYTES_MIN as u64, true), "it is new");
    let mut links = |mono_ms| -> Vec<u64> { world.next(mono_ms).into_iter().map(|(link, _)| link).collect() };
    assert_eq!(links(DOUBTFUL_MS), [21, 22]);
    assert_eq!(links(PAGE_MS), [11, 12, 23, 24, 25, 26]);
    assert_eq!(links(PAGE_MS + DOUBTFUL_MS), [13, 14, 15, 16, 27, 28, 29]);
    assert_eq!(asked(&world, 16), (PAGE_BYTES_MIN as u64, true), "a probe, though it is proven");
}

#[test]
fn pages_under_way_are_bounded_but_for_better_peers() {
    let mut world = World::new();
    for address in 1..=FETCHES_MAX as u64 + 1 {
        world.want(address * 10, log(address));
    }
    assert_eq!(world.next(0).len(), FETCHES_MAX);
    assert_eq!(world.next(1), []);
    world.proven = vec![10 * (FETCHES_MAX as u64 + 1)];
    assert_eq!(world.next(2), [(10 * (FETCHES_MAX as u64 + 1), FETCHES_MAX as u64 + 1)]);
}

#[test]
fn gap_is_continued_from_a_faster_peer() {
    let mut world = World::new();
    let batches = chain(9);
    let key = batches[0].header().key();
    world.frontier.commit(&batches[0]);
    world.want(10, key);
    assert_eq!(world.next(0).len(), 1);
    let fetch = world.page(10, 1, key);
    assert_eq!((fetch.first, fetch.last), (2, 9));
    world.frontier.commit(&batches[8]);
    world.fetches.give_up(LinkId(10), 1, fetch, false, &world.frontier);
    assert_eq!(world.next(2).len(), 1);
    let fetch = world.page(10, 3, key);
    assert_eq!((fetch.first, fetch.last), (2, 8));
    // Nothing of it came: it is asked for again after the next comparison, or after a minute if
    // nothing came at all.
    world.fetches.give_up(LinkId(10), 3, fetch, true, &world.frontier);
    world.want(10, key);
    assert_eq!(world.next(4), []);
    world.fetches.want(LinkId(10), VAIN_RETRY_MS + 3, key, lack(1, 9));
    assert_eq!(world.next(VAIN_RETRY_MS + 3).len(), 1);
}

#[test]
fn gaps_of_a_link_are_bounded() {
    let mut world = World::new();
    for number in 0..2 * WANTS_MAX as u64 {
        assert_eq!(world.fetches.is_full(LinkId(10)), number >= WANTS_MAX as u64);
        world.want(10, log(number));
    }
    assert_eq!(world.fetches.by_link[&LinkId(10)].wants.len(), WANTS_MAX);
}
