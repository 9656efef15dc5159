//! Connections to the page: accepted, bounded in number and time, and ended together.
//!
//! hyper is run by hand, because axum's own `serve` has neither a deadline for headers nor a limit of connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt as _;

use super::Shared;
use super::conn::{Conn, Meter, Stream};
use super::door::Doors;
use super::owner;
use super::seat::{Seat, Seats};
use crate::proto::limits::{REQUEST_MS_MAX, WARN_EVERY_MS};
use crate::system::said;

/// How long connections may take to end, so that the whole is within 3 s.
const STOP_MS_MAX: u64 = 2_500;

/// Serves until the stop, then ends everything.
pub(super) async fn serve(shared: Arc<Shared>, doors: Doors) {
    let router = super::http::router(shared.clone());
    let seats = Seats::default();
    let (tcp, unix) = doors.split();
    shared.tasks.spawn(shared.hub.clone().run(shared.stop.clone()));
    for listener in [tcp.map(Listener::Tcp), unix.map(Listener::Unix)].into_iter().flatten() {
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
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => Ok(Stream::Tcp(listener.accept().await?.0)),
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

async fn accept(listener: Listener, shared: Arc<Shared>, router: Router, seats: Seats) {
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
            shared.tasks.spawn(connection(stream, seat, shared.clone(), router.clone()));
        }
    }
}

/// Serves one connection to its end, or until it became a socket.
async fn connection(stream: Stream, seat: Seat, shared: Arc<Shared>, router: Router) {
    // Before a byte is read: connections of other users of this machine are closed without a word.
    if let Stream::Tcp(stream) = &stream
        && !owner::may_connect(stream).await
    {
        tracing::debug!("a connection of another user was closed");
        return;
    }
    let meter = Meter::default();
    let conn = Conn::new(stream, meter.clone(), seat.clone(), shared.tasks.clone());
    let service = {
        let seat = seat.clone();
        service_fn(move |request: hyper::Request<Incoming>| {
            seat.works();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(seat.clone());
            request.extensions_mut().insert(meter.clone());
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
