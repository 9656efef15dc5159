//! The answers for handlers that panic or take too long.

use std::any::Any;

use axum::BoxError;
use axum::response::{IntoResponse, Response};

use crate::api::Code;
use crate::web::error::ApiError;

/// Answers a request whose handler panicked. The panic itself was printed already.
pub(crate) fn internal_error(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request of the page failed because of a bug in roomful");
    ApiError::from(Code::Internal).into_response()
}

/// Answers a request whose handler took longer than its deadline.
pub(crate) async fn timed_out(_elapsed: BoxError) -> ApiError {
    tracing::warn!("a request of the page was given up because it took too long");
    Code::TimedOut.into()
}
