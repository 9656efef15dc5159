//! A world of simulated nodes: their engines, disks, clocks, and a network that a seed makes lose, delay, repeat and
//! part. Nothing here is real but the rules that are tested.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ed25519_dalek::SigningKey;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomful::proto::book::{Dial, Target};
use roomful::proto::clock::Now;
use roomful::proto::engine::{Action, Answer, AskId, Engine, Input, Say, Settings, Show};
use roomful::proto::frame::{Beacon, CloseReason, Fetch, Frame, Intro, Peer};
use roomful::proto::ids::{EntryId, Instance, LinkId, NodeId, RoomId, RoomTag};
use roomful::proto::limits::AUTHOR_BYTES_MAX;
use roomful::proto::name::Name;
use roomful::proto::record::{Write, WriteError, Written};
use roomful::proto::timeline::{Held, Place};

use crate::store::Disk;

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

pub struct Node {
    pub key: SigningKey,
    pub id: NodeId,
    pub disk: Disk,
    pub engine: Option<Engine>,
    life: u64,
    started_ms: u64,
    /// Its wall clock minus the world's, in milliseconds.
    pub clock_ms: i64,
    /// Most bytes that the logs of one other author may take.
    pub quota: u64,
    woken_ms: u64,
    /// When the last commit ends: the disk does one thing after the other.
    disk_ms: u64,
    /// Until when the disk takes nothing.
    full_until_ms: u64,
    /// Until when the process does nothing, as if it were stopped.
    frozen_until_ms: u64,
    /// Whether the process dies right after its next commit, before it hears of it.
    dies_at_commit: bool,
    links: u64,
    /// What a page of this node was shown: ids in the order of their arrival numbers.
    pub shown: BTreeSet<EntryId>,
    pub acknowledged: Vec<EntryId>,
    /// How many others hold an own message, as a page was told last.
    pub held: BTreeMap<EntryId, Held>,
    /// The greatest place that a page was shown in the room, and what it was when each question was asked.
    top: Place,
    seen: BTreeMap<AskId, Place>,
}

pub struct World {
    pub now_ms: u64,
    pub rng: StdRng,
    pub weather: Weather,
    pub nodes: Vec<Node>,
    events: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    /// The other end of each end, and when the last frame towards it arrives.
    links: BTreeMap<End, (End, u64)>,
    /// Pairs of nodes that can't reach each other, in that direction.
    pub cut: BTreeSet<(usize, usize)>,
    asked: u64,
    /// Pages of history that were asked for.
    pub fetches: u64,
    /// Comparisons that found a difference.
    pub differences: u64,
    pub trace: u64,
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
            cut: BTreeSet::new(),
            asked: 0,
            fetches: 0,
            differences: 0,
            trace: 0,
        }
    }

    fn address(node: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, (node >> 8) as u8, node as u8 + 1))
    }

    fn clock(&self, node: usize) -> Now {
        let wall_ms = (DAWN_MS + self.now_ms).saturating_add_signed(self.nodes[node].clock_ms);
        Now { mono_ms: self.now_ms, wall_ms }
    }

    pub fn start(&mut self, node: usize) {
        assert!(self.nodes[node].engine.is_none());
        let now = self.clock(node);
        let settings = Settings {
            key: self.nodes[node].key.clone(),
            room: RoomId::new("sim", b""),
            tag: RoomTag::new("sim"),
            instance: Instance(self.rng.random()),
            name: self.nodes[node].disk.name.clone().unwrap_or_else(|| Name::lossy(&format!("node {node}"), "?")),
            port: PORT,
            addresses: vec![Self::address(node)],
            peers: Vec::new(),
            quota: self.nodes[node].quota,
            seed: self.rng.random(),
        };
        let entry = &mut self.nodes[node];
        entry.engine = Some(Engine::new(now, settings, entry.disk.snapshot()));
        entry.life += 1;
        entry.started_ms = now.mono_ms;
        entry.woken_ms = now.mono_ms;
        self.schedule(node, 0, Event::Wake);
    }

    /// The process dies: what is not committed is gone, the other ends of its links see them break.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].engine = None;
        let ends: Vec<End> = self.links.keys().filter(|(at, _)| *at == node).copied().collect();
        for end in ends {
            self.break_link(end, None);
        }
    }

    /// The process is asked to stop: it says goodbye.
    pub fn stop(&mut self, node: usize) {
        self.handle(node, Input::Stop);
        self.nodes[node].engine = None;
    }

    /// The links between two nodes break, and both hear of it.
    pub fn sever(&mut self, a: usize, b: usize) {
        let between = |((from, _), ((to, _), _)): &(&End, &(End, u64))| *from == a && *to == b;
        let ends: Vec<End> = self.links.iter().filter(between).map(|(end, _)| *end).collect();
        for end in ends {
            self.break_link(end, None);
            self.schedule(end.0, 1, Event::Down(end.1, None));
        }
    }

    /// Ends a link; the other end hears of it.
    fn break_link(&mut self, end: End, reason: Option<CloseReason>) {
        let Some(((other, link), _)) = self.links.remove(&end) else { return };
        let Some((_, last_ms)) = self.links.remove(&(other, link)) else { return };
        let _ = last_ms;
        let delay_ms = self.delay();
        self.schedule(other, delay_ms, Event::Down(link, reason));
    }

    /// Parts two nodes: their links break after a while, and no new ones come up.
    pub fn part(&mut self, a: usize, b: usize) {
        self.cut.insert((a, b));
        self.cut.insert((b, a));
    }

    pub fn heal(&mut self) {
        self.cut.clear();
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

    /// The process dies between its next commit and the word of it.
    pub fn kill_at_commit(&mut self, node: usize) {
        self.nodes[node].dies_at_commit = true;
    }

    /// What was done to a node's disk is over.
    pub fn lift(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        (node.full_until_ms, node.dies_at_commit) = (0, false);
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
        self.asked += 1;
        let say = Say {
            to,
            channel: Name::lossy("general", "general"),
            text: text.to_owned(),
            reply_to: None,
            hooray: false,
            reference: None,
        };
        let top = self.nodes[node].top;
        self.nodes[node].seen.insert(AskId(self.asked), top);
        self.handle(node, Input::Say { asker: AskId(self.asked), say });
    }

    pub fn run_until(&mut self, end_ms: u64) {
        while self.events.peek().is_some_and(|next| next.0.at_ms <= end_ms) {
            let Some(Reverse(next)) = self.events.pop() else { return };
            self.now_ms = self.now_ms.max(next.at_ms);
            let node = &self.nodes[next.node];
            if node.life != next.life || node.engine.is_none() {
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
                let Some((other, _)) = self.links.get(&(node, link)).copied() else { return };
                // A cut cable loses nothing of a TCP stream, but it does not let it pass either.
                if self.cut.contains(&(other.0, node)) {
                    return;
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
        let is_full = self.now_ms < self.nodes[node].full_until_ms;
        let written = match write {
            Write::Append { token, .. } if is_full => Some(Written::Failed { token, error: WriteError::DiskFull }),
            write => self.nodes[node].disk.write(write),
        };
        if self.nodes[node].dies_at_commit {
            self.nodes[node].dies_at_commit = false;
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
        if self.cut.contains(&(dialler, node)) || dial.expected.is_some_and(|id| id != self.nodes[node].id) {
            let delay_ms = self.delay();
            self.schedule(dialler, delay_ms, Event::DialFailed(dial));
            return;
        }
        let mut end = |node: usize| {
            self.nodes[node].links += 1;
            (node, LinkId(self.nodes[node].links))
        };
        let (theirs, ours) = (end(dialler), end(node));
        self.links.insert(theirs, (ours, self.now_ms));
        self.links.insert(ours, (theirs, self.now_ms));
        let (there, here) = (self.peer(node, true), self.peer(dialler, false));
        self.handle(dialler, Input::LinkUp { link: theirs.1, dial: Some(dial.dial), peer: there });
        self.handle(node, Input::LinkUp { link: ours.1, dial: None, peer: here });
    }

    fn peer(&self, node: usize, dialled: bool) -> Peer {
        let entry = &self.nodes[node];
        let name = entry.engine.as_ref().map_or_else(|| Name::lossy("?", "?"), |engine| engine.name().clone());
        Peer {
            id: entry.id,
            instance: Instance(entry.life),
            intro: Intro {
                name,
                uptime_ms: self.now_ms - entry.started_ms,
                wall_ms: self.clock(node).wall_ms,
                listens: vec![SocketAddr::new(Self::address(node), PORT)],
            },
            address: Self::address(node),
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
                let Target::Address(address) = dial.target else { panic!("only addresses here") };
                let there = (0..self.nodes.len()).find(|other| Self::address(*other) == address.ip());
                let there = there.filter(|other| self.nodes[*other].engine.is_some());
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
            Action::Answer { asker, answer: Answer::Said(line) } => {
                let node = &mut self.nodes[node];
                let seen = node.seen.remove(&asker).expect("a question that was asked");
                assert!(line.to.is_some() || line.order.place > seen, "{line:?} stands above what its author had seen");
                node.acknowledged.push(line.id);
            }
            Action::Show(Show::Line { line, .. }) => {
                let node = &mut self.nodes[node];
                assert!(node.shown.insert(line.id), "{:?} was shown twice", line.id);
                if line.to.is_none() {
                    node.top = node.top.max(line.order.place);
                }
            }
            Action::Show(Show::Held { id, held }) => {
                let before = self.nodes[node].held.insert(id, held);
                assert!(before.is_none_or(|before| before.held_by < held.held_by), "who holds a message never shrinks");
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
        let delay_ms = self.delay();
        let at_ms = self.now_ms + delay_ms;
        let Some(((other, there), last_ms)) = self.links.get_mut(&(node, link)) else { return };
        *last_ms = at_ms.max(*last_ms);
        let (other, there, at_ms) = (*other, *there, *last_ms);
        self.schedule(other, at_ms - self.now_ms, Event::Frame(there, Box::new(frame)));
    }

    /// How many links there are between two nodes.
    pub fn links_between(&self, a: usize, b: usize) -> usize {
        self.links.iter().filter(|((from, _), ((to, _), _))| *from == a && *to == b).count()
    }
}

impl Node {
    fn new(secret: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&secret);
        let id = NodeId(key.verifying_key().to_bytes());
        Self {
            key,
            id,
            disk: Disk::new(id),
            engine: None,
            life: 0,
            started_ms: 0,
            clock_ms: 0,
            quota: AUTHOR_BYTES_MAX,
            woken_ms: u64::MAX,
            disk_ms: 0,
            full_until_ms: 0,
            frozen_until_ms: 0,
            dies_at_commit: false,
            links: 0,
            shown: BTreeSet::new(),
            acknowledged: Vec::new(),
            held: BTreeMap::new(),
            top: 0,
            seen: BTreeMap::new(),
        }
    }
}
