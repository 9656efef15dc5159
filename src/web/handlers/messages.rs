//! Messages over HTTP: sending, pages of history, search and export.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;

use super::ApiResult;
use super::message_stream::{NDJSON, say_all};
use crate::api::{self, Code, Cursor};
use crate::proto::history::{PagePosition, TimelinePage};
use crate::proto::ids::EntryId;
use crate::web::FileStatuses;
use crate::web::error::ApiError;
use crate::web::extract::json::{JsonBody, has_type};
use crate::web::extract::query;
use crate::web::extract::say::{SayFields, SayRequest};
use crate::web::middleware::auth::Authenticated;
use crate::web::requests::{NodeRequest, SayResult};
use crate::web::state::AppState;

/// `GET /api/v1/messages`
pub(crate) async fn messages(State(shared): State<Arc<AppState>>, uri: Uri) -> ApiResult {
    let query = query::page(&uri)?;
    let polls = matches!(query.at, PagePosition::Since(_));
    let page = shared.ask(|answer| NodeRequest::Page { query, answer }).await?;
    let page = page.ok_or_else(|| ApiError::new(Code::NotFound, "This message isn’t here, or hasn’t arrived yet."))?;
    let files = shared.hub.file_statuses();
    // Formatting hundreds of long texts would block other connections.
    let written = tokio::task::spawn_blocking(move || Json(to_page(&page, &files, polls)).into_response()).await;
    written.map_err(|_| Code::Internal.into())
}

/// `GET /api/v1/messages/ID/held`
pub(crate) async fn held(State(shared): State<Arc<AppState>>, Path(id): Path<String>) -> ApiResult {
    let unknown = || ApiError::new(Code::NotFound, "You have no message with this ID.");
    let id = EntryId::from_hex(&id).ok_or_else(unknown)?;
    let holders = shared.ask(|answer| NodeRequest::Holders { id, answer }).await?;
    Ok(Json(holders.ok_or_else(unknown)?).into_response())
}

/// `GET /api/v1/messages/find`
pub(crate) async fn find(State(shared): State<Arc<AppState>>, uri: Uri) -> ApiResult {
    let selector = query::selector(&uri)?;
    let found = shared.ask(|answer| NodeRequest::FindMessages { selector, answer }).await?;
    Ok(Json(api::FoundMessages { ids: found.iter().map(ToString::to_string).collect() }).into_response())
}

/// `GET /api/v1/export`
pub(crate) async fn export(State(shared): State<Arc<AppState>>, uri: Uri) -> ApiResult {
    let query = query::export(&uri)?;
    let found = shared.ask(|answer| NodeRequest::Export { query, answer }).await?;
    let written = tokio::task::spawn_blocking(move || {
        let after = found.after.map(|order| Cursor(order).to_string());
        Json(api::ExportPage { entries: found.lines.iter().map(Into::into).collect(), after }).into_response()
    });
    written.await.map_err(|_| Code::Internal.into())
}

/// `GET /api/v1/search`
pub(crate) async fn search(State(shared): State<Arc<AppState>>, uri: Uri) -> ApiResult {
    let Some(query) = query::search(&uri)? else {
        return Ok(Json(api::SearchHits { hits: Vec::new(), before: None }).into_response());
    };
    let found = shared.ask(|answer| NodeRequest::Search { query, answer }).await?;
    let files = shared.hub.file_statuses();
    let written = tokio::task::spawn_blocking(move || {
        let hits = found.hits.iter().map(|hit| api::SearchHit::new(files.message(&hit.line), &hit.ranges)).collect();
        let before = found.before.map(|order| Cursor(order).to_string());
        Json(api::SearchHits { hits, before }).into_response()
    });
    written.await.map_err(|_| Code::Internal.into())
}

/// Makes the answer for a page of history. With `polls` it contains the arrival number to go on
/// from.
fn to_page(page: &TimelinePage, files: &FileStatuses, polls: bool) -> api::Messages {
    api::Messages {
        messages: page.lines.iter().map(|line| files.message(line)).collect(),
        notices: page.notices.iter().map(Into::into).collect(),
        before: page.before.map(|order| Cursor(order).to_string()),
        after: Cursor(page.after).to_string(),
        arrival: polls.then_some(page.arrival),
    }
}

/// `POST /api/v1/messages`: one message as JSON, or many as NDJSON.
pub(crate) async fn say(
    State(shared): State<Arc<AppState>>,
    authenticated: Authenticated,
    request: Request,
) -> ApiResult {
    if has_type(request.headers(), NDJSON) {
        return Ok(say_all(shared, authenticated, request));
    }
    let JsonBody(fields) = JsonBody::<SayFields>::from_request(request, &()).await?;
    let said =
        SayRequest::new(fields)?.begin(&shared, None).await?.await.map_err(|_| ApiError::from(Code::Stopping))??;
    let (status, line) = match said {
        SayResult::New(line) => (StatusCode::CREATED, line),
        SayResult::Before(line) => (StatusCode::OK, line),
        SayResult::Published => return Err(Code::Internal.into()),
    };
    Ok((status, Json(shared.hub.file_statuses().message(&line))).into_response())
}
