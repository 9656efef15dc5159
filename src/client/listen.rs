//! The node's events, over the WebSocket.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message, http};

use super::{Error, NodeClient};
use crate::api::MessageJson;

/// Timeout of the node's frames. It sends a beat every 15 s, so three are missing.
const SILENCE_SECONDS_MAX: u64 = 45;

/// A stream of events in the order of the node.
pub(super) struct Events {
    socket: WebSocketStream<UnixStream>,
}

/// An event that commands use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SocketEvent {
    /// A message that is new or has changed.
    Message(Box<MessageJson>),
    /// There are entries up to this arrival number.
    Arrived(u64),
    /// A member appeared or changed.
    Member(MemberName),
    /// The delivery count of the message with this id.
    Held { id: String, held_by: u64, of: Option<u64> },
    /// The node stops.
    Stopping,
    /// The connection has ended.
    Ended,
}

/// The used frames, with their used fields.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SocketFrame {
    Welcome(WelcomeState),
    Member {
        member: MemberName,
    },
    Message {
        message: Box<MessageJson>,
    },
    Said {
        message: Box<MessageJson>,
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

/// The state from which the events go on.
#[derive(Debug, Deserialize)]
pub(super) struct WelcomeState {
    /// The highest arrival number before the events.
    pub(super) arrival: u64,
    /// All members ever known.
    pub(super) members: Vec<MemberName>,
}

/// The full id of a member and its name.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct MemberName {
    pub(super) id: String,
    pub(super) name: String,
}

impl NodeClient {
    /// Opens the socket. Returns the events, and the state from which they go on.
    pub(super) async fn listen(&self) -> Result<(Events, WelcomeState), Error> {
        let broken = |error: tungstenite::Error| Error::Broken(error.to_string());
        let stream = self.connect().await?;
        let mut request = "ws://localhost/ws".into_client_request().map_err(broken)?;
        request.headers_mut().insert(http::header::AUTHORIZATION, self.authorization());
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.map_err(broken)?;
        socket.send(Message::text(r#"{"type":"hello"}"#)).await.map_err(broken)?;
        let mut events = Events { socket };
        match events.frame().await? {
            Some(SocketFrame::Welcome(welcome)) => Ok((events, welcome)),
            Some(SocketFrame::Stopping) => Err(Error::Stopped),
            _ => Err(Error::Broken("the node did not answer the hello".to_owned())),
        }
    }
}

impl Events {
    /// Returns the next event.
    pub(super) async fn next(&mut self) -> Result<SocketEvent, Error> {
        loop {
            return Ok(match self.frame().await? {
                Some(SocketFrame::Welcome(WelcomeState { arrival, .. }) | SocketFrame::Beat { arrival }) => {
                    SocketEvent::Arrived(arrival)
                }
                Some(SocketFrame::Message { message } | SocketFrame::Said { message }) => SocketEvent::Message(message),
                Some(SocketFrame::Notice { notice }) => SocketEvent::Arrived(notice.arrival),
                Some(SocketFrame::Member { member }) => SocketEvent::Member(member),
                Some(SocketFrame::Held { id, held_by, of }) => SocketEvent::Held { id, held_by, of },
                Some(SocketFrame::Stopping) => SocketEvent::Stopping,
                Some(SocketFrame::Other) => continue,
                None => SocketEvent::Ended,
            });
        }
    }

    /// Returns the next frame, or none if the connection has ended.
    async fn frame(&mut self) -> Result<Option<SocketFrame>, Error> {
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
