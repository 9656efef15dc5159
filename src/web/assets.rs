//! The page's parts, inside the program: what src/build makes of everything under static/.
//!
//! One hash over all of them stands in their path. So they can be kept for ever, modules import each other
//! relatively, and a page never mixes parts of two versions.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::refused::Refused;
use crate::api::Code;

/// Each part by its path, in the order of the paths: as it is, and packed with gzip.
static PARTS: &[(&str, &[u8], &[u8])] = include!(concat!(env!("OUT_DIR"), "/parts.rs"));

static ROOT: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for (path, content, _) in PARTS {
        for piece in [path.as_bytes(), content] {
            hasher.update(&(piece.len() as u64).to_be_bytes());
            hasher.update(piece);
        }
    }
    format!("/static/{}", &hasher.finalize().to_hex()[..16])
});

/// Where the parts are: `/static/HASH`.
pub fn root() -> &'static str {
    &ROOT
}

/// `GET /static/HASH/…`. Nothing else is ever compressed: the parts are the same for everybody, so their length gives
/// nothing away.
pub(super) async fn part(Path((hash, path)): Path<(String, String)>, asked: HeaderMap) -> Response {
    let known = root().strip_prefix("/static/") == Some(hash.as_str());
    let found = PARTS.binary_search_by_key(&path.as_str(), |(path, ..)| path).ok().filter(|_| known);
    let Some((_, content, packed)) = found.map(|at| PARTS[at]) else {
        return Refused::from(Code::NotFound).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, media_type(&path)),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    if takes_gzip(&asked) {
        (headers, [(header::CONTENT_ENCODING, "gzip")], packed).into_response()
    } else {
        (headers, content).into_response()
    }
}

/// Whether gzip is among what the other side unpacks; with a weight of 0 it is not.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        coding.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
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
