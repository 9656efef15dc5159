//! JSON from clients: bodies of requests, and frames of a socket.

use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::api::Code;
use crate::proto::limits::{REQUEST_BYTES_MAX, REQUEST_MS_MAX, TEXT_BYTES_MAX};
use crate::web::error::ApiError;

/// The body of a POST: a JSON object with the fields of `T`. An empty body counts as an empty
/// object.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// The fields of a POST that needs none.
#[derive(Deserialize)]
pub(crate) struct NoFields {}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !has_type(request.headers(), "application/json") {
            return Err(Code::BadType.into());
        }
        if request.body().size_hint().lower() > REQUEST_BYTES_MAX as u64 {
            return Err(Code::TooLong.into());
        }
        // Stops at the limit that the router sets.
        let body = timeout(Duration::from_millis(REQUEST_MS_MAX), Bytes::from_request(request, &())).await;
        let body = body.map_err(|_| ApiError::bad_request("The request body took too long."))?;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLong.into(),
            _ => ApiError::bad_request("The request body is incomplete."),
        })?;
        read(if body.is_empty() { b"{}" } else { &body }).map(Self)
    }
}

/// Returns true if the content type is `expected`, with parameters or without.
pub(crate) fn has_type(headers: &HeaderMap, expected: &str) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(expected)
}

/// Reads the fields of a JSON object.
///
/// A text that is too long is refused as such, even if other fields are wrong as well: the contract
/// has this order.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(json).map_err(|error| match serde_json::from_slice(json) {
        Ok(WithText { text }) if text.len() > TEXT_BYTES_MAX => Code::TooLong.into(),
        _ => ApiError::bad_request(format!("The request is not valid: {error}.")),
    })
}

/// The one field whose length is checked before other fields.
#[derive(Deserialize)]
struct WithText {
    text: String,
}
