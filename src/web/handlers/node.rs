//! The node over HTTP: its state, its diagnosis, its peers, its token and its stop.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::ApiResult;
use crate::metrics::{OPENMETRICS, encode_metrics};
use crate::web::error::ApiError;
use crate::web::extract::json::{JsonBody, NoFields};
use crate::web::middleware::auth::Authenticated;
use crate::web::requests::NodeRequest;
use crate::web::state::AppState;

/// `GET /api/v1/node`
pub(crate) async fn node(State(shared): State<Arc<AppState>>) -> ApiResult {
    let node = shared.ask(|answer| NodeRequest::Info { answer }).await?;
    Ok(Json(node).into_response())
}

/// `GET /api/v1/doctor`
pub(crate) async fn doctor(State(shared): State<Arc<AppState>>) -> ApiResult {
    let doctor = shared.ask(|answer| NodeRequest::Doctor { answer }).await?;
    Ok(Json(doctor).into_response())
}

/// `GET /metrics`
pub(crate) async fn metrics(State(shared): State<Arc<AppState>>) -> ApiResult {
    let snapshot = shared.ask(|answer| NodeRequest::Metrics { answer }).await?;
    let text = encode_metrics(&snapshot, &shared.request_times);
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

#[derive(Deserialize)]
pub(crate) struct PeerFields {
    address: String,
}

/// `POST /api/v1/peers`
pub(crate) async fn peers(State(shared): State<Arc<AppState>>, JsonBody(fields): JsonBody<PeerFields>) -> ApiResult {
    let address = fields.address.trim().to_owned();
    let added = shared.ask(|answer| NodeRequest::AddPeer { address, answer }).await?;
    added.map_err(|why| ApiError::bad_request(format!("Can’t connect: {why}.")))?;
    Ok(Json(json!({})).into_response())
}

/// `POST /api/v1/copies/remove`
pub(crate) async fn remove_copies(State(shared): State<Arc<AppState>>, JsonBody(_): JsonBody<NoFields>) -> ApiResult {
    let removed = shared.ask(|answer| NodeRequest::RemoveCopies { answer }).await?;
    Ok(Json(removed).into_response())
}

/// `POST /api/v1/stop`
pub(crate) async fn stop(
    State(shared): State<Arc<AppState>>,
    _: Authenticated,
    JsonBody(_): JsonBody<NoFields>,
) -> ApiResult {
    shared.ask(|answer| NodeRequest::Exit { answer }).await?;
    Ok(Json(json!({})).into_response())
}

/// `POST /api/v1/token/rotate`
pub(crate) async fn rotate(
    State(shared): State<Arc<AppState>>,
    _: Authenticated,
    JsonBody(_): JsonBody<NoFields>,
) -> ApiResult {
    shared.ask(|answer| NodeRequest::RotateToken { answer }).await??;
    Ok(Json(json!({ "token": shared.keys.token().to_hex().as_str() })).into_response())
}
