//! One run of a simulation from a seed: everything that can happen to machines, cables, clocks and
//! disks, followed by the end of all faults and a quiet period.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomful::proto::entries::body::Body;
use roomful::proto::entries::mention::Mentions;
use roomful::proto::entries::timeline::{Conversation, Message};
use roomful::proto::ids::NodeId;
use roomful::proto::names::name::Name;

use crate::checks::{Astray, check, no_dead_member_is_shown};
use crate::forked::{cheat, give_branches};
use crate::node::Death;
use crate::world::{Weather, Words, World};

/// The quiet period before the check, in milliseconds. Links that failed recently are retried by
/// then.
const QUIET_MS: u64 = 40_000;

/// Every node compares with one peer in this time, in milliseconds. An entry that only one node
/// holds may have to wait for all of them once.
const TURN_MS: u64 = 5_500;

/// How long a node refused because its key is in use may take to return, in milliseconds.
const REFUSED_MS: u64 = 70_000;

/// Longest time that a process is frozen, in milliseconds.
const FROZEN_MS: u64 = 70_000;

/// The fewest and the most nodes.
const NODES: (usize, usize) = (5, 50);

/// Clock errors in milliseconds: in 1970, three days behind, 90 s, 25 hours and ten years ahead.
const WRONG_MS: [i64; 7] =
    [-1_800_000_000_000, -3 * 86_400_000, -90_000, 90_000, 25 * 3_600_000, 10 * 365 * 86_400_000, 3_600_000];

/// A life, and who cheated in it.
pub struct Life {
    pub world: World,
    pub cheat: Option<NodeId>,
}

/// Lives it to the end.
pub fn live(seed: u64) -> Life {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
    let weather = Weather {
        loss: rng.random_range(0..50),
        doubled: rng.random_range(0..30),
        delay_ms: rng.random_range(0..350),
        commit_ms: rng.random_range(0..40),
    };
    let nodes = size(seed);
    let mut world = World::new(seed, nodes, weather);
    let cheats = world.rng.random_range(0..6) == 0;
    if cheats {
        give_branches(&mut world);
    }
    for node in 0..nodes {
        if world.rng.random_range(0..2) == 0 {
            world.nodes[node].clock_ms = wrong(&mut world);
        }
        if world.rng.random_range(0..4) > 0 {
            world.start(node);
        }
    }
    let copied = world.rng.random_range(0..8) == 0;
    let steps = world.rng.random_range(20..120);
    let mut astray = Astray::default();
    for step in 0..steps {
        trouble(&mut world, step);
        if copied && step == steps / 2 {
            let node = world.rng.random_range(0..nodes);
            let twin = world.copy(node);
            world.start(twin);
        }
        let pause_ms = world.rng.random_range(0..1_000);
        world.run_until(world.now_ms + pause_ms);
        no_dead_member_is_shown(&world);
        astray.check(&world);
    }
    end(&mut world);
    Life { world, cheat: cheats.then(cheat) }
}

impl Life {
    /// Checks the simulation. Before it reports an error it waits for one comparison with every
    /// peer.
    pub fn checked(&mut self) -> Result<(), String> {
        let latest_ms = self.world.now_ms + TURN_MS * self.world.nodes.len() as u64;
        while let Err(why) = check(self) {
            if self.world.now_ms > latest_ms {
                return Err(why);
            }
            self.world.run_until(self.world.now_ms + TURN_MS);
        }
        Ok(())
    }
}

/// How many nodes live in the world of a seed: small ones are more, since they are sooner lived.
pub fn size(seed: u64) -> usize {
    let (least, most) = NODES;
    let share: f64 = StdRng::seed_from_u64(seed).random_range(0.0..1.0);
    least + (share * share * share * (most + 1 - least) as f64) as usize
}

/// A clock that is off.
fn wrong(world: &mut World) -> i64 {
    WRONG_MS[world.rng.random_range(0..WRONG_MS.len())]
}

/// Ends all faults. Where a key is on two machines, the copies run alone first, then the others.
fn end(world: &mut World) {
    world.heal();
    let nodes = world.nodes.len();
    (0..nodes).for_each(|node| world.lift(node));
    // Frozen nodes resume by themselves.
    let awake_ms = world.nodes.iter().map(|node| node.frozen_until_ms).max().unwrap_or(0);
    world.run_until(world.now_ms.max(awake_ms));
    let twins: Vec<(usize, usize)> = (0..nodes).filter_map(|node| Some((node, world.nodes[node].twin_of?))).collect();
    for (_, node) in &twins {
        world.kill(*node);
    }
    if !twins.is_empty() {
        let others: Vec<usize> = (0..nodes).filter(|node| twins.iter().all(|(_, original)| original != node)).collect();
        start_all(world, &others);
        world.run_until(world.now_ms + REFUSED_MS + QUIET_MS);
    }
    for (twin, _) in &twins {
        world.kill(*twin);
    }
    let all: Vec<usize> = (0..nodes).filter(|node| world.nodes[*node].twin_of.is_none()).collect();
    start_all(world, &all);
    world.run_until(world.now_ms + QUIET_MS);
}

fn start_all(world: &mut World, nodes: &[usize]) {
    for node in nodes {
        if world.nodes[*node].engine.is_none() {
            world.start(*node);
        }
    }
}

/// One random thing that happens.
fn trouble(world: &mut World, step: usize) {
    let nodes = world.nodes.len();
    let (a, b) = (world.rng.random_range(0..nodes), world.rng.random_range(0..nodes));
    let running = world.nodes[a].engine.is_some();
    match world.rng.random_range(0..41) {
        0 if running => world.kill(a),
        1 if running => world.stop(a),
        2..=4 if !running => world.start(a),
        5 if a != b => world.part(a, b),
        6 if a != b => _ = world.cut.insert((a, b)),
        7 => halves(world),
        8 | 9 => world.heal(),
        10 => world.nodes[a].clock_ms += world.rng.random_range(-100_000..100_000),
        11 => world.nodes[a].clock_ms = if world.rng.random_range(0..3) == 0 { wrong(world) } else { 0 },
        12 if a != b => privately(world, a, b, step),
        13..=25 => {
            for line in 0..world.rng.random_range(1..4) {
                openly(world, a, &format!("{a} says {step}.{line}"));
            }
        }
        26 if running => {
            let for_ms = world.rng.random_range(0..FROZEN_MS);
            world.freeze(a, for_ms);
        }
        27 if running => world.fill_disk(a, 5_000),
        28 | 29 if running => {
            let death = Death { commits: world.rng.random_range(0..6), is_made: world.rng.random_range(0..2) == 0 };
            world.kill_at_commit(a, death);
        }
        30 => back_up(world, a),
        31 if running => world.damage(a),
        32..=39 if running => changes(world, a, step),
        40 if running => set_topic(world, a, step),
        _ => {}
    }
}

/// The switch falls into two.
fn halves(world: &mut World) {
    let is_left: Vec<bool> = (0..world.nodes.len()).map(|_| world.rng.random_range(0..2) == 0).collect();
    world.split(&is_left);
}

/// Takes a backup, or puts back the one that there is.
fn back_up(world: &mut World, node: usize) {
    if world.nodes[node].backup.is_none() {
        world.nodes[node].backup = Some(Box::new(world.nodes[node].disk.clone()));
        return;
    }
    if world.nodes[node].engine.is_some() {
        world.kill(node);
    }
    world.restore(node);
    world.start(node);
}

/// Sends a message to the room, often as a reply.
fn openly(world: &mut World, node: usize, text: &str) {
    if world.nodes[node].engine.is_none() {
        return;
    }
    let channel = ["general", "news"][world.rng.random_range(0..2)];
    let here =
        |conversation: &Conversation| matches!(conversation, Conversation::Channel(name) if name.as_str() == channel);
    let shown = &world.nodes[node].page.shown;
    let ids: Vec<_> = shown.iter().filter(|(_, (conversation, _))| here(conversation)).map(|(id, _)| *id).collect();
    let answers = !ids.is_empty() && world.rng.random_range(0..3) == 0;
    let reply_to = answers.then(|| ids[world.rng.random_range(0..ids.len())]);
    world.speak(node, Words { text: text.to_owned(), to: None, channel: Some(channel), reply_to });
}

/// Edits or deletes a message of the user, or reacts to any.
fn changes(world: &mut World, node: usize, step: usize) {
    let lines = world.nodes[node].disk.lines();
    let what = world.rng.random_range(0..8);
    let own = world.nodes[node].id;
    let may = |line: &&Message| !line.changes.deleted && (what > 4 || line.order.author == own);
    let lines: Vec<_> = lines.iter().filter(may).collect();
    // Mostly what was changed before: the edits of a deleted message have to go too.
    let changed: Vec<_> = lines.iter().copied().filter(|line| line.changes.edited.is_some()).collect();
    let is_again = !changed.is_empty() && world.rng.random_range(0..4) > 0;
    let lines = if is_again { changed } else { lines };
    if lines.is_empty() {
        return;
    }
    let line = lines[world.rng.random_range(0..lines.len())].clone();
    let entry = line.id;
    let body = match what {
        0..=2 => {
            let text = format!("{node} edits at {step}");
            world.said.insert(text.clone(), (own, line.to));
            Body::Edit { entry, text, mentions: Mentions::default() }
        }
        3 | 4 => Body::Delete { entry, channel: Some(line.conversation.channel().to_owned()) },
        _ => {
            let (emoji, off) =
                (["👍", "🎉"][world.rng.random_range(0..2)].to_owned(), world.rng.random_range(0..3) == 0);
            Body::React { entry, emoji, off }
        }
    };
    world.change(node, line.conversation, body);
}

/// Sets the topic of a channel, or takes it back.
fn set_topic(world: &mut World, node: usize, step: usize) {
    let channel = ["general", "news"][world.rng.random_range(0..2)];
    let text = if world.rng.random_range(0..4) == 0 { String::new() } else { format!("{node} has a topic, {step}") };
    let conversation = Conversation::Channel(Name::from_lossy(channel, "general"));
    world.change(node, conversation, Body::Topic { channel: channel.to_owned(), text });
}

/// Says something to one other member, if that one is known.
fn privately(world: &mut World, node: usize, to: usize, step: usize) {
    let id = world.nodes[to].id;
    let is_known = |member: &roomful::proto::members::member::Member| member.id == id && !member.own;
    let known = world.nodes[node].engine.as_ref().is_some_and(|engine| engine.members().any(is_known));
    if known {
        world.say(node, &format!("{node} says to {to} alone, {step}"), Some(id));
    }
}
