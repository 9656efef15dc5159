//! The rules put together: a synchronous engine that takes inputs and returns actions.
//!
//! It reads no clock, opens no socket and draws no randomness but from its seed. So a thousand of
//! them run in one test, and every run can be replayed.
//!
//! Each component owns its state. It gets a `Ctx` to act and to emit events, and knows others only
//! by references. [`Engine`] alone knows all, and hands inputs, frames and events to them:
//!
//! - `members`: the members, and what is told of them.
//! - `peers`: addresses, links, admission, presence, relays.
//! - `publish`: own entries.
//! - `ingest`, `receipts`, `limits`, `typing`: what others send.
//! - `sync`: gaps, by comparing and fetching.

mod config;
mod ctx;
mod ingest;
mod io;
mod limits;
mod members;
mod peers;
mod publish;
mod receipts;
mod sync;
#[cfg(test)]
mod tests;
mod typing;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

pub use config::EngineConfig;
pub use io::{Action, AskId, ChangeInput, Input, Reply, UiEvent, Warning, WriteAction};
pub use peers::admission::LinkUsage;

use self::ctx::{Ctx, Event};
use self::ingest::{Incoming, Ingest};
use self::peers::discovery::{BeaconIdentity, Discovery};
use self::peers::presence::{NewLink, PresenceTracker};
use self::sync::{LogsPage, Sync};
use self::{
    limits::LimitExchange, members::MemberTable, peers::admission::Admission, peers::flow_control::FlowControl,
    peers::link_table::LinkTable, peers::relay::Relays, publish::Publisher, publish::idempotency::Refs,
    publish::latest_places::LatestPlaces, publish::signing::Signer, publish::undeleted::UndeletedEdits,
    receipts::ReceiptExchange, sync::compare::AuthorsPage, sync::view::View, typing::Typing,
};
use crate::proto::ids::{EntryId, LinkId, LogKey, NodeId};
use crate::proto::limits::{SLEPT_MS, TURN_MS_MAX};
use crate::proto::replication::drop_reason::{DropCounters, DropReason};
use crate::proto::replication::frame::{Frame, ReachState};
use crate::proto::replication::store_api::{Appended, LogChanges, Snapshot, Write, WriteResult};
use crate::proto::{
    clock::Now, entries::batch::Verified, members::member::Member, names::name::Name,
    replication::author_limits::LimitedAuthors, replication::frontier::Frontier, replication::receipts::ReceiptTracker,
};

/// The engine of one node. Its inputs are methods, and each returns the actions to carry out.
#[derive(Debug)]
pub struct Engine {
    ctx: Ctx,
    drops: DropCounters,
    frontier: Frontier,
    links: LinkTable,
    members: MemberTable,
    admission: Admission,
    discovery: Discovery,
    presence: PresenceTracker,
    limits: LimitExchange,
    relays: Relays,
    flow: FlowControl,
    receipts: ReceiptExchange,
    ingest: Ingest,
    publisher: Publisher,
    sync: Sync,
    typing: Typing,
}

impl Engine {
    /// An engine that goes on from what the store holds.
    pub fn new(now: Now, config: EngineConfig, snapshot: Snapshot) -> Self {
        let own = NodeId(config.key.verifying_key().to_bytes());
        let identity = BeaconIdentity { room: config.tag, instance: config.instance, port: config.port };
        let mut ctx = Ctx::new(now, own, StdRng::from_seed(config.seed));
        let mut discovery = Discovery::new(now, identity, config.budget.dials, &snapshot.members);
        config.peers.into_iter().for_each(|target| discovery.on_configured(&mut ctx, target, true));
        let mut frontier = Frontier::new(own, snapshot.logs, config.quota);
        let (known, marks) = (snapshot.members, snapshot.marks);
        let me = (own, config.name.clone(), config.addresses);
        let mut members = MemberTable::load(now, me, known, marks, &mut frontier);
        members.load_statuses(snapshot.statuses);
        let status = members.get(own).and_then(|member| member.status.clone());
        let signer = Signer::new(config.key, config.room, config.name, status);
        let (latest, refs) = (LatestPlaces::new(snapshot.tops), Refs::new(snapshot.refs));
        let (fallen, undeleted) = (snapshot.fallen, UndeletedEdits::new(snapshot.to_delete));
        Self {
            ctx,
            drops: DropCounters::default(),
            frontier,
            links: LinkTable::default(),
            members,
            admission: Admission::new(config.budget),
            discovery,
            presence: PresenceTracker::default(),
            limits: LimitExchange::default(),
            relays: Relays::default(),
            flow: FlowControl::default(),
            receipts: ReceiptExchange::new(ReceiptTracker::new(&snapshot.receipts, snapshot.own)),
            ingest: Ingest::default(),
            publisher: Publisher::new(signer, latest, refs, fallen, undeleted),
            sync: Sync::new(now.mono_ms),
            typing: Typing::default(),
        }
    }

    /// This node's id.
    pub fn own(&self) -> NodeId {
        self.ctx.own
    }

    /// The user's name, as it is now.
    pub fn name(&self) -> &Name {
        self.publisher.name()
    }

    /// All members ever known, this node included.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.all()
    }

    /// One of them.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The members that hold an own message by a receipt of this run, and since when (wall clock).
    pub fn held_since(&self, id: EntryId) -> Vec<(NodeId, u64)> {
        self.receipts.since(id)
    }

    /// Returns true if the store has to be asked for a `ref` before it is used. What it finds is
    /// told by [`Input::RefFound`].
    pub fn needs_ref_lookup(&self, name: &str) -> bool {
        self.publisher.refs().needs_lookup(name, self.ctx.now.wall_ms)
    }

    /// Returns true if a `ref` was used before.
    pub fn knows_ref(&self, name: &str) -> bool {
        self.publisher.refs().contains(name)
    }

    /// The inputs that were dropped since the start although their form was right.
    pub fn refused(&self) -> &DropCounters {
        &self.drops
    }

    /// The number of links, and what waits on them.
    pub fn crowd(&self, now: Now) -> LinkUsage {
        self.admission.usage(&self.links, &self.flow, now.mono_ms)
    }

    /// When to call [`Engine::handle`] again if nothing happens before, on the monotonic clock.
    pub fn next_deadline_ms(&self) -> u64 {
        self.ctx.wake_ms()
    }

    /// Tells the engine what happened. Returns the actions, to be done in this order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Action> {
        if self.ctx.begin(now) >= SLEPT_MS {
            self.presence.on_resume_from_sleep(&mut self.ctx, &mut self.links);
            self.discovery.announce_soon(&mut self.ctx);
        }
        self.on_input(input);
        self.drain_events();
        self.limits.poll(&mut self.ctx, &self.links, &mut self.members, &mut self.frontier);
        self.drain_events();
        if now.mono_ms >= self.ctx.wake_ms() {
            self.poll();
        }
        std::mem::take(&mut self.ctx.out)
    }

    fn on_input(&mut self, input: Input) {
        let Self { ctx, links, members, frontier, discovery, .. } = self;
        match input {
            Input::Tick => {}
            Input::Beacon { source, beacon } => discovery.on_beacon(ctx, links, &mut self.drops, source, &beacon),
            Input::Network(addresses) => discovery.on_network_changed(ctx, members, addresses),
            Input::DialFailed(dial) => discovery.on_dial_failed(ctx, dial),
            Input::DialRefused(dial) => discovery.on_wrong_key(ctx, dial),
            Input::Peer { target, is_wanted } => discovery.on_configured(ctx, target, is_wanted),
            Input::LinkUp { link, dial, peer } => {
                let new = NewLink { link, dial, peer };
                self.presence.on_link_up(ctx, links, members, &mut self.admission, frontier, new);
            }
            Input::LinkDown { link, reason } => self.presence.on_link_down(ctx, links, members, link, reason),
            Input::Heard(link) => _ = self.presence.on_activity(ctx, links, members, link),
            Input::Frame { link, frame } => self.on_frame(link, frame),
            Input::Written(written) => self.on_written(written),
            Input::History { link, page } => self.sync.on_history_read(ctx, links, link, page),
            Input::RefFound { reference, id } => self.publisher.on_ref_found(reference, id),
            Input::Repeat { asker, reference } => _ = self.publisher.is_duplicate(ctx, asker, &reference),
            Input::Say { asker, say } => self.publisher.say(ctx, frontier, members, asker, say),
            Input::Rename { asker, name } => self.publisher.rename(ctx, frontier, members, asker, name),
            Input::Typing(conversation) => self.typing.on_user(ctx, links, conversation),
            Input::SetStatus { asker, status } => self.publisher.set_status(ctx, frontier, members, asker, status),
            Input::Change { asker, change } => self.publisher.change(ctx, frontier, members, asker, change),
            Input::Mark { member, change } => ctx.write(Write::Mark { member, change }),
            Input::LittleDisk(is_low) => self.limits.on_low_disk(ctx, links, members, frontier, is_low),
            Input::Stop => {
                ctx.is_stopping = true;
                members.flush_notices(ctx);
                self.presence.say_goodbye(ctx, links);
            }
        }
    }

    fn on_frame(&mut self, link: LinkId, frame: Frame) {
        let Self { ctx, links, members, frontier, .. } = self;
        let Some(peer) = self.presence.on_activity(ctx, links, members, link) else { return };
        match frame {
            Frame::Ping { wall_ms } => {
                members.on_clock(ctx, peer, wall_ms);
                ctx.send(link, Frame::Pong { wall_ms: ctx.now.wall_ms });
            }
            Frame::Pong { wall_ms } => members.on_clock(ctx, peer, wall_ms),
            Frame::Push(batches) => {
                let incoming = Incoming { link, peer, batches, is_page: false };
                self.ingest.ingest(ctx, frontier, &mut self.drops, incoming);
            }
            Frame::Receipt(receipts) => {
                self.receipts.on_held(ctx, frontier, peer, &receipts);
                self.flow.on_receipts(ctx, link, &receipts);
            }
            Frame::Compare { hash, from, linked } => {
                self.relays.on_linked(ctx, link, from.is_none(), linked);
                self.sync.on_compare(ctx, &mut View { links, frontier }, link, hash, from);
            }
            Frame::Authors { same, authors, more, linked } => {
                self.relays.on_linked(ctx, link, !linked.is_empty(), linked);
                let page = AuthorsPage { same, authors, more };
                if self.sync.on_authors(ctx, &mut View { links, frontier }, link, &page) {
                    self.limits.on_authors(ctx, frontier, &mut self.drops, link, &page.authors, more);
                    self.sync.continue_compare(ctx, &mut View { links, frontier }, link);
                }
            }
            Frame::AskLogs { author, from } => sync::on_ask_logs(ctx, frontier, link, peer, author, from),
            Frame::Logs { author, logs, more } => {
                self.sync.on_logs(ctx, &mut View { links, frontier }, link, peer, &LogsPage { author, logs, more });
            }
            Frame::Fetch(fetch) => self.sync.on_fetch(ctx, &View { links, frontier }, link, peer, fetch),
            Frame::Page { key, batches, busy } => self.on_page(link, peer, key, batches, busy),
            Frame::Relay { member, on } => self.relays.on_relay(ctx, links, members, link, member, on),
            Frame::Reach(reach) => {
                let has_left = self.presence.has_left(reach.member, reach.uptime_ms, ctx.now);
                self.relays.on_reach(ctx, links, members, link, reach, has_left);
            }
            Frame::Carry { author, from, receipts } => {
                peers::relay::on_carry(ctx, links, members, link, author, from, receipts);
            }
            Frame::Typing { channel } => self.typing.on_peer(ctx, peer, channel),
            Frame::Closed(closings) => self.limits.on_limits(links, frontier, link, peer, closings),
            Frame::File(_) | Frame::Close(_) => {} // The drivers handle them.
        }
    }

    fn on_page(&mut self, link: LinkId, peer: NodeId, key: LogKey, batches: Vec<Verified>, busy: bool) {
        let Self { ctx, links, frontier, .. } = self;
        let Some(fetch) = self.sync.on_page(ctx, &mut View { links, frontier }, link, key, &batches, busy) else {
            return;
        };
        let is_vain = batches.is_empty();
        let incoming = Incoming { link, peer, batches, is_page: true };
        if !self.ingest.ingest(ctx, frontier, &mut self.drops, incoming) {
            self.sync.on_page_unused(ctx, &mut View { links, frontier }, link, fetch, is_vain);
        }
    }

    fn on_written(&mut self, written: WriteResult) {
        let Self { ctx, members, frontier, .. } = self;
        match written {
            WriteResult::Appended(appended) => self.on_appended(appended),
            WriteResult::Changed(changed) => self.on_logs_changed(changed),
            WriteResult::Receipts(receipts) => self.receipts.on_stored(ctx, receipts),
            WriteResult::Failed { token, error } if self.publisher.is_own(token) => {
                self.publisher.on_failed(ctx, frontier, members, token, error);
            }
            WriteResult::Failed { token, .. } => self.ingest.on_failed(ctx, frontier, token),
            WriteResult::Marked(marked) => members.on_marked(ctx, frontier, marked),
            WriteResult::NotMarked(_) => {}
            WriteResult::Noted(notice) => ctx.show(UiEvent::Notice(notice)),
            WriteResult::Read(marker) => ctx.show(UiEvent::Read(marker)),
        }
    }

    fn on_appended(&mut self, appended: Appended) {
        let Appended { token, messages, moved, tops, topics, changed, read, resized, to_delete, .. } = appended;
        let refused: Vec<LogKey> = changed.logs.iter().map(|log| log.key).collect();
        let Self { ctx, members, frontier, publisher, .. } = self;
        let mut askers = Default::default();
        if publisher.is_own(token) {
            askers = publisher.on_committed(ctx, frontier, members, token, &messages, &refused);
        } else {
            self.ingest.on_committed(ctx, frontier, members, token, &refused);
        }
        self.drain_events();
        self.publisher.observe(tops);
        self.ctx.show_messages(messages, moved, &mut askers);
        topics.into_iter().for_each(|(channel, text)| self.ctx.show(UiEvent::Topic { channel, text }));
        self.publisher.note_undeleted(to_delete);
        read.into_iter().for_each(|marker| self.ctx.show(UiEvent::Read(marker)));
        resized.into_iter().for_each(|(key, bytes)| self.frontier.resize_log(key, bytes));
        self.on_logs_changed(changed);
    }

    /// The store holds something else of some logs than was to be expected: some are forked, or
    /// were truncated.
    fn on_logs_changed(&mut self, changed: LogChanges) {
        for record in changed.logs {
            let (key, is_forked) = (record.key, record.fork.is_some());
            self.frontier.reload_log(record, self.ingest.in_flight(key));
            if is_forked {
                if key.author == self.ctx.own {
                    self.publisher.retire_log(key.log);
                }
                self.flag_forked(key.author);
            }
        }
        let Self { ctx, members, frontier, publisher, .. } = self;
        if let Some(run) = changed.run {
            publisher.reset_latest(LatestPlaces::new(changed.tops));
            ctx.show(UiEvent::Resync(run));
        }
        publisher.republish(ctx, frontier, members, changed.fallen);
    }

    /// A member signed two things for one place of a log.
    fn flag_forked(&mut self, author: NodeId) {
        let ctx = &mut self.ctx;
        if self.members.change(ctx, |now, roster| roster.forked(now, author)) {
            self.drops.count(DropReason::Forked);
            ctx.warn(Warning::Fork(author));
            self.sync.spread_fork(ctx);
        }
    }

    /// Does everything that is due, and finds out when the next is.
    fn poll(&mut self) {
        let now = self.ctx.now;
        self.ctx.set_wake_ms(now.mono_ms + TURN_MS_MAX);
        if self.ctx.is_stopping {
            return;
        }
        self.discovery.poll(&mut self.ctx, &self.links, self.publisher.name());
        self.presence.poll(&mut self.ctx, &mut self.links, &mut self.members);
        self.drain_events();
        self.relays.poll(&mut self.ctx, &self.links, &self.members, &mut self.admission);
        self.drain_events();
        let Self { ctx, links, members, frontier, .. } = self;
        self.receipts.poll(ctx);
        if self.sync.is_round_due(ctx) {
            self.publisher.republish(ctx, frontier, members, Vec::new());
            self.receipts.clear_pending();
            self.sync.begin_round(ctx, &View { links, frontier });
        }
        self.sync.poll(ctx, &mut View { links, frontier });
        self.drain_events();
        self.members.poll_notices(&mut self.ctx);
        self.ctx.set_wake_ms(self.ctx.wake_ms().max(now.mono_ms + 1));
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.ctx.next_event() {
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: Event) {
        let Self { ctx, links, members, frontier, .. } = self;
        match event {
            Event::Dial(event) => self.discovery.on_dial_event(ctx, event),
            Event::LinkRegistered(link) => self.on_link_registered(link),
            Event::PrimaryChanged(link) => self.on_primary_changed(link),
            Event::PrimaryKept(link) => self.refresh_link(link),
            Event::LinkLost { link, peer, is_last } => {
                if is_last {
                    frontier.on_limits(peer, LimitedAuthors::default());
                }
                self.limits.remove(link);
                self.receipts.remove(link);
                self.flow.remove(link);
                self.sync.on_link_lost(ctx, link, peer, is_last);
                self.relays.on_link_lost(ctx, links, link);
            }
            Event::LinkSilent(link) => self.relays.on_link_silent(ctx, links, link),
            Event::LinkHeard => self.relays.retry(ctx),
            Event::ReachChanged { member, state } => self.relays.notify(ctx, links, members, member, state),
            Event::LossSuspected { member, at_ms } => self.presence.suspect_loss(ctx, member, at_ms),
            Event::Reached(member) => {
                self.presence.clear_suspicion(member);
                frontier.mark_verified(member);
                members.publish_usage(ctx, frontier, member);
            }
            Event::CompareDue(link) => self.sync.schedule_compare(ctx, &View { links, frontier }, link),
            Event::OwnEntriesHeld { member, receipts } => self.receipts.on_held(ctx, frontier, member, &receipts),
            Event::PushReceipted { link, receipts } => self.flow.on_receipts(ctx, link, &receipts),
            Event::OwnBatches { audience, batches } => self.flow.push(ctx, links, frontier, audience, &batches),
            Event::MessageCommitted { id, of } => self.receipts.track(id, of),
            Event::BatchesStored(batches) => self.relays.forward(ctx, links, &mut self.flow, &batches),
            Event::ReceiptDue { author, receipt, only_on } => {
                let route = self.relays.route(author);
                self.receipts.on_due(ctx, links, route, author, receipt, only_on);
            }
            Event::PageStored { link, is_whole } => {
                self.sync.on_page_stored(ctx, &mut View { links, frontier }, link, is_whole);
            }
            Event::PageFailed(link) => self.sync.on_page_failed(ctx, link),
            Event::OwnLogShared(log) => self.publisher.retire_log(log),
        }
    }

    fn on_link_registered(&mut self, link: LinkId) {
        let Some(peer) = self.links.get(link).map(|entry| entry.peer.clone()) else { return };
        let Self { ctx, links, members, frontier, .. } = self;
        let id = peer.id;
        frontier.mark_verified(id);
        self.limits.on_primary(ctx, frontier, link, id);
        self.discovery.on_peer_addresses(ctx, &peer);
        members.on_linked(ctx, peer);
        members.publish_usage(ctx, frontier, id);
        self.relays.on_direct_link(ctx, id);
        self.relays.notify(ctx, links, members, id, ReachState::Here);
        self.sync.schedule_compare(ctx, &View { links, frontier }, link);
    }

    fn on_primary_changed(&mut self, link: LinkId) {
        let Self { ctx, links, members, .. } = self;
        let Some((id, address)) = links.get(link).map(|entry| (entry.peer.id, entry.peer.address)) else { return };
        members.on_link_used(ctx, id, address);
        self.relays.notify(ctx, links, members, id, ReachState::Here);
        self.refresh_link(link);
    }

    /// Frames on another link of the same peer may be lost: what was in them is found by comparing.
    fn refresh_link(&mut self, link: LinkId) {
        let Self { ctx, links, frontier, .. } = self;
        let Some(id) = links.get(link).map(|entry| entry.peer.id) else { return };
        self.limits.on_primary(ctx, frontier, link, id);
        self.sync.schedule_compare(ctx, &View { links, frontier }, link);
    }
}
