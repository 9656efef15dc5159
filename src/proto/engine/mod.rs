//! The rules put together: one synchronous engine that is told what happened and answers what to do.
//!
//! `handle(now, input)` returns the actions; [`Engine::next_deadline_ms`] says when to call it again if nothing happens
//! before. It reads no clock, opens no socket and draws no randomness but from the seed it was given, so a thousand of
//! them run in one test and every run can be replayed.
//!
//! The parts, each an `impl Engine` of its own: `find` meets others, `links` keeps one link with each and knows who
//! is here, `crowd` says which one goes when there are too many, `notices` tells of it, `talk` signs what this node's
//! user says, `push` sends it, `relay` reaches those whom only others reach, `take` checks and stores what others say,
//! `forks` settles what they may not say, `closing` ends what is too much, `compare` finds out what is lacking, and
//! `sync` fetches it. `turns`, `rotation`, `ranking`, `fetch` and `serving` decide who is asked and served first; each
//! owns its state and knows no engine.

mod closing;
mod compare;
mod crowd;
mod fetch;
mod find;
mod forks;
mod io;
mod link;
mod links;
mod notices;
mod push;
mod ranking;
mod refs;
mod relay;
mod rotation;
mod serving;
mod sync;
mod take;
mod talk;
#[cfg(test)]
mod tests;
mod tops;
mod turns;

use std::net::IpAddr;

use ed25519_dalek::SigningKey;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

pub use crowd::Crowd;
pub use io::{Action, Answer, AskId, Input, Say, Show, Warning, WriteAction};

use super::announce::Announcer;
use super::book::{Book, Source, Target};
use super::clock::Now;
use super::frame::Frame;
use super::frontier::Frontier;
use super::ids::{EntryId, Instance, LinkId, NodeId, RoomId, RoomTag};
use super::limits::{SLEPT_MS, TURN_MS_MAX};
use super::link_budget::LinkBudget;
use super::marks::Marks;
use super::name::Name;
use super::notices::NoticeThrottle;
use super::receipts::Receipts;
use super::record::{Snapshot, Write};
use super::refusal::Tally;
use super::roster::{Member, Roster, State, clock_error_ms};

/// What an engine is made of.
#[derive(Debug)]
pub struct Settings {
    /// The node's key; its public half is the node's id.
    pub key: SigningKey,
    /// Which room.
    pub room: RoomId,
    /// What the beacons say of it.
    pub tag: RoomTag,
    /// This start of the program.
    pub instance: Instance,
    /// What the user is called.
    pub name: Name,
    /// Where this node listens.
    pub port: u16,
    /// The own addresses at the start.
    pub addresses: Vec<IpAddr>,
    /// Whom the user asked to dial.
    pub peers: Vec<Target>,
    /// Most bytes that the logs of one other author may take.
    pub quota: u64,
    /// How many links and dials there may be.
    pub budget: LinkBudget,
    /// All randomness of this engine comes from here.
    pub seed: [u8; 32],
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    key: SigningKey,
    own: NodeId,
    room: RoomId,
    tag: RoomTag,
    instance: Instance,
    name: Name,
    port: u16,
    budget: LinkBudget,
    started_ms: u64,
    turn_ms: u64,
    wake_ms: u64,
    nobody_lost_until_ms: u64,
    stopping: bool,
    rng: StdRng,
    announcer: Announcer,
    book: Book,
    roster: Roster,
    frontier: Frontier,
    receipts: Receipts,
    tops: tops::Tops,
    tokens: u64,
    notices: NoticeThrottle,
    refused: Tally,
    links: links::Links,
    talk: talk::Talk,
    taking: take::Taking,
    relays: relay::Relays,
    sync: sync::Sync,
}

impl Engine {
    /// An engine that goes on from what the store holds.
    pub fn new(now: Now, settings: Settings, snapshot: Snapshot) -> Self {
        let own = NodeId(settings.key.verifying_key().to_bytes());
        let mut book = Book::new();
        book.limit_dials(settings.budget.dials);
        for target in settings.peers {
            book.add(target, None, Source::Given, None, now.mono_ms, 0);
        }
        for member in &snapshot.members {
            for address in find::remembered(member) {
                book.add(Target::Address(address), Some(member.id), Source::Remembered, None, now.mono_ms, 0);
            }
        }
        let member = Member {
            id: own,
            name: settings.name.clone(),
            state: State::Online,
            own: true,
            addresses: settings.addresses,
            since_ms: now.wall_ms,
            direct: true,
            via: None,
            clock_error_ms: Some(0),
            marks: Marks::default(),
            forked: false,
            bytes: 0,
            closed: None,
        };
        let mut frontier = Frontier::new(own, snapshot.logs, settings.quota);
        snapshot.members.iter().filter(|member| member.was_met()).for_each(|member| frontier.meets(member.id));
        let mut roster = Roster::new(now, member, snapshot.members);
        for (id, marks) in snapshot.marks {
            frontier.meets(id);
            roster.mark(id, marks);
        }
        for id in frontier.forked() {
            roster.forked(now, id);
        }
        // Pages are told of what follows; nobody is there yet to be told of these.
        for id in frontier.news() {
            roster.takes(id, frontier.bytes(id), frontier.closed(id));
        }
        Self {
            own,
            key: settings.key,
            room: settings.room,
            tag: settings.tag,
            instance: settings.instance,
            name: settings.name,
            port: settings.port,
            budget: settings.budget,
            started_ms: now.mono_ms,
            turn_ms: now.mono_ms,
            wake_ms: now.mono_ms,
            nobody_lost_until_ms: 0,
            stopping: false,
            rng: StdRng::from_seed(settings.seed),
            announcer: Announcer::new(now.mono_ms),
            book,
            roster,
            frontier,
            receipts: Receipts::new(&snapshot.receipts, snapshot.own),
            tops: tops::Tops::new(snapshot.tops),
            tokens: 0,
            notices: NoticeThrottle::default(),
            refused: Tally::default(),
            links: links::Links::default(),
            talk: talk::Talk::new(snapshot.fallen),
            taking: take::Taking::default(),
            relays: relay::Relays::default(),
            sync: sync::Sync::new(now.mono_ms),
        }
    }

    /// This node's id.
    pub fn own(&self) -> NodeId {
        self.own
    }

    /// What the user is called now.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Everybody ever known, oneself included.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.members()
    }

    /// One of them.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.roster.member(id)
    }

    /// Since when members hold a message of this node's user, by this node's wall clock in milliseconds since 1970, as far
    /// as that was heard since the start.
    pub fn held_since(&self, id: EntryId) -> Vec<(NodeId, u64)> {
        self.receipts.since(id)
    }

    /// What was refused since the start, as far as its form was right.
    pub fn refused(&self) -> &Tally {
        &self.refused
    }

    /// When to call [`Engine::handle`] again if nothing happens before, on the monotonic clock.
    pub fn next_deadline_ms(&self) -> u64 {
        self.wake_ms
    }

    /// Tells the engine what happened. What it returns is to be done in this order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Action> {
        let mut out = Vec::new();
        if now.mono_ms.saturating_sub(self.turn_ms) >= SLEPT_MS {
            self.woke(now, &mut out);
        }
        self.turn_ms = now.mono_ms;
        match input {
            Input::Tick => {}
            Input::Beacon { source, beacon } => self.heard_beacon(now, source, beacon),
            Input::Network(addresses) => self.network_changed(now, addresses, &mut out),
            Input::DialFailed(dial) => self.dial_failed(now, dial),
            Input::DialRefused(dial) => self.book.refused(dial, now.mono_ms),
            Input::LinkUp { link, dial, peer } => self.link_up(now, link, dial, peer, &mut out),
            Input::LinkDown { link, reason } => self.link_down(now, link, reason, &mut out),
            Input::Heard(link) => _ = self.heard(now, link, &mut out),
            Input::Frame { link, frame } => self.frame(now, link, frame, &mut out),
            Input::Written(written) => self.written(now, written, &mut out),
            Input::History { link, page } => self.history_read(link, page, &mut out),
            Input::Say { asker, say } => self.say(now, asker, say, &mut out),
            Input::Rename { asker, name } => self.rename(now, asker, name, &mut out),
            Input::Mark { member, change } => out.push(Action::Write(WriteAction(Write::Mark { member, change }))),
            Input::Peer(target) => {
                self.book.add(target, None, Source::Given, None, now.mono_ms, 0);
                self.wake_at(now.mono_ms);
            }
            Input::LittleDisk(is_little) => self.disk_is_little(now, is_little, &mut out),
            Input::Stop => self.stop(&mut out),
        }
        self.closing_turn(now, &mut out);
        if now.mono_ms >= self.wake_ms {
            self.turn(now, &mut out);
        }
        out
    }

    /// Everything that is due, and when the next is.
    fn turn(&mut self, now: Now, out: &mut Vec<Action>) {
        self.wake_ms = now.mono_ms + TURN_MS_MAX;
        if self.stopping {
            return;
        }
        self.find_turn(now, out);
        self.links_turn(now, out);
        self.relay_turn(now, out);
        self.sync_turn(now, out);
        self.notices_turn(now.mono_ms, out);
        self.wake_ms = self.wake_ms.max(now.mono_ms + 1);
    }

    /// Asks to be called at `at_ms` at the latest.
    fn wake_at(&mut self, at_ms: u64) {
        self.wake_ms = self.wake_ms.min(at_ms);
    }

    fn frame(&mut self, now: Now, link: LinkId, frame: Frame, out: &mut Vec<Action>) {
        let Some(peer) = self.heard(now, link, out) else { return };
        match frame {
            Frame::Ping { wall_ms } => {
                self.clock_told(now, peer, wall_ms, out);
                out.push(Action::Send { links: vec![link], frame: Frame::Pong { wall_ms: now.wall_ms } });
            }
            Frame::Pong { wall_ms } => self.clock_told(now, peer, wall_ms, out),
            Frame::Push(batches) => self.pushed(now, link, peer, batches, out),
            Frame::Receipt(receipts) => self.receipted(now, link, peer, &receipts, out),
            Frame::Compare { hash, from, linked } => {
                self.linked_told(link, from.is_none(), linked);
                self.compare_asked(now, link, peer, hash, from, out);
            }
            Frame::Authors { same, authors, more, linked } => {
                self.linked_told(link, !linked.is_empty(), linked);
                self.authors_told(now, link, peer, same, &authors, more, out);
            }
            Frame::AskLogs { author, from } => self.logs_asked(link, peer, author, from, out),
            Frame::Logs { author, logs, more } => self.logs_told(now, link, peer, author, &logs, more, out),
            Frame::Fetch(fetch) => self.fetch_asked(link, peer, fetch, out),
            Frame::Page { key, batches, busy } => self.page_told(now, link, peer, key, batches, busy, out),
            Frame::Relay { member, on } => self.relay_asked(now, link, member, on, out),
            Frame::Reach(reach) => self.reach_told(now, link, peer, reach, out),
            Frame::Carry { author, from, receipts } => self.carried(now, link, peer, author, from, receipts, out),
            Frame::Closed(closings) => self.closings_told(link, peer, closings),
            // The driver reports the end of the link, with this reason.
            Frame::Close(_) => {}
        }
    }

    fn clock_told(&mut self, now: Now, peer: NodeId, theirs_ms: u64, out: &mut Vec<Action>) {
        let changes = self.roster.clock(peer, clock_error_ms(theirs_ms, now.wall_ms));
        self.changed(now, changes, out);
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    fn random(&mut self) -> u64 {
        self.rng.random()
    }

    /// This machine slept: nobody could be heard meanwhile, so everybody is asked before anybody is given up.
    fn woke(&mut self, now: Now, out: &mut Vec<Action>) {
        self.nobody_lost_until_ms = now.mono_ms + super::limits::SLEPT_GRACE_MS;
        self.announcer.hurry(now.mono_ms);
        self.probe_all(now, out);
        self.wake_at(now.mono_ms);
    }

    fn stop(&mut self, out: &mut Vec<Action>) {
        self.stopping = true;
        self.tell_held_notices(out);
        self.say_goodbye(out);
    }
}
