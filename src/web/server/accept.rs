//! Accepts connections to the page, limits their number and time, and ends them together.
//!
//! This runs hyper directly: axum's `serve` has neither a deadline for headers nor a limit of
//! connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use super::connection::{Conn, Stream};
use super::listeners::{Listeners, PortGuard};
use crate::logging::throttle::WarnThrottle;
use crate::proto::limits::{OWNER_BATCH_MAX, REQUEST_MS_MAX};
use crate::system::io_error_text;
use crate::web::conn_stats::ConnStats;
use crate::web::connection_slots::{ConnectionSlots, SlotGuard};
use crate::web::middleware::host::AllowedPortHost;
use crate::web::state::AppState;

/// Time for connections to end, in milliseconds, so that the whole stop takes less than 3 s.
const STOP_MS_MAX: u64 = 2_500;

/// Serves until the stop, then ends all connections.
pub(crate) async fn serve(shared: Arc<AppState>, listeners: Listeners) {
    let router = crate::web::router::router(shared.clone());
    let slots = ConnectionSlots::default();
    let (tcp, unix, guard) = listeners.split();
    let tcp = tcp.into_iter().map(|listener| Listener::Tcp { listener, guard: guard.clone(), admitted: Vec::new() });
    shared.tasks.spawn(shared.hub.clone().run(shared.stop.clone()));
    for listener in tcp.chain(unix.map(Listener::Unix)) {
        shared.tasks.spawn(accept(listener, shared.clone(), router.clone(), slots.clone()));
    }
    shared.stop.cancelled().await;
    shared.tasks.close();
    if timeout(Duration::from_millis(STOP_MS_MAX), shared.tasks.wait()).await.is_err() {
        tracing::debug!("some connections to the page did not end in time");
        slots.evict_all();
    }
}

enum Listener {
    Tcp {
        listener: TcpListener,
        guard: Option<PortGuard>,
        /// Connections that passed the check of their user and were not returned yet.
        admitted: Vec<TcpStream>,
    },
    Unix(UnixListener),
}

impl Listener {
    /// Accepts the next connection.
    ///
    /// On the port of a shared machine, connections of other users are closed before they take a
    /// slot. They are checked in batches of [`OWNER_BATCH_MAX`]; more wait in the kernel.
    async fn accept(&mut self) -> io::Result<Stream> {
        match self {
            Self::Tcp { listener, guard: None, .. } => Ok(Stream::Tcp(listener.accept().await?.0)),
            Self::Tcp { listener, guard: Some(guard), admitted } => loop {
                if let Some(stream) = admitted.pop() {
                    return Ok(Stream::Tcp(stream));
                }
                let mut waiting = vec![listener.accept().await?.0];
                while waiting.len() < OWNER_BATCH_MAX
                    && let Some(Ok((stream, _))) = listener.accept().now_or_never()
                {
                    waiting.push(stream);
                }
                let count = waiting.len();
                if let Some(owners) = &guard.owners {
                    *admitted = owners.admit(waiting).await;
                }
                tracing::debug!("{} of {count} connections to the page were refused", count - admitted.len());
            },
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }

    /// Returns the name that requests without a token need, if any.
    fn host(&self) -> Option<AllowedPortHost> {
        match self {
            Self::Tcp { guard, .. } => guard.as_ref().map(|guard| AllowedPortHost(guard.host.clone())),
            Self::Unix(_) => None,
        }
    }
}

async fn accept(mut listener: Listener, shared: Arc<AppState>, router: Router, slots: ConnectionSlots) {
    let host = listener.host();
    let mut warnings = WarnThrottle::default();
    while let Some(accepted) = shared.stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Most likely the file descriptors have run out, so an immediate retry would fail
                // as well.
                if warnings.permits(()) {
                    tracing::warn!(error = io_error_text(&error), "a connection to the page could not be accepted");
                }
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Some(slot) = slots.take() {
            shared.tasks.spawn(connection(stream, host.clone(), slot, shared.clone(), router.clone()));
        }
    }
}

/// Serves one connection until it ends or becomes a WebSocket.
async fn connection(
    stream: Stream,
    host: Option<AllowedPortHost>,
    slot: SlotGuard,
    shared: Arc<AppState>,
    router: Router,
) {
    let meter = ConnStats::default();
    let conn = Conn::new(stream, meter.clone(), slot.clone(), shared.tasks.clone());
    let service = {
        let slot = slot.clone();
        service_fn(move |request: hyper::Request<Incoming>| {
            slot.set_busy();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(slot.clone());
            request.extensions_mut().insert(meter.clone());
            host.clone().and_then(|host| request.extensions_mut().insert(host));
            let (answer, slot) = (router.clone().oneshot(request), slot.clone());
            async move {
                let response = answer.await;
                if response.as_ref().is_ok_and(|response| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
                    slot.set_idle();
                }
                response
            }
        })
    };
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(REQUEST_MS_MAX));
    let serving = http.serve_connection(TokioIo::new(conn), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let ended = slot.run_until_evicted(async {
        tokio::select! {
            ended = serving.as_mut() => ended,
            () = shared.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.as_mut().await
            }
        }
    });
    match ended.await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection to the page ended early"),
        None => tracing::debug!("a connection to the page made room for another"),
    }
}
