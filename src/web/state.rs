//! The state that every request and socket shares, and the way to the node.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::auth_throttle::AuthThrottle;
use super::broadcast::Hub;
use super::credentials::Credentials;
use super::error::ApiError;
use super::pending_hellos::PendingHellos;
use super::requests::{NodeRequest, Responder, SocketId};
use super::tickets::Tickets;
use crate::api::Code;
use crate::metrics::DurationHistogram;

/// The state that every request and socket shares.
pub(crate) struct AppState {
    asks: mpsc::Sender<NodeRequest>,
    pub(super) hub: Hub,
    pub(super) keys: Credentials,
    pub(super) slow: AuthThrottle,
    pub(super) pending_hellos: PendingHellos,
    pub(super) tickets: Tickets,
    sockets: AtomicU64,
    /// The durations of requests.
    pub(super) request_times: DurationHistogram,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl AppState {
    pub(super) fn new(asks: mpsc::Sender<NodeRequest>, hub: Hub, keys: Credentials, stop: CancellationToken) -> Self {
        Self {
            asks,
            hub,
            keys,
            slow: AuthThrottle::default(),
            pending_hellos: PendingHellos::default(),
            tickets: Tickets::default(),
            sockets: AtomicU64::new(0),
            request_times: DurationHistogram::default(),
            stop,
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn next_socket(&self) -> SocketId {
        SocketId(self.sockets.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a request to the node and waits for its response. A node that drops the request is
    /// stopping.
    pub(super) async fn ask<T>(&self, make: impl FnOnce(Responder<T>) -> NodeRequest) -> Result<T, ApiError> {
        self.begin_ask(make).await?.await.map_err(|_| Code::Stopping.into())
    }

    /// Sends a request that has no response of its own.
    pub(super) async fn send(&self, request: NodeRequest) -> Result<(), ApiError> {
        self.asks.send(request).await.map_err(|_| Code::Stopping.into())
    }

    /// Sends a request to the node. The response comes later, and responses come in the order of
    /// the requests.
    pub(super) async fn begin_ask<T>(
        &self,
        make: impl FnOnce(Responder<T>) -> NodeRequest,
    ) -> Result<oneshot::Receiver<T>, ApiError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(make(answer)).await.map_err(|_| ApiError::from(Code::Stopping))?;
        Ok(answered)
    }
}
