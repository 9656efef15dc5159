//! The routes of the page's server, and the layers around them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower::timeout::TimeoutLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use super::error::ApiError;
use super::handlers::{assets, changes, downloads, emoji, files, members, messages, node, uploads};
use super::middleware::{auth, failure, host, security_headers, service_worker, trace};
use super::state::AppState;
use super::ws::session;
use crate::api::Code;
use crate::proto::limits::{HANDLER_MS_MAX, REQUEST_BYTES_MAX};

/// Returns the routes with all their layers.
pub(super) fn router(shared: Arc<AppState>) -> Router {
    let routes = Router::new()
        .merge(page_routes())
        .merge(with_limits(api_routes(), Duration::from_millis(HANDLER_MS_MAX)))
        .merge(file_routes())
        .route("/ws", get(session::upgrade))
        .fallback(async || ApiError::from(Code::NotFound))
        .method_not_allowed_fallback(async || ApiError::from(Code::BadMethod));
    with_layers(routes, shared)
}

/// The shell and its parts.
///
/// Only these and the emoji are compressed: they are the same for every user, so their length gives
/// nothing away.
fn page_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/", get(assets::shell))
        .route("/static/{hash}/{*path}", get(assets::serve_asset))
        .route("/api/v1/emoji", get(emoji::all))
        .layer(CompressionLayer::new())
        .route("/healthz", get(assets::healthz))
}

/// The API in JSON.
fn api_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/api/v1/node", get(node::node))
        .route("/api/v1/members", get(members::all))
        .route("/api/v1/members/{id}/safety", get(members::safety))
        .route("/api/v1/members/{id}/mark", post(members::mark))
        .route("/api/v1/messages", get(messages::messages).post(messages::say))
        .route("/api/v1/messages/find", get(messages::find))
        .route("/api/v1/messages/{id}/held", get(messages::held))
        .route("/api/v1/messages/{id}/edit", post(changes::edit))
        .route("/api/v1/messages/{id}/delete", post(changes::delete))
        .route("/api/v1/messages/{id}/react", post(changes::react))
        .route("/api/v1/messages/{id}/versions", get(changes::versions))
        .route("/api/v1/status", post(changes::status))
        .route("/api/v1/topic", post(changes::topic))
        .route("/api/v1/peers", post(node::peers))
        .route("/api/v1/search", get(messages::search))
        .route("/api/v1/export", get(messages::export))
        .route("/api/v1/doctor", get(node::doctor))
        .route("/metrics", get(node::metrics))
        .route("/api/v1/uploads", post(uploads::begin))
        .route("/api/v1/files/{content}/fetch", post(files::fetch))
        .route("/api/v1/files/{content}/cancel", post(files::cancel))
        .route("/api/v1/files/{content}/remove", post(files::remove))
        .route("/api/v1/files/{content}/pin", post(files::pin))
        .route("/api/v1/files/{content}/link", post(files::link))
        .route("/api/v1/copies/remove", post(node::remove_copies))
        .route("/api/v1/stop", post(node::stop))
        .route("/api/v1/token/rotate", post(node::rotate))
}

/// The bytes of files. They may take long and be many: their handlers set the limits.
fn file_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/api/v1/files", get(files::list).post(uploads::whole))
        .route("/api/v1/files/{content}", get(downloads::content))
        .route("/api/v1/uploads/{upload}", post(uploads::part))
        .route("/f/{ticket}/{name}", get(downloads::ticket))
        .layer(DefaultBodyLimit::disable())
}

/// Bounds what a request of the API may bring and how long its handler may take.
fn with_limits(routes: Router<Arc<AppState>>, deadline: Duration) -> Router<Arc<AppState>> {
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(failure::timed_out))
        .layer(TimeoutLayer::new(deadline))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX));
    routes.layer(layers)
}

/// Puts the layers around all routes, the outermost first. The order is that of the refusals in the
/// contract.
fn with_layers(routes: Router<Arc<AppState>>, shared: Arc<AppState>) -> Router {
    let layers = ServiceBuilder::new()
        // Keeps the token out of every log of headers.
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(trace::request_span)
                .on_request(())
                .on_response(trace::log_response(shared.request_times.clone()))
                .on_failure(()),
        )
        .layer(on_every_answer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(on_every_answer(header::REFERRER_POLICY, "no-referrer"))
        .layer(on_every_answer(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(on_every_answer(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(from_fn(security_headers::content_policy))
        .layer(CatchPanicLayer::custom(failure::internal_error))
        .layer(from_fn(host::check_host))
        .layer(from_fn(service_worker::remove))
        .layer(from_fn(host::check_origin))
        .layer(from_fn_with_state(shared.clone(), auth::authenticate));
    routes.layer(layers).with_state(shared)
}

fn on_every_answer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::http::StatusCode;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt as _;

    use super::*;
    use crate::web::{Credentials, Hub, PageToken};

    /// Sends an authenticated request to `routes` in all layers; returns the status and the body.
    async fn answer(routes: Router<Arc<AppState>>, deadline: Duration) -> (StatusCode, String) {
        let keys = Credentials::new(PageToken::random());
        let bearer = format!("Bearer {}", keys.token().to_hex().as_str());
        let shared = AppState::new(mpsc::channel(1).0, Hub::new(), keys, CancellationToken::new());
        let router = with_layers(with_limits(routes, deadline), Arc::new(shared));
        let request = Request::get("/x").header("host", "localhost").header("authorization", bearer);
        let response = router.oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible");
        assert_eq!(response.headers().get("x-content-type-options").expect("a header"), "nosniff");
        assert!(response.headers().contains_key("content-security-policy"));
        let status = response.status();
        let body = to_bytes(response.into_body(), 10_000).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn panicking_handlers_answer_500() {
        async fn handler() {
            panic!("this test wants it");
        }
        let (status, body) = answer(Router::new().route("/x", get(handler)), Duration::from_secs(60)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.starts_with(r#"{"error":"internal","message":""#), "{body}");
    }

    #[tokio::test]
    async fn hanging_handlers_answer_503() {
        let routes = Router::new().route("/x", get(std::future::pending::<()>));
        let (status, body) = answer(routes, Duration::from_millis(10)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.starts_with(r#"{"error":"timed_out","message":""#), "{body}");
    }
}
