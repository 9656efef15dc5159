//! Links of strangers: free identities, many at one address, that request and never answer, or
//! claim to hold everything and send nothing. They delay a newcomer's history only briefly, and
//! hide no fork for long.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use roomful::proto::entries::batch::Verified;
use roomful::proto::ids::{Hash, LogId, NodeId};
use roomful::proto::replication::frame::{Frame, HeldRange, LogHoldings};

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
    /// The same, but it delivers its own log.
    Delivering,
}

/// The other end of a link, where no engine is.
#[derive(Clone, Debug)]
pub struct Stranger {
    pub id: NodeId,
    pub address: IpAddr,
    pub manner: Manner,
}

impl Stranger {
    fn new(number: usize, address: IpAddr, manner: Manner) -> Self {
        Self { id: OWN_LOGS[number][0].header().author, address, manner }
    }

    /// Its own log.
    fn own_log(&self) -> &'static [Verified] {
        OWN_LOGS.iter().find(|log| log[0].header().author == self.id).map_or(&[], |log| log)
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
                let own = self.own_log().iter().filter(|_| self.manner == Manner::Delivering);
                let authors: BTreeMap<NodeId, Hash> =
                    HISTORY.iter().chain(own).map(|batch| (batch.header().author, Hash([9; 32]))).collect();
                let authors = authors.into_iter().collect();
                Some(Frame::Authors { same: false, authors, more: false, linked: Vec::new() })
            }
            (Frame::AskLogs { author, .. }, Manner::Delivering) if *author == self.id => {
                let last = self.own_log().last()?;
                let ranges = vec![HeldRange { first: 1, last: last.header().last_seq(), head: last.hash() }];
                let logs = vec![LogHoldings { log: last.header().log, audience: None, ranges, fork: None }];
                Some(Frame::Logs { author: *author, logs, more: false })
            }
            (Frame::Fetch(fetch), Manner::Delivering) if fetch.key.author == self.id => {
                let is_asked_for = |batch: &&Verified| (fetch.first..=fetch.last).contains(&batch.header().first_seq);
                // One batch at a time: it delivers as often as it can.
                let batches = self.own_log().iter().rfind(is_asked_for).cloned().into_iter().collect();
                Some(Frame::Page { key: fetch.key, batches, busy: false })
            }
            (Frame::AskLogs { author, .. }, _) => {
                let ranges = vec![HeldRange { first: 1, last: 5_000, head: Hash([9; 32]) }];
                // What it makes up, and what there is.
                let logs = [LogId(5), HISTORY[0].header().log];
                let logs =
                    logs.map(|log| LogHoldings { log, audience: None, ranges: ranges.clone(), fork: None }).into();
                Some(Frame::Logs { author: *author, logs, more: false })
            }
            (Frame::Fetch(fetch), Manner::Empty | Manner::Busy) => {
                Some(Frame::Page { key: fetch.key, batches: Vec::new(), busy: self.manner == Manner::Busy })
            }
            _ => None,
        }
    }
}

/// The log of each stranger.
static OWN_LOGS: LazyLock<Vec<Vec<Verified>>> = LazyLock::new(|| {
    let key = |number: usize| {
        SigningKey::from_bytes(
            &[[number as u8; 16], [(number >> 8) as u8 + 0xe0; 16]].concat().try_into().expect("32 bytes"),
        )
    };
    (0..STRANGERS).map(|number| branch(&key(number), &[], 6, "own")).collect()
});

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
        let link = world.stranger(node, Stranger::new(number, address, manner));
        for second in (0..16).step_by(2) {
            let frame = Frame::Compare { hash: Hash([7; 32]), from: None, linked: Vec::new() };
            world.hears(node, link, second * 1_000, frame);
        }
    }
}

fn elsewhere(many: u8) -> Vec<IpAddr> {
    (1..=many).map(|last| IpAddr::from([10, 9, 0, last])).collect()
}

/// Measures how long a newcomer linked with strangers takes to receive everything from the one
/// honest holder.
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
    for manner in [Manner::Mute, Manner::Agreeable, Manner::Silent, Manner::Empty, Manner::Busy, Manner::Delivering] {
        let took_ms = newcomer_takes_ms(&mut world(), addresses, manner);
        println!("{manner:?} at {} addresses: {took_ms} ms, alone {alone_ms} ms", addresses.len());
        assert!(took_ms < alone_ms + most_ms, "{manner:?}: {took_ms} ms, alone {alone_ms} ms");
    }
}

#[test]
fn strangers_of_one_address_delay_history_by_2_s() {
    check_delay(false, &elsewhere(1), 2_000);
}

#[test]
fn strangers_of_16_addresses_delay_history_by_10_s() {
    check_delay(false, &elsewhere(16), 10_000);
}

#[test]
fn strangers_at_the_holders_address_delay_by_2_s() {
    check_delay(true, &[IpAddr::from([127, 0, 0, 1])], 2_000);
}

/// Splits a fork: nodes selected by `gets_first` hold one branch and the others the other one, each
/// linked with strangers. Returns how long it takes until all of them know of the fork.
fn fork_is_known_after_ms(world: &mut World, setting: &Setting, gets_first: impl Fn(usize) -> bool) -> u64 {
    let nodes = world.nodes.len();
    let key = SigningKey::from_bytes(&[7; 32]);
    let (one, other) = (branch(&key, &[], 1, "one"), branch(&key, &[], 1, "other"));
    for node in 0..nodes {
        world.start(node);
        world.run_until(world.now_ms + if setting.decoys > 0 { STAGGER_MS } else { 0 });
    }
    for (node, manner) in (0..nodes).zip([Manner::Mute, Manner::Agreeable, Manner::Silent].into_iter().cycle()) {
        surround(world, node, &setting.strangers, manner);
        hears_decoys(world, node, setting.decoys);
    }
    world.run_until(world.now_ms + DECOYS_FROM_MS);
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

/// What is around the nodes among which a fork spreads.
#[derive(Clone, Debug)]
struct Setting {
    nodes: usize,
    is_one_machine: bool,
    /// Each node reaches only the next one and the one before.
    is_chain: bool,
    /// Where the strangers are.
    strangers: Vec<IpAddr>,
    /// How many forks of throwaway authors each node hears of, one every 5 s.
    decoys: usize,
    most_ms: u64,
}

const FEW: Setting =
    Setting { nodes: 7, is_one_machine: false, is_chain: false, strangers: Vec::new(), decoys: 0, most_ms: 10_000 };

/// When decoys begin, after the start, and when the fork that counts is made.
const DECOYS_FROM_MS: u64 = 12_000;

/// Delay between the starts of two nodes, so that periodic work is due just before a fork arrives.
const STAGGER_MS: u64 = 700;

/// Sends a node forks of invented authors: from 6 s before the real fork, and while it spreads.
fn hears_decoys(world: &mut World, node: usize, decoys: usize) {
    for number in 0..decoys {
        let mut seed = [8; 32];
        (seed[0], seed[1]) = (node as u8, number as u8);
        let key = SigningKey::from_bytes(&seed);
        let id = NodeId(key.verifying_key().to_bytes());
        let address = IpAddr::from([10, 7, node as u8, 1]);
        let link = world.stranger(node, Stranger { id, address, manner: Manner::Agreeable });
        for text in ["one", "other"] {
            let after_ms = DECOYS_FROM_MS - 6_000 + number as u64 * 5_000 + node as u64 * STAGGER_MS;
            world.hears(node, link, after_ms, Frame::Push(branch(&key, &[], 1, text)));
        }
    }
}

#[track_caller]
fn check_fork(setting: &Setting) {
    let splits: [fn(usize, usize) -> bool; 2] = [|node, last| node == last, |node, _| node % 2 == 0];
    for (number, split) in splits.into_iter().enumerate() {
        let mut world = calm(setting.nodes);
        world.is_one_machine = setting.is_one_machine;
        for a in (0..setting.nodes).filter(|_| setting.is_chain) {
            (a + 2..setting.nodes).for_each(|b| world.part(a, b));
        }
        let took_ms = fork_is_known_after_ms(&mut world, setting, |node| split(node, setting.nodes - 1));
        println!("split {number}: known everywhere after {took_ms} ms");
        assert!(took_ms < setting.most_ms, "split {number}: {took_ms} ms");
    }
}

#[test]
fn fork_is_known_everywhere_within_ten_seconds() {
    check_fork(&FEW);
}

#[test]
fn fork_is_known_within_ten_seconds_among_strangers() {
    check_fork(&Setting { strangers: elsewhere(1), ..FEW });
}

#[test]
fn fork_is_known_within_ten_seconds_on_one_machine() {
    let strangers = vec![IpAddr::from([127, 0, 0, 1])];
    check_fork(&Setting { is_one_machine: true, strangers, ..FEW });
}

#[test]
fn fork_is_known_within_ten_seconds_along_a_chain() {
    check_fork(&Setting { is_chain: true, ..FEW });
}

#[test]
fn decoy_forks_delay_another_by_seconds_at_most() {
    check_fork(&Setting { nodes: 10, is_chain: true, decoys: 5, most_ms: 6_000, ..FEW });
}
