//! Many engines in one simulated network. A seed draws their number, loss, delay, duplication,
//! cuts, crashes at commits, full, failing and restored disks, copied keys, cheaters and wrong
//! clocks. Then all faults end, and all nodes must hold the same messages in the same order, each
//! once.
//!
//! A failing run prints its seed and the command that repeats it; `WORLDS=…` sets the number of
//! runs.

mod checks;
mod closed;
mod forked;
mod life;
mod node;
mod page;
mod strangers;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use life::live;
use roomful::proto::members::member::Presence;
use world::{Weather, Words, World};

/// The default number of seeds; `WORLDS` overrides it. `tests/run` has a thousand, since it builds
/// with some optimisation.
const WORLDS: u64 = 40;

/// Says how to repeat a life that ends in a panic.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat it with: SEED={} cargo test --test simulation nodes_agree_after_any_faults", self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn nodes_agree_after_any_faults() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("WORLDS").unwrap_or(WORLDS) + 1,
    };
    let many = seeds.end - seeds.start;
    let next = AtomicU64::new(seeds.start);
    let (said, nodes) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let _repeat = Repeat(seed);
                    let mut life = live(seed);
                    said.fetch_add(life.world.must.len() as u64, Ordering::Relaxed);
                    nodes.fetch_add(life.world.nodes.len() as u64, Ordering::Relaxed);
                    if let Err(why) = life.checked() {
                        panic!("seed {seed}: {why}");
                    }
                }
            });
        }
    });
    println!("{} nodes, {} messages", nodes.into_inner(), said.load(Ordering::Relaxed));
    // In one world alone it may be that nothing gets onto a disk that lasts.
    assert!(many == 1 || said.into_inner() > 0, "somebody said something");
}

#[test]
fn a_seed_replays_exactly() {
    assert_eq!(live(7).world.trace, live(7).world.trace);
    assert_ne!(live(7).world.trace, live(8).world.trace);
}

#[test]
fn seeds_cover_all_sizes() {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for seed in 1..=1_000 {
        *sizes.entry(life::size(seed) / 10).or_default() += 1;
    }
    let all: Vec<usize> = sizes.keys().copied().collect();
    assert_eq!(all, [0, 1, 2, 3, 4, 5], "{sizes:?}");
}

#[test]
fn ten_nodes_meet_in_5_s_and_a_newcomer_in_3_s() {
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
fn seen(world: &World, a: usize, b: usize) -> (Presence, bool, Option<usize>) {
    let id = world.nodes[b].id;
    let engine = world.nodes[a].engine.as_ref().expect("it runs");
    let member = engine.members().find(|member| member.id == id).expect("known");
    let via = member.via.map(|via| world.nodes.iter().position(|node| node.id == via).expect("one of them"));
    (member.state, member.direct, via)
}

#[test]
fn relayed_member_exchanges_messages_at_once() {
    let mut world = World::new(1, 3, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.part(0, 2);
    (0..3).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    assert_eq!(seen(&world, 0, 2), (Presence::Online, false, Some(1)));
    assert_eq!(seen(&world, 2, 0), (Presence::Online, false, Some(1)));

    world.say(0, "over there", None);
    world.run_until(world.now_ms + 200);
    let id = world.nodes[0].acknowledged[0];
    assert!(world.nodes[2].page.shown.contains_key(&id));
    assert_eq!(world.nodes[0].page.held.get(&id).map(|held| (held.held_by, held.of)), Some((2, 2)));

    // The relaying node dies. The other two lose each other, and reconnect when they can.
    world.kill(1);
    world.run_until(world.now_ms + 3_000);
    assert_eq!(seen(&world, 0, 2).0, Presence::Lost);
    world.heal();
    world.run_until(world.now_ms + 15_000);
    assert_eq!(seen(&world, 0, 2), (Presence::Online, true, None));
}

#[test]
fn relay_bridges_a_cut_before_a_loss_is_shown() {
    let mut world = calm(4);
    world.run_until(world.now_ms + 12_000);
    world.part(0, 3);
    world.sever(0, 3);
    world.run_until(world.now_ms + 1_500);
    let (state, direct, via) = seen(&world, 0, 3);
    assert_eq!((state, direct), (Presence::Online, false));
    assert!(via.is_some());
}

#[test]
fn member_behind_a_silent_relay_is_unreached() {
    let mut world = World::new(1, 4, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.part(0, 2);
    [0, 1, 2].into_iter().for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    assert_eq!(seen(&world, 0, 2), (Presence::Online, false, Some(1)));
    // No node is asked any more whether 2 is present, and its messages do not arrive.
    world.freeze(1, 12_500);
    world.run_until(world.now_ms + 12_000);
    assert_eq!(seen(&world, 0, 2).0, Presence::Lost);
    // It is found again through the same one, once that wakes.
    world.run_until(world.now_ms + 6_000);
    assert_eq!(seen(&world, 0, 2), (Presence::Online, false, Some(1)));
    // And another one steps in at once, if there is one.
    world.start(3);
    world.run_until(world.now_ms + 8_000);
    let via = seen(&world, 0, 2).2.expect("through somebody");
    world.freeze(via, 60_000);
    world.run_until(world.now_ms + 12_000);
    assert_eq!(seen(&world, 0, 2), (Presence::Online, false, Some(4 - via)));
}

/// Ten years, in milliseconds.
const FAR_MS: i64 = 315_360_000_000;

/// A simulation in which 2 replies to a message before it receives what that one is ordered after.
/// Returns the final order.
fn answered_before_the_question_moves(world: &mut World) -> Vec<String> {
    // What 0 says stands ten years ahead, and 2 does not hear of it before it answers 1.
    world.nodes[0].clock_ms = FAR_MS;
    world.part(0, 2);
    [0, 1].into_iter().for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    world.say(0, "far ahead", None);
    world.run_until(world.now_ms + 500);
    world.kill(0);
    world.say(1, "behind that", None);
    world.run_until(world.now_ms + 500);
    let question = world.nodes[1].acknowledged[0];
    let ahead = world.nodes[1].disk.batches.keys().next().copied().expect("a batch");
    assert!(world.nodes[1].disk.batches.len() >= 2 && ahead.1 == 1);
    // 2 gets the question alone: as if what it stands behind came late.
    let asked: Vec<_> =
        world.nodes[1].disk.batches.values().filter(|batch| batch.header().log == question.log).cloned().collect();
    forked::holds(world, 2, &asked);
    world.kill(1);
    world.start(2);
    let reply_to = Some(question);
    world.speak(2, Words { text: "answer".to_owned(), reply_to, ..Words::default() });
    world.run_until(world.now_ms + 500);
    world.heal();
    [0, 1].into_iter().for_each(|node| world.start(node));
    world.run_until(world.now_ms + 40_000);
    world.nodes[2].disk.lines().into_iter().map(|line| line.text).collect()
}

#[test]
fn reply_stays_below_a_moved_message() {
    let mut world = World::new(1, 3, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    assert_eq!(answered_before_the_question_moves(&mut world), ["far ahead", "behind that", "answer"]);
}

#[test]
fn reply_stays_below_despite_a_later_reference() {
    let mut world = World::new(1, 4, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    // 2 has seen a message from five years ahead and must write after that, too.
    world.nodes[3].clock_ms = FAR_MS / 2;
    world.start(3);
    world.say(3, "ahead", None);
    world.run_until(world.now_ms + 500);
    world.kill(3);
    let heard: Vec<_> = world.nodes[3].disk.batches.values().cloned().collect();
    forked::holds(&mut world, 2, &heard);
    assert_eq!(answered_before_the_question_moves(&mut world), ["ahead", "far ahead", "behind that", "answer"]);
}

#[test]
fn fast_clock_is_referenced_once() {
    let mut world = World::new(1, 2, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.nodes[0].clock_ms = FAR_MS;
    (0..2).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    for text in ["one", "two"] {
        world.say(0, text, None);
        world.run_until(world.now_ms + 500);
    }
    let reply_to = Some(world.nodes[0].acknowledged[0]);
    for text in ["three", "four"] {
        world.speak(1, Words { text: text.to_owned(), reply_to, ..Words::default() });
    }
    world.run_until(world.now_ms + 500);
    world.speak(1, Words { text: "five".to_owned(), reply_to, ..Words::default() });
    world.run_until(world.now_ms + 500);
    let texts: Vec<String> = world.nodes[0].disk.lines().into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["one", "two", "three", "four", "five"]);
    let own = world.nodes[1].disk.batches.values().filter(|batch| batch.header().author == world.nodes[1].id);
    let entries: Vec<usize> = own.map(|batch| batch.header().entries.len()).collect();
    assert_eq!(entries, [1, 1, 1, 1], "the name, which names what is last, and three answers");
}

#[test]
fn author_with_lost_entries_writes_after_all_seen() {
    let mut world = World::new(1, 2, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.nodes[0].clock_ms = FAR_MS;
    (0..2).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    for (node, text) in [(0, "far ahead"), (1, "behind that"), (1, "lost for a moment")] {
        world.say(node, text, None);
        world.run_until(world.now_ms + 500);
    }
    let own = world.nodes[1].id;
    let last = world.nodes[1].disk.batches.values().rfind(|batch| batch.header().author == own).cloned();
    world.damage_batch(1, &last.expect("it spoke"));
    // The simulated page requires that this message is shown in place at once, before the lost ones
    // are back: it refers to the own last entry and to the one it replies to.
    let reply_to = Some(world.nodes[0].acknowledged[0]);
    world.speak(1, Words { text: "an answer".to_owned(), reply_to, ..Words::default() });
    world.run_until(world.now_ms + 20_000);
    let texts: Vec<String> = world.nodes[1].disk.lines().into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["far ahead", "behind that", "lost for a moment", "an answer"]);
}

#[test]
fn past_peer_is_found_without_a_beacon() {
    let mut world = calm(2);
    world.run_until(world.now_ms + 5_000);
    assert_eq!(world.links_between(0, 1), 1);
    world.weather.loss = 100;
    world.stop(0);
    world.kill(1);
    (0..2).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 5_000);
    assert_eq!(world.links_between(0, 1), 1);
}

#[test]
fn one_configured_peer_joins_separated_nodes() {
    let mut world = World::new(1, 4, Weather { loss: 100, doubled: 0, delay_ms: 3, commit_ms: 5 });
    for node in 1..4 {
        world.nodes[node].peers = vec![0];
    }
    (0..4).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 15_000);
    assert!((0..4).all(|a| (0..4).all(|b| a == b || world.links_between(a, b) == 1)), "{:?}", world.pairs());
}

#[test]
fn relayed_goodbye_is_shown() {
    let mut world = World::new(1, 3, Weather { loss: 0, doubled: 0, delay_ms: 3, commit_ms: 5 });
    world.part(0, 2);
    (0..3).for_each(|node| world.start(node));
    world.run_until(world.now_ms + 8_000);
    world.stop(2);
    world.run_until(world.now_ms + 1_000);
    assert_eq!(seen(&world, 0, 2).0, Presence::Left);
}

#[test]
fn newcomer_gets_new_messages_first() {
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
