//! The Content-Security-Policy of every answer. The headers with fixed values are layers of their
//! own in the router.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::host::CheckedHost;

/// Marks an answer with bytes that a member chose. A browser that shows it all the same treats it
/// as of no origin.
#[derive(Clone, Copy)]
pub(crate) struct Sandboxed;

/// Sets the policy of an answer.
///
/// Some browsers do not count a WebSocket of the same origin as 'self', so the policy names it. It
/// contains the Host of the request only after the check, since the value goes into a header.
pub(crate) async fn content_policy(request: Request, next: Next) -> Response {
    let socket = CheckedHost::of(&request).map(|host| format!(" ws://{}", host.as_str())).unwrap_or_default();
    let mut response = next.run(request).await;
    let sandbox = if response.extensions().get::<Sandboxed>().is_some() { "; sandbox" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
         connect-src 'self'{socket}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'{sandbox}"
    );
    let policy = HeaderValue::try_from(policy).expect("a checked Host consists of visible ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
