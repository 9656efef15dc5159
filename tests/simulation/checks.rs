//! The checker: the invariants of a simulation at any time, and after everything was healed and
//! quiet. It looks at disks and at what pages received, and trusts no engine.

use std::collections::{BTreeMap, BTreeSet};

use roomful::proto::entries::body::Body;
use roomful::proto::entries::timeline::{Message, Order};
use roomful::proto::ids::{EntryId, LogKey, NodeId};
use roomful::proto::members::member::Presence;

use crate::life::Life;
use crate::node::Node;
use crate::world::World;

/// How long a dead node may be shown as present, in milliseconds.
const DEAD_MS_MAX: u64 = 20_000;

/// How long a member may be shown as reached through a node that is gone, in milliseconds. It may
/// be back within 2 s.
const ASTRAY_MS_MAX: u64 = 4_000;

/// Judges a life at its end.
pub fn check(life: &Life) -> Result<(), String> {
    let world = &life.world;
    let held: Vec<Vec<Message>> = world.nodes.iter().map(|node| node.disk.lines()).collect();
    let honest = || (0..world.nodes.len()).filter(|node| world.nodes[*node].twin_of.is_none());
    let everything: BTreeMap<EntryId, &Message> =
        honest().flat_map(|node| &held[node]).map(|line| (line.id, line)).collect();
    for number in honest() {
        let (node, lines) = (&world.nodes[number], &held[number]);
        let complain = |why: String| Err(format!("node {number} of {}: {why}", world.nodes.len()));
        for check in [
            was_said(life, node, lines),
            has_all(world, node, lines, &everything),
            answers_stand_below(node, lines),
            page_is_right(node, lines),
            topics_are_right(node, &world.nodes[0]),
            deleted_text_is_gone(life, node, lines),
            chains_are_whole(life, node),
            receipts_came(world, node, lines),
        ] {
            check.or_else(complain)?;
        }
        let open = |lines: &[Message]| -> Vec<_> {
            lines.iter().filter(|line| line.to.is_none()).map(|line| (line.order, line.id)).collect()
        };
        let first = &held[0];
        if open(lines) != open(first) {
            return complain(format!("it has {} lines, the first {}, or in another order", lines.len(), first.len()));
        }
    }
    all_are_linked(life)
}

/// Checks that no message was invented, changed or received by the wrong member.
fn was_said(life: &Life, node: &Node, lines: &[Message]) -> Result<(), String> {
    for line in lines.iter().filter(|line| !line.changes.deleted) {
        let said = (line.order.author, line.to);
        if life.cheat != Some(line.order.author) && life.world.said.get(&line.text) != Some(&said) {
            return Err(format!("nobody said {line:?}"));
        }
        if !concerns(node.id, line) {
            return Err(format!("it holds what was said to another: {line:?}"));
        }
    }
    let shown = || lines.iter().filter(|line| !line.changes.deleted);
    let texts: BTreeSet<&str> = shown().map(|line| line.text.as_str()).collect();
    if texts.len() == shown().count() { Ok(()) } else { Err("it has something twice".to_owned()) }
}

fn concerns(id: NodeId, line: &Message) -> bool {
    line.to.is_none_or(|to| to == id || line.order.author == id)
}

/// Checks that a deleted message has no text on the disk, and none of its edits.
fn deleted_text_is_gone(life: &Life, node: &Node, lines: &[Message]) -> Result<(), String> {
    let deleted = lines.iter().filter(|line| line.changes.deleted && life.cheat != Some(line.order.author));
    let deleted: BTreeSet<EntryId> = deleted.map(|line| line.id).collect();
    for batch in node.disk.batches.values() {
        for index in 0..batch.header().entries.len() {
            let is_left = match batch.body(index) {
                Some(Body::Say { .. }) => deleted.contains(&batch.entry_id(index)),
                Some(Body::Edit { entry, .. }) => deleted.contains(&entry),
                _ => false,
            };
            if is_left {
                return Err(format!("it holds the text of a deleted message: {:?}", batch.body(index)));
            }
        }
    }
    Ok(())
}

/// Checks that a node holds every acknowledged message, and every message that another node holds,
/// and that each looks the same.
fn has_all(world: &World, node: &Node, lines: &[Message], all: &BTreeMap<EntryId, &Message>) -> Result<(), String> {
    let held: BTreeSet<EntryId> = lines.iter().map(|line| line.id).collect();
    for line in lines {
        let other = all.get(&line.id).filter(|other| (&other.text, &other.changes) != (&line.text, &line.changes));
        if let Some(other) = other {
            return Err(format!("it shows {line:?} where another one shows {other:?}"));
        }
    }
    for (id, line) in all {
        if concerns(node.id, line) && !held.contains(id) {
            return Err(format!("it lacks {line:?}"));
        }
    }
    match world.must.keys().find(|id| !all.contains_key(id)) {
        Some(id) => Err(format!("{id:?} was acknowledged, and nobody has it")),
        None => Ok(()),
    }
}

/// No answer above what it answers, unless what it would follow from is gone: so says the rule.
fn answers_stand_below(node: &Node, lines: &[Message]) -> Result<(), String> {
    let all: BTreeMap<EntryId, &Message> = lines.iter().map(|line| (line.id, line)).collect();
    for line in lines {
        if let Some(parent) = line.reply_to.and_then(|id| all.get(&id))
            && parent.order > line.order
            && !node.disk.stood_on_what_is_gone(line)
        {
            return Err(format!("an answer stands above what it answers: {line:?} and {parent:?}"));
        }
    }
    Ok(())
}

/// A page that was told everything, one thing after the other, shows what a new one would.
fn page_is_right(node: &Node, lines: &[Message]) -> Result<(), String> {
    let shown: BTreeMap<EntryId, _> = node.page.shown.iter().map(|(id, (_, order))| (*id, *order)).collect();
    let here: BTreeMap<EntryId, _> = lines.iter().map(|line| (line.id, line.order)).collect();
    let looks = |line: &&Message| node.page.looks.get(&line.id) != Some(&(line.text.clone(), (*line.changes).clone()));
    if let Some(line) = lines.iter().find(looks) {
        return Err(format!("its page shows {:?} in place of {line:?}", node.page.looks.get(&line.id)));
    }
    if shown == here {
        return Ok(());
    }
    let differs = here.iter().find(|(id, order)| shown.get(id) != Some(order));
    Err(format!("its page shows {} of {} lines where they are, not {differs:?}", shown.len(), here.len()))
}

/// Checks that the page shows the last topic of each channel in the order of the room, and that the
/// first node holds the same.
fn topics_are_right(node: &Node, first: &Node) -> Result<(), String> {
    let last = |node: &Node| -> BTreeMap<String, (Order, String)> {
        let mut set = Vec::new();
        for ((key, first), batch) in &node.disk.batches {
            for index in 0..batch.header().entries.len() {
                let Some(Body::Topic { channel, text }) = batch.body(index) else { continue };
                let seq = first + index as u64;
                let place = node.disk.places[&(*key, seq)];
                set.push((Order { place, author: key.author, log: key.log, seq }, channel, text));
            }
        }
        set.sort();
        set.into_iter().map(|(order, channel, text)| (channel, (order, text))).collect()
    };
    let (here, there) = (last(node), last(first));
    let texts: BTreeMap<String, String> = here.iter().map(|(name, (_, text))| (name.clone(), text.clone())).collect();
    if here != there {
        return Err(format!("its topics are {here:?}, those of the first {there:?}"));
    }
    if node.page.topics == texts {
        Ok(())
    } else {
        Err(format!("its page shows {:?}, not {texts:?}", node.page.topics))
    }
}

/// Sequence numbers without gap and without reuse, each batch on the one before it.
fn chains_are_whole(life: &Life, node: &Node) -> Result<(), String> {
    let mut before: Option<(LogKey, u64, _)> = None;
    for ((key, first), batch) in &node.disk.batches {
        let header = batch.header();
        let (next, prev) = match before {
            Some((log, last, hash)) if log == *key => (last + 1, Some(hash)),
            _ => (1, None),
        };
        // What no disk had any more leaves a gap for ever.
        let is_gap = life.world.is_lossy && *first > next;
        if !is_gap && (*first != next || header.prev != prev) {
            return Err(format!("{key:?} goes on with {first} where {next} should come"));
        }
        before = Some((*key, header.last_seq(), batch.hash()));
    }
    Ok(())
}

/// Checks that every author received the receipts of all nodes.
fn receipts_came(world: &World, node: &Node, lines: &[Message]) -> Result<(), String> {
    let others: Vec<NodeId> = world.nodes.iter().map(|other| other.id).filter(|id| *id != node.id).collect();
    for line in lines.iter().filter(|line| line.order.author == node.id) {
        let concerned = others.iter().filter(|id| line.to.is_none_or(|to| to == **id));
        if let Some(silent) = concerned.into_iter().find(|id| !node.disk.knows_held(**id, line.id)) {
            return Err(format!("it was never told that {silent:?} holds {line:?}"));
        }
    }
    Ok(())
}

/// Checks that all nodes are linked with each other, over one link each.
fn all_are_linked(life: &Life) -> Result<(), String> {
    let world = &life.world;
    let pairs = world.pairs();
    let here: Vec<usize> = (0..world.nodes.len()).filter(|node| world.nodes[*node].twin_of.is_none()).collect();
    for &a in &here {
        let engine = world.nodes[a].engine.as_ref().ok_or(format!("node {a} does not run"))?;
        let members: Vec<_> = engine.members().filter(|member| life.cheat != Some(member.id)).collect();
        let away: Vec<_> = members.iter().filter(|member| member.state != Presence::Online || !member.direct).collect();
        if !away.is_empty() || members.len() != here.len() {
            return Err(format!("node {a} does not see everybody: {away:?}"));
        }
        for &b in &here {
            let links = pairs.get(&(a, b)).copied().unwrap_or(0);
            if links != usize::from(a != b) {
                return Err(format!("{links} links between nodes {a} and {b}"));
            }
        }
    }
    Ok(())
}

/// Members that are reached through a node that is gone, on which node, and since when.
#[derive(Default)]
pub struct Astray(BTreeMap<(usize, NodeId), u64>);

impl Astray {
    /// At any time: no member is reached through a node that is gone, except for a moment.
    pub fn check(&mut self, world: &World) {
        let before = std::mem::take(&mut self.0);
        for (number, node) in world.nodes.iter().enumerate() {
            // Who is frozen goes by nothing.
            let Some(engine) = node.engine.as_ref().filter(|_| node.frozen_until_ms < world.now_ms) else { continue };
            let is_here = |via| engine.member(via).is_some_and(|via| via.state.is_here() && via.direct);
            for member in engine.members().filter(|member| member.state.is_here()) {
                if member.via.is_none_or(is_here) {
                    continue;
                }
                let since_ms = before.get(&(number, member.id)).copied().unwrap_or(world.now_ms);
                assert!(world.now_ms - since_ms < ASTRAY_MS_MAX, "through somebody gone: {member:?}");
                self.0.insert((number, member.id), since_ms);
            }
        }
    }
}

/// At any time: no dead node is shown as present for long, except by nodes that were frozen or dead
/// meanwhile.
pub fn no_dead_member_is_shown(world: &World) {
    let since = |at_ms: u64| world.now_ms.saturating_sub(at_ms);
    let mut alive: BTreeMap<NodeId, u64> = BTreeMap::new();
    for node in &world.nodes {
        let last_ms = if node.engine.is_some() { world.now_ms } else { node.died_ms };
        let known_ms = alive.entry(node.id).or_insert(0);
        *known_ms = last_ms.max(*known_ms);
    }
    let long_dead: Vec<_> = alive.into_iter().filter(|(_, last_ms)| since(*last_ms) > DEAD_MS_MAX).collect();
    let slept = |node: &Node| since(node.frozen_until_ms) < DEAD_MS_MAX;
    let asleep: BTreeSet<NodeId> = world.nodes.iter().filter(|node| slept(node)).map(|node| node.id).collect();
    for node in &world.nodes {
        let Some(engine) = &node.engine else { continue };
        if since(node.started_ms) < DEAD_MS_MAX || asleep.contains(&node.id) {
            continue;
        }
        for (id, last_ms) in &long_dead {
            let member = engine.member(*id).filter(|member| member.state.is_here());
            // A node that has just resumed may still report what it knew.
            let member = member.filter(|member| !member.via.is_some_and(|via| asleep.contains(&via)));
            assert!(member.is_none(), "dead for {} ms: {member:?}", since(*last_ms));
        }
    }
}
