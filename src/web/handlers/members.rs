//! Members over HTTP: the list, safety words, and the user's marks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::ApiResult;
use crate::api::{self, Code};
use crate::proto::ids::NodeId;
use crate::proto::member_flags::FlagChange;
use crate::proto::members::safety::SafetyCode;
use crate::web::error::ApiError;
use crate::web::extract::json::JsonBody;
use crate::web::requests::NodeRequest;
use crate::web::state::AppState;

/// `GET /api/v1/members`
pub(crate) async fn all(State(shared): State<Arc<AppState>>) -> ApiResult {
    let members = shared.ask(|answer| NodeRequest::Members { answer }).await?;
    Ok(Json(api::Members { members: members.iter().map(Into::into).collect() }).into_response())
}

/// `GET /api/v1/members/ID/safety`
pub(crate) async fn safety(State(shared): State<Arc<AppState>>, Path(id): Path<String>) -> ApiResult {
    let member = NodeId::from_hex(&id).ok_or(Code::NoSuchMember)?;
    let members = shared.ask(|answer| NodeRequest::Members { answer }).await?;
    let own = members.iter().find(|member| member.own).ok_or(Code::Stopping)?;
    if !members.iter().any(|known| known.id == member) {
        return Err(Code::NoSuchMember.into());
    }
    if own.id == member {
        return Err(ApiError::new(Code::BadTarget, "You can’t compare safety words with yourself."));
    }
    Ok(Json(api::SafetyJson::from(&SafetyCode::of(own.id, member))).into_response())
}

#[derive(Deserialize)]
pub(crate) struct MarkFields {
    verified: Option<bool>,
    muted: Option<bool>,
    blocked: Option<bool>,
}

/// `POST /api/v1/members/ID/mark`
pub(crate) async fn mark(
    State(shared): State<Arc<AppState>>,
    Path(id): Path<String>,
    JsonBody(fields): JsonBody<MarkFields>,
) -> ApiResult {
    let change = FlagChange { verified: fields.verified, muted: fields.muted, blocked: fields.blocked };
    if change == FlagChange::default() {
        return Err(ApiError::bad_request("A mark is one or more of \"verified\", \"muted\" and \"blocked\"."));
    }
    let member = NodeId::from_hex(&id).ok_or(Code::NoSuchMember)?;
    let member = shared.ask(|answer| NodeRequest::Mark { member, change, answer }).await??;
    Ok(Json(api::MemberJson::from(&member)).into_response())
}
