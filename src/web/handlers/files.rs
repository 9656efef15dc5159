//! Files over HTTP: what is known of them, and how they are kept.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use super::ApiResult;
use crate::api::{Code, FileJson, FileList};
use crate::proto::ids::Hash;
use crate::web::error::ApiError;
use crate::web::extract::json::{JsonBody, NoFields};
use crate::web::extract::query;
use crate::web::file_requests::{FileChange, FileRequest};
use crate::web::requests::NodeRequest;
use crate::web::state::AppState;
use crate::web::tickets::TicketedFile;

/// The characters of a name that stand for themselves in an address and in a header.
pub(super) const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Deserialize)]
pub(crate) struct PinFields {
    pinned: bool,
}

/// `GET /api/v1/files`
pub(crate) async fn list(State(shared): State<Arc<AppState>>, uri: Uri) -> ApiResult {
    let conversation = query::files(&uri)?;
    let request = |answer| NodeRequest::Files(FileRequest::List { conversation, answer });
    Ok(Json(FileList { files: shared.ask(request).await? }).into_response())
}

/// `POST /api/v1/files/CONTENT/fetch`
pub(crate) async fn fetch(
    State(shared): State<Arc<AppState>>,
    Path(content): Path<String>,
    JsonBody(NoFields {}): JsonBody<NoFields>,
) -> ApiResult {
    change(&shared, &content, FileChange::Fetch).await
}

/// `POST /api/v1/files/CONTENT/cancel`
pub(crate) async fn cancel(
    State(shared): State<Arc<AppState>>,
    Path(content): Path<String>,
    JsonBody(NoFields {}): JsonBody<NoFields>,
) -> ApiResult {
    change(&shared, &content, FileChange::Cancel).await
}

/// `POST /api/v1/files/CONTENT/remove`
pub(crate) async fn remove(
    State(shared): State<Arc<AppState>>,
    Path(content): Path<String>,
    JsonBody(NoFields {}): JsonBody<NoFields>,
) -> ApiResult {
    change(&shared, &content, FileChange::Remove).await
}

/// `POST /api/v1/files/CONTENT/pin`
pub(crate) async fn pin(
    State(shared): State<Arc<AppState>>,
    Path(content): Path<String>,
    JsonBody(fields): JsonBody<PinFields>,
) -> ApiResult {
    change(&shared, &content, FileChange::Pin(fields.pinned)).await
}

/// `POST /api/v1/files/CONTENT/link`
pub(crate) async fn link(
    State(shared): State<Arc<AppState>>,
    Path(content): Path<String>,
    JsonBody(NoFields {}): JsonBody<NoFields>,
) -> ApiResult {
    let (content, file) = complete(&shared, &content).await?;
    let name = utf8_percent_encode(&file.name, PLAIN).to_string();
    let ticket = shared.tickets.issue(TicketedFile { content, name: file.name }, Instant::now());
    Ok(Json(json!({ "url": format!("/f/{ticket}/{name}") })).into_response())
}

async fn change(shared: &AppState, content: &str, change: FileChange) -> ApiResult {
    let content = Hash::from_hex(content).ok_or_else(unknown)?;
    let request = |answer| NodeRequest::Files(FileRequest::Change { content, change, answer });
    Ok(Json(shared.ask(request).await??).into_response())
}

/// Returns a file of which all is here.
pub(super) async fn complete(shared: &AppState, content: &str) -> Result<(Hash, FileJson), ApiError> {
    let content = Hash::from_hex(content).ok_or_else(unknown)?;
    let file = shared.ask(|answer| NodeRequest::Files(FileRequest::Find { content, answer })).await?;
    let file = file.ok_or_else(unknown)?;
    if file.state == "here" { Ok((content, file)) } else { Err(Code::NotHere.into()) }
}

fn unknown() -> ApiError {
    ApiError::new(Code::NotFound, "No message here names this file.")
}
