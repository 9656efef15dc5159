//! Connections to the page: accepted, bounded in number and time, and ended together.
//!
//! hyper is run by hand, because axum's own `serve` has neither a deadline for headers nor a limit of connections.

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
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt as _;

use super::Shared;
use super::conn::{Conn, Meter, Stream};
use super::door::{Doors, PortGuard};
use super::guard::PortHost;
use super::seat::{Seat, Seats};
use crate::proto::limits::{OWNER_BATCH_MAX, REQUEST_MS_MAX, WARN_EVERY_MS};
use crate::system::said;

/// How long connections may take to end, so that the whole is within 3 s.
const STOP_MS_MAX: u64 = 2_500;

/// Serves until the stop, then ends everything.
pub(super) async fn serve(shared: Arc<Shared>, doors: Doors) {
    let router = super::http::router(shared.clone());
    let seats = Seats::default();
    let (tcp, unix, guard) = doors.split();
    let tcp = tcp.into_iter().map(|listener| Listener::Tcp { listener, guard: guard.clone(), admitted: Vec::new() });
    shared.tasks.spawn(shared.hub.clone().run(shared.stop.clone()));
    for listener in tcp.chain(unix.map(Listener::Unix)) {
        shared.tasks.spawn(accept(listener, shared.clone(), router.clone(), seats.clone()));
    }
    shared.stop.cancelled().await;
    shared.tasks.close();
    if timeout(Duration::from_millis(STOP_MS_MAX), shared.tasks.wait()).await.is_err() {
        tracing::debug!("some connections to the page did not end in time");
        seats.displace_all();
    }
}

enum Listener {
    Tcp {
        listener: TcpListener,
        guard: Option<PortGuard>,
        /// Connections that passed the guard and have not been handed out.
        admitted: Vec<TcpStream>,
    },
    Unix(UnixListener),
}

impl Listener {
    /// The next connection; on the port of a shared machine the next one of this user. Others are
    /// closed without a word, before they take a seat. Only so many are looked at: the rest waits
    /// in the kernel.
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

    /// The one name that requests without a token need, if any.
    fn host(&self) -> Option<PortHost> {
        match self {
            Self::Tcp { guard, .. } => guard.as_ref().map(|guard| PortHost(guard.host.clone())),
            Self::Unix(_) => None,
        }
    }
}

async fn accept(mut listener: Listener, shared: Arc<Shared>, router: Router, seats: Seats) {
    let host = listener.host();
    let mut warned: Option<Instant> = None;
    while let Some(accepted) = shared.stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, most likely: trying again at once would only burn time.
                if warned.is_none_or(|warned| warned.elapsed() >= Duration::from_millis(WARN_EVERY_MS)) {
                    warned = Some(Instant::now());
                    tracing::warn!(error = said(&error), "a connection to the page could not be accepted");
                }
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Some(seat) = seats.take() {
            shared.tasks.spawn(connection(stream, host.clone(), seat, shared.clone(), router.clone()));
        }
    }
}

/// Serves one connection to its end, or until it became a socket.
async fn connection(stream: Stream, host: Option<PortHost>, seat: Seat, shared: Arc<Shared>, router: Router) {
    let meter = Meter::default();
    let conn = Conn::new(stream, meter.clone(), seat.clone(), shared.tasks.clone());
    let service = {
        let seat = seat.clone();
        service_fn(move |request: hyper::Request<Incoming>| {
            seat.works();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(seat.clone());
            request.extensions_mut().insert(meter.clone());
            host.clone().and_then(|host| request.extensions_mut().insert(host));
            let (answer, seat) = (router.clone().oneshot(request), seat.clone());
            async move {
                let response = answer.await;
                if response.as_ref().is_ok_and(|response| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
                    seat.waits();
                }
                response
            }
        })
    };
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(REQUEST_MS_MAX));
    let serving = http.serve_connection(TokioIo::new(conn), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let ended = seat.unless_displaced(async {
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
