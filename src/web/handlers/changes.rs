//! What changes messages over HTTP: edits, deletions, reactions, versions; topics and the user's
//! status.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use serde_json::json;

use super::ApiResult;
use crate::api::{self, Code};
use crate::proto::commands::ChangeCommand;
use crate::proto::entries::timeline::Message;
use crate::proto::ids::{EntryId, LogId};
use crate::web::error::ApiError;
use crate::web::extract::change::{self, DeleteFields, EditFields, ReactFields, StatusFields, TopicFields};
use crate::web::extract::json::JsonBody;
use crate::web::extract::query;
use crate::web::requests::NodeRequest;
use crate::web::state::AppState;

/// `POST /api/v1/messages/ID/edit`
pub(crate) async fn edit(
    State(shared): State<Arc<AppState>>,
    Path(id): Path<String>,
    JsonBody(fields): JsonBody<EditFields>,
) -> ApiResult {
    changed(&shared, &id, |id| change::edit(id, fields)).await
}

/// `POST /api/v1/messages/ID/delete`
pub(crate) async fn delete(
    State(shared): State<Arc<AppState>>,
    Path(id): Path<String>,
    JsonBody(fields): JsonBody<DeleteFields>,
) -> ApiResult {
    changed(&shared, &id, |id| Ok(change::delete(id, fields))).await
}

/// `POST /api/v1/messages/ID/react`
pub(crate) async fn react(
    State(shared): State<Arc<AppState>>,
    Path(id): Path<String>,
    JsonBody(fields): JsonBody<ReactFields>,
) -> ApiResult {
    changed(&shared, &id, |id| change::react(id, fields)).await
}

/// `POST /api/v1/topic`
pub(crate) async fn topic(State(shared): State<Arc<AppState>>, JsonBody(fields): JsonBody<TopicFields>) -> ApiResult {
    make(&shared, change::topic(fields)?).await?;
    Ok(Json(json!({})).into_response())
}

/// `POST /api/v1/status`
pub(crate) async fn status(State(shared): State<Arc<AppState>>, JsonBody(fields): JsonBody<StatusFields>) -> ApiResult {
    let status = change::status(fields)?;
    shared.ask(|answer| NodeRequest::SetStatus { status, answer }).await??;
    Ok(Json(json!({})).into_response())
}

/// `GET /api/v1/messages/ID/versions`
pub(crate) async fn versions(State(shared): State<Arc<AppState>>, Path(id): Path<String>, uri: Uri) -> ApiResult {
    let before = query::versions(&uri)?;
    let id = EntryId::from_hex(&id).ok_or(ApiError::from(Code::NoSuchMessage))?;
    let found = shared.ask(|answer| NodeRequest::Versions { id, before, answer }).await?;
    let found = found.ok_or(ApiError::from(Code::NoSuchMessage))?;
    Ok(Json(api::Versions::from(&found)).into_response())
}

/// Stands for an ID that is none while the rest of its request is checked.
const NO_MESSAGE: EntryId = EntryId { log: LogId(0), seq: 0, check: [0; 16] };

async fn changed(
    shared: &AppState,
    id: &str,
    read: impl FnOnce(EntryId) -> Result<ChangeCommand, ApiError>,
) -> ApiResult {
    let id = EntryId::from_hex(id);
    let command = read(id.unwrap_or(NO_MESSAGE))?;
    id.ok_or(ApiError::from(Code::NoSuchMessage))?;
    let message = make(shared, command).await?.ok_or(ApiError::from(Code::NoSuchMessage))?;
    Ok(Json(shared.hub.file_statuses().message(&message)).into_response())
}

async fn make(shared: &AppState, change: ChangeCommand) -> Result<Option<Message>, ApiError> {
    Ok(shared.ask(|answer| NodeRequest::Change { change, answer }).await??)
}
