//! The API over HTTP: asks the node, answers in the contract's forms.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tower_http::compression::CompressionLayer;

use super::ask::Ask;
use super::body::read_object;
use super::draft::{Draft, bad};
use super::refused::Refused;
use super::{Shared, assets, guard, members, page, query, socket};
use crate::api::{self, Code, Cursor};
use crate::proto::history::{At, Page};
use crate::proto::ids::EntryId;

type Answer = Result<Response, Refused>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(page_router())
        .route("/healthz", get(page::healthz))
        .route("/ws", get(socket::upgrade))
        .route("/api/v1/node", get(node))
        .route("/api/v1/members", get(members::all))
        .route("/api/v1/members/{id}/safety", get(members::safety))
        .route("/api/v1/members/{id}/mark", post(members::mark))
        .route("/api/v1/messages", get(messages).post(say))
        .route("/api/v1/messages/{id}/held", get(held))
        .route("/api/v1/peers", post(peers))
        .route("/api/v1/search", get(search))
        .route("/api/v1/export", get(export))
        .route("/api/v1/doctor", get(doctor))
        .route("/api/v1/stop", post(stop))
        .route("/api/v1/token/rotate", post(rotate))
        .fallback(async || Refused::from(Code::NotFound))
        .method_not_allowed_fallback(async || Refused::from(Code::BadMethod))
        .layer(from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}

/// The shell and its parts. Nothing else is compressed: these are the same for every user, so their length gives nothing away.
fn page_router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(page::shell))
        .route("/static/{hash}/{*path}", get(assets::part))
        .layer(CompressionLayer::new())
}

async fn node(State(shared): State<Arc<Shared>>) -> Answer {
    let node = shared.ask(|answer| Ask::Info { answer }).await?;
    Ok(Json(node).into_response())
}

async fn doctor(State(shared): State<Arc<Shared>>) -> Answer {
    let doctor = shared.ask(|answer| Ask::Doctor { answer }).await?;
    Ok(Json(doctor).into_response())
}

async fn messages(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let query = query::page(&uri)?;
    let polls = matches!(query.at, At::Since(_));
    let page = shared.ask(|answer| Ask::Page { query, answer }).await?;
    let page = page.ok_or_else(|| Refused::new(Code::NotFound, "This message is not known here, or not yet."))?;
    // Formatting hundreds of long texts takes longer than the other connections should wait.
    let written = tokio::task::spawn_blocking(move || Json(written(&page, polls)).into_response()).await;
    written.map_err(|_| Code::Stopping.into())
}

async fn held(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let unknown = || Refused::new(Code::NotFound, "There is no message of yours with this id.");
    let id = EntryId::from_hex(&id).ok_or_else(unknown)?;
    let holders = shared.ask(|answer| Ask::Holders { id, answer }).await?;
    Ok(Json(holders.ok_or_else(unknown)?).into_response())
}

async fn peers(State(shared): State<Arc<Shared>>, request: Request) -> Answer {
    let fields = read_object(request).await?;
    let address = fields.get("address").and_then(Value::as_str).ok_or_else(|| bad("A peer has an \"address\"."))?;
    let address = address.trim().to_owned();
    let added = shared.ask(|answer| Ask::AddPeer { address, answer }).await?;
    added.map_err(|why| bad(&format!("That can't be dialled: {why}.")))?;
    Ok(Json(json!({})).into_response())
}

async fn export(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let query = query::export(&uri)?;
    let found = shared.ask(|answer| Ask::Export { query, answer }).await?;
    let written = tokio::task::spawn_blocking(move || {
        let after = found.after.map(|order| Cursor(order).to_string());
        Json(api::Export { entries: found.lines.iter().map(Into::into).collect(), after }).into_response()
    });
    written.await.map_err(|_| Code::Stopping.into())
}

async fn search(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let Some(query) = query::search(&uri)? else {
        return Ok(Json(api::Hits { hits: Vec::new(), before: None }).into_response());
    };
    let found = shared.ask(|answer| Ask::Search { query, answer }).await?;
    let written = tokio::task::spawn_blocking(move || {
        let hits = found.hits.iter().map(|hit| api::Hit::new(&hit.line, &hit.ranges)).collect();
        let before = found.before.map(|order| Cursor(order).to_string());
        Json(api::Hits { hits, before }).into_response()
    });
    written.await.map_err(|_| Code::Stopping.into())
}

/// `polls`: the page goes on by arrival numbers.
fn written(page: &Page, polls: bool) -> api::Messages {
    api::Messages {
        messages: page.lines.iter().map(Into::into).collect(),
        notices: page.notices.iter().map(Into::into).collect(),
        before: page.before.map(|order| Cursor(order).to_string()),
        after: Cursor(page.after).to_string(),
        arrival: polls.then_some(page.arrival),
    }
}

async fn say(State(shared): State<Arc<Shared>>, request: Request) -> Answer {
    let draft = Draft::read(&read_object(request).await?)?;
    let said = draft.begin(&shared, None).await?.await.map_err(|_| Refused::from(Code::Stopping))??;
    let status = if said.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(api::Message::from(&said.line))).into_response())
}

async fn stop(State(shared): State<Arc<Shared>>, request: Request) -> Answer {
    read_object(request).await?;
    shared.ask(|answer| Ask::Exit { answer }).await?;
    Ok(Json(json!({})).into_response())
}

async fn rotate(State(shared): State<Arc<Shared>>, request: Request) -> Answer {
    read_object(request).await?;
    shared.ask(|answer| Ask::RotateToken { answer }).await??;
    Ok(Json(json!({ "token": shared.keys.token().to_hex().as_str() })).into_response())
}
