//! Serves the shell of the page and its parts: every file under static/, as it was written.
//!
//! A release build holds them in the binary. A debug build reads the folder on every request, so a
//! change of a style or script needs only a reload.
//!
//! The path contains one hash over all parts. So browsers cache them for ever, modules import each
//! other relatively, and a page never mixes parts of two versions.

use std::borrow::Cow;

use askama::Template;
use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use rust_embed::Embed;

use crate::api::Code;
use crate::proto::entries::timeline::Conversation;
use crate::web::error::ApiError;

#[derive(Embed)]
#[folder = "static/"]
struct Parts;

/// All style sheets in one, but for those that are needed later, and those that do not always hold
/// and have a link of their own.
///
/// In one answer they are half as large as in forty.
const STYLES: &str = "css/styles.css";

/// The style sheets of dialogs and of features, which are loaded when one can type.
const LATER_STYLES: &str = "css/later.css";

/// The folders of these.
const LATER_FOLDERS: [&str; 2] = ["css/dialogs/", "css/features/"];

const LINKED_STYLES: [&str; 2] = ["css/dark.css", "css/print.css"];

/// Returns the path below which the parts are served: `/static/HASH`.
pub fn asset_root() -> Cow<'static, str> {
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
pub(crate) async fn serve_asset(Path((hash, path)): Path<(String, String)>) -> Response {
    let is_current = asset_root().strip_prefix("/static/") == Some(hash.as_str());
    let part = match path.as_str() {
        STYLES => Some(styles(false)),
        LATER_STYLES => Some(styles(true)),
        _ => Parts::get(&path).map(|part| part.data.into_owned()),
    };
    let Some(part) = part.filter(|_| is_current) else {
        return ApiError::from(Code::NotFound).into_response();
    };
    let headers =
        [(header::CONTENT_TYPE, media_type(&path)), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, part).into_response()
}

/// Joins style sheets as they are written, by path, after the one that orders the layers: those
/// that are needed later, or all others.
fn styles(later: bool) -> Vec<u8> {
    let is_later = |path: &str| LATER_FOLDERS.iter().any(|folder| path.starts_with(folder));
    let is_joined = |path: &str| path.starts_with("css/") && !LINKED_STYLES.contains(&path);
    let mut paths: Vec<_> = Parts::iter().filter(|path| is_joined(path) && is_later(path) == later).collect();
    paths.sort_by_key(|path| (path != "css/tokens.css", path.clone()));
    paths.iter().filter_map(|path| Parts::get(path)).flat_map(|part| part.data.into_owned()).collect()
}

#[derive(Template)]
#[template(path = "shell.html")]
struct Shell<'a> {
    /// The path below which the parts are served.
    parts: &'a str,
    /// The channel that a page opens first.
    channel: &'a str,
}

/// `GET /`: the shell. It says nothing about the node, since every local user can open the port.
pub(crate) async fn shell() -> Html<String> {
    let shell = Shell { parts: &asset_root(), channel: Conversation::GENERAL };
    Html(shell.render().expect("the template has only these variables, and a String takes everything"))
}

pub(crate) async fn healthz() -> &'static str {
    "ok"
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
