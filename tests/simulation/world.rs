//! A simulated network of nodes with engines, disks and clocks. A seed makes it lose, delay, repeat
//! and partition. Only the tested rules are real.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomful::proto::clock::Now;
use roomful::proto::commands::SayCommand;
use roomful::proto::engine::{Action, AskId, ChangeInput, Engine, EngineConfig, Input, UiEvent};
use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::timeline::{Conversation, MessageKind};
use roomful::proto::ids::{EntryId, Instance, LinkId, LogKey, NodeId, RoomId, RoomTag};
use roomful::proto::links::address_book::{Dial, DialTarget};
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::{Beacon, CloseReason, Fetch, Frame, Intro, Peer};
use roomful::proto::replication::store_api::{Write, WriteError};

use crate::node::{Death, Node};
use crate::page::Page;
use crate::strangers::Stranger;

/// Wall clock at the start of the world, in milliseconds since 1970.
const DAWN_MS: u64 = 1_800_000_000_000;

/// The port where every simulated node listens.
const PORT: u16 = 7666;

/// What the network does, drawn from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Beacons lost, in per cent.
    pub loss: u32,
    /// Beacons that come twice, in per cent.
    pub doubled: u32,
    /// Longest delay of anything, in milliseconds.
    pub delay_ms: u64,
    /// Longest time of a commit, in milliseconds.
    pub commit_ms: u64,
}

/// Something that will happen to a node.
#[derive(Debug)]
enum Event {
    Wake,
    Beacon(SocketAddr, Beacon),
    Dialled(usize, Dial, u64),
    DialFailed(Dial),
    Frame(LinkId, Box<Frame>),
    Down(LinkId, Option<CloseReason>),
    Commit(Write),
    History(LinkId, Fetch),
}

struct Scheduled {
    at_ms: u64,
    number: u64,
    node: usize,
    /// The start of the program that it was meant for; nothing reaches another one.
    life: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

/// One end of a link: the node and the link's number there.
type End = (usize, LinkId);

/// One direction of a link.
struct Wire {
    other: End,
    /// When the last frame towards the other end arrives.
    last_ms: u64,
    /// What has come this far and does not get through, since the way to this end is cut.
    waiting: VecDeque<Frame>,
}

/// What a user says.
#[derive(Clone, Debug, Default)]
pub struct Words {
    pub text: String,
    pub to: Option<NodeId>,
    pub channel: Option<&'static str>,
    pub reply_to: Option<EntryId>,
}

pub struct World {
    pub now_ms: u64,
    pub rng: StdRng,
    pub weather: Weather,
    pub nodes: Vec<Node>,
    events: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    links: BTreeMap<End, Wire>,
    /// Links to peers that are no nodes of this world.
    strangers: BTreeMap<End, Stranger>,
    /// Whether all nodes are on one machine: their links come over loopback.
    pub is_one_machine: bool,
    /// Pairs of nodes that can't reach each other, in that direction.
    pub cut: BTreeSet<(usize, usize)>,
    asked: u64,
    /// Pages of history that were asked for.
    pub fetches: u64,
    /// Comparisons that found a difference.
    pub differences: u64,
    pub trace: u64,
    /// Each text that was sent, its author and its recipient.
    pub said: BTreeMap<String, (NodeId, Option<NodeId>)>,
    /// Acknowledged entries that some disk still holds: all of them must be on every node in the
    /// end.
    pub must: BTreeMap<EntryId, LogKey>,
    /// Whether a disk took with it what was nowhere else.
    pub is_lossy: bool,
}

impl World {
    pub fn new(seed: u64, nodes: usize, weather: Weather) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let nodes = (0..nodes).map(|_| Node::new(rng.random())).collect();
        Self {
            now_ms: 1_000,
            rng,
            weather,
            nodes,
            events: BinaryHeap::new(),
            scheduled: 0,
            links: BTreeMap::new(),
            strangers: BTreeMap::new(),
            is_one_machine: false,
            cut: BTreeSet::new(),
            asked: 0,
            fetches: 0,
            differences: 0,
            trace: 0,
            said: BTreeMap::new(),
            must: BTreeMap::new(),
            is_lossy: false,
        }
    }

    fn address(node: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, node as u8 + 1))
    }

    fn target(node: usize) -> DialTarget {
        DialTarget::Address(SocketAddr::new(Self::address(node), PORT))
    }

    /// Who is at an address.
    fn at(address: IpAddr) -> Option<usize> {
        let IpAddr::V4(address) = address else { return None };
        usize::from(address.octets()[3]).checked_sub(1)
    }

    fn clock(&self, node: usize) -> Now {
        let wall_ms = (DAWN_MS + self.now_ms).saturating_add_signed(self.nodes[node].clock_ms);
        Now { mono_ms: self.now_ms, wall_ms }
    }

    pub fn start(&mut self, node: usize) {
        assert!(self.nodes[node].engine.is_none());
        let now = self.clock(node);
        self.nodes[node].instance = Instance(self.rng.random());
        let settings = EngineConfig {
            budget: roomful::proto::links::link_budget::LinkBudget::default(),
            key: self.nodes[node].key.clone(),
            room: RoomId::new("sim", b""),
            tag: RoomTag::new("sim"),
            instance: self.nodes[node].instance,
            name: self.nodes[node].disk.name.clone().unwrap_or_else(|| Name::from_lossy(&format!("node {node}"), "?")),
            port: PORT,
            addresses: vec![Self::address(node)],
            peers: self.nodes[node].peers.iter().map(|peer| Self::target(*peer)).collect(),
            quota: self.nodes[node].quota,
            seed: self.rng.random(),
        };
        let entry = &mut self.nodes[node];
        entry.engine = Some(Engine::new(now, settings, entry.disk.snapshot()));
        entry.page.afresh(entry.disk.lines(), entry.disk.topics());
        entry.life += 1;
        entry.started_ms = now.mono_ms;
        entry.woken_ms = now.mono_ms;
        self.schedule(node, 0, Event::Wake);
    }

    /// The process dies: what is not committed is gone, the other ends of its links see them break.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].engine = None;
        self.nodes[node].died_ms = self.now_ms;
        let ends: Vec<End> = self.links.keys().filter(|(at, _)| *at == node).copied().collect();
        for end in ends {
            self.break_link(end, None);
        }
    }

    /// The process is asked to stop: it says goodbye.
    pub fn stop(&mut self, node: usize) {
        self.handle(node, Input::Stop);
        self.nodes[node].engine = None;
        self.nodes[node].died_ms = self.now_ms;
    }

    /// The links between two nodes break, and both hear of it.
    pub fn sever(&mut self, a: usize, b: usize) {
        let between = |(end, wire): &(&End, &Wire)| end.0 == a && wire.other.0 == b;
        let ends: Vec<End> = self.links.iter().filter(between).map(|(end, _)| *end).collect();
        for end in ends {
            self.break_link(end, None);
            self.schedule(end.0, 1, Event::Down(end.1, None));
        }
    }

    /// Ends a link; the other end hears of it, unless the way there is cut.
    fn break_link(&mut self, end: End, reason: Option<CloseReason>) {
        self.strangers.remove(&end);
        let Some(Wire { other: (other, link), .. }) = self.links.remove(&end) else { return };
        self.links.remove(&(other, link));
        let delay_ms = self.delay();
        if !self.cut.contains(&(end.0, other)) {
            self.schedule(other, delay_ms, Event::Down(link, reason));
        }
    }

    /// Parts two nodes: nothing gets through any more, and no new links come up.
    pub fn part(&mut self, a: usize, b: usize) {
        self.cut.insert((a, b));
        self.cut.insert((b, a));
    }

    /// Parts two halves of the world.
    pub fn split(&mut self, is_left: &[bool]) {
        for a in 0..self.nodes.len() {
            for b in (0..self.nodes.len()).filter(|b| is_left[a] && !is_left[*b]) {
                self.part(a, b);
            }
        }
    }

    /// All cables are put back; what was on its way arrives.
    pub fn heal(&mut self) {
        self.cut.clear();
        let mut late = Vec::new();
        for ((node, link), wire) in &mut self.links {
            late.extend(wire.waiting.drain(..).map(|frame| (*node, Event::Frame(*link, Box::new(frame)))));
        }
        for (node, event) in late {
            self.schedule(node, 0, event);
        }
    }

    /// The process does nothing for a while; what comes meanwhile waits.
    pub fn freeze(&mut self, node: usize, for_ms: u64) {
        self.nodes[node].frozen_until_ms = self.now_ms + for_ms;
    }

    /// Whether a node keeps the rest of its disk for its own user.
    pub fn set_little_disk(&mut self, node: usize, is_little: bool) {
        self.handle(node, Input::LittleDisk(is_little));
    }

    /// The disk takes nothing for a while.
    pub fn fill_disk(&mut self, node: usize, for_ms: u64) {
        self.nodes[node].full_until_ms = self.now_ms + for_ms;
    }

    /// The process dies in the middle of its work with the disk.
    pub fn kill_at_commit(&mut self, node: usize, death: Death) {
        self.nodes[node].dies = Some(death);
    }

    /// What was done to a node's disk is over.
    pub fn lift(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        (node.full_until_ms, node.dies) = (0, None);
    }

    /// Puts the disk of a node that does not run back to what it was at the last backup.
    pub fn restore(&mut self, node: usize) {
        let entry = &mut self.nodes[node];
        assert!(entry.engine.is_none());
        if let Some(backup) = &entry.backup {
            let before = std::mem::replace(&mut entry.disk, (**backup).clone());
            entry.page = Page::default();
            self.forget_lost(before.batches.values());
        }
    }

    /// Copies the disk of a node to another machine, key included. Returns the number of the copy,
    /// which is not running yet.
    pub fn copy(&mut self, node: usize) -> usize {
        let twin = self.nodes[node].twin(node);
        self.nodes.push(twin);
        self.nodes.len() - 1
    }

    /// The disk of a running node changes one of its batches, and that is found out.
    pub fn damage(&mut self, node: usize) {
        let many = self.nodes[node].disk.batches.len();
        if many == 0 {
            return;
        }
        let which = self.rng.random_range(0..many);
        let batch = self.nodes[node].disk.batches.values().nth(which).cloned().expect("one of them");
        self.damage_batch(node, &batch);
    }

    /// The disk of a running node changes this batch, and that is found out.
    pub fn damage_batch(&mut self, node: usize, batch: &Verified) {
        let written = self.nodes[node].disk.damage(batch);
        self.forget_lost(std::iter::once(batch));
        self.handle(node, Input::Written(written));
    }

    /// Forgets entries that no disk holds any more, since no node can provide them.
    fn forget_lost<'a>(&mut self, mut batches: impl Iterator<Item = &'a Verified>) {
        let is_held = |key, id| self.nodes.iter().any(|node| node.disk.holds(key, id));
        self.must.retain(|id, key| is_held(*key, *id));
        self.is_lossy |= batches.any(|batch| !is_held(batch.header().key(), batch.entry_id(0)));
    }

    fn delay(&mut self) -> u64 {
        1 + self.rng.random_range(0..=self.weather.delay_ms)
    }

    fn schedule(&mut self, node: usize, delay_ms: u64, event: Event) {
        self.scheduled += 1;
        let scheduled = Scheduled {
            at_ms: self.now_ms + delay_ms,
            number: self.scheduled,
            node,
            life: self.nodes[node].life,
            event,
        };
        self.events.push(Reverse(scheduled));
    }

    /// The user of a node says something.
    pub fn say(&mut self, node: usize, text: &str, to: Option<NodeId>) {
        self.speak(node, Words { text: text.to_owned(), to, ..Words::default() });
    }

    /// The same, in some channel, or in answer to something.
    pub fn speak(&mut self, node: usize, words: Words) {
        let Words { text, to, channel, reply_to } = words;
        self.asked += 1;
        let asker = AskId(self.asked);
        let channel = Name::from_lossy(channel.unwrap_or("general"), "general");
        let conversation = to.map_or(Conversation::Channel(channel), Conversation::Direct);
        self.nodes[node].page.asks(asker, &conversation);
        self.said.insert(text.clone(), (self.nodes[node].id, to));
        let say = SayCommand { reply_to, ..SayCommand::new(MessageKind::Say, conversation, text) };
        self.handle(node, Input::Say { asker, say });
    }

    /// The user of a node changes a message.
    pub fn change(&mut self, node: usize, conversation: Conversation, body: Body) {
        self.asked += 1;
        let change = ChangeInput { conversation, body, reference: None };
        self.handle(node, Input::Change { asker: AskId(self.asked), change });
    }

    pub fn run_until(&mut self, end_ms: u64) {
        while self.events.peek().is_some_and(|next| next.0.at_ms <= end_ms) {
            let Some(Reverse(next)) = self.events.pop() else { return };
            self.now_ms = self.now_ms.max(next.at_ms);
            let node = &self.nodes[next.node];
            if node.life != next.life || node.engine.is_none() {
                if let Event::Dialled(dialler, dial, life) = next.event {
                    self.refused(dialler, dial, life);
                }
                continue;
            }
            if self.now_ms < node.frozen_until_ms {
                // It keeps its number, so what waited comes in the order it was sent.
                let at_ms = node.frozen_until_ms;
                self.events.push(Reverse(Scheduled { at_ms, ..next }));
                continue;
            }
            self.happen(next.node, next.event);
        }
        self.now_ms = end_ms;
    }

    fn happen(&mut self, node: usize, event: Event) {
        match event {
            Event::Wake => {
                self.nodes[node].woken_ms = u64::MAX;
                self.handle(node, Input::Tick);
            }
            Event::Beacon(source, beacon) => self.handle(node, Input::Beacon { source, beacon }),
            Event::Dialled(dialler, dial, life) => self.dialled(node, dialler, dial, life),
            Event::DialFailed(dial) => self.handle(node, Input::DialFailed(dial.dial)),
            Event::Frame(link, frame) => {
                if self.strangers.contains_key(&(node, link)) {
                    return self.handle(node, Input::Frame { link, frame: *frame });
                }
                let Some(wire) = self.links.get_mut(&(node, link)) else { return };
                // A cut cable loses nothing of a TCP stream, but it does not let it pass either.
                if self.cut.contains(&(wire.other.0, node)) {
                    return wire.waiting.push_back(*frame);
                }
                self.handle(node, Input::Frame { link, frame: *frame });
            }
            Event::Down(link, reason) => self.handle(node, Input::LinkDown { link, reason }),
            Event::Commit(write) => self.commit(node, write),
            Event::History(link, fetch) => {
                let page = self.nodes[node].disk.history(fetch);
                self.handle(node, Input::History { link, page });
            }
        }
    }

    fn commit(&mut self, node: usize, write: Write) {
        let entry = &mut self.nodes[node];
        let is_full = self.now_ms < entry.full_until_ms;
        let dies = Death::now(&mut entry.dies);
        if dies == Some(Death::BEFORE) {
            return self.kill(node);
        }
        let written = match write {
            Write::Append { token, .. } if is_full => {
                Some(roomful::proto::replication::store_api::WriteResult::Failed { token, error: WriteError::DiskFull })
            }
            write => entry.disk.write(write),
        };
        if dies.is_some() {
            return self.kill(node);
        }
        if let Some(written) = written {
            self.handle(node, Input::Written(written));
        }
    }

    /// A dial has reached `node`: both ends have a link, or the dialler hears that it failed.
    fn dialled(&mut self, node: usize, dialler: usize, dial: Dial, life: u64) {
        if self.nodes[dialler].life != life || self.nodes[dialler].engine.is_none() {
            return;
        }
        // A handshake needs both directions.
        let is_cut = self.cut.contains(&(dialler, node)) || self.cut.contains(&(node, dialler));
        if is_cut || dial.expected.is_some_and(|id| id != self.nodes[node].id) {
            return self.refused(dialler, dial, life);
        }
        let mut end = |node: usize| {
            self.nodes[node].links += 1;
            (node, LinkId(self.nodes[node].links))
        };
        let (theirs, ours) = (end(dialler), end(node));
        for (end, other) in [(theirs, ours), (ours, theirs)] {
            self.links.insert(end, Wire { other, last_ms: self.now_ms, waiting: VecDeque::new() });
        }
        let (there, here) = (self.peer(node, true), self.peer(dialler, false));
        self.handle(dialler, Input::LinkUp { link: theirs.1, dial: Some(dial.dial), peer: there });
        self.handle(node, Input::LinkUp { link: ours.1, dial: None, peer: here });
    }

    /// A dial failed; the dialler is told if it is still running.
    fn refused(&mut self, dialler: usize, dial: Dial, life: u64) {
        if self.nodes[dialler].life == life {
            let delay_ms = self.delay();
            self.schedule(dialler, delay_ms, Event::DialFailed(dial));
        }
    }

    /// Links a running node with a peer that is no node of this world. Returns the link's number.
    pub fn stranger(&mut self, node: usize, stranger: Stranger) -> LinkId {
        self.nodes[node].links += 1;
        let link = LinkId(self.nodes[node].links);
        let (name, wall_ms) = (Name::from_lossy("stranger", "?"), self.clock(node).wall_ms);
        let intro = Intro { name, uptime_ms: 0, wall_ms, listens: Vec::new() };
        let (id, instance, address) = (stranger.id, Instance(1), stranger.address);
        self.strangers.insert((node, link), stranger);
        let peer = Peer { id, instance, version: 2, intro, address, dialled: false };
        self.handle(node, Input::LinkUp { link, dial: None, peer });
        link
    }

    /// A node hears a frame on a stranger's link, after a while.
    pub fn hears(&mut self, node: usize, link: LinkId, after_ms: u64, frame: Frame) {
        self.schedule(node, after_ms, Event::Frame(link, Box::new(frame)));
    }

    fn peer(&self, node: usize, dialled: bool) -> Peer {
        let entry = &self.nodes[node];
        let name = entry.engine.as_ref().map_or_else(|| Name::from_lossy("?", "?"), |engine| engine.name().clone());
        Peer {
            id: entry.id,
            instance: entry.instance,
            version: 2,
            intro: Intro {
                name,
                uptime_ms: self.now_ms - entry.started_ms,
                wall_ms: self.clock(node).wall_ms,
                listens: vec![SocketAddr::new(Self::address(node), PORT)],
            },
            address: if self.is_one_machine { Ipv4Addr::LOCALHOST.into() } else { Self::address(node) },
            dialled,
        }
    }

    fn handle(&mut self, node: usize, input: Input) {
        let now = self.clock(node);
        let Some(engine) = &mut self.nodes[node].engine else { return };
        let actions = engine.handle(now, input);
        let wake_ms = engine.next_deadline_ms();
        self.trace = self.trace.wrapping_mul(0x100_0000_01b3) ^ (actions.len() as u64 + self.now_ms * 31 + node as u64);
        for action in actions {
            self.act(node, action);
        }
        if wake_ms < self.nodes[node].woken_ms {
            self.nodes[node].woken_ms = wake_ms;
            self.schedule(node, wake_ms.saturating_sub(self.now_ms), Event::Wake);
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Announce(beacon) => self.announce(node, &beacon),
            Action::Dial(dial) => {
                let DialTarget::Address(address) = dial.target else { panic!("only addresses here") };
                let there = Self::at(address.ip());
                let there = there.filter(|other| self.nodes.get(*other).is_some_and(|node| node.engine.is_some()));
                let delay_ms = self.delay();
                match there {
                    Some(there) => self.schedule(there, delay_ms, Event::Dialled(node, dial, self.nodes[node].life)),
                    None => self.schedule(node, delay_ms, Event::DialFailed(dial)),
                }
            }
            Action::Send { links, frame } => {
                self.fetches += u64::from(matches!(frame, Frame::Fetch(_)));
                self.differences += u64::from(matches!(frame, Frame::Authors { same: false, .. }));
                for link in links {
                    self.send(node, link, frame.clone());
                }
            }
            Action::Close { link, reason } => self.break_link((node, link), Some(reason)),
            Action::Write(write) => {
                let busy_ms = self.nodes[node].disk_ms.saturating_sub(self.now_ms);
                let delay_ms = busy_ms + self.rng.random_range(0..=self.weather.commit_ms);
                self.nodes[node].disk_ms = self.now_ms + delay_ms;
                self.schedule(node, delay_ms, Event::Commit(write.0));
            }
            Action::ReadHistory { link, fetch } => self.schedule(node, 1, Event::History(link, fetch)),
            Action::Show(UiEvent::NewMessage { id, asker }) => {
                let line = self.nodes[node].disk.message(id).expect("what is shown is on the disk");
                if let Some(asker) = asker {
                    let key = LogKey { author: line.order.author, log: line.id.log };
                    self.must.insert(line.id, key);
                    self.nodes[node].page.said(asker, &line);
                    self.nodes[node].acknowledged.push(line.id);
                }
                self.nodes[node].page.line(&line);
            }
            Action::Show(UiEvent::ChangedMessage(id)) => {
                let line = self.nodes[node].disk.message(id).expect("what is shown is on the disk");
                self.nodes[node].page.moved(&line);
            }
            Action::Show(UiEvent::Held { id, held }) => self.nodes[node].page.held(id, held),
            Action::Show(UiEvent::Resync(_)) => {
                let node = &mut self.nodes[node];
                node.page.afresh(node.disk.lines(), node.disk.topics());
            }
            Action::Show(UiEvent::Topic { channel, text }) => {
                self.nodes[node].page.topics.insert(channel.as_str().to_owned(), text);
            }
            Action::Answer { .. } | Action::Show(_) | Action::Warn(_) => {}
        }
    }

    fn announce(&mut self, node: usize, beacon: &Beacon) {
        let source = SocketAddr::new(Self::address(node), PORT);
        for other in 0..self.nodes.len() {
            let lost = self.rng.random_range(0..100) < self.weather.loss;
            if lost || self.nodes[other].engine.is_none() || self.cut.contains(&(node, other)) {
                continue;
            }
            let copies = 1 + usize::from(self.rng.random_range(0..100) < self.weather.doubled);
            for _ in 0..copies {
                let delay_ms = self.delay();
                self.schedule(other, delay_ms, Event::Beacon(source, beacon.clone()));
            }
        }
    }

    /// Frames of one link come in the order they were sent, however long each takes.
    fn send(&mut self, node: usize, link: LinkId, frame: Frame) {
        if let Some(stranger) = self.strangers.get(&(node, link)) {
            let Some(answer) = stranger.answer(&frame) else { return };
            let delay_ms = self.delay();
            return self.hears(node, link, delay_ms, answer);
        }
        let delay_ms = self.delay();
        let at_ms = self.now_ms + delay_ms;
        let Some(Wire { other: (other, there), last_ms, .. }) = self.links.get_mut(&(node, link)) else { return };
        *last_ms = at_ms.max(*last_ms);
        let (other, there, at_ms) = (*other, *there, *last_ms);
        self.schedule(other, at_ms - self.now_ms, Event::Frame(there, Box::new(frame)));
    }

    /// How many links there are between two nodes.
    pub fn links_between(&self, a: usize, b: usize) -> usize {
        self.pairs().get(&(a, b)).copied().unwrap_or(0)
    }

    /// How many links there are between any two nodes that have one.
    pub fn pairs(&self) -> BTreeMap<(usize, usize), usize> {
        let mut pairs = BTreeMap::new();
        for ((from, _), Wire { other: (to, _), .. }) in &self.links {
            *pairs.entry((*from, *to)).or_default() += 1;
        }
        pairs
    }
}
