//! A WebSocket as this program uses it: text frames only, limits on what comes in and on how long sending may take, and
//! one reason for its end.

use std::error::Error as _;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use super::conn::Meter;
use super::frames;
use crate::proto::limits::{
    LAST_WORDS_MS, PAGE_BEHIND_MS_MAX, PAGE_FRAMES_PER_SECOND, PAGE_SILENT_MS_MAX, UNFINISHED_BYTES_MAX, WEB_LINGER_MS,
};

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other side is gone, or has said goodbye.
    Gone,
    /// No, late or wrong hello, or the token was rotated.
    NoHello,
    /// Over 1 MiB or 10 s behind.
    TooSlow,
    /// The node is stopping.
    Stopping,
    /// A frame over 256 KiB.
    TooBig,
    /// A binary frame.
    Binary,
    /// A text frame that is not UTF-8.
    NotUtf8,
    /// Too many frames.
    Flood,
    /// Not a WebSocket, as RFC 6455 has it.
    Protocol,
}

impl End {
    /// The close code and what to call it; none if nobody listens any more.
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
        // The version of tungstenite is axum's own; were it another, every error would read as "gone".
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

/// The socket.
pub(super) struct Wire {
    socket: WebSocket,
    meter: Meter,
    /// Ends whatever is being sent.
    stop: CancellationToken,
    /// The second in which frames are counted, and how many there were.
    second: (Instant, u32),
    /// When bytes were last seen to have come, and how many had.
    heard: (Instant, u64),
    /// How many bytes had come with the last whole frame.
    whole: u64,
    /// Frames that go out before the last word.
    last: Vec<Utf8Bytes>,
}

impl Wire {
    pub(super) fn new(socket: WebSocket, meter: Meter, stop: CancellationToken) -> Self {
        let (now, read) = (Instant::now(), meter.read());
        Self { socket, meter, stop, second: (now, 0), heard: (now, read), whole: read, last: Vec::new() }
    }

    /// The next frame; none for one without text (a ping, a pong). Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Option<Utf8Bytes>, End> {
        let message = match self.socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(End::of(error)),
            None => return Err(End::Gone),
        };
        self.whole = self.meter.read();
        let now = Instant::now();
        if now.duration_since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 += 1;
        if self.second.1 > PAGE_FRAMES_PER_SECOND {
            return Err(End::Flood);
        }
        match message {
            Message::Text(text) => Ok(Some(text)),
            Message::Binary(_) => Err(End::Binary),
            Message::Ping(_) | Message::Pong(_) => Ok(None),
            Message::Close(_) => Err(End::Gone),
        }
    }

    /// Sends frames in one write.
    pub(super) async fn send(&mut self, texts: impl IntoIterator<Item = Utf8Bytes>) -> Result<(), End> {
        self.send_all(texts.into_iter().map(Message::Text)).await
    }

    /// Asks the other side for a sign of life.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        self.send_all([Message::Ping(Bytes::new())]).await
    }

    async fn send_all(&mut self, messages: impl IntoIterator<Item = Message>) -> Result<(), End> {
        let mut messages = futures::stream::iter(messages.into_iter().map(Ok));
        let sending = timeout(Duration::from_millis(PAGE_BEHIND_MS_MAX), self.socket.send_all(&mut messages));
        match self.stop.run_until_cancelled(sending).await {
            Some(Ok(sent)) => sent.map_err(End::of),
            Some(Err(_late)) => Err(End::TooSlow),
            None => Err(End::Stopping),
        }
    }

    /// Looks at what has come in bytes: nothing for too long, or too much that makes no frame. To be called often.
    pub(super) fn check(&mut self) -> Result<(), End> {
        let (now, read) = (Instant::now(), self.meter.read());
        if read != self.heard.1 {
            self.heard = (now, read);
        }
        if now.duration_since(self.heard.0) >= Duration::from_millis(PAGE_SILENT_MS_MAX) {
            return Err(End::Gone);
        }
        if read - self.whole > UNFINISHED_BYTES_MAX { Err(End::Flood) } else { Ok(()) }
    }

    /// Frames that [`Wire::close`] sends first.
    pub(super) fn say_last(&mut self, texts: Vec<Utf8Bytes>) {
        self.last = texts;
    }

    /// Says why, if anybody listens, and waits a moment for the other side's goodbye.
    pub(super) async fn close(mut self, end: End) {
        tracing::debug!(?end, "a page's socket ends");
        let Some((code, reason)) = end.code() else { return };
        self.meter.make_room();
        let mut last: Vec<_> = self.last.drain(..).map(Message::Text).collect();
        match end {
            End::TooSlow => last.push(Message::Text(frames::resync())),
            End::Stopping => last.push(Message::Text(frames::stopping())),
            _ => {}
        }
        last.push(Message::Close(Some(CloseFrame { code, reason: reason.into() })));
        let mut last = futures::stream::iter(last.into_iter().map(Ok));
        let said = timeout(Duration::from_millis(LAST_WORDS_MS), self.socket.send_all(&mut last)).await;
        if matches!(said, Ok(Ok(()))) {
            let goodbye = async { while let Some(Ok(_)) = self.socket.next().await {} };
            // An answer would be polite; nothing depends on it.
            let _ = timeout(Duration::from_millis(WEB_LINGER_MS), goodbye).await;
        }
    }
}
