//! Links of strangers: identities that cost nothing, many at one address, which ask and never answer, or claim to hold
//! everything and send nothing. They keep a newcomer from its history for a moment only, and a fork from nobody for long.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use roomful::proto::batch::Verified;
use roomful::proto::frame::{Frame, Holding, Span};
use roomful::proto::ids::{Hash, LogId, NodeId};

use crate::forked::{branch, cheat, holds};
use crate::world::{Weather, World};

/// Strangers in all: about as many as a node lets in at once from one address.
const STRANGERS: usize = 60;

/// What the holder holds of each of so many authors, who are away.
const AUTHORS: u8 = 5;
const MESSAGES: usize = 1_000;

/// How a stranger behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It answers nothing but "are you there".
    Mute,
    /// It says that it holds the same, whatever that is.
    Agreeable,
    /// It says that it holds everything, and sends nothing of it.
    Silent,
    /// The same, and it answers each request with an empty page.
    Empty,
    /// The same, and it is always busy.
    Busy,
}

/// The other end of a link, where no engine is.
#[derive(Clone, Debug)]
pub struct Stranger {
    pub id: NodeId,
    pub address: IpAddr,
    pub manner: Manner,
}

impl Stranger {
    fn new(number: u64, address: IpAddr, manner: Manner) -> Self {
        let mut id = [0xee; 32];
        id[..8].copy_from_slice(&(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes());
        Self { id: NodeId(id), address, manner }
    }

    /// What it answers.
    pub fn answer(&self, frame: &Frame) -> Option<Frame> {
        match (frame, self.manner) {
            (Frame::Ping { wall_ms }, _) => Some(Frame::Pong { wall_ms: *wall_ms }),
            (_, Manner::Mute) => None,
            (Frame::Compare { .. }, Manner::Agreeable) => {
                Some(Frame::Authors { same: true, authors: Vec::new(), more: false, linked: Vec::new() })
            }
            (Frame::Compare { .. }, _) => {
                let authors: BTreeMap<NodeId, Hash> =
                    HISTORY.iter().map(|batch| (batch.header().author, Hash([9; 32]))).collect();
                let authors = authors.into_iter().collect();
                Some(Frame::Authors { same: false, authors, more: false, linked: Vec::new() })
            }
            (Frame::AskLogs { author, .. }, _) => {
                let ranges = vec![Span { first: 1, last: 5_000, head: Hash([9; 32]) }];
                // What it makes up, and what there is.
                let logs = [LogId(5), HISTORY[0].header().log];
                let logs = logs.map(|log| Holding { log, audience: None, ranges: ranges.clone(), fork: None }).into();
                Some(Frame::Logs { author: *author, logs, more: false })
            }
            (Frame::Fetch(fetch), Manner::Empty | Manner::Busy) => {
                Some(Frame::Page { key: fetch.key, batches: Vec::new(), busy: self.manner == Manner::Busy })
            }
            _ => None,
        }
    }
}

/// What the holder holds.
static HISTORY: LazyLock<Vec<Verified>> = LazyLock::new(|| {
    let each = MESSAGES as u64 / u64::from(AUTHORS);
    (0..AUTHORS).flat_map(|author| branch(&SigningKey::from_bytes(&[100 + author; 32]), &[], each, "old")).collect()
});

fn calm(nodes: usize) -> World {
    World::new(1, nodes, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 })
}

/// Links strangers with a node, and lets each ask every 2 s for a while.
fn surround(world: &mut World, node: usize, addresses: &[IpAddr], manner: Manner) {
    let strangers = if addresses.is_empty() { 0 } else { STRANGERS };
    for (number, address) in addresses.iter().copied().cycle().take(strangers).enumerate() {
        let link = world.stranger(node, Stranger::new(number as u64 + 1, address, manner));
        for second in (0..16).step_by(2) {
            let frame = Frame::Compare { hash: Hash([7; 32]), from: None, linked: Vec::new() };
            world.hears(node, link, second * 1_000, frame);
        }
    }
}

fn elsewhere(many: u8) -> Vec<IpAddr> {
    (1..=many).map(|last| IpAddr::from([10, 9, 0, last])).collect()
}

/// How long a newcomer that is linked with strangers takes to have all that the one honest holder has.
fn newcomer_takes_ms(world: &mut World, addresses: &[IpAddr], manner: Manner) -> u64 {
    holds(world, 0, &HISTORY);
    world.start(1);
    surround(world, 1, addresses, manner);
    // The strangers ask the holder, too.
    world.start(0);
    surround(world, 0, addresses, manner);
    let begun_ms = world.now_ms;
    while world.nodes[1].disk.batches.len() < MESSAGES {
        world.run_until(world.now_ms + 10);
        assert!(world.now_ms < begun_ms + 300_000, "{manner:?}: {} messages", world.nodes[1].disk.batches.len());
    }
    world.now_ms - begun_ms
}

#[track_caller]
fn check_delay(is_one_machine: bool, addresses: &[IpAddr], most_ms: u64) {
    let world = || {
        let mut world = calm(2);
        world.is_one_machine = is_one_machine;
        world
    };
    let alone_ms = newcomer_takes_ms(&mut world(), &[], Manner::Mute);
    for manner in [Manner::Mute, Manner::Agreeable, Manner::Silent, Manner::Empty, Manner::Busy] {
        let took_ms = newcomer_takes_ms(&mut world(), addresses, manner);
        println!("{manner:?} at {} addresses: {took_ms} ms, alone {alone_ms} ms", addresses.len());
        assert!(took_ms < alone_ms + most_ms, "{manner:?}: {took_ms} ms, alone {alone_ms} ms");
    }
}

#[test]
fn strangers_of_one_address_delay_history_by_two_seconds() {
    check_delay(false, &elsewhere(1), 2_000);
}

#[test]
fn strangers_of_sixteen_addresses_delay_history_by_ten_seconds() {
    check_delay(false, &elsewhere(16), 10_000);
}

#[test]
fn strangers_on_the_same_machine_delay_history_by_some_seconds() {
    check_delay(true, &[IpAddr::from([127, 0, 0, 1])], 15_000);
}

/// Honest nodes among which a fork spreads.
const NODES: usize = 7;

/// Nodes of which `gets_first` have one branch of a log and the others the other one, each linked with strangers. Returns how
/// long it takes until all of them know of the fork.
fn fork_is_known_after_ms(world: &mut World, gets_first: impl Fn(usize) -> bool, strangers: &[IpAddr]) -> u64 {
    let nodes = world.nodes.len();
    let key = SigningKey::from_bytes(&[7; 32]);
    let (one, other) = (branch(&key, &[], 1, "one"), branch(&key, &[], 1, "other"));
    (0..nodes).for_each(|node| world.start(node));
    for (node, manner) in (0..nodes).zip([Manner::Mute, Manner::Agreeable, Manner::Silent].into_iter().cycle()) {
        surround(world, node, strangers, manner);
    }
    world.run_until(world.now_ms + 12_000);
    for node in 0..nodes {
        let address = IpAddr::from([10, 8, 0, 1]);
        let link = world.stranger(node, Stranger { id: cheat(), address, manner: Manner::Agreeable });
        world.hears(node, link, 1, Frame::Push(if gets_first(node) { one.clone() } else { other.clone() }));
    }
    let begun_ms = world.now_ms;
    let knows = |world: &World, node: usize| {
        let engine = world.nodes[node].engine.as_ref().expect("it runs");
        engine.member(cheat()).is_some_and(|member| member.forked)
    };
    while !(0..nodes).all(|node| knows(world, node)) {
        world.run_until(world.now_ms + 10);
        let known: Vec<usize> = (0..nodes).filter(|node| knows(world, *node)).collect();
        assert!(world.now_ms < begun_ms + 10_000, "only {known:?} know");
    }
    world.now_ms - begun_ms
}

#[track_caller]
fn check_fork(change: impl Fn(&mut World), strangers: &[IpAddr]) {
    let splits: [fn(usize) -> bool; 2] = [|node| node == NODES - 1, |node| node % 2 == 0];
    for (number, split) in splits.into_iter().enumerate() {
        let mut world = calm(NODES);
        change(&mut world);
        let took_ms = fork_is_known_after_ms(&mut world, split, strangers);
        println!("split {number}: known everywhere after {took_ms} ms");
    }
}

#[test]
fn fork_is_known_everywhere_within_ten_seconds() {
    check_fork(|_| {}, &[]);
}

#[test]
fn fork_is_known_within_ten_seconds_among_strangers() {
    check_fork(|_| {}, &elsewhere(1));
}

#[test]
fn fork_is_known_within_ten_seconds_on_one_machine() {
    check_fork(|world| world.is_one_machine = true, &[IpAddr::from([127, 0, 0, 1])]);
}

#[test]
fn fork_is_known_within_ten_seconds_along_a_chain() {
    // Each node reaches only the next one and the one before.
    let chain = |world: &mut World| {
        for a in 0..NODES {
            (a + 2..NODES).for_each(|b| world.part(a, b));
        }
    };
    check_fork(chain, &[]);
}
