//! The session of one socket: a cursor over the broadcast ring, and the frames of its page.
//!
//! Each entry is sent exactly once. The session notes the cursor before the node reads the welcome
//! from the database. The welcome covers all entries up to an arrival number, and the session skips
//! these in the ring.

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

use super::commands::{self, PendingReply};
use super::handshake;
use super::transport::{CloseCause, WsTransport};
use super::welcome::{self, InitialFrames};
use crate::proto::entries::timeline::Delivery;
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::limits::{
    BEAT_MS, LAST_REPLIES_MS, PAGE_ASKS_MAX, PAGE_BEHIND_MS_MAX, PAGE_FRAME_BYTES_MAX, PAGE_WRITE_BYTES_MAX,
};
use crate::web::broadcast::{BroadcastFrame, BroadcastKind};
use crate::web::conn_stats::ConnStats;
use crate::web::error::ApiError;
use crate::web::frames;
use crate::web::middleware::auth::Authenticated;
use crate::web::requests::SocketId;
use crate::web::state::AppState;

/// Size of a socket's read buffer, in bytes: pages send little.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Interval of the checks for silence and unfinished frames, in milliseconds.
const CHECK_MS: u64 = 1_000;

/// `GET /ws`
pub(crate) async fn upgrade(
    State(shared): State<Arc<AppState>>,
    Extension(meter): Extension<ConnStats>,
    authenticated: Option<Authenticated>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return ApiError::bad_request("This address accepts WebSocket connections only.").into_response();
    };
    let admitted = authenticated.map(|authenticated| authenticated.generation);
    // axum spawns the socket's task outside the tracker, so this token delays the stop until it has
    // ended.
    let task = shared.tasks.token();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(PAGE_WRITE_BYTES_MAX)
        .max_message_size(PAGE_FRAME_BYTES_MAX)
        .max_frame_size(PAGE_FRAME_BYTES_MAX)
        .on_upgrade(async move |socket| {
            let _task = task;
            let mut wire = WsTransport::new(socket, meter, shared.stop.clone());
            let Err(end) = serve(&mut wire, &shared, admitted).await;
            wire.close(end).await;
        })
}

/// Serves a socket until it ends.
async fn serve(
    wire: &mut WsTransport,
    shared: &Arc<AppState>,
    admitted: Option<u64>,
) -> Result<std::convert::Infallible, CloseCause> {
    let guest = handshake::handshake(wire, shared, admitted).await?;
    let at = shared.hub.head();
    if shared.keys.generation() != guest.generation {
        return Err(CloseCause::NoHello);
    }
    let starting = shared.stop.run_until_cancelled(welcome::build(shared, guest.resume));
    let Some(Ok(InitialFrames { frames, arrival, held })) = starting.await else { return Err(CloseCause::Stopping) };
    let mut socket = PageSocket {
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
    if end == CloseCause::Stopping {
        wire.queue_final(socket.drain_replies().await);
    }
    Err(end)
}

struct PageSocket<'a> {
    no: SocketId,
    shared: &'a Arc<AppState>,
    /// The number of the next frame in the ring.
    at: u64,
    /// The page holds all entries up to this arrival number.
    covered: Arrival,
    /// The delivery counts of the welcome, which apply until the cursor has passed `held_until`.
    held: HashMap<EntryId, Delivery>,
    held_until: u64,
    asked: FuturesOrdered<PendingReply>,
    /// Answers that were not sent yet.
    replies: Vec<Utf8Bytes>,
}

impl PageSocket<'_> {
    async fn run(&mut self, wire: &mut WsTransport) -> Result<std::convert::Infallible, CloseCause> {
        let mut news = self.shared.hub.watch();
        let mut beat = interval(Duration::from_millis(BEAT_MS));
        beat.reset();
        let mut check = interval(Duration::from_millis(CHECK_MS));
        loop {
            news.borrow_and_update();
            let more = self.send_broadcasts(wire).await?;
            if !more {
                // Broadcasts go out before the answers that follow from them.
                wire.send(self.replies.iter().cloned()).await?;
                self.replies.clear();
            }
            tokio::select! {
                () = std::future::ready(()), if more => {}
                _ = news.changed(), if !more => {}
                () = self.shared.stop.cancelled() => return Err(CloseCause::Stopping),
                _ = beat.tick() => {
                    wire.send([frames::beat(self.covered)]).await?;
                    wire.ping().await?;
                }
                _ = check.tick() => wire.check()?,
                Some(reply) = self.asked.next() => self.replies.extend(reply),
                heard = wire.next(), if self.asked.len() < PAGE_ASKS_MAX => {
                    if let Some(text) = heard? {
                        self.asked.push_back(commands::handle_text(self.shared, self.no, &text).await);
                    }
                }
            }
        }
    }

    /// Returns the last answers while the node stops, for example that to the page's own `exit`.
    async fn drain_replies(&mut self) -> Vec<Utf8Bytes> {
        let asked = std::mem::take(&mut self.asked);
        // A stopping node answers or drops every request. The deadline bounds one that does
        // neither.
        let deadline = sleep(Duration::from_millis(LAST_REPLIES_MS));
        let last: Vec<_> = asked.take_until(deadline).collect().await;
        self.replies.drain(..).chain(last.into_iter().flatten()).collect()
    }

    /// Sends new frames, as many as fit one write. Returns true if there may be more.
    async fn send_broadcasts(&mut self, wire: &mut WsTransport) -> Result<bool, CloseCause> {
        let frames = self.shared.hub.take(self.at).map_err(|_behind| CloseCause::TooSlow)?;
        let Some(oldest) = frames.first() else { return Ok(false) };
        if oldest.published.elapsed() > Duration::from_millis(PAGE_BEHIND_MS_MAX) {
            return Err(CloseCause::TooSlow);
        }
        let mut texts = Vec::with_capacity(frames.len());
        let mut ended = None;
        for frame in frames {
            ended = ended.or(match frame.kind {
                BroadcastKind::Resync => Some(CloseCause::TooSlow),
                BroadcastKind::Stopping => Some(CloseCause::Stopping),
                BroadcastKind::TokenRotated => Some(CloseCause::NoHello),
                BroadcastKind::Entry(_) | BroadcastKind::Held(..) | BroadcastKind::State => None,
            });
            if ended.is_none() {
                texts.extend(self.text(&frame));
            }
            self.at += 1;
        }
        wire.send(texts).await?;
        ended.map_or(Ok(true), Err)
    }

    /// Returns the text of a frame for this page, or none if the page has it.
    fn text(&mut self, frame: &BroadcastFrame) -> Option<Utf8Bytes> {
        match frame.kind {
            BroadcastKind::Entry(arrival) if arrival <= self.covered => return None,
            BroadcastKind::Entry(arrival) => self.covered = arrival,
            BroadcastKind::Held(id, held) if self.at < self.held_until => {
                if self.held.get(&id).is_some_and(|told| told.held_by >= held.held_by && told.of >= held.of) {
                    return None;
                }
            }
            BroadcastKind::Held(..)
            | BroadcastKind::State
            | BroadcastKind::Resync
            | BroadcastKind::Stopping
            | BroadcastKind::TokenRotated => {}
        }
        Some(frame.text_for(self.no))
    }
}
