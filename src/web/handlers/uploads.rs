//! Uploads over HTTP: in one stream, or in parts that can be resumed. No byte waits in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::ApiResult;
use crate::api::{Code, ErrorBody};
use crate::proto::limits::{FILE_BYTES_MAX, UPLOAD_PART_BYTES_MAX, UPLOAD_PIECES_WAITING_MAX, UPLOAD_STALL_MS};
use crate::proto::names::file_name::clean_file_name;
use crate::web::error::ApiError;
use crate::web::extract::json::JsonBody;
use crate::web::extract::query;
use crate::web::file_requests::{FileRequest, UploadPiece, UploadProgress};
use crate::web::requests::{NodeRequest, RequestError};
use crate::web::state::AppState;

#[derive(Deserialize)]
pub(crate) struct UploadFields {
    name: String,
    size: u64,
}

/// `POST /api/v1/files?name=NAME`
pub(crate) async fn whole(State(shared): State<Arc<AppState>>, uri: Uri, request: Request) -> ApiResult {
    check_type(&request)?;
    check_length(&request, FILE_BYTES_MAX)?;
    let name = clean_file_name(&query::upload(&uri)?);
    let (sender, pieces) = mpsc::channel(UPLOAD_PIECES_WAITING_MAX);
    let answered = shared.begin_ask(|answer| NodeRequest::Files(FileRequest::Upload { name, pieces, answer })).await?;
    let file = send_body(request, sender, FILE_BYTES_MAX, answered).await??;
    Ok((StatusCode::CREATED, Json(file)).into_response())
}

/// `POST /api/v1/uploads`
pub(crate) async fn begin(State(shared): State<Arc<AppState>>, JsonBody(fields): JsonBody<UploadFields>) -> ApiResult {
    let UploadFields { name, size } = fields;
    if size > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let name = clean_file_name(&name);
    let upload = shared.ask(|answer| NodeRequest::Files(FileRequest::BeginUpload { name, size, answer })).await??;
    Ok((StatusCode::CREATED, Json(json!({ "upload": format!("{upload:016x}"), "offset": 0 }))).into_response())
}

/// `POST /api/v1/uploads/ID?offset=N`
pub(crate) async fn part(
    State(shared): State<Arc<AppState>>,
    Path(upload): Path<String>,
    uri: Uri,
    request: Request,
) -> ApiResult {
    let upload = u64::from_str_radix(&upload, 16).ok().filter(|_| upload.len() == 16);
    let upload = upload.ok_or_else(|| ApiError::new(Code::NotFound, "This upload has ended."))?;
    check_type(&request)?;
    check_length(&request, UPLOAD_PART_BYTES_MAX as u64)?;
    let offset = query::offset(&uri)?;
    let (sender, pieces) = mpsc::channel(UPLOAD_PIECES_WAITING_MAX);
    let request_of = |answer| NodeRequest::Files(FileRequest::ContinueUpload { upload, offset, pieces, answer });
    let answered = shared.begin_ask(request_of).await?;
    match send_body(request, sender, UPLOAD_PART_BYTES_MAX as u64, answered).await? {
        Ok(UploadProgress::Offset(offset)) => Ok(Json(json!({ "offset": offset })).into_response()),
        Ok(UploadProgress::Done(file)) => Ok((StatusCode::CREATED, Json(file)).into_response()),
        Err(RequestError::BadOffset(right)) => Ok(bad_offset(right)),
        Err(error) => Err(error.into()),
    }
}

/// Sends the body of a request to the node, piece by piece, and returns the node's answer. A node
/// that refuses early answers before the end of the body.
async fn send_body<T>(
    request: Request,
    pieces: mpsc::Sender<UploadPiece>,
    bytes_max: u64,
    mut answered: oneshot::Receiver<T>,
) -> Result<T, ApiError> {
    let mut body = request.into_body().into_data_stream();
    let mut received = 0;
    loop {
        let next = tokio::select! {
            biased;
            answer = &mut answered => return answer.map_err(|_| Code::Stopping.into()),
            next = timeout(Duration::from_millis(UPLOAD_STALL_MS), body.next()) => next,
        };
        let next = next.map_err(|_| ApiError::bad_request("The request body took too long."))?;
        let piece = match next {
            Some(Ok(bytes)) => {
                received += bytes.len() as u64;
                UploadPiece::Data(bytes)
            }
            Some(Err(_)) => return Err(ApiError::bad_request("The request body is incomplete.")),
            None => UploadPiece::End,
        };
        if received > bytes_max {
            return Err(too_large());
        }
        let is_end = matches!(piece, UploadPiece::End);
        // A node that does not listen any more has answered.
        if pieces.send(piece).await.is_err() || is_end {
            return answered.await.map_err(|_| Code::Stopping.into());
        }
    }
}

fn check_type(request: &Request) -> Result<(), ApiError> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/octet-stream") {
        return Ok(());
    }
    Err(ApiError::new(Code::BadType, "Send the bytes of a file as application/octet-stream."))
}

fn check_length(request: &Request, bytes_max: u64) -> Result<(), ApiError> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > bytes_max) { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> ApiError {
    ApiError::new(Code::TooLong, "Too large. A file can have up to 16 GiB, a part of an upload 8 MiB.")
}

/// The refusal of a part, with the offset at which the next one begins.
fn bad_offset(offset: u64) -> Response {
    let body = ErrorBody { error: Code::BadOffset, message: Code::BadOffset.message().to_owned() };
    let mut json = serde_json::to_value(body).unwrap_or_default();
    json["offset"] = offset.into();
    (StatusCode::CONFLICT, Json(json)).into_response()
}
