//! Simulations in which an author signed two batches for one position: by malice, or because a
//! machine was restored to an earlier state while it ran. All nodes end with the same state, the
//! author is marked, and its removed entries are published again.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::{Body, SALT_BYTES};
use roomful::proto::ids::{LogId, LogKey, NodeId, RoomId};
use roomful::proto::replication::fork::{Fork, ForkPoint};
use roomful::proto::replication::store_api::{Append, Write};

use crate::world::{Weather, World};

const LOG: LogId = LogId(77);

/// Goes on after `before` with so many batches of one message each.
pub fn branch(key: &SigningKey, before: &[Verified], length: u64, text: &str) -> Vec<Verified> {
    let mut prev = before.last().map(Verified::hash);
    let begun = before.len() as u64;
    (begun + 1..=begun + length)
        .map(|seq| {
            let body = Body::say(format!("{text} {seq}"), None, None);
            let bodies = [body.encode([0; SALT_BYTES])];
            let header = Header {
                version: HEADER_VERSION,
                room: RoomId::new("sim", b""),
                author: NodeId(key.verifying_key().to_bytes()),
                audience: None,
                log: LOG,
                first_seq: seq,
                prev,
                after: None,
                entries: vec![slot(Stamp::from_ms(1_800_000_000_000 + seq), &bodies[0])],
            };
            let batch = sign(key, header, &bodies);
            prev = Some(batch.hash());
            batch
        })
        .collect()
}

/// Two branches of one log, with what is before them.
fn branches(key: &SigningKey, common: u64, a: u64, b: u64) -> (Vec<Verified>, Vec<Verified>) {
    let trunk = branch(key, &[], common, "both");
    let with = |text, length| trunk.iter().cloned().chain(branch(key, &trunk, length, text)).collect();
    (with("a", a), with("b", b))
}

/// Puts batches on a disk, as they came once.
pub fn holds(world: &mut World, node: usize, batches: &[Verified]) {
    let append = |batch: &Verified| Append { batch: batch.clone(), own: None };
    world.nodes[node].disk.write(Write::Append { token: 0, batches: batches.iter().map(append).collect() });
}

/// Who signs two things for one place in a life.
pub fn cheat() -> NodeId {
    NodeId(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes())
}

/// Gives some of a cheat's two branches to some disks.
pub fn give_branches(world: &mut World) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let (common, a, b) = (world.rng.random_range(0..4), world.rng.random_range(1..20), world.rng.random_range(1..20));
    let (a, b) = branches(&key, common, a, b);
    holds(world, 0, &a);
    holds(world, 1, &b);
    holds(world, 2, &b[b.len() - 1..]);
}

fn texts(world: &World, node: usize) -> Vec<String> {
    world.nodes[node].disk.lines().into_iter().map(|line| line.text).collect()
}

fn end(world: &World, node: usize, key: LogKey) -> Option<ForkPoint> {
    world.nodes[node].disk.forks.known.get(&key).map(Fork::end)
}

fn world(seed: u64, nodes: usize) -> World {
    let mut world = World::new(seed, nodes, Weather { loss: 10, doubled: 10, delay_ms: 40, commit_ms: 20 });
    for _ in 0..seed {
        let _: u64 = world.rng.random();
    }
    world
}

#[test]
fn forked_log_ends_alike_on_every_node() {
    for seed in 1..=12 {
        let mut world = world(seed, 5);
        let key = SigningKey::from_bytes(&[7; 32]);
        let common = world.rng.random_range(0..4);
        let (a, b) = (world.rng.random_range(1..40), world.rng.random_range(1..40));
        let (a, b) = branches(&key, common, a, b);
        let log = a[0].header().key();
        holds(&mut world, 0, &a);
        holds(&mut world, 1, &b);
        // Beyond a gap, of the other branch than what stands before it.
        let mut some: Vec<Verified> = a[..=common as usize].iter().chain(&b[b.len() - 1..]).cloned().collect();
        some.dedup();
        some.shuffle(&mut world.rng);
        holds(&mut world, 2, &some);
        holds(&mut world, 3, &b[b.len() - 1..]);
        (0..5).for_each(|node| world.start(node));
        world.run_until(world.now_ms + 90_000);

        let winner = a[common as usize].hash().min(b[common as usize].hash());
        let expected = ForkPoint { seq: common + 1, head: Some(winner) };
        for node in 0..5 {
            assert_eq!(end(&world, node, log), Some(expected), "seed {seed}, node {node}");
            assert_eq!(texts(&world, node), texts(&world, 0), "seed {seed}, node {node}");
            assert_eq!(texts(&world, node).len() as u64, common + 1, "seed {seed}, node {node}");
            let engine = world.nodes[node].engine.as_ref().expect("it runs");
            assert!(engine.member(log.author).expect("known").forked, "seed {seed}, node {node}");
        }
        // After a restart the mark is still there, and no node requests anything.
        world.kill(1);
        world.start(1);
        assert!(world.nodes[1].engine.as_ref().expect("it runs").member(log.author).expect("known").forked);
        let asked = world.fetches;
        world.run_until(world.now_ms + 30_000);
        assert_eq!(world.fetches, asked, "seed {seed}: something is asked for over and over");
    }
}

#[test]
fn removed_own_entries_are_republished_once() {
    for seed in 1..=12 {
        let mut world = world(seed, 3);
        let key = world.nodes[0].key.clone();
        let (a, b) = branches(&key, 2, 3, 4);
        holds(&mut world, 0, &b);
        holds(&mut world, 1, &a);
        (0..3).for_each(|node| world.start(node));
        world.run_until(world.now_ms + 40_000);
        world.kill(0);
        world.start(0);
        world.run_until(world.now_ms + 40_000);
        for node in 0..3 {
            let mut count: BTreeMap<String, usize> = BTreeMap::new();
            texts(&world, node).into_iter().for_each(|text| *count.entry(text).or_default() += 1);
            for text in ["both 1", "both 2", "b 3", "b 4", "b 5", "b 6"] {
                assert_eq!(count.get(text), Some(&1), "seed {seed}, node {node}: {text} in {count:?}");
            }
            assert!(count.values().all(|times| *times == 1), "seed {seed}, node {node}: {count:?}");
            assert_eq!(texts(&world, node), texts(&world, 0), "seed {seed}, node {node}");
        }
    }
}
