//! What a request brings in its body: little, soon, and JSON.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::header;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::draft::bad;
use super::refused::Refused;
use crate::api::Code;
use crate::proto::limits::{REQUEST_BYTES_MAX, REQUEST_MS_MAX};

/// The body of a POST: a JSON object, or nothing, which is an empty one.
pub(super) async fn read_object(request: Request) -> Result<Map<String, Value>, Refused> {
    let media_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Code::BadType.into());
    }
    let body = read_body(request.into_body());
    let body =
        timeout(Duration::from_millis(REQUEST_MS_MAX), body).await.map_err(|_| bad("The body took too long."))??;
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&body).map_err(|_| bad("The body has to be a JSON object."))
}

async fn read_body(body: Body) -> Result<Vec<u8>, Refused> {
    if body.size_hint().lower() > REQUEST_BYTES_MAX as u64 {
        return Err(Code::TooLong.into());
    }
    match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Code::TooLong.into()),
        Err(_) => Err(bad("The body did not come whole.")),
    }
}
