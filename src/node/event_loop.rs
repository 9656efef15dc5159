//! The event loop: what happens becomes an input of the engine, and its actions go to the drivers.

use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::clock::now;
use super::dispatch::Drivers;
use super::doctor::DialFailure;
use super::files::FileEvent;
use super::free_space;
use super::info::report;
use super::lookup::LookedUp;
use super::reload::Settings;
use super::requests::{NodeParts, Requests};
use super::service_manager;
use crate::identity::DataDir;
use crate::net::{self, PeerMismatch};
use crate::proto::engine::{Engine, Input};
use crate::proto::replication::frame::Frame;
use crate::proto::replication::store_api::{Committed, WriteResult};
use crate::web::requests::RequestError;
use crate::web::{BroadcastEvent, NodeRequest};

/// The channels that inputs come from.
pub(super) struct Sources {
    pub(super) net: Receiver<net::NetEvent>,
    pub(super) files: UnboundedReceiver<FileEvent>,
    pub(super) written: UnboundedReceiver<Committed>,
    pub(super) requests: Receiver<NodeRequest>,
    /// Inputs of tasks that read for the engine.
    pub(super) tasks: Receiver<Input>,
    /// Requests to read the settings again.
    pub(super) hangups: Signal,
}

/// The state of the loop: the engine, its drivers, and the requests that wait for them.
pub(super) struct EventLoop {
    engine: Engine,
    drivers: Drivers,
    requests: Requests,
    settings: Settings,
    /// Cancelled when the node is to stop.
    stop: CancellationToken,
}

impl EventLoop {
    pub(super) fn new(engine: Engine, drivers: Drivers, settings: Settings, stop: CancellationToken) -> Self {
        Self { engine, drivers, requests: Requests::default(), settings, stop }
    }

    /// Runs until `stop` is cancelled or the disk fails, then says goodbye. Returns the error of
    /// the disk, if there is one.
    pub(super) async fn run(mut self, sources: Sources) -> (DataDir, Option<String>) {
        let Sources { mut files, mut net, mut written, requests: mut incoming, mut tasks, mut hangups } = sources;
        let store = self.drivers.store.clone();
        let failure = store.failed();
        tokio::pin!(failure);
        let mut ended = None;
        self.handle(Input::Tick);
        if !self.drivers.directory.is_ephemeral() {
            let (data_dir, stop) = (self.drivers.info.data_dir.clone(), self.stop.clone());
            tokio::spawn(free_space::watch(data_dir, self.drivers.task_tx.clone(), stop));
        }
        loop {
            let wait_ms = self.engine.next_deadline_ms().saturating_sub(now().mono_ms);
            let may_ask = self.requests.has_room();
            tokio::select! {
                () = self.stop.cancelled() => break,
                why = &mut failure => {
                    ended = Some(why);
                    break;
                }
                Some(event) = net.recv(), if self.drivers.pending_writes.is_below_limit() => self.on_net_event(event),
                Some(written) = written.recv() => self.on_written(written),
                Some(input) = tasks.recv() => self.handle(input),
                Some(event) = files.recv() => self.drivers.files.on_event(event),
                () = self.drivers.files.next_turn() => self.drivers.files.on_turn(),
                Some(found) = self.requests.next_lookup() => self.on_lookup(found),
                Some(request) = incoming.recv(), if may_ask => self.on_request(request),
                Some(()) = hangups.recv() => self.on_hangup(),
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => self.handle(Input::Tick),
            }
        }
        service_manager::stopping();
        self.drivers.hub.publish(BroadcastEvent::Stopping);
        self.handle(Input::Stop);
        (self.drivers.directory, ended)
    }

    fn handle(&mut self, input: Input) {
        for action in self.engine.handle(now(), input) {
            self.drivers.act(&self.engine, &mut self.requests, action);
        }
    }

    fn handle_if_some(&mut self, input: Option<Input>) {
        if let Some(input) = input {
            self.handle(input);
        }
    }

    fn on_request(&mut self, request: NodeRequest) {
        if let NodeRequest::Files(request) = request {
            return self.drivers.files.on_request(request);
        }
        let Drivers { net, store, hub, files, credentials, directory, info, discovery, observations, .. } =
            &self.drivers;
        let (engine, stop) = (&self.engine, &self.stop);
        let shelf = &files.shelf;
        let node =
            NodeParts { engine, net, store, hub, shelf, credentials, directory, info, discovery, observations, stop };
        let input = self.requests.on_request(request, &node);
        self.handle_if_some(input);
    }

    fn on_lookup(&mut self, LookedUp { request, found }: LookedUp) {
        let Some(mut found) = report(found) else { return request.refuse(RequestError::Stopping) };
        if let Some((reference, id)) = found.stored.take() {
            self.handle(Input::RefFound { reference, id });
        }
        let input = self.requests.on_lookup(request, found, &self.engine);
        self.handle_if_some(input);
    }

    fn on_hangup(&mut self) {
        service_manager::reloading();
        if let Some(change) = self.settings.read() {
            if let Some(name) = change.name {
                // The log and the pages tell of the change; no request waits for an answer.
                self.on_request(NodeRequest::Rename { name, answer: oneshot::channel().0 });
            }
            for (peers, is_wanted) in [(&change.removed, false), (&change.added, true)] {
                peers.iter().for_each(|peer| self.handle(Input::Peer { target: peer.into(), is_wanted }));
            }
            if let Err(error) = self.drivers.directory.announce(self.settings.run_file()) {
                tracing::warn!("{error}");
            }
        }
        service_manager::ready();
    }

    fn on_written(&mut self, Committed { result: written, shown }: Committed) {
        let marked = match &written {
            WriteResult::Marked(marked) => Some((marked.member, true)),
            WriteResult::NotMarked(member) => Some((*member, false)),
            WriteResult::Appended { .. }
            | WriteResult::Changed(_)
            | WriteResult::Failed { .. }
            | WriteResult::Noted(_)
            | WriteResult::Receipts(_)
            | WriteResult::Read { .. } => None,
        };
        if let WriteResult::Appended(appended) = &written {
            self.drivers.files.on_released(appended.released.clone());
        }
        self.drivers.pending_writes.on_completed(&written);
        self.drivers.shown = shown.into_iter().map(|message| (message.id, message)).collect();
        self.handle(Input::Written(written));
        if let Some((member, done)) = marked {
            self.requests.on_marked(&self.engine, member, done);
        }
    }

    fn on_net_event(&mut self, event: net::NetEvent) {
        let Drivers { info, observations, warnings, discovery, .. } = &mut self.drivers;
        let input = match event {
            net::NetEvent::Beacon { source, beacon } => {
                if beacon.room == info.tag && beacon.id != info.own {
                    observations.heard(beacon.id, source.ip(), now().mono_ms);
                }
                Input::Beacon { source, beacon }
            }
            net::NetEvent::Network { addresses } => Input::Network(addresses),
            net::NetEvent::Announced(sent) => return discovery.announced(sent, now().wall_ms),
            net::NetEvent::DialFailed { dial, error, proved, answered } => {
                tracing::debug!("a dial came to nothing: {error}");
                if proved == Some(PeerMismatch::OwnKey) {
                    warnings.key_in_use(info.own);
                }
                observations.failed(dial, DialFailure { at_ms: now().wall_ms, error, answered });
                match proved {
                    Some(PeerMismatch::OtherRoomKey | PeerMismatch::UnexpectedId) => Input::DialRefused(dial),
                    Some(PeerMismatch::OwnKey) | None => Input::DialFailed(dial),
                }
            }
            net::NetEvent::LinkUp { link, dial, peer } => {
                observations.linked(link, peer.address, dial);
                self.drivers.files.on_link_up(link, peer.id);
                Input::LinkUp { link, dial, peer }
            }
            net::NetEvent::LinkDown { link, reason } => {
                observations.unlinked(link, reason, now().wall_ms);
                self.drivers.files.on_link_down(link);
                Input::LinkDown { link, reason }
            }
            net::NetEvent::Heard { link } => Input::Heard(link),
            net::NetEvent::Frame { link, frame: Frame::File(frame), .. } => {
                self.drivers.files.on_frame(link, frame);
                Input::Heard(link)
            }
            net::NetEvent::Frame { link, frame, bytes: _, permit: _ } => Input::Frame { link, frame },
        };
        self.handle(input);
    }
}
