//! Fuzzes sequences of engine inputs: bytes choose each input, and a simulated disk answers. After
//! every step the actions must be bounded, well-formed and in time.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use roomful::proto::clock::Now;
use roomful::proto::commands::SayCommand;
use roomful::proto::engine::{Action, AskId, Engine, EngineConfig, Input};
use roomful::proto::entries::timeline::{Conversation, MessageKind};
use roomful::proto::ids::{DialId, Instance, LinkId, RoomTag};
use roomful::proto::limits::{DIALS_MAX, FETCHES_SERVED_MAX, FRAME_BYTES_MAX};
use roomful::proto::links::address_book::{Dial, DialTarget};
use roomful::proto::links::version_range::PROTOCOL_VERSIONS;
use roomful::proto::member_flags::FlagChange;
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::{
    Beacon, CloseReason, Fetch, Frame, HeldRange, Hello, Intro, LogHoldings, Peer, ReachReport, ReachState, Receipt,
};
use roomful::proto::replication::store_api::{Write, WriteError, WriteResult};
use roomful::wire;

use super::room::{self, Reader, WALL_MS};
use model::store::Disk;

#[path = "../../support/src/model/mod.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod model;

/// Inputs in one sequence: enough for every event to happen to every peer.
const INPUTS_MAX: usize = 400;

/// Longest time between two turns of an engine that nothing happens to, in milliseconds.
const TURN_MS_MAX: u64 = 2_000;

/// Links at a time in this world.
const LINKS: u64 = 6;

/// Actions that one input may cause: a receipt for each entry of a full frame, and a few for each
/// link.
const ACTIONS_MAX: usize = 4_096;

/// One engine and its surroundings.
struct World {
    engine: Engine,
    disk: Disk,
    now: Now,
    /// Which numbers are links that have come up and not gone down.
    open: BTreeMap<LinkId, ()>,
    links: u64,
    dials: Vec<Dial>,
    writes: VecDeque<Write>,
    reads: VecDeque<(LinkId, Fetch)>,
    asked: u64,
    stopping: bool,
}

/// Runs the engine on inputs chosen by `bytes`. Panics if an action breaks a rule.
pub fn engine(bytes: &[u8]) {
    let mut reader = Reader(bytes);
    let mut world = World::new(&mut reader);
    for _ in 0..INPUTS_MAX {
        if reader.is_empty() {
            break;
        }
        world.step(&mut reader);
    }
    world.settle();
}

impl World {
    fn new(reader: &mut Reader<'_>) -> Self {
        let now = Now { mono_ms: 1_000, wall_ms: WALL_MS };
        let own = room::id(0);
        let mut disk = Disk::new(own);
        for batch in reader.batches() {
            // Own entries of an earlier run, and entries received then; never two batches for one
            // position.
            let write = Write::Append {
                token: 0,
                batches: vec![roomful::proto::replication::store_api::Append { batch: batch.clone(), own: None }],
            };
            if fits(&disk, &batch) {
                disk.write(write);
            }
        }
        let settings = EngineConfig {
            budget: roomful::proto::links::link_budget::LinkBudget::default(),
            key: room::key(0).clone(),
            room: room::id_of_room(),
            tag: RoomTag::new("lobby"),
            instance: Instance(1),
            name: Name::from_lossy("Kai", "?"),
            port: 7666,
            addresses: vec![address(0).ip()],
            peers: vec![DialTarget::Address(address(9))],
            // So little that some inputs reach it.
            quota: 512 * 1024,
            seed: [reader.byte(); 32],
        };
        let engine = Engine::new(now, settings, disk.snapshot());
        let (open, dials, writes, reads) = Default::default();
        Self { engine, disk, now, open, links: 0, dials, writes, reads, asked: 0, stopping: false }
    }

    /// One input, chosen by the next bytes.
    fn step(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 16 {
            0 => {
                self.now.mono_ms += reader.number().min(30_000);
                // A wall clock may say anything that a system can.
                self.now.wall_ms = reader.number().min(i64::MAX as u64);
                self.tell(Input::Tick);
            }
            1 => {
                let name = Name::from_lossy("Ana", "?");
                let (room, id) = (RoomTag::new(if reader.byte() == 9 { "other" } else { "lobby" }), reader.id());
                let beacon = Beacon { room, id, instance: instance(reader), port: 7666, name };
                self.tell(Input::Beacon { source: address(reader.byte()), beacon });
            }
            2 => {
                let many = reader.byte() % 4;
                self.tell(Input::Network((0..many).map(|n| address(n).ip()).collect()));
            }
            3 => self.answer_dial(reader),
            4 => {
                let peer = peer(reader, None);
                self.link_up(None, peer);
            }
            5 => {
                let link = self.link(reader);
                let reason = reason(reader);
                if self.open.remove(&link).is_some() {
                    self.tell(Input::LinkDown { link, reason });
                }
            }
            6 => {
                let link = self.link(reader);
                self.tell(Input::Heard(link));
            }
            7..=9 => {
                let (link, frame) = (self.link(reader), frame(reader));
                self.tell(Input::Frame { link, frame });
            }
            10 => {
                let bytes = Bytes::copy_from_slice(reader.piece());
                let link = self.link(reader);
                if let Ok(Some(frame)) = wire::frame::decode(&bytes, &room::id_of_room()) {
                    self.tell(Input::Frame { link, frame });
                }
            }
            11 => self.commit(reader.byte()),
            12 => self.read(),
            13 => self.say(reader),
            14 => {
                let change = FlagChange { muted: Some(true), ..FlagChange::default() };
                let member = reader.id();
                self.tell(Input::Mark { member, change });
            }
            _ if reader.byte() == 1 => {
                self.stopping = true;
                self.tell(Input::Stop);
            }
            _ => self.tell(Input::Tick),
        }
    }

    /// A number that may be a link, may have been one, or may never be.
    fn link(&self, reader: &mut Reader<'_>) -> LinkId {
        LinkId(self.links.saturating_sub(u64::from(reader.byte()) % (LINKS + 1)))
    }

    fn link_up(&mut self, dial: Option<DialId>, peer: Peer) {
        if self.open.len() as u64 >= LINKS {
            return;
        }
        self.links += 1;
        let link = LinkId(self.links);
        self.open.insert(link, ());
        self.tell(Input::LinkUp { link, dial, peer });
    }

    fn answer_dial(&mut self, reader: &mut Reader<'_>) {
        if self.dials.is_empty() {
            return;
        }
        let dial = self.dials.swap_remove(usize::from(reader.byte()) % self.dials.len());
        match reader.byte() % 3 {
            0 => self.tell(Input::DialFailed(dial.dial)),
            1 => self.tell(Input::DialRefused(dial.dial)),
            _ => {
                // The handshake admits only the expected id.
                let peer = peer(reader, dial.expected);
                self.link_up(Some(dial.dial), peer);
            }
        }
    }

    /// The disk does the next piece of work; 7: it is full.
    fn commit(&mut self, how: u8) {
        let Some(write) = self.writes.pop_front() else { return };
        let written = match &write {
            Write::Append { token, .. } if how == 7 => {
                Some(WriteResult::Failed { token: *token, error: WriteError::DiskFull })
            }
            _ => self.disk.write(write),
        };
        if let Some(written) = written {
            self.tell(Input::Written(written));
        }
    }

    fn read(&mut self) {
        let Some((link, fetch)) = self.reads.pop_front() else { return };
        let page = self.disk.history(fetch);
        self.tell(Input::History { link, page });
    }

    fn say(&mut self, reader: &mut Reader<'_>) {
        self.asked += 1;
        let asker = AskId(self.asked);
        if reader.byte() == 1 {
            return self.tell(Input::Rename { asker, name: Name::from_lossy("Lee", "?") });
        }
        let conversation = reader.maybe_id().map_or_else(Conversation::general, Conversation::Direct);
        let text = "a word".repeat(1 + usize::from(reader.byte()));
        let kind = if reader.byte() == 1 { MessageKind::Hooray } else { MessageKind::Say };
        let say = SayCommand::new(kind, conversation, text);
        self.tell(Input::Say { asker, say });
    }

    /// Whatever is under way ends, and half a minute passes.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            if self.writes.is_empty() && self.reads.is_empty() {
                break;
            }
            self.commit(0);
            self.read();
        }
        let end_ms = self.now.mono_ms + 30_000;
        while self.now.mono_ms < end_ms {
            self.now.mono_ms = self.engine.next_deadline_ms();
            self.tell(Input::Tick);
        }
    }

    /// One turn, and what must hold after each.
    fn tell(&mut self, input: Input) {
        let actions = self.engine.handle(self.now, input);
        assert!(actions.len() <= ACTIONS_MAX, "{} actions for one input", actions.len());
        let (now_ms, wake_ms) = (self.now.mono_ms, self.engine.next_deadline_ms());
        assert!(self.stopping || (now_ms < wake_ms && wake_ms <= now_ms + TURN_MS_MAX), "at {now_ms} until {wake_ms}");
        for action in actions {
            self.act(action);
        }
        assert!(self.dials.len() <= DIALS_MAX, "{} dials", self.dials.len());
        let served = self.reads.iter().filter(|(link, _)| self.open.contains_key(link)).count();
        assert!(served <= FETCHES_SERVED_MAX, "{served} fetches served");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Announce(beacon) => _ = wire::beacon::encode(&beacon),
            Action::Dial(dial) => self.dials.push(dial),
            Action::Send { links, frame } => {
                assert!(!links.is_empty(), "a frame for nobody");
                let bytes = wire::frame::encode(&frame);
                assert!(bytes.len() <= FRAME_BYTES_MAX + wire::frame::LENGTH_BYTES);
            }
            // Frames in flight still arrive; the driver reports the end of the link.
            Action::Close { .. } | Action::Answer { .. } | Action::Show(_) | Action::Warn(_) => {}
            Action::Write(write) => self.writes.push_back(write.0),
            Action::ReadHistory { link, fetch } => self.reads.push_back((link, fetch)),
        }
    }
}

/// Whether a disk that only ever took what fits would hold this batch.
fn fits(disk: &Disk, batch: &roomful::proto::entries::batch::Verified) -> bool {
    let snapshot = disk.snapshot();
    let frontier = roomful::proto::replication::frontier::Frontier::new(room::id(0), snapshot.logs, u64::MAX);
    let header = batch.header();
    frontier.may_hold(header.author, header.audience)
        && frontier.classify(batch) == roomful::proto::replication::log::Fit::Fits
}

fn address(number: u8) -> SocketAddr {
    let ip: IpAddr = match number % 8 {
        7 => [0xfe80, 0, 0, 0, 0, 0, 0, 1].into(),
        number => [10, 0, 0, number + 1].into(),
    };
    SocketAddr::new(ip, 7666)
}

fn instance(reader: &mut Reader<'_>) -> Instance {
    Instance(u64::from(reader.byte() % 3))
}

fn reason(reader: &mut Reader<'_>) -> Option<CloseReason> {
    let reasons = [CloseReason::Stopping, CloseReason::Duplicate, CloseReason::KeyInUse, CloseReason::Busy];
    reasons.get(usize::from(reader.byte() % 8)).copied()
}

/// A peer after a successful handshake.
fn peer(reader: &mut Reader<'_>, expected: Option<roomful::proto::ids::NodeId>) -> Peer {
    let id = expected.unwrap_or_else(|| reader.id());
    let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance(reader) };
    let name = Name::from_lossy(if reader.byte().is_multiple_of(2) { "Ana" } else { "Kai" }, "?");
    let listens = (0..reader.byte() % 3).map(address).collect();
    let intro = Intro { name, uptime_ms: reader.number(), wall_ms: reader.number(), listens };
    let address = address(reader.byte()).ip();
    let version = hello.versions.highest;
    Peer { id, instance: hello.instance, version, intro, address, dialled: reader.byte().is_multiple_of(2) }
}

fn receipts(reader: &mut Reader<'_>) -> Vec<Receipt> {
    let one = |_| Receipt { log: reader.log(), first: reader.number(), last: reader.number() };
    (0..3).map(one).collect()
}

/// A frame, made up.
fn frame(reader: &mut Reader<'_>) -> Frame {
    let many = usize::from(reader.byte() % 4);
    match reader.byte() % 13 {
        0 => Frame::Ping { wall_ms: reader.number() },
        1 => Frame::Pong { wall_ms: reader.number() },
        2 | 3 => Frame::Push(reader.batches()),
        4 => Frame::Receipt(receipts(reader)),
        5 => {
            let (hash, from) = (reader.hash(), reader.maybe_id());
            Frame::Compare { hash, from, linked: (0..many).map(|_| reader.id()).collect() }
        }
        6 => {
            let authors = (0..many).map(|_| (reader.id(), reader.hash())).collect();
            let (same, more) = (reader.byte() == 1, reader.byte() % 2 == 1);
            Frame::Authors { same, authors, more, linked: vec![reader.id()] }
        }
        7 => Frame::AskLogs { author: reader.id(), from: Some(reader.log()) },
        8 => {
            let span = |reader: &mut Reader<'_>| HeldRange {
                first: reader.number(),
                last: reader.number(),
                head: reader.hash(),
            };
            let mut holding = |_| LogHoldings {
                log: reader.log(),
                audience: reader.maybe_id(),
                ranges: vec![span(reader), span(reader)],
                fork: None,
            };
            let logs = (0..many).map(&mut holding).collect();
            Frame::Logs { author: reader.id(), logs, more: reader.byte() % 2 == 1 }
        }
        9 => {
            let (first, last, bytes) = (reader.number(), reader.number(), reader.number());
            Frame::Fetch(Fetch { key: reader.log_key(), first, last, bytes })
        }
        10 => Frame::Page { key: reader.log_key(), batches: reader.batches(), busy: reader.byte() == 1 },
        11 if many == 0 => Frame::Relay { member: reader.id(), on: reader.byte() % 2 == 1 },
        11 => Frame::Carry { author: reader.id(), from: reader.id(), receipts: receipts(reader) },
        _ => {
            let state = [ReachState::Here, ReachState::Left, ReachState::Gone][many % 3];
            let listens = vec![address(reader.byte())];
            let uptime_ms = reader.number();
            Frame::Reach(ReachReport {
                member: reader.id(),
                state,
                name: Name::from_lossy("Ana", "?"),
                uptime_ms,
                listens,
            })
        }
    }
}
