//! Drives the transfers: their frames, the thread that verifies and stores data, and the statuses
//! that pages see.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::events::{FileEvent, WriteJob, WriteOutcome};
use super::serving::{ContentServer, send};
use super::shelf::Shelf;
use super::{fetching, listing};
use crate::content::VerifyError;
use crate::net::Net;
use crate::node::clock::now;
use crate::node::free_space::has_room;
use crate::proto::files::file_frame::FileFrame;
use crate::proto::files::status::FileStatus;
use crate::proto::ids::{Hash, LinkId, NodeId};
use crate::proto::limits::{AUTO_FETCHES_MAX, TRANSFER_TURN_MS};
use crate::proto::transfer::day_budget::DayBudget;
use crate::proto::transfer::{TransferAction, Transfers};
use crate::web::{BroadcastEvent, Hub};

/// The transfers of a node.
pub(super) struct TransferDriver {
    shelf: Shelf,
    net: Net,
    hub: Hub,
    engine: Transfers,
    pub(super) serving: ContentServer,
    writer: mpsc::Sender<WriteJob>,
    events: UnboundedSender<FileEvent>,
    budget: DayBudget,
    /// Content of which more was stored since the last turn.
    progressed: BTreeSet<Hash>,
    /// Content whose status changed since pages were told.
    untold: BTreeSet<Hash>,
    /// Content of which pages were told in this turn.
    told: BTreeSet<Hash>,
    turn_at: Instant,
}

impl TransferDriver {
    pub(super) fn new(shelf: Shelf, net: Net, hub: Hub, events: UnboundedSender<FileEvent>) -> std::io::Result<Self> {
        let writer = start_writer(shelf.clone(), events.clone())?;
        let serving = ContentServer::new(shelf.clone(), net.clone());
        let driver = Self {
            shelf,
            net,
            hub,
            engine: Transfers::new(rand::random()),
            serving,
            writer,
            events,
            budget: DayBudget::default(),
            progressed: BTreeSet::new(),
            untold: BTreeSet::new(),
            told: BTreeSet::new(),
            turn_at: Instant::now(),
        };
        driver.resume_all();
        Ok(driver)
    }

    /// Prepares the transfers again that an earlier run did not finish.
    fn resume_all(&self) {
        for content in self.shelf.content.contents() {
            if self.shelf.content.info(&content).is_some_and(|info| info.wanted) {
                self.begin(content, None);
            }
        }
    }

    /// Prepares a transfer. `size`: the size that was checked; content of another size is left.
    fn begin(&self, content: Hash, size: Option<u64>) {
        let (shelf, events) = (self.shelf.clone(), self.events.clone());
        tokio::spawn(async move {
            match fetching::prepare(&shelf, content, size).await {
                Ok(Some(new)) => _ = events.send(FileEvent::Prepared { content, new }),
                Ok(None) => _ = events.send(FileEvent::Changed(content)),
                Err(error) => {
                    tracing::info!("a file is not fetched: {error}");
                    shelf.set_failed(content, true);
                    _ = events.send(FileEvent::Changed(content));
                }
            }
        });
    }

    /// A new message names a file. `fetches`: it is fetched if it is small enough and its author
    /// has budget left.
    pub(super) fn on_named(&mut self, author: NodeId, content: Hash, size: u64, fetches: bool) {
        let limit = self.shelf.settings.auto_fetch_bytes;
        let is_small = limit > 0 && size <= limit && self.engine.count() < AUTO_FETCHES_MAX;
        if self.engine.is_wanted(&content) {
            // The message may change for whom it is fetched.
            self.begin(content, None);
        } else if fetches && is_small && self.budget.take(now().wall_ms, author, size) {
            self.begin(content, Some(size));
        }
    }

    pub(super) fn on_link_up(&mut self, link: LinkId, peer: NodeId) {
        self.serving.on_link_up(link, peer);
        self.engine.on_link_up(link, peer);
        self.act();
    }

    pub(super) fn on_link_down(&mut self, link: LinkId) {
        self.serving.on_link_down(link);
        self.engine.on_link_down(now().mono_ms, link);
        self.act();
    }

    pub(super) fn on_frame(&mut self, link: LinkId, frame: FileFrame) {
        let now_ms = now().mono_ms;
        match frame {
            FileFrame::Want { content, on } => self.serving.on_want(link, content, on),
            FileFrame::Request { content, first, count } => self.serving.on_request(link, content, first, count),
            FileFrame::Have { content, size, parts } => self.engine.on_have(now_ms, link, content, size, parts),
            FileFrame::Data { content, first, count, bytes } => {
                if self.engine.on_data(now_ms, link, &content, first, count) {
                    // The thread ends with the node.
                    _ = self.writer.send(WriteJob { link, content, first, count, bytes });
                }
            }
            FileFrame::Refuse { content, first, busy, .. } => {
                self.engine.on_refuse(now_ms, link, &content, first, busy);
            }
        }
        self.act();
    }

    pub(super) fn on_event(&mut self, event: FileEvent) {
        let now_ms = now().mono_ms;
        match event {
            FileEvent::Prepared { content, new } => {
                self.shelf.set_failed(content, false);
                self.engine.want(now_ms, content, new);
            }
            FileEvent::Written { job: WriteJob { link, content, first, count, .. }, outcome } => match outcome {
                WriteOutcome::Stored => {
                    self.engine.on_stored(&content, first, count);
                    self.progressed.insert(content);
                }
                WriteOutcome::Complete => {
                    self.engine.cancel(now_ms, &content);
                    self.serving.notify(&[content].into());
                    self.refresh(content);
                }
                WriteOutcome::Bad => self.engine.on_bad_data(now_ms, link, &content, first, count),
                WriteOutcome::Failed => {
                    self.engine.cancel(now_ms, &content);
                    self.shelf.set_failed(content, true);
                    self.refresh(content);
                }
            },
            FileEvent::Named(content) => self.serving.notify(&[content].into()),
            FileEvent::Changed(content) => {
                self.serving.notify(&[content].into());
                self.refresh(content);
            }
            FileEvent::Cancelled(content) => {
                self.engine.cancel(now_ms, &content);
                self.serving.notify(&[content].into());
                self.refresh(content);
            }
        }
        self.act();
    }

    /// Looks at silent holders, and tells peers and pages what they were not told yet.
    pub(super) fn on_turn(&mut self) {
        self.told.clear();
        self.turn_at = Instant::now() + Duration::from_millis(TRANSFER_TURN_MS);
        self.engine.poll(now().mono_ms);
        self.serving.notify(&std::mem::take(&mut self.progressed));
        self.act();
        std::mem::take(&mut self.untold).into_iter().for_each(|content| self.tell(content));
    }

    /// Waits until the next turn is due; for ever while nothing is under way.
    pub(super) fn next_turn(&self) -> impl Future<Output = ()> + use<> {
        let at = (self.engine.is_active() || !self.untold.is_empty() || !self.told.is_empty()).then_some(self.turn_at);
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    fn act(&mut self) {
        let mut changed = BTreeSet::new();
        for action in self.engine.take_actions() {
            match action {
                TransferAction::Send { link, frame } => send(&self.net, link, frame),
                TransferAction::Changed(content) => _ = changed.insert(content),
            }
        }
        for content in changed {
            let Some((state, holders)) = self.engine.state(&content, now().mono_ms) else { continue };
            let have = self.engine.held(&content).map_or(0, |held| held.bytes_held());
            let pinned = self.shelf.statuses.get(&content).pinned;
            if self.shelf.statuses.set(content, FileStatus { state, have, holders: Some(holders), pinned }) {
                self.tell(content);
            }
        }
    }

    /// Reads the status of content that is not being fetched, and tells pages.
    fn refresh(&mut self, content: Hash) {
        if self.engine.is_wanted(&content) {
            return;
        }
        let (shelf, hub) = (self.shelf.clone(), self.hub.clone());
        tokio::spawn(async move {
            let blocking = shelf.clone();
            // Fails only when the program ends.
            _ = tokio::task::spawn_blocking(move || blocking.update_status(&content)).await;
            publish(shelf, hub, content).await;
        });
    }

    /// Tells pages the status of some content, at most once a turn.
    fn tell(&mut self, content: Hash) {
        if !self.told.insert(content) {
            self.untold.insert(content);
            return;
        }
        tokio::spawn(publish(self.shelf.clone(), self.hub.clone(), content));
    }
}

/// Sends the status of a file to all pages, if a message names it.
async fn publish(shelf: Shelf, hub: Hub, content: Hash) {
    if let Some(file) = listing::find_named(&shelf, content).await.flatten() {
        hub.publish(BroadcastEvent::File(Box::new(file)));
    }
}

/// Starts the thread that verifies and stores data.
fn start_writer(shelf: Shelf, events: UnboundedSender<FileEvent>) -> std::io::Result<mpsc::Sender<WriteJob>> {
    let (sender, jobs) = mpsc::channel::<WriteJob>();
    let run = move || {
        for job in jobs {
            let outcome = write(&shelf, &job);
            if events.send(FileEvent::Written { job, outcome }).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("files".to_owned()).spawn(run)?;
    Ok(sender)
}

fn write(shelf: &Shelf, job: &WriteJob) -> WriteOutcome {
    if !has_room(shelf.content.dir(), job.bytes.len() as u64) {
        tracing::warn!("a file is not fetched: the rest of the disk is kept for messages");
        return WriteOutcome::Failed;
    }
    match shelf.content.write(&job.content, job.first, job.count, &job.bytes) {
        Ok(false) => WriteOutcome::Stored,
        Ok(true) => {
            let size = shelf.content.complete_size(&job.content).unwrap_or(0);
            let used_ms = now().wall_ms;
            shelf.log(shelf.content.update(&job.content, size, |info| {
                (info.wanted, info.used_ms) = (false, used_ms);
            }));
            shelf.content.close(&job.content);
            WriteOutcome::Complete
        }
        Err(VerifyError::Mismatch) => WriteOutcome::Bad,
        Err(VerifyError::Io(error)) => {
            tracing::warn!("a file can't be written: {error}");
            WriteOutcome::Failed
        }
    }
}
