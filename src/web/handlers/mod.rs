//! The handlers of the HTTP API. Each sends a request to the node and answers in the contract's
//! forms.

pub(crate) mod assets;
pub(crate) mod changes;
pub(crate) mod downloads;
pub(crate) mod emoji;
pub(crate) mod files;
pub(crate) mod members;
mod message_stream;
pub(crate) mod messages;
pub(crate) mod node;
pub(crate) mod uploads;

use axum::response::Response;

use super::error::ApiError;

/// An answer, or a refusal in the contract's form.
type ApiResult = Result<Response, ApiError>;
