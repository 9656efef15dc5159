//! Transfers between simulated nodes: from one holder, from several, in a swarm, and from holders
//! that fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::proto::limits::{GROUPS_PER_FRAME, GROUPS_PER_PART, PART_BYTES};

const CONTENT: Hash = Hash([7; 32]);

fn id(node: usize) -> NodeId {
    NodeId([node as u8; 32])
}

fn new(size: u64) -> NewTransfer {
    NewTransfer { audiences: [None].into(), not_asked: [].into(), authors: [id(0)].into(), held: GroupSet::none(size) }
}

/// How a simulated node serves others.
#[derive(Clone, Copy, PartialEq)]
enum Serves {
    Well,
    Silently,
    Badly,
}

struct SimNode {
    transfers: Transfers,
    held: GroupSet,
    serves: Serves,
    /// Milliseconds that one frame takes on the node's line, all links together.
    frame_ms: u64,
    /// Frames of data that wait for the line: the receiver, the first unit and their number.
    line: VecDeque<(usize, u64, u64)>,
    free_at_ms: u64,
    sent: u64,
    told: Vec<u8>,
    subscribers: BTreeSet<usize>,
}

/// Nodes that are all linked with each other. The link to a node has its number.
struct Sim {
    nodes: Vec<SimNode>,
    now_ms: u64,
    down: BTreeSet<usize>,
}

impl Sim {
    /// `holders` nodes with all of the content, then `fetchers` that want it.
    fn new(size: u64, holders: usize, fetchers: usize) -> Self {
        let node = |at: usize| SimNode {
            transfers: Transfers::new([at as u8; 32]),
            held: if at < holders { GroupSet::all(size) } else { GroupSet::none(size) },
            serves: Serves::Well,
            frame_ms: 0,
            line: VecDeque::new(),
            free_at_ms: 0,
            sent: 0,
            told: Vec::new(),
            subscribers: BTreeSet::new(),
        };
        let mut nodes: Vec<SimNode> = (0..holders + fetchers).map(node).collect();
        let count = nodes.len();
        for (at, node) in nodes.iter_mut().enumerate() {
            (0..count).filter(|other| *other != at).for_each(|o| node.transfers.on_link_up(LinkId(o as u64), id(o)));
        }
        for node in &mut nodes[holders..] {
            node.transfers.want(0, CONTENT, new(size));
        }
        Self { nodes, now_ms: 0, down: BTreeSet::new() }
    }

    fn is_complete(&self, node: usize) -> bool {
        self.nodes[node].held.is_complete()
    }

    /// Runs until a condition holds. Returns the time.
    #[track_caller]
    fn run(&mut self, limit_ms: u64, done: impl Fn(&Self) -> bool) -> u64 {
        while !done(self) {
            assert!(self.now_ms < limit_ms, "not done after {limit_ms} ms");
            self.step();
        }
        self.now_ms
    }

    fn step(&mut self) {
        self.now_ms += 1;
        for at in 0..self.nodes.len() {
            if self.now_ms.is_multiple_of(250) {
                self.nodes[at].transfers.poll(self.now_ms);
                self.tell(at);
            }
            for action in self.nodes[at].transfers.take_actions() {
                if let TransferAction::Send { link, frame } = action
                    && !self.down.contains(&at)
                {
                    self.deliver(at, link.0 as usize, frame);
                }
            }
            self.send_data(at);
        }
    }

    /// Tells subscribers about parts that are complete since the last time.
    fn tell(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let parts = node.held.parts();
        if parts != node.told {
            node.told = parts.clone();
            let size = Some(node.held.size());
            for other in node.subscribers.clone() {
                self.deliver(at, other, FileFrame::Have { content: CONTENT, size, parts: parts.clone() });
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, frame: FileFrame) {
        let now_ms = self.now_ms;
        if self.down.contains(&to) || self.down.contains(&from) {
            return;
        }
        match frame {
            FileFrame::Want { on, .. } => {
                let node = &mut self.nodes[to];
                _ = if on { node.subscribers.insert(from) } else { node.subscribers.remove(&from) };
                let (size, parts) = (Some(node.held.size()), node.held.parts());
                let none = node.held.bytes_held() == 0;
                let frame = FileFrame::Have { content: CONTENT, size: size.filter(|_| !none), parts };
                if on {
                    self.deliver(to, from, frame);
                }
            }
            FileFrame::Have { content, size, parts } => {
                self.nodes[to].transfers.on_have(now_ms, LinkId(from as u64), content, size, parts);
            }
            FileFrame::Request { first, count, .. } => {
                let node = &mut self.nodes[to];
                assert!(node.held.contains_all(first, count), "only what is announced is requested");
                if node.serves != Serves::Silently {
                    let frames = (first..first + count).step_by(GROUPS_PER_FRAME as usize);
                    node.line.extend(frames.map(|at| (from, at, GROUPS_PER_FRAME.min(first + count - at))));
                }
            }
            FileFrame::Data { .. } | FileFrame::Refuse { .. } => {}
        }
    }

    /// Moves the data whose turn it is on a node's line.
    fn send_data(&mut self, at: usize) {
        while self.nodes[at].free_at_ms <= self.now_ms
            && let Some((to, first, count)) = self.nodes[at].line.pop_front()
        {
            let node = &mut self.nodes[at];
            node.free_at_ms = self.now_ms.max(node.free_at_ms) + node.frame_ms;
            node.sent += count;
            let is_bad = node.serves == Serves::Badly;
            if self.down.contains(&at) || self.down.contains(&to) {
                continue;
            }
            let (now_ms, link) = (self.now_ms, LinkId(at as u64));
            let node = &mut self.nodes[to];
            if !node.transfers.on_data(now_ms, link, &CONTENT, first, count) {
                continue;
            }
            if is_bad {
                node.transfers.on_bad_data(now_ms, link, &CONTENT, first, count);
                continue;
            }
            node.transfers.on_stored(&CONTENT, first, count);
            node.held.insert(first, count);
            if node.held.is_complete() {
                node.transfers.cancel(now_ms, &CONTENT);
            }
        }
    }
}

#[test]
fn small_content_comes_at_once() {
    let mut sim = Sim::new(1, 1, 1);
    assert!(sim.run(100, |sim| sim.is_complete(1)) <= 5);
    assert_eq!(sim.nodes[0].sent, 1);
    assert!(!sim.nodes[1].transfers.is_active());
}

#[test]
fn several_holders_share_the_work() {
    let mut sim = Sim::new(32 * PART_BYTES, 4, 1);
    sim.nodes[..4].iter_mut().for_each(|node| node.frame_ms = 4);
    let took_ms = sim.run(60_000, |sim| sim.is_complete(4));
    let frames = 32 * GROUPS_PER_PART / GROUPS_PER_FRAME;
    assert!(took_ms < frames * 4 / 3, "{took_ms} ms");
    assert!(sim.nodes[..4].iter().all(|node| node.sent > 4 * GROUPS_PER_PART));
    let sent: u64 = sim.nodes.iter().map(|node| node.sent).sum();
    assert!(sent < 36 * GROUPS_PER_PART, "{sent} units were sent");
}

#[test]
fn receivers_feed_each_other() {
    let size = 64 * PART_BYTES;
    let alone_ms = {
        let mut sim = Sim::new(size, 1, 1);
        sim.nodes[0].frame_ms = 4;
        sim.run(120_000, |sim| sim.is_complete(1))
    };
    let mut sim = Sim::new(size, 1, 8);
    sim.nodes[0].frame_ms = 4;
    let took_ms = sim.run(120_000, |sim| (1..9).all(|node| sim.is_complete(node)));
    assert!(took_ms * 2 <= alone_ms * 3, "{took_ms} ms, {alone_ms} ms alone");
    let sent = sim.nodes[0].sent;
    assert!(sent * 2 <= 64 * GROUPS_PER_PART * 3, "the sender sent {sent} units");
}

#[test]
fn silent_holder_is_replaced() {
    let mut sim = Sim::new(8 * PART_BYTES, 2, 1);
    sim.nodes[0].serves = Serves::Silently;
    let took_ms = sim.run(60_000, |sim| sim.is_complete(2));
    assert!(took_ms < 2 * TRANSFER_STALL_MS, "{took_ms} ms");
}

#[test]
fn holder_of_bad_data_is_asked_once() {
    let mut sim = Sim::new(8 * PART_BYTES, 2, 1);
    sim.nodes[0].serves = Serves::Badly;
    sim.nodes[1].frame_ms = 2;
    sim.run(60_000, |sim| sim.is_complete(2));
    let transfers = &mut sim.nodes[2].transfers;
    transfers.want(sim.now_ms, CONTENT, new(8 * PART_BYTES));
    assert!(sim.nodes[0].sent <= 2 * GROUPS_PER_PART, "{}", sim.nodes[0].sent);
}

#[test]
fn transfer_goes_on_without_the_sender() {
    let mut sim = Sim::new(16 * PART_BYTES, 1, 2);
    sim.nodes[0].frame_ms = 2;
    // One of them has all, the other one only some: the sender leaves.
    sim.nodes[2].transfers.on_link_down(0, LinkId(0));
    sim.run(60_000, |sim| sim.is_complete(1));
    sim.down.insert(0);
    for at in 1..3 {
        sim.nodes[at].transfers.on_link_down(sim.now_ms, LinkId(0));
    }
    sim.run(60_000, |sim| sim.is_complete(2));
}

#[test]
fn transfer_waits_for_a_holder() {
    let mut transfers = Transfers::new([0; 32]);
    transfers.want(0, CONTENT, new(5));
    assert_eq!(transfers.state(&CONTENT, 0), Some((FileState::Waiting, 0)));
    transfers.on_link_up(LinkId(1), id(9));
    transfers.on_have(0, LinkId(1), CONTENT, None, Vec::new());
    assert_eq!(transfers.state(&CONTENT, 0), Some((FileState::Waiting, 0)));
    transfers.on_have(0, LinkId(1), CONTENT, Some(5), vec![1]);
    assert_eq!(transfers.state(&CONTENT, 0), Some((FileState::Fetching, 1)));
    transfers.on_link_down(1, LinkId(1));
    assert_eq!(transfers.state(&CONTENT, 1), Some((FileState::Waiting, 0)));
    transfers.on_link_up(LinkId(2), id(0));
    transfers.on_have(2, LinkId(2), CONTENT, None, Vec::new());
    assert_eq!(transfers.state(&CONTENT, 2), Some((FileState::Gone, 0)), "its author holds nothing");
}

#[test]
fn only_readers_are_asked() {
    let mut transfers = Transfers::new([0; 32]);
    transfers.on_link_up(LinkId(1), id(1));
    transfers.on_link_up(LinkId(2), id(2));
    let direct = NewTransfer { audiences: [Some(id(2))].into(), ..new(5) };
    transfers.want(0, CONTENT, direct);
    transfers.on_link_up(LinkId(3), id(3));
    let asked: Vec<LinkId> = transfers
        .take_actions()
        .into_iter()
        .filter_map(|action| match action {
            TransferAction::Send { link, .. } => Some(link),
            TransferAction::Changed(_) => None,
        })
        .collect();
    assert_eq!(asked, [LinkId(2)]);
    transfers.on_have(0, LinkId(3), CONTENT, Some(5), vec![1]);
    assert_eq!(transfers.state(&CONTENT, 0), Some((FileState::Waiting, 0)), "an answer without a question");
}

/// The links that were asked what they hold, and those that were left.
fn asked(transfers: &mut Transfers) -> (BTreeSet<LinkId>, BTreeSet<LinkId>) {
    let (mut asked, mut left) = (BTreeSet::new(), BTreeSet::new());
    for action in transfers.take_actions() {
        if let TransferAction::Send { link, frame: FileFrame::Want { on, .. } } = action {
            _ = if on { asked.insert(link) } else { left.insert(link) };
        }
    }
    (asked, left)
}

#[test]
fn reader_among_many_links_is_asked() {
    let mut transfers = Transfers::new([0; 32]);
    (1..200).for_each(|link| transfers.on_link_up(LinkId(link), id(link as usize)));
    let direct = NewTransfer { audiences: [Some(id(150))].into(), ..new(5) };
    transfers.want(0, CONTENT, direct);
    assert_eq!(asked(&mut transfers).0, [LinkId(150)].into());
}

#[test]
fn all_readers_are_asked_until_one_holds_it() {
    let mut transfers = Transfers::new([0; 32]);
    (0..100).for_each(|link| transfers.on_link_up(LinkId(link), id(link as usize)));
    transfers.want(0, CONTENT, new(5));
    let (mut all, _) = asked(&mut transfers);
    assert!(all.contains(&LinkId(0)), "its author");
    assert_eq!(all.len(), TRANSFER_PEERS_MAX + 1);
    (0..3).for_each(|_| transfers.poll(0));
    all.extend(asked(&mut transfers).0);
    assert_eq!(all.len(), 100);
    transfers.on_link_up(LinkId(100), id(100));
    assert_eq!(asked(&mut transfers).0, [LinkId(100)].into());
    transfers.on_have(0, LinkId(7), CONTENT, Some(5), vec![1]);
    transfers.on_link_up(LinkId(101), id(101));
    transfers.poll(0);
    assert_eq!(asked(&mut transfers).0, [].into(), "enough were asked");
}

#[test]
fn member_that_may_not_be_asked_is_left() {
    let mut transfers = Transfers::new([0; 32]);
    (1..3).for_each(|link| transfers.on_link_up(LinkId(link), id(link as usize)));
    transfers.want(0, CONTENT, new(10 * PART_BYTES));
    transfers.on_have(0, LinkId(1), CONTENT, Some(10 * PART_BYTES), vec![0xff; 2]);
    assert!(transfers.in_flight > 0);
    let direct = NewTransfer { not_asked: [id(1)].into(), ..new(10 * PART_BYTES) };
    transfers.want(0, CONTENT, direct);
    assert_eq!(transfers.in_flight, 0);
    assert_eq!(asked(&mut transfers).1, [LinkId(1)].into());
    transfers.on_have(0, LinkId(1), CONTENT, Some(10 * PART_BYTES), vec![0xff; 2]);
    assert_eq!(transfers.in_flight, 0, "an answer that comes late");
}

#[test]
fn new_link_does_not_end_a_ban() {
    let mut transfers = Transfers::new([0; 32]);
    transfers.on_link_up(LinkId(1), id(1));
    transfers.want(0, CONTENT, new(5));
    transfers.on_have(0, LinkId(1), CONTENT, Some(5), vec![1]);
    transfers.on_bad_data(0, LinkId(1), &CONTENT, 0, 1);
    transfers.on_link_down(0, LinkId(1));
    transfers.on_link_up(LinkId(2), id(1));
    transfers.on_have(0, LinkId(2), CONTENT, Some(5), vec![1]);
    assert_eq!(transfers.in_flight, 0);
}

#[test]
fn data_that_was_not_requested_is_ignored() {
    let mut transfers = Transfers::new([0; 32]);
    transfers.on_link_up(LinkId(1), id(1));
    transfers.want(0, CONTENT, new(10 * PART_BYTES));
    assert!(!transfers.on_data(0, LinkId(1), &CONTENT, 0, 3));
    transfers.on_have(0, LinkId(1), CONTENT, Some(10 * PART_BYTES), vec![1, 0]);
    assert!(!transfers.on_data(0, LinkId(1), &CONTENT, 3, 3), "not in order");
    assert!(transfers.on_data(0, LinkId(1), &CONTENT, 0, 3));
    assert!(!transfers.on_data(0, LinkId(1), &CONTENT, 0, 3), "twice");
    assert!(!transfers.on_data(0, LinkId(1), &Hash([8; 32]), 3, 3), "other content");
}

#[test]
fn content_of_another_size_is_not_requested() {
    let mut transfers = Transfers::new([0; 32]);
    transfers.on_link_up(LinkId(1), id(1));
    transfers.want(0, CONTENT, new(5));
    for size in [Some(6), Some(0), Some(u64::MAX), None] {
        transfers.on_have(0, LinkId(1), CONTENT, size, vec![0xff; 9]);
        assert_eq!(transfers.state(&CONTENT, 0), Some((FileState::Waiting, 0)), "{size:?}");
    }
}

#[test]
fn requests_in_flight_are_bounded() {
    let mut transfers = Transfers::new([0; 32]);
    for link in 0..40 {
        transfers.on_link_up(LinkId(link), id(1));
    }
    let contents: BTreeMap<u8, u64> = (0..60).map(|content| (content, 64 * PART_BYTES)).collect();
    for (content, size) in &contents {
        transfers.want(0, Hash([*content; 32]), new(*size));
        (0..40).for_each(|link| transfers.on_have(0, LinkId(link), Hash([*content; 32]), Some(*size), vec![0xff; 8]));
    }
    assert!(transfers.in_flight <= TRANSFER_IN_FLIGHT_BYTES_MAX && transfers.in_flight > 8 * PART_BYTES);
    (0..40).for_each(|link| transfers.on_link_down(1, LinkId(link)));
    assert_eq!(transfers.in_flight, 0);
}
