//! Members over HTTP: who they are, and what this node's user thinks of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::Shared;
use super::ask::Ask;
use super::body::read_object;
use super::draft::bad;
use super::refused::Refused;
use crate::api::{self, Code};
use crate::proto::ids::NodeId;
use crate::proto::marks::MarkChange;
use crate::proto::safety::Safety;

type Answer = Result<Response, Refused>;

/// `GET /api/v1/members`
pub(super) async fn all(State(shared): State<Arc<Shared>>) -> Answer {
    let members = shared.ask(|answer| Ask::Members { answer }).await?;
    Ok(Json(api::Members { members: members.iter().map(Into::into).collect() }).into_response())
}

/// `GET /api/v1/members/ID/safety`
pub(super) async fn safety(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let member = NodeId::from_hex(&id).ok_or(Code::NoSuchMember)?;
    let members = shared.ask(|answer| Ask::Members { answer }).await?;
    let own = members.iter().find(|member| member.own).ok_or(Code::Stopping)?;
    if !members.iter().any(|known| known.id == member) {
        return Err(Code::NoSuchMember.into());
    }
    if own.id == member {
        return Err(Refused::new(Code::BadTarget, "There is nothing to compare with oneself."));
    }
    Ok(Json(api::Safety::from(&Safety::of(own.id, member))).into_response())
}

/// `POST /api/v1/members/ID/mark`
pub(super) async fn mark(State(shared): State<Arc<Shared>>, Path(id): Path<String>, request: Request) -> Answer {
    let fields = read_object(request).await?;
    let change = MarkChange {
        verified: flag(&fields, "verified")?,
        muted: flag(&fields, "muted")?,
        blocked: flag(&fields, "blocked")?,
    };
    if change == MarkChange::default() {
        return Err(bad("A mark is one or more of \"verified\", \"muted\" and \"blocked\"."));
    }
    let member = NodeId::from_hex(&id).ok_or(Code::NoSuchMember)?;
    let member = shared.ask(|answer| Ask::Mark { member, change, answer }).await??;
    Ok(Json(api::Member::from(&member)).into_response())
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refused> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(bad(&format!("\"{name}\" is true or false."))),
    }
}
