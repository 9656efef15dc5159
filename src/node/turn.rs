//! The loop: whatever happens becomes an input of the engine, and what the engine wants goes to one driver each.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::asks::{About, Lookup, Marking, Pending};
use super::discovery::Discovery;
use super::doctor::{Failure, Notes};
use super::now;
use super::unwritten::Unwritten;
use crate::config::MIB;
use crate::identity::DataDir;
use crate::net::{self, Net, Proved};
use crate::proto::closed::Closed;
use crate::proto::engine::{Action, AskId, Engine, Input, Show, Warning};
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{HISTORY_PAGES_WAITING_MAX, LOOKUPS_MAX, SAYS_WAITING_MAX, WARN_EVERY_MS};
use crate::proto::lookalikes::looks;
use crate::proto::name::Name;
use crate::proto::record::{HistoryPage, Written};
use crate::proto::roster::Member;
use crate::proto::timeline::{Line, Notice, NoticeKind};
use crate::store::Store;
use crate::web::{Ask, Event, Hub, Keys};
use crate::wire;

/// Everything that the loop holds.
pub(super) struct Turns {
    pub(super) engine: Engine,
    pub(super) net: Net,
    pub(super) store: Store,
    pub(super) hub: Hub,
    pub(super) keys: Keys,
    pub(super) directory: DataDir,
    pub(super) about: About,
    pub(super) discovery: Discovery,
    pub(super) notes: Notes,
    pub(super) pending: HashMap<AskId, Pending>,
    pub(super) lookups: FuturesOrdered<Lookup>,
    /// Who waits for marks to be changed, in the order of asking.
    pub(super) marking: VecDeque<Marking>,
    pub(super) asked: u64,
    /// Cancelled when the node is to stop.
    pub(super) stop: CancellationToken,
    /// When it was last told of a key that it is in use twice, in milliseconds of the monotonic clock.
    key_told_ms: HashMap<NodeId, u64>,
    /// When it was last told of somebody whose history is full, on the monotonic clock.
    full_told_ms: Option<u64>,
    /// What is on its way to the disk.
    unwritten: Unwritten,
    name: watch::Sender<Name>,
    /// Where tasks beside the loop bring what they have read or found out.
    beside: mpsc::Sender<Input>,
    from_beside: Receiver<Input>,
}

impl Turns {
    #[expect(clippy::too_many_arguments, reason = "the one place where everything meets")]
    pub(super) fn new(
        engine: Engine,
        net: Net,
        store: Store,
        hub: Hub,
        name: watch::Sender<Name>,
        keys: Keys,
        directory: DataDir,
        about: About,
    ) -> Self {
        let (beside, from_beside) = mpsc::channel(HISTORY_PAGES_WAITING_MAX);
        Self {
            engine,
            net,
            store,
            hub,
            keys,
            directory,
            about,
            discovery: Discovery::default(),
            notes: Notes::default(),
            pending: HashMap::new(),
            lookups: FuturesOrdered::new(),
            marking: VecDeque::new(),
            asked: 0,
            stop: CancellationToken::new(),
            key_told_ms: HashMap::new(),
            full_told_ms: None,
            unwritten: Unwritten::default(),
            name,
            beside,
            from_beside,
        }
    }

    /// Runs until `stop` is cancelled or the disk fails, then says goodbye. Returns why, if it was the disk.
    pub(super) async fn run(
        mut self,
        mut net: Receiver<net::Event>,
        mut written: UnboundedReceiver<Written>,
        mut asks: Receiver<Ask>,
        stop: CancellationToken,
    ) -> (DataDir, Option<String>) {
        self.stop = stop;
        let store = self.store.clone();
        let failure = store.failed();
        tokio::pin!(failure);
        let mut ended = None;
        self.handle(Input::Tick);
        if !self.directory.is_ephemeral() {
            let (data_dir, watched) = (self.about.data_dir.clone(), self.stop.clone());
            tokio::spawn(super::disk::watch(data_dir, self.beside.clone(), watched));
        }
        loop {
            let wait_ms = self.engine.next_deadline_ms().saturating_sub(now().mono_ms);
            let may_ask = self.lookups.len() < LOOKUPS_MAX && self.pending.len() < SAYS_WAITING_MAX - LOOKUPS_MAX;
            tokio::select! {
                () = self.stop.cancelled() => break,
                why = &mut failure => {
                    ended = Some(why);
                    break;
                }
                Some(event) = net.recv(), if self.unwritten.has_room() => self.net_event(event),
                Some(written) = written.recv() => self.written(written),
                Some(input) = self.from_beside.recv() => self.handle(input),
                Some(found) = self.lookups.next() => self.looked_up(found),
                Some(ask) = asks.recv(), if may_ask => self.ask(ask),
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => self.handle(Input::Tick),
            }
        }
        self.hub.publish(Event::Stopping);
        self.handle(Input::Stop);
        (self.directory, ended)
    }

    pub(super) fn handle(&mut self, input: Input) {
        for action in self.engine.handle(now(), input) {
            self.act(action);
        }
    }

    fn written(&mut self, written: Written) {
        let marked = match &written {
            Written::Marked(marked) => Some((marked.member, true)),
            Written::NotMarked(member) => Some((*member, false)),
            Written::Appended { .. }
            | Written::Changed(_)
            | Written::Failed { .. }
            | Written::Noted(_)
            | Written::Receipts(_)
            | Written::Read { .. } => None,
        };
        self.unwritten.answered(&written);
        self.handle(Input::Written(written));
        if let Some((member, done)) = marked {
            self.marked(member, done);
        }
    }

    fn net_event(&mut self, event: net::Event) {
        let input = match event {
            net::Event::Beacon { source, beacon } => {
                if beacon.room == self.about.tag && beacon.id != self.about.own {
                    self.notes.heard(beacon.id, source.ip(), now().mono_ms);
                }
                Input::Beacon { source, beacon }
            }
            net::Event::Network { addresses } => Input::Network(addresses),
            net::Event::Announced(sent) => return self.discovery.announced(sent, now().wall_ms),
            net::Event::DialFailed { dial, error, proved, answered } => {
                tracing::debug!("a dial came to nothing: {error}");
                if proved == Some(Proved::OwnKey) {
                    self.key_in_use(self.about.own);
                }
                self.notes.failed(dial, Failure { at_ms: now().wall_ms, error, answered });
                match proved {
                    Some(Proved::OtherRoomKey | Proved::SomebodyElse) => Input::DialRefused(dial),
                    Some(Proved::OwnKey) | None => Input::DialFailed(dial),
                }
            }
            net::Event::LinkUp { link, dial, peer } => {
                self.notes.linked(link, peer.address, dial);
                Input::LinkUp { link, dial, peer }
            }
            net::Event::LinkDown { link, reason } => {
                self.notes.unlinked(link, reason, now().wall_ms);
                Input::LinkDown { link, reason }
            }
            net::Event::Heard { link } => Input::Heard(link),
            net::Event::Frame { link, frame, bytes: _, place: _ } => Input::Frame { link, frame },
        };
        self.handle(input);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Announce(beacon) => self.net.announce(beacon),
            Action::Dial(dial) => {
                self.notes.dials(&dial);
                self.net.dial(dial);
            }
            Action::Send { links, frame } => {
                let bytes = wire::frame::encode(&frame);
                for link in links {
                    self.net.send(link, bytes.clone());
                }
            }
            Action::Close { link, reason } => self.net.close(link, reason),
            Action::Write(write) => {
                self.unwritten.asked(&write.0);
                self.store.write(write.0);
            }
            Action::ReadHistory { link, fetch } => self.read_history(link, fetch),
            Action::Answer { asker, answer } => self.answer(asker, answer),
            Action::Show(show) => self.show(show),
            Action::Warn(Warning::KeyInUse(id)) => self.key_in_use(id),
            Action::Warn(Warning::Full(id)) => self.is_full(id),
            Action::Warn(Warning::Fork(id)) => {
                tracing::warn!(
                    "{} signed two different things for one place of its log: the log ends there",
                    id.short()
                );
            }
        }
    }

    fn read_history(&self, link: LinkId, fetch: crate::proto::frame::Fetch) {
        let (store, beside) = (self.store.clone(), self.beside.clone());
        tokio::spawn(async move {
            let page = store.history(fetch).await.unwrap_or_else(|error| {
                tracing::warn!("history can't be read: {error}");
                HistoryPage { fetch, batches: Vec::new() }
            });
            _ = beside.send(Input::History { link, page }).await;
        });
    }

    /// Tells that a key is in use twice; not again within a minute, however often the two meet us.
    fn key_in_use(&mut self, id: NodeId) {
        let now_ms = now().mono_ms;
        if self.key_told_ms.get(&id).is_some_and(|told_ms| now_ms < told_ms + WARN_EVERY_MS) {
            return;
        }
        self.key_told_ms.insert(id, now_ms);
        tracing::warn!(
            "the key {} is in use on two machines: give one of them a data directory of its own with --data-dir",
            id.short()
        );
    }

    /// Tells of somebody who wrote as much as is kept of one member; of many at once of the first.
    fn is_full(&mut self, id: NodeId) {
        let now_ms = now().mono_ms;
        if self.full_told_ms.is_some_and(|told_ms| now_ms < told_ms + WARN_EVERY_MS) {
            return;
        }
        self.full_told_ms = Some(now_ms);
        let Some(member) = self.engine.member(id) else { return };
        let (short, name) = (id.short(), &member.name);
        if member.closed == Some(Closed::Logs) {
            tracing::warn!("{short} ({name}) has begun more logs than one member may: no more of it is taken");
        } else {
            let mib = member.bytes.div_ceil(MIB);
            tracing::warn!(
                "{short} ({name}) has written {mib} MiB, all that this node keeps of one member: no more of it is taken; --quota sets how much"
            );
        }
    }

    /// Tells of somebody who takes the name of a verified member, for those who see no page.
    fn beware(&self, notice: &Notice) {
        let looks_like = looks(notice.name.as_str());
        let is_taken = |member: &&Member| {
            member.marks.verified && member.id != notice.member && looks(member.name.as_str()) == looks_like
        };
        if notice.kind == NoticeKind::Conflict
            && let Some(verified) = self.engine.members().find(is_taken)
        {
            let (other, known) = (notice.member.short(), verified.id.short());
            tracing::warn!("{other} calls itself {}, and is not {known}, whom you have verified", notice.name);
        }
    }

    /// This node has another name from now on: beacons carry it, and rooms to come begin with it.
    fn renamed(&self, name: &Name) {
        self.name.send_replace(name.clone());
        if let Err(error) = self.directory.keep_name(name) {
            tracing::warn!("{error}");
        }
    }

    /// Whether the user wants nothing from whoever said this.
    fn is_blocked(&self, line: &Line) -> bool {
        self.engine.member(line.order.author).is_some_and(|member| member.marks.blocked)
    }

    fn show(&mut self, show: Show) {
        let event = match show {
            Show::Line { line, .. } if self.is_blocked(&line) => return,
            Show::Line { line, asker } => {
                let said_by = asker.and_then(|asker| self.said_by(asker));
                self.hub.publish(Event::Line { line: line.clone(), said_by });
                if let Some(asker) = asker {
                    self.said(asker, line);
                }
                return;
            }
            Show::Moved(line) if self.is_blocked(&line) => return,
            Show::Moved(line) => Event::Moved(line),
            Show::Afresh(run) => {
                self.about.run = run;
                Event::Afresh
            }
            Show::Notice(notice) => {
                self.beware(&notice);
                Event::Notice(notice)
            }
            Show::Member(member) => {
                if member.own && *self.name.borrow() != member.name {
                    self.renamed(&member.name);
                }
                Event::Member(member)
            }
            Show::Held { id, held } => Event::Held { id, held },
            Show::Read { conversation, arrival } => Event::Read { conversation, arrival },
        };
        self.hub.publish(event);
    }
}
