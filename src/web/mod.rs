//! The page's server: HTTP and WebSocket on loopback and on a Unix socket, nowhere else.
//!
//! It knows neither engine nor store nor network. It sends [`requests`] to the node, and the node
//! publishes what happens on [`broadcast`]. It keeps no history and no queue per client: a socket
//! is a cursor.
//!
//! | part | is |
//! | --- | --- |
//! | `server` | listeners and connections; on a shared machine it refuses connections of other users |
//! | `router` | the routes, and the layers around them |
//! | `middleware` | what each request passes first: Host, Origin and token; and the headers of each answer |
//! | `extract` | bodies and queries, read and checked |
//! | `handlers` | the HTTP API, and the parts of the page |
//! | `ws` | the WebSocket: handshake, welcome, broadcasts and the page's frames |
//!
//! Refusals come in the order of the contract, from the outside to the inside.
//!
//! Decisions where the contract is silent:
//!
//! - A text with control characters other than newline, carriage return and tab is refused as
//!   `not_text`.
//!
//! - A handler that panics answers 500 `internal`. One that takes over 30 s answers 503
//!   `timed_out`.
//!
//! - `POST /api/v1/stop` answers `{}`, and `POST /api/v1/token/rotate` answers `{"token":"…"}`: the
//!   commands use them.
//!
//! - `GET /api/v1/messages/find?id=` lists the messages whose ids begin or end with 8 or more hex
//!   digits, as `{"ids":[…]}`, the newest first, at most 8. `last` is the user's last message. The
//!   commands use it.
//!
//! - `GET /api/v1/messages/ID/held` lists the members that hold an own message. `POST
//!   /api/v1/peers` with `{"address":"HOST[:PORT]"}` dials a node as `--peer` does, until the node
//!   stops.
//!
//! - A `welcome` has `"defaults":{"channel","room","port"}`: the values of a node whose user gives
//!   none.
//!
//! On a shared machine the page's origin ends with the run of the node. So the node stores the
//! page's settings, drafts and unsent messages. The frame `{"type":"storage","ref","key","value"}`
//! sets an item, or removes it if `value` is null or missing. It answers `done`, or `too_long` if
//! the value or the storage is too large, or `disk_full`. A `welcome` carries all items as
//! `"storage":{"KEY":"VALUE"}` if there are any. Keys have 1 to 160 bytes of the page's choice; the
//! node does not interpret them. The storage is part of the room's database, since an unsent
//! message belongs to one room.

mod auth_throttle;
pub mod broadcast;
mod conn_stats;
mod connection_slots;
mod credentials;
mod error;
mod extract;
pub mod file_requests;
mod file_statuses;
mod frames;
mod handlers;
mod middleware;
mod pending_hellos;
mod refusal;
pub mod requests;
mod router;
mod server;
mod state;
mod tickets;
mod ws;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use broadcast::{BroadcastEvent, Hub};
pub use credentials::{Credentials, PageToken};
pub use file_statuses::FileStatuses;
pub use handlers::assets::asset_root as parts;
pub use requests::{NodeRequest, SocketId};
pub use server::listeners::{self, Listeners};
pub use ws::request;

use state::AppState;

/// The page's server, not yet running.
pub struct Web(Arc<AppState>);

impl Web {
    /// Makes a server that sends requests to `asks`, broadcasts the events of `hub` and accepts
    /// `keys`. It ends within 3 s of `stop`, with all its connections.
    pub fn new(asks: mpsc::Sender<NodeRequest>, hub: Hub, keys: Credentials, stop: CancellationToken) -> Self {
        Self(Arc::new(AppState::new(asks, hub, keys, stop)))
    }

    /// Serves until the stop. No task of the server outlives this.
    pub async fn serve(self, listeners: Listeners) {
        server::accept::serve(self.0, listeners).await;
    }
}
