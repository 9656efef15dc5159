//! Authenticates requests by the token or the bearer of this run.
//!
//! This is a layer around all routes, so that an unknown path needs a token too and no route can be
//! left open by mistake. Only the parts that say nothing about the node (the shell, its parts,
//! `healthz`) and the upgrade of a browser's socket need none. There are no cookies and no
//! redirects.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::host;
use super::token_rules::{bearer_token, is_handshake, is_public};
use crate::api::Code;
use crate::web::connection_slots::SlotGuard;
use crate::web::error::ApiError;
use crate::web::state::AppState;

/// Proof that a request showed valid credentials. Handlers get it as an extractor.
#[derive(Clone, Copy)]
pub(crate) struct Authenticated {
    /// The generation of the credentials, which grows with every rotation.
    pub(crate) generation: u64,
}

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(|| Code::Unauthorized.into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Authenticated {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().copied())
    }
}

/// Refuses requests that need a token and do not show a valid one.
pub(crate) async fn authenticate(State(shared): State<Arc<AppState>>, mut request: Request, next: Next) -> Response {
    if is_public(&request) && host::has_port_name(&request) {
        return next.run(request).await;
    }
    // Read first, so that a rotation during the check is noticed.
    let generation = shared.keys.generation();
    match bearer_token(request.headers()) {
        Some(text) if shared.keys.admit(text) => {
            request.extensions_mut().insert(Authenticated { generation });
        }
        None if is_handshake(&request) => {}
        None => return ApiError::from(Code::Unauthorized).into_response(),
        Some(_) => {
            let slot = request.extensions().get::<SlotGuard>();
            // A delayed connection may be evicted for another.
            slot.inspect(|slot| slot.set_idle());
            shared.slow.delay().await;
            slot.inspect(|slot| slot.set_busy());
            return ApiError::from(Code::Unauthorized).into_response();
        }
    }
    next.run(request).await
}
