//! Logs requests at level DEBUG: method, route, status and time.
//!
//! The log has the pattern of the route instead of the path and query, since these may contain
//! secrets and search terms.

use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use tracing::Span;

use crate::metrics::DurationHistogram;

/// Returns the span of a request.
pub(crate) fn request_span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    tracing::debug_span!("request", method = %request.method(), route)
}

/// Logs an answer, and adds its duration to `times`.
pub(crate) fn log_response(times: DurationHistogram) -> impl Fn(&Response, Duration, &Span) + Clone {
    move |response, latency, _| {
        times.observe(latency);
        tracing::debug!(status = response.status().as_u16(), ms = latency.as_millis(), "answered a request");
    }
}
