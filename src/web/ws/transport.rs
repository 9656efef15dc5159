//! A WebSocket with the limits of this program: text frames only, bounded input, and timeouts for
//! sending.

use std::error::Error as _;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use crate::proto::limits::{
    LAST_WORDS_MS, PAGE_BEHIND_MS_MAX, PAGE_FRAMES_PER_SECOND, PAGE_SILENT_MS_MAX, UNFINISHED_BYTES_MAX, WEB_LINGER_MS,
};
use crate::web::conn_stats::ConnStats;
use crate::web::frames;

/// The reason for which a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseCause {
    /// The client is gone, or has closed the socket.
    Gone,
    /// The hello is missing, late or wrong, or the token was rotated.
    NoHello,
    /// The client is over 1 MiB or 10 s behind.
    TooSlow,
    Stopping,
    /// A frame is over 256 KiB.
    TooBig,
    /// A frame is binary.
    Binary,
    /// A text frame is not UTF-8.
    NotUtf8,
    /// Too many frames came in one second.
    Flood,
    /// The client violates RFC 6455.
    Protocol,
}

impl CloseCause {
    /// Returns the close code and its reason; none if the client is gone.
    fn code(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Gone => None,
            Self::NoHello => Some((4401, "no valid hello")),
            Self::TooSlow => Some((4409, "too slow")),
            Self::Stopping => Some((1001, "stopping")),
            Self::TooBig => Some((1009, "a frame has at most 256 KiB")),
            Self::Binary => Some((1003, "only text")),
            Self::NotUtf8 => Some((1007, "not UTF-8")),
            Self::Flood => Some((1008, "too many frames")),
            Self::Protocol => Some((1002, "not as RFC 6455 says")),
        }
    }

    fn of(error: axum::Error) -> Self {
        // The version of tungstenite must be axum's own. With another one, every error would read
        // as "gone".
        let inner = error.source().and_then(|error| error.downcast_ref::<tungstenite::Error>());
        match inner {
            Some(tungstenite::Error::Capacity(_)) => Self::TooBig,
            Some(tungstenite::Error::Utf8(_)) => Self::NotUtf8,
            Some(tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                Self::Gone
            }
            Some(tungstenite::Error::Protocol(_)) => Self::Protocol,
            _ => Self::Gone,
        }
    }
}

pub(crate) struct WsTransport {
    socket: WebSocket,
    meter: ConnStats,
    /// Ends sending.
    stop: CancellationToken,
    /// The current second, and the number of its frames.
    second: (Instant, u32),
    /// The time of the last received byte, and the number of bytes at that time.
    heard: (Instant, u64),
    /// The number of bytes received up to the last complete frame.
    whole: u64,
    /// Frames to send before the close frame.
    last: Vec<Utf8Bytes>,
}

impl WsTransport {
    pub(crate) fn new(socket: WebSocket, meter: ConnStats, stop: CancellationToken) -> Self {
        let (now, read) = (Instant::now(), meter.read());
        Self { socket, meter, stop, second: (now, 0), heard: (now, read), whole: read, last: Vec::new() }
    }

    /// Returns the next frame; none for one without text (a ping or pong). Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Utf8Bytes>, CloseCause> {
        let message = match self.socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(CloseCause::of(error)),
            None => return Err(CloseCause::Gone),
        };
        self.whole = self.meter.read();
        let now = Instant::now();
        if now.duration_since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 += 1;
        if self.second.1 > PAGE_FRAMES_PER_SECOND {
            return Err(CloseCause::Flood);
        }
        match message {
            Message::Text(text) => Ok(Some(text)),
            Message::Binary(_) => Err(CloseCause::Binary),
            Message::Ping(_) | Message::Pong(_) => Ok(None),
            Message::Close(_) => Err(CloseCause::Gone),
        }
    }

    /// Sends frames in one write.
    pub(crate) async fn send(&mut self, texts: impl IntoIterator<Item = Utf8Bytes>) -> Result<(), CloseCause> {
        self.send_all(texts.into_iter().map(Message::Text)).await
    }

    /// Sends a ping.
    pub(crate) async fn ping(&mut self) -> Result<(), CloseCause> {
        self.send_all([Message::Ping(Bytes::new())]).await
    }

    async fn send_all(&mut self, messages: impl IntoIterator<Item = Message>) -> Result<(), CloseCause> {
        let mut messages = futures::stream::iter(messages.into_iter().map(Ok));
        let sending = timeout(Duration::from_millis(PAGE_BEHIND_MS_MAX), self.socket.send_all(&mut messages));
        match self.stop.run_until_cancelled(sending).await {
            Some(Ok(sent)) => sent.map_err(CloseCause::of),
            Some(Err(_late)) => Err(CloseCause::TooSlow),
            None => Err(CloseCause::Stopping),
        }
    }

    /// Fails if the client was silent for too long, or sends bytes that complete no frame. Must be
    /// called about once a second.
    pub(crate) fn check(&mut self) -> Result<(), CloseCause> {
        let (now, read) = (Instant::now(), self.meter.read());
        if read != self.heard.1 {
            self.heard = (now, read);
        }
        if now.duration_since(self.heard.0) >= Duration::from_millis(PAGE_SILENT_MS_MAX) {
            return Err(CloseCause::Gone);
        }
        if read - self.whole > UNFINISHED_BYTES_MAX { Err(CloseCause::Flood) } else { Ok(()) }
    }

    /// Sets frames that [`WsTransport::close`] sends first.
    pub(crate) fn queue_final(&mut self, texts: Vec<Utf8Bytes>) {
        self.last = texts;
    }

    /// Sends the close frame with its reason, and waits a moment for the client's.
    pub(crate) async fn close(mut self, end: CloseCause) {
        tracing::debug!(?end, "a page's socket ends");
        let Some((code, reason)) = end.code() else { return };
        self.meter.enlarge_send_buffer();
        let mut last: Vec<_> = self.last.drain(..).map(Message::Text).collect();
        match end {
            CloseCause::TooSlow => last.push(Message::Text(frames::resync())),
            CloseCause::Stopping => last.push(Message::Text(frames::stopping())),
            _ => {}
        }
        last.push(Message::Close(Some(CloseFrame { code, reason: reason.into() })));
        let mut last = futures::stream::iter(last.into_iter().map(Ok));
        let said = timeout(Duration::from_millis(LAST_WORDS_MS), self.socket.send_all(&mut last)).await;
        if matches!(said, Ok(Ok(()))) {
            let goodbye = async { while let Some(Ok(_)) = self.socket.next().await {} };
            // The client's close frame is optional.
            let _ = timeout(Duration::from_millis(WEB_LINGER_MS), goodbye).await;
        }
    }
}
