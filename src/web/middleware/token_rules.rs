//! Which requests need no token, and which token a request shows.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};

/// Returns true for a request that needs no token and shows none.
pub(super) fn shows_nothing(request: &Request) -> bool {
    (is_public(request) || is_handshake(request)) && bearer_token(request.headers()).is_none()
}

/// Returns true for the parts that say nothing about the node: the shell, its parts, `healthz`, and
/// downloads by a ticket, which is checked by their handler.
pub(super) fn is_public(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/" || path == "/healthz" || path.starts_with("/static/") || path.starts_with("/f/")
}

/// Returns true for the upgrade to a socket. A browser cannot send a token with it; the socket's
/// hello authenticates.
pub(super) fn is_handshake(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    let is_upgrade = upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    request.uri().path() == "/ws" && request.method() == Method::GET && is_upgrade
}

/// Returns the token that a request shows. A scheme other than Bearer, or two headers, count as a
/// wrong token.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some("");
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}
