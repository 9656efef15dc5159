//! One page's socket: a cursor over the hub's ring, with the page's own frames on the other side.
//!
//! Each entry goes out exactly once. The cursor's place is noted before the welcome is read from the database; the
//! welcome covers everything up to an arrival number, and of what was published since only what is beyond it is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{State, ws::Utf8Bytes};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use tokio::time::{interval, sleep};

use super::Shared;
use super::ask::SocketNo;
use super::conn::Meter;
use super::draft::bad;
use super::frames;
use super::guard::Admitted;
use super::hello;
use super::hub::{Frame, FrameKind};
use super::inbox::{self, Reply};
use super::welcome::{self, Start};
use super::wire::{End, Wire};
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::limits::{
    BEAT_MS, LAST_REPLIES_MS, PAGE_ASKS_MAX, PAGE_BEHIND_MS_MAX, PAGE_FRAME_BYTES_MAX, PAGE_WRITE_BYTES_MAX,
};
use crate::proto::timeline::Held;

/// What one socket reads at a time, in bytes: pages say little.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// How often a socket looks at what came in bytes, in milliseconds.
const CHECK_MS: u64 = 1_000;

/// `GET /ws`
pub(super) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    Extension(meter): Extension<Meter>,
    admitted: Option<Extension<Admitted>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else { return bad("This address is for WebSockets.").into_response() };
    let admitted = admitted.map(|Extension(Admitted(generation))| generation);
    // axum's own task is not among ours; this holds the stop until it has ended.
    let task = shared.tasks.token();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(PAGE_WRITE_BYTES_MAX)
        .max_message_size(PAGE_FRAME_BYTES_MAX)
        .max_frame_size(PAGE_FRAME_BYTES_MAX)
        .on_upgrade(async move |socket| {
            let _task = task;
            let mut wire = Wire::new(socket, meter, shared.stop.clone());
            let Err(end) = serve(&mut wire, &shared, admitted).await;
            wire.close(end).await;
        })
}

/// Serves a socket to its end.
async fn serve(wire: &mut Wire, shared: &Arc<Shared>, admitted: Option<u64>) -> Result<std::convert::Infallible, End> {
    let guest = hello::hear(wire, shared, admitted).await?;
    let at = shared.hub.head();
    if shared.keys.generation() != guest.generation {
        return Err(End::NoHello);
    }
    let starting = shared.stop.run_until_cancelled(welcome::start(shared, guest.resume));
    let Some(Ok(Start { frames, arrival, held })) = starting.await else { return Err(End::Stopping) };
    let mut socket = Socket {
        no: shared.next_socket(),
        shared,
        at,
        covered: arrival,
        held,
        held_until: shared.hub.head(),
        asked: FuturesOrdered::new(),
        replies: Vec::new(),
    };
    wire.send(frames).await?;
    let Err(end) = socket.run(wire).await;
    if end == End::Stopping {
        wire.say_last(socket.last_replies().await);
    }
    Err(end)
}

struct Socket<'a> {
    no: SocketNo,
    shared: &'a Arc<Shared>,
    /// The number of the next frame of the hub.
    at: u64,
    /// The page has every entry up to this arrival number.
    covered: Arrival,
    /// What the welcome said of who holds what; of use until the cursor is past `held_until`.
    held: HashMap<EntryId, Held>,
    held_until: u64,
    asked: FuturesOrdered<Reply>,
    /// What was answered and has not been sent.
    replies: Vec<Utf8Bytes>,
}

impl Socket<'_> {
    async fn run(&mut self, wire: &mut Wire) -> Result<std::convert::Infallible, End> {
        let mut news = self.shared.hub.watch();
        let mut beat = interval(Duration::from_millis(BEAT_MS));
        beat.reset();
        let mut check = interval(Duration::from_millis(CHECK_MS));
        loop {
            news.borrow_and_update();
            let more = self.send_news(wire).await?;
            if !more {
                // What was said is told before what was answered to it.
                wire.send(self.replies.iter().cloned()).await?;
                self.replies.clear();
            }
            tokio::select! {
                () = std::future::ready(()), if more => {}
                _ = news.changed(), if !more => {}
                () = self.shared.stop.cancelled() => return Err(End::Stopping),
                _ = beat.tick() => {
                    wire.send([frames::beat(self.covered)]).await?;
                    wire.ping().await?;
                }
                _ = check.tick() => wire.check()?,
                Some(reply) = self.asked.next() => self.replies.extend(reply),
                heard = wire.next(), if self.asked.len() < PAGE_ASKS_MAX => {
                    if let Some(text) = heard? {
                        self.asked.push_back(inbox::hear(self.shared, self.no, &text).await);
                    }
                }
            }
        }
    }

    /// What the page asked and has not been told, now that the node stops: the answer to its own `exit`, for one.
    async fn last_replies(&mut self) -> Vec<Utf8Bytes> {
        let asked = std::mem::take(&mut self.asked);
        // A node that stops answers everything or drops it; should it do neither, nobody waits for it.
        let deadline = sleep(Duration::from_millis(LAST_REPLIES_MS));
        let last: Vec<_> = asked.take_until(deadline).collect().await;
        self.replies.drain(..).chain(last.into_iter().flatten()).collect()
    }

    /// Sends what is new, as much as goes out in one write; says whether there may be more.
    async fn send_news(&mut self, wire: &mut Wire) -> Result<bool, End> {
        let frames = self.shared.hub.take(self.at).map_err(|_behind| End::TooSlow)?;
        let Some(oldest) = frames.first() else { return Ok(false) };
        if oldest.published.elapsed() > Duration::from_millis(PAGE_BEHIND_MS_MAX) {
            return Err(End::TooSlow);
        }
        let mut texts = Vec::with_capacity(frames.len());
        let mut ended = None;
        for frame in frames {
            ended = ended.or(match frame.kind {
                FrameKind::Afresh => Some(End::TooSlow),
                FrameKind::Stopping => Some(End::Stopping),
                FrameKind::TokenRotated => Some(End::NoHello),
                FrameKind::Entry(_) | FrameKind::Held(..) | FrameKind::State => None,
            });
            if ended.is_none() {
                texts.extend(self.text(&frame));
            }
            self.at += 1;
        }
        wire.send(texts).await?;
        ended.map_or(Ok(true), Err)
    }

    /// What this page is sent of a frame; none of what it has.
    fn text(&mut self, frame: &Frame) -> Option<Utf8Bytes> {
        match frame.kind {
            FrameKind::Entry(arrival) if arrival <= self.covered => return None,
            FrameKind::Entry(arrival) => self.covered = arrival,
            FrameKind::Held(id, held) if self.at < self.held_until => {
                if self.held.get(&id).is_some_and(|told| told.held_by >= held.held_by && told.of >= held.of) {
                    return None;
                }
            }
            FrameKind::Held(..)
            | FrameKind::State
            | FrameKind::Afresh
            | FrameKind::Stopping
            | FrameKind::TokenRotated => {}
        }
        Some(frame.text_for(self.no))
    }
}
