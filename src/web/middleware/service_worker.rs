//! Removes service workers from the page's origin.
//!
//! The page has none. One that is there was registered by another program while it held the port,
//! and would answer in the node's place from then on. A browser that looks for a newer version of
//! such a worker gets a script that removes it.

use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::Next;
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

/// Answers a browser that installs or updates a service worker, under each name: an old worker may
/// stand under any.
pub(crate) async fn remove(request: Request, next: Next) -> Response {
    let is_worker = request.headers().get("service-worker").is_some_and(|value| value == "script");
    if is_worker && request.method() == Method::GET {
        return ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT).into_response();
    }
    next.run(request).await
}
