//! Carries out the engine's actions: each goes to exactly one driver.

use std::collections::HashMap;

use tokio::sync::{mpsc, watch};

use super::backpressure::PendingWriteBytes;
use super::discovery::DiscoveryLog;
use super::doctor::Observations;
use super::files::FileService;
use super::info::NodeInfo;
use super::message_hook::MessageHook;
use super::requests::Requests;
use super::warnings::{self, Warnings};
use crate::identity::DataDir;
use crate::net::Net;
use crate::proto::engine::{Action, Engine, Input, UiEvent, Warning};
use crate::proto::entries::timeline::Message;
use crate::proto::ids::{EntryId, LinkId, NodeId};
use crate::proto::members::member::Member;
use crate::proto::names::name::Name;
use crate::proto::replication::frame::Fetch;
use crate::proto::replication::store_api::HistoryPage;
use crate::store::Store;
use crate::web::requests::SayResult;
use crate::web::{BroadcastEvent, Credentials, Hub};
use crate::wire;

/// The drivers around the engine, and the state of using them.
pub(super) struct Drivers {
    pub(super) net: Net,
    pub(super) store: Store,
    pub(super) hub: Hub,
    pub(super) files: FileService,
    pub(super) credentials: Credentials,
    pub(super) directory: DataDir,
    pub(super) info: NodeInfo,
    pub(super) discovery: DiscoveryLog,
    pub(super) observations: Observations,
    pub(super) warnings: Warnings,
    /// Bytes on their way to the disk.
    pub(super) pending_writes: PendingWriteBytes,
    /// The user's program for new messages.
    pub(super) hook: Option<MessageHook>,
    /// The messages of the last commit that the engine has not shown yet.
    pub(super) shown: HashMap<EntryId, Message>,
    /// The own name, as beacons say it.
    pub(super) name: watch::Sender<Name>,
    /// Inputs of tasks that read for the engine.
    pub(super) task_tx: mpsc::Sender<Input>,
}

impl Drivers {
    /// Carries out one action. An answer goes through `requests`, which knows the caller.
    pub(super) fn act(&mut self, engine: &Engine, requests: &mut Requests, action: Action) {
        match action {
            Action::Announce(beacon) => self.net.announce(beacon),
            Action::Dial(dial) => {
                self.observations.dials(&dial);
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
                self.pending_writes.on_submitted(&write.0);
                self.store.write(write.0);
            }
            Action::ReadHistory { link, fetch } => self.read_history(link, fetch),
            Action::Answer { asker, answer } => requests.on_reply(asker, answer, &self.store),
            Action::Show(show) => self.publish(engine, requests, show),
            Action::Warn(Warning::KeyInUse(id)) => self.warnings.key_in_use(id),
            Action::Warn(Warning::Full(id)) => {
                if let Some(member) = engine.member(id) {
                    self.warnings.limit_reached(member);
                }
            }
            Action::Warn(Warning::Fork(id)) => warnings::forked(id),
        }
    }

    fn read_history(&self, link: LinkId, fetch: Fetch) {
        let (store, task_tx) = (self.store.clone(), self.task_tx.clone());
        tokio::spawn(async move {
            let page = store.history(fetch).await.unwrap_or_else(|error| {
                tracing::warn!("history can't be read: {error}");
                HistoryPage { fetch, batches: Vec::new() }
            });
            _ = task_tx.send(Input::History { link, page }).await;
        });
    }

    fn publish(&mut self, engine: &Engine, requests: &mut Requests, show: UiEvent) {
        let has_blocked = |id: NodeId| engine.member(id).is_some_and(|member| member.marks.blocked);
        let event = match show {
            UiEvent::NewMessage { id, asker } => {
                let line = self.shown.remove(&id).filter(|line| !has_blocked(line.order.author));
                let Some(line) = line else { return };
                self.run_hook(engine, &line);
                let is_quiet = |member: &Member| member.own || member.marks.muted;
                let fetches = engine.member(line.order.author).is_some_and(|member| !is_quiet(member));
                self.files.on_line(&line, fetches);
                let said_by = asker.and_then(|asker| requests.take_origin(asker));
                let said = asker.map(|asker| match said_by {
                    Some(_) => (asker, SayResult::Published),
                    None => (asker, SayResult::New(Box::new(line.clone()))),
                });
                self.hub.publish(BroadcastEvent::NewMessage { message: line, sender: said_by });
                if let Some((asker, said)) = said {
                    requests.complete_say(asker, said);
                }
                return;
            }
            UiEvent::ChangedMessage(id) => match self.shown.remove(&id) {
                Some(line) if !has_blocked(line.order.author) => BroadcastEvent::ChangedMessage(line),
                Some(_) | None => return,
            },
            UiEvent::Resync(run) => {
                self.info.run = run;
                self.files.on_afresh();
                BroadcastEvent::Resync
            }
            UiEvent::Notice(notice) => {
                warnings::name_conflict(&notice, engine.members());
                BroadcastEvent::Notice(notice)
            }
            UiEvent::Member(member) => {
                if member.own && *self.name.borrow() != member.name {
                    self.rename(&member.name);
                }
                BroadcastEvent::Member(member)
            }
            UiEvent::Held { id, held } => BroadcastEvent::Held { id, held },
            UiEvent::Typing { member, .. } if has_blocked(member) => return,
            UiEvent::Typing { member, conversation } => BroadcastEvent::Typing { member, conversation },
            UiEvent::Read(marker) => BroadcastEvent::Read(marker),
            UiEvent::Topic { channel, text } => BroadcastEvent::Topic { channel, text },
        };
        self.hub.publish(event);
    }

    /// Passes a new message of another member to the user's program, unless the member is muted.
    ///
    /// What was sent before this node started is history. A member's clock is corrected by its
    /// error, as far as that is known.
    fn run_hook(&self, engine: &Engine, line: &Message) {
        let Some(hook) = &self.hook else { return };
        let author = engine.member(line.order.author);
        if line.order.author == self.info.own || author.is_some_and(|author| author.marks.muted) {
            return;
        }
        let error_ms = author.and_then(|author| author.clock_error_ms).unwrap_or(0);
        let sent_ms = i64::try_from(line.time.ms()).unwrap_or(i64::MAX).saturating_sub(error_ms);
        if sent_ms >= i64::try_from(self.info.started_ms).unwrap_or(i64::MAX) {
            hook.offer(line);
        }
    }

    /// Puts a new own name into beacons, and keeps it for rooms to come.
    fn rename(&self, name: &Name) {
        self.name.send_replace(name.clone());
        if let Err(error) = self.directory.keep_name(name) {
            tracing::warn!("{error}");
        }
    }
}
