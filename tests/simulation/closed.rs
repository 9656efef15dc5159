//! Authors whose entries some nodes no longer accept: other authors are not affected, and no
//! comparison repeats for ever.

use roomful::proto::ids::NodeId;
use roomful::proto::replication::author_limits::LimitReason;

use super::world::{Weather, World};

/// Bytes that one author may take on the node that takes the least.
const QUOTA: u64 = 512 * 1024;

/// How long a world may need to come to rest, and then has to be quiet, in milliseconds.
const REST_MS: u64 = 60_000;

fn world(seed: u64, nodes: usize) -> World {
    World::new(seed, nodes, Weather { loss: 10, doubled: 10, delay_ms: 40, commit_ms: 20 })
}

/// Says so much that a quota is passed, and a little more.
fn write_far_beyond(world: &mut World, node: usize) {
    for line in 0..40 {
        world.say(node, &format!("{line} {}", "x".repeat(30_000)), None);
        world.run_until(world.now_ms + 50);
    }
}

/// What a node holds of an author, in bytes and in messages.
fn held(world: &World, node: usize, author: NodeId) -> (u64, usize) {
    let batches = world.nodes[node].disk.batches.values().filter(|batch| batch.header().author == author);
    let lines = world.nodes[node].disk.lines().into_iter().filter(|line| line.order.author == author);
    (batches.map(|batch| batch.bytes().len() as u64).sum(), lines.count())
}

fn closed(world: &World, node: usize, author: NodeId) -> Option<LimitReason> {
    world.nodes[node].engine.as_ref().expect("it runs").member(author).expect("known").closed
}

/// That nothing is asked for while nothing is said, and that what is said comes at once.
fn is_quiet(world: &mut World, seed: u64) {
    world.run_until(world.now_ms + REST_MS);
    let before = (world.differences, world.fetches);
    world.run_until(world.now_ms + REST_MS);
    assert_eq!((world.differences, world.fetches), before, "seed {seed}: they compare and ask over and over");
}

#[test]
fn quota_stops_only_its_author_on_its_node() {
    for seed in 1..=8 {
        let mut world = world(seed, 4);
        world.nodes[1].quota = QUOTA;
        (0..4).for_each(|node| world.start(node));
        world.run_until(world.now_ms + 10_000);
        write_far_beyond(&mut world, 0);
        world.say(2, "others go on", None);
        is_quiet(&mut world, seed);

        let flooder = world.nodes[0].id;
        let (bytes, lines) = held(&world, 1, flooder);
        assert!(bytes <= QUOTA && lines > 5, "seed {seed}: {lines} messages of {bytes} bytes");
        assert_eq!(closed(&world, 1, flooder), Some(LimitReason::Quota), "seed {seed}");
        for node in [2, 3] {
            assert_eq!(held(&world, node, flooder).1, 40, "seed {seed}, node {node}");
            assert_eq!(closed(&world, node, flooder), None, "seed {seed}, node {node}");
        }
        let other = world.nodes[2].id;
        assert!((0..4).all(|node| held(&world, node, other).1 == 1), "seed {seed}");
        // Entries published while a node accepts none from others are expected only where they are
        // held.
        let said = world.nodes[0].acknowledged.len();
        let told =
            world.nodes[0].acknowledged.iter().filter(|id| world.nodes[0].disk.knows_held(world.nodes[1].id, **id));
        assert!(told.count() <= lines && said == 40, "seed {seed}");

        // A start later it is the same, and with a greater quota the rest comes.
        world.kill(1);
        world.start(1);
        is_quiet(&mut world, seed);
        assert!(held(&world, 1, flooder).0 <= QUOTA, "seed {seed}");
        world.kill(1);
        world.nodes[1].quota = 100 * QUOTA;
        world.start(1);
        is_quiet(&mut world, seed);
        assert_eq!(held(&world, 1, flooder).1, 40, "seed {seed}");
        assert_eq!(closed(&world, 1, flooder), None, "seed {seed}");
    }
}

#[test]
fn nodes_full_with_different_parts_settle() {
    for seed in 1..=8 {
        let mut world = world(seed, 3);
        (world.nodes[1].quota, world.nodes[2].quota) = (QUOTA, QUOTA);
        // One hears it as it is said; the other comes later, and takes the newest first.
        world.start(0);
        world.start(1);
        world.run_until(world.now_ms + 5_000);
        write_far_beyond(&mut world, 0);
        world.start(2);
        is_quiet(&mut world, seed);
        let flooder = world.nodes[0].id;
        for node in [1, 2] {
            assert!(held(&world, node, flooder).0 <= QUOTA, "seed {seed}, node {node}");
            assert_eq!(closed(&world, node, flooder), Some(LimitReason::Quota), "seed {seed}, node {node}");
        }
        // The one who wrote it is gone: nothing changes between the two who are left.
        world.stop(0);
        is_quiet(&mut world, seed);
    }
}

#[test]
fn low_disk_accepts_own_messages_only() {
    for seed in 1..=8 {
        let mut world = world(seed, 3);
        (0..3).for_each(|node| world.start(node));
        world.run_until(world.now_ms + 10_000);
        world.set_little_disk(1, true);
        world.say(0, "not taken by one", None);
        world.say(1, "from where the disk is little", None);
        is_quiet(&mut world, seed);
        let [ana, ben] = [world.nodes[0].id, world.nodes[1].id];
        assert_eq!(held(&world, 1, ana).1, 0, "seed {seed}");
        assert_eq!(closed(&world, 1, ana), Some(LimitReason::Disk), "seed {seed}");
        assert_eq!((held(&world, 0, ben).1, held(&world, 2, ben).1), (1, 1), "seed {seed}: own words go on");
        assert_eq!(held(&world, 2, ana).1, 1, "seed {seed}");

        world.set_little_disk(1, false);
        world.run_until(world.now_ms + 3_000);
        assert_eq!(held(&world, 1, ana).1, 1, "seed {seed}: what was said meanwhile comes");
        assert_eq!(closed(&world, 1, ana), None, "seed {seed}");
        world.say(0, "taken by all", None);
        is_quiet(&mut world, seed);
        assert!((0..3).all(|node| held(&world, node, ana).1 == 2), "seed {seed}");
    }
}
