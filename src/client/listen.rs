//! The node's events, over the WebSocket.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message, http};

use super::{Error, Node};

/// The node beats every 15 s; three that are missing mean that it hangs.
const SILENCE_SECONDS_MAX: u64 = 45;

/// Events in the order in which the node sends them.
pub(super) struct Events {
    socket: WebSocketStream<UnixStream>,
}

/// What commands want to know.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// There are entries up to this arrival number.
    Arrived(u64),
    /// A member appeared or changed.
    Member(Named),
    /// So many of so many hold the message with this id.
    Held { id: String, held_by: u64, of: Option<u64> },
    /// The node stops.
    Stopping,
    /// The connection has ended, for whatever reason.
    Ended,
}

/// The frames that matter, and of them what matters.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    Welcome(Welcome),
    Member {
        member: Named,
    },
    Message {
        message: Numbered,
    },
    Said {
        message: Numbered,
    },
    Notice {
        notice: Numbered,
    },
    Beat {
        arrival: u64,
    },
    Held {
        id: String,
        held_by: u64,
        of: Option<u64>,
    },
    Stopping,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Numbered {
    arrival: u64,
}

/// The state at which the events begin.
#[derive(Debug, Deserialize)]
pub(super) struct Welcome {
    /// The highest arrival number before the events.
    pub(super) arrival: u64,
    /// All members ever known.
    pub(super) members: Vec<Named>,
}

/// The full id of a member and its name.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

impl Node {
    /// Opens the socket. With the events comes the state at which they begin.
    pub(super) async fn listen(&self) -> Result<(Events, Welcome), Error> {
        let broken = |error: tungstenite::Error| Error::Broken(error.to_string());
        let stream = self.connect().await?;
        let mut request = "ws://localhost/ws".into_client_request().map_err(broken)?;
        request.headers_mut().insert(http::header::AUTHORIZATION, self.authorization());
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.map_err(broken)?;
        socket.send(Message::text(r#"{"type":"hello"}"#)).await.map_err(broken)?;
        let mut events = Events { socket };
        match events.frame().await? {
            Some(Frame::Welcome(welcome)) => Ok((events, welcome)),
            Some(Frame::Stopping) => Err(Error::Stopped),
            _ => Err(Error::Broken("it did not welcome us".to_owned())),
        }
    }
}

impl Events {
    /// The next event that matters.
    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        loop {
            return Ok(match self.frame().await? {
                Some(Frame::Welcome(Welcome { arrival, .. }) | Frame::Beat { arrival }) => Event::Arrived(arrival),
                Some(Frame::Message { message } | Frame::Said { message }) => Event::Arrived(message.arrival),
                Some(Frame::Notice { notice }) => Event::Arrived(notice.arrival),
                Some(Frame::Member { member }) => Event::Member(member),
                Some(Frame::Held { id, held_by, of }) => Event::Held { id, held_by, of },
                Some(Frame::Stopping) => Event::Stopping,
                Some(Frame::Other) => continue,
                None => Event::Ended,
            });
        }
    }

    /// The next frame; none if the connection has ended.
    async fn frame(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(SILENCE_SECONDS_MAX), self.socket.next());
            let text = match frame.await.map_err(|_| Error::Silent)? {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => continue,
            };
            return serde_json::from_str(&text).map_err(|error| Error::Foreign(error.to_string()));
        }
    }
}
