//! The page's server: HTTP and WebSocket on loopback and on a Unix socket, nowhere else.
//!
//! It knows neither engine nor store nor network: what it needs it asks of the node ([`ask`]), and what happens the
//! node publishes ([`hub`]). It keeps no history and no queue for anybody: a socket is a cursor.
//!
//! A request walks through these rooms: [`door`] (where it listens) → `server` (connections; on a shared machine `owner` refuses those of
//! other users; `seat` bounds them) → `guard` (Host, Origin, token; `headers` for every answer; `worker` for service workers) → `page`, `assets` or `http`, or for a socket `hello` → `socket`, with
//! [`message`] and `inbox` for what the page says. Refusals come in the order of the contract, from the outside to the inside.
//!
//! Decided here, where the contract is silent: a text is refused as `not_text` if it holds control characters other
//! than newline, carriage return and tab. Two ways exist beside the contract, for the commands that talk to a node:
//! `POST /api/v1/stop` answers `{}`, and `POST /api/v1/token/rotate` answers `{"token":"…"}`, both with a token. And two for the
//! page: `GET /api/v1/messages/ID/held` tells who holds a message of one's own, and `POST /api/v1/peers` with
//! `{"address":"HOST[:PORT]"}` dials somebody as `--peer` does, until the node stops.
//!
//! On a shared machine the page's origin ends with the run of the node, so the node is the page's storage for settings,
//! drafts and unsent messages. The frame `{"type":"storage","ref","key","value"}` sets an item, or removes it if `value` is
//! null or missing. It answers `done`, or `too_long` if the value or the storage is too large, or `disk_full`. A `welcome`
//! carries all items as `"storage":{"KEY":"VALUE"}` if there are any. Keys are 1 to 160 bytes of the page's choice; the
//! node does not interpret them. The storage is part of the room's database: an unsent message belongs to one room.

pub mod ask;
mod assets;
mod body;
mod conn;
pub mod door;
mod draft;
mod frames;
mod guard;
mod headers;
mod hello;
mod http;
pub mod hub;
mod inbox;
mod keys;
mod malformed;
mod members;
pub mod message;
mod owner;
mod page;
mod query;
mod refused;
mod seat;
mod server;
mod slow;
#[cfg(target_os = "linux")]
mod sock_diag;
mod socket;
mod welcome;
mod wire;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use ask::{Ask, SocketNo};
pub use assets::root as parts;
pub use door::Doors;
pub use hub::{Event, Hub};
pub use keys::{Keys, Token};

use crate::api::Code;
use refused::Refused;

/// The page's server before it runs.
pub struct Web(Arc<Shared>);

/// What every request and socket shares.
struct Shared {
    asks: mpsc::Sender<Ask>,
    hub: Hub,
    keys: Keys,
    slow: slow::Slow,
    lobby: hello::Lobby,
    sockets: AtomicU64,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Web {
    /// A server that asks the node over `asks`, tells pages what is published on `hub`, and opens to `keys`. It ends,
    /// with all its connections, within 3 s of `stop`.
    pub fn new(asks: mpsc::Sender<Ask>, hub: Hub, keys: Keys, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            asks,
            hub,
            keys,
            slow: slow::Slow::default(),
            lobby: hello::Lobby::default(),
            sockets: AtomicU64::new(0),
            stop,
            tasks: TaskTracker::new(),
        }))
    }

    /// Serves until it is stopped; then nothing of it runs any more.
    pub async fn serve(self, doors: Doors) {
        server::serve(self.0, doors).await;
    }
}

impl Shared {
    fn next_socket(&self) -> SocketNo {
        SocketNo(self.sockets.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks the node and waits for its answer. A node that does not answer is stopping.
    async fn ask<T>(&self, make: impl FnOnce(ask::Answer<T>) -> Ask) -> Result<T, Refused> {
        self.begin_ask(make).await?.await.map_err(|_| Code::Stopping.into())
    }

    /// Asks the node; the answer comes later, in the order of asking.
    async fn begin_ask<T>(&self, make: impl FnOnce(ask::Answer<T>) -> Ask) -> Result<oneshot::Receiver<T>, Refused> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(make(answer)).await.map_err(|_| Refused::from(Code::Stopping))?;
        Ok(answered)
    }
}
