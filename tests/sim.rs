//! Many engines in one simulated world: a seed draws loss, delay, repetition, splits, crashes and wrong clocks; then
//! everything heals, and all nodes must hold the same, in the same order, each once.
//!
//! A failing run names its seed; `SEED=… cargo test --test sim` repeats exactly that one, and `SEEDS=…` sets how many
//! are tried.

#[path = "sim/closed.rs"]
mod closed;
#[path = "sim/forked.rs"]
mod forked;
#[path = "sim/forks.rs"]
mod forks;
#[path = "sim/store.rs"]
mod store;
#[path = "sim/world.rs"]
mod world;

use std::collections::BTreeSet;

use rand::RngExt as _;
use roomful::proto::ids::EntryId;
use roomful::proto::roster::State;
use world::{Weather, World};

/// How long everything is quiet before the world is judged, in milliseconds.
const QUIET_MS: u64 = 40_000;

/// Longest time that a process is frozen, in milliseconds.
const FROZEN_MS: u64 = 70_000;

/// How many seeds are tried unless `SEEDS` says otherwise.
const SEEDS: u64 = 200;

/// Says how to repeat a life that ends in a panic.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat it with: SEED={} cargo test --test sim", self.0);
        }
    }
}

/// One life of a world, from a seed alone.
fn live(seed: u64) -> World {
    let mut world = World::new(seed, 0, Weather { loss: 0, doubled: 0, delay_ms: 0, commit_ms: 0 });
    let weather = Weather {
        loss: world.rng.random_range(0..50),
        doubled: world.rng.random_range(0..30),
        delay_ms: world.rng.random_range(0..300),
        commit_ms: world.rng.random_range(0..40),
    };
    let nodes = world.rng.random_range(2..8);
    world = World::new(seed ^ 0x5eed, nodes, weather);
    for node in 0..nodes {
        let wrong = [0, 0, 0, 90_000, -90_000, 86_400_000, -86_400_000];
        world.nodes[node].clock_ms = wrong[world.rng.random_range(0..wrong.len())];
        if world.rng.random_range(0..4) > 0 {
            world.start(node);
        }
    }
    for step in 0..world.rng.random_range(20..160) {
        trouble(&mut world, step);
        let pause_ms = world.rng.random_range(0..1_500);
        world.run_until(world.now_ms + pause_ms);
    }
    // Whoever is frozen wakes by itself.
    world.run_until(world.now_ms + FROZEN_MS);
    world.heal();
    for node in 0..nodes {
        world.lift(node);
        if world.nodes[node].engine.is_none() {
            world.start(node);
        }
    }
    world.run_until(world.now_ms + QUIET_MS);
    world
}

/// One random thing that happens.
fn trouble(world: &mut World, step: usize) {
    let nodes = world.nodes.len();
    let (a, b) = (world.rng.random_range(0..nodes), world.rng.random_range(0..nodes));
    let running = world.nodes[a].engine.is_some();
    match world.rng.random_range(0..20) {
        0 if running => world.kill(a),
        1 | 2 if !running => world.start(a),
        3 if a != b => world.part(a, b),
        4 => world.heal(),
        5 => world.nodes[a].clock_ms += world.rng.random_range(-100_000..100_000),
        6 if a != b => {
            let to = world.nodes[b].id;
            let known = world.nodes[a].engine.as_ref().is_some_and(|engine| engine.members().any(|m| m.id == to));
            if known {
                world.say(a, &format!("for {b} alone, {step}"), Some(to));
            }
        }
        7..=17 => {
            for line in 0..world.rng.random_range(1..4) {
                world.say(a, &format!("{a} says {step}.{line}"), None);
            }
        }
        18 if running => match world.rng.random_range(0..3) {
            0 => world.freeze(a, world.now_ms % FROZEN_MS),
            1 => world.fill_disk(a, 5_000),
            _ => world.kill_at_commit(a),
        },
        _ => {}
    }
}

/// Judges a world after it healed.
fn judge(world: &World) -> Result<(), String> {
    let everything: BTreeSet<EntryId> = world.nodes.iter().flat_map(|node| node.acknowledged.iter().copied()).collect();
    let room = |node: usize| world.nodes[node].disk.lines().into_iter().filter(|line| line.to.is_none());
    let first: Vec<_> = room(0).map(|line| (line.order, line.id, line.text)).collect();
    for (number, node) in world.nodes.iter().enumerate() {
        let lines: Vec<_> = room(number).map(|line| (line.order, line.id, line.text)).collect();
        if lines != first {
            return Err(format!("nodes 0 and {number} disagree: {} and {} messages", first.len(), lines.len()));
        }
        let held: BTreeSet<EntryId> = node.disk.lines().iter().map(|line| line.id).collect();
        for line in node.disk.lines() {
            let concerned = line.to.is_none_or(|to| to == node.id || line.order.author == node.id);
            if !concerned {
                return Err(format!("node {number} holds a direct message of others"));
            }
        }
        for other in &world.nodes {
            for line in other.disk.lines() {
                let concerned = line.to.is_none_or(|to| to == node.id || line.order.author == node.id);
                if everything.contains(&line.id) && concerned && !held.contains(&line.id) {
                    return Err(format!("node {number} lacks {:?}: {}", line.id, line.text));
                }
            }
        }
        for id in &node.acknowledged {
            if !held.contains(id) {
                return Err(format!("node {number} lost {id:?}, which it had acknowledged"));
            }
        }
        for line in node.disk.lines().into_iter().filter(|line| line.order.author == node.id) {
            for other in world.nodes.iter().filter(|other| other.id != node.id) {
                let concerned = line.to.is_none_or(|to| to == other.id);
                if concerned && !node.disk.knows_held(other.id, line.id) {
                    return Err(format!("node {number} was never told that {:?} is held: {}", other.id, line.text));
                }
            }
        }
        let engine = node.engine.as_ref().ok_or("a node does not run")?;
        let away: Vec<_> = engine.members().filter(|member| member.state != State::Online).collect();
        if !away.is_empty() || engine.members().count() != world.nodes.len() {
            return Err(format!("node {number} does not see everybody: {away:?}"));
        }
        for other in 0..world.nodes.len() {
            let links = world.links_between(number, other);
            if links != usize::from(other != number) {
                return Err(format!("{links} links between nodes {number} and {other}"));
            }
        }
    }
    Ok(())
}

#[test]
fn whatever_happens_all_agree_in_the_end() {
    let chosen = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let many = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let seeds: Vec<u64> = chosen.map_or_else(|| (1..=many).collect(), |seed| vec![seed]);
    let mut said = 0;
    for seed in seeds {
        let _repeat = Repeat(seed);
        let world = live(seed);
        said += world.nodes.iter().map(|node| node.acknowledged.len()).sum::<usize>();
        if let Err(why) = judge(&world) {
            panic!("seed {seed}: {why}");
        }
    }
    assert!(said > 0, "somebody said something");
}

#[test]
fn a_seed_replays_exactly() {
    assert_eq!(live(7).trace, live(7).trace);
    assert_ne!(live(7).trace, live(8).trace);
}

#[test]
fn ten_nodes_meet_within_five_seconds_and_a_newcomer_within_three() {
    let mut world = World::new(1, 11, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    for node in 0..10 {
        world.start(node);
    }
    let met =
        |world: &World, nodes: usize| (0..nodes).all(|a| (0..nodes).all(|b| a == b || world.links_between(a, b) == 1));
    world.run_until(world.now_ms + 5_000);
    assert!(met(&world, 10));
    world.start(10);
    world.run_until(world.now_ms + 3_000);
    assert!(met(&world, 11));
}

/// A world in which everything comes at once.
fn calm(nodes: usize) -> World {
    let mut world = World::new(1, nodes, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    (0..nodes).for_each(|node| world.start(node));
    world
}

/// How node `a` sees node `b`.
fn seen(world: &World, a: usize, b: usize) -> (State, bool, Option<usize>) {
    let id = world.nodes[b].id;
    let engine = world.nodes[a].engine.as_ref().expect("it runs");
    let member = engine.members().find(|member| member.id == id).expect("known");
    let via = member.via.map(|via| world.nodes.iter().position(|node| node.id == via).expect("one of them"));
    (member.state, member.direct, via)
}

#[test]
fn who_is_reached_by_others_only_hears_and_is_heard_at_once() {
    let mut world = World::new(1, 3, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.part(0, 2);
    (0..3).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    assert_eq!(seen(&world, 0, 2), (State::Online, false, Some(1)));
    assert_eq!(seen(&world, 2, 0), (State::Online, false, Some(1)));

    world.say(0, "over there", None);
    world.run_until(world.now_ms + 200);
    let id = world.nodes[0].acknowledged[0];
    assert!(world.nodes[2].shown.contains(&id));
    assert_eq!(world.nodes[0].held.get(&id).map(|held| (held.held_by, held.of)), Some((2, 2)));

    // Whoever passes on dies: the other two lose each other, and find each other again when they can.
    world.kill(1);
    world.run_until(world.now_ms + 3_000);
    assert_eq!(seen(&world, 0, 2).0, State::Lost);
    world.heal();
    world.run_until(world.now_ms + 15_000);
    assert_eq!(seen(&world, 0, 2), (State::Online, true, None));
}

#[test]
fn a_cut_between_two_is_bridged_before_anybody_is_missed() {
    let mut world = calm(4);
    world.run_until(world.now_ms + 12_000);
    world.part(0, 3);
    world.sever(0, 3);
    world.run_until(world.now_ms + 1_500);
    let (state, direct, via) = seen(&world, 0, 3);
    assert_eq!((state, direct), (State::Online, false));
    assert!(via.is_some());
}

#[test]
fn who_leaves_is_seen_to_leave_from_afar() {
    let mut world = World::new(1, 3, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.part(0, 2);
    (0..3).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    world.stop(2);
    world.run_until(world.now_ms + 1_000);
    assert_eq!(seen(&world, 0, 2).0, State::Left);
}

#[test]
fn a_newcomer_sees_what_is_new_before_what_is_old() {
    let mut world = World::new(1, 2, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.start(0);
    for line in 0..400 {
        world.say(0, &format!("{line} {}", "x".repeat(200)), None);
        world.run_until(world.now_ms + 10);
    }
    world.start(1);
    world.run_until(world.now_ms + 20_000);
    let mut lines = world.nodes[1].disk.lines();
    assert_eq!(lines.len(), 400);
    let newest = lines[399].arrival;
    lines.sort_by_key(|line| line.arrival);
    let before = lines.iter().filter(|line| line.arrival < newest).count();
    assert!(before < 100, "{before} of 400 messages came before the newest");
}
