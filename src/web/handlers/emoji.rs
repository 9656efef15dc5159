//! The emoji with their names, for completion and the picker of the page.

use std::sync::LazyLock;

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::ApiResult;
use crate::proto::entries::emoji;

/// How long a browser keeps the list. It changes only with the program.
const CACHE: &str = "private, max-age=86400";

/// `GET /api/v1/emoji`
pub(crate) async fn all() -> ApiResult {
    static LIST: LazyLock<Value> = LazyLock::new(|| {
        let rows: Vec<Vec<String>> =
            emoji::named().map(|(emoji, names)| std::iter::once(emoji.to_owned()).chain(names).collect()).collect();
        json!({ "emoji": rows })
    });
    Ok(([(header::CACHE_CONTROL, CACHE)], Json(&*LIST)).into_response())
}
