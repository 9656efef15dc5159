//! Serves the page's parts: every file under static/, as it was written.
//!
//! A release build holds them in the binary. A debug build reads the folder on every request, so a change of a style or
//! a script is a reload away.
//!
//! One hash over all parts stands in their path. So browsers keep them for ever, modules import each other relatively,
//! and a page never mixes parts of two versions.

use std::borrow::Cow;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

use super::refused::Refused;
use crate::api::Code;

#[derive(Embed)]
#[folder = "static/"]
struct Parts;

/// Returns the path below which the parts are served: `/static/HASH`.
pub fn root() -> Cow<'static, str> {
    #[cfg(debug_assertions)]
    return Cow::Owned(hashed_root());
    #[cfg(not(debug_assertions))]
    {
        static ROOT: std::sync::LazyLock<String> = std::sync::LazyLock::new(hashed_root);
        Cow::Borrowed(&ROOT)
    }
}

fn hashed_root() -> String {
    let mut paths: Vec<_> = Parts::iter().collect();
    paths.sort();
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        let content = Parts::get(&path).map(|part| part.data).unwrap_or_default();
        for piece in [path.as_bytes(), &content] {
            hasher.update(&(piece.len() as u64).to_be_bytes());
            hasher.update(piece);
        }
    }
    format!("/static/{}", &hasher.finalize().to_hex()[..16])
}

/// `GET /static/HASH/…`.
pub(super) async fn part(Path((hash, path)): Path<(String, String)>) -> Response {
    let is_current = root().strip_prefix("/static/") == Some(hash.as_str());
    let Some(part) = Parts::get(&path).filter(|_| is_current) else {
        return Refused::from(Code::NotFound).into_response();
    };
    let headers =
        [(header::CONTENT_TYPE, media_type(&path)), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, part.data.into_owned()).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
