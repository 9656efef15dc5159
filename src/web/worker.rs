//! Removes service workers from the page's origin.
//!
//! The page has none. One that is there was registered by another program while it held the port,
//! and would answer in the node's place from then on. A browser that looks for a newer version of
//! such a worker gets a script that removes it.

use axum::extract::Request;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};

/// Takes the old worker's place, removes the registration, and reloads the pages that the old one
/// served.
const SCRIPT: &str = "\
self.addEventListener(\"install\", () => self.skipWaiting());
self.addEventListener(\"activate\", (event) => {
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: \"window\" });
    await self.registration.unregister();
    await Promise.allSettled(pages.map((page) => page.navigate(page.url)));
  })());
});
";

/// Returns true for a request of a browser that installs or updates a service worker.
pub(super) fn is_script_request(request: &Request) -> bool {
    request.method() == Method::GET && request.headers().get("service-worker").is_some_and(|value| value == "script")
}

/// The script that removes itself.
pub(super) fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT).into_response()
}
