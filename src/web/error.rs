//! A refusal, as an answer over HTTP or as a frame on a socket.

use axum::Json;
use axum::extract::ws::Utf8Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::requests::RequestError;
use crate::api::{Code, ErrorBody};

/// A code of the contract with a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub(super) code: Code,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Refuses a malformed request, with the reason as a sentence.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    /// Returns the refusal as a frame that answers `reference`.
    pub(super) fn frame(&self, reference: Option<&str>) -> Utf8Bytes {
        #[derive(Serialize)]
        struct Error<'a> {
            r#type: &'static str,
            #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
            reference: Option<&'a str>,
            error: Code,
            message: &'a str,
        }
        let error = Error { r#type: "error", reference, error: self.code, message: &self.message };
        to_json(&error).into()
    }
}

/// Encodes one of the API's forms.
pub(super) fn to_json(form: &impl Serialize) -> String {
    serde_json::to_string(form).expect("forms are plain structs with text keys")
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let code = match error {
            RequestError::RefUsed => Code::RefUsed,
            RequestError::BadTarget => Code::BadTarget,
            RequestError::NoSuchMember => Code::NoSuchMember,
            RequestError::NotYours => Code::NotYours,
            RequestError::NoSuchMessage => Code::NoSuchMessage,
            RequestError::Deleted => Code::Deleted,
            RequestError::TooMany => Code::TooMany,
            RequestError::TooLong => Code::TooLong,
            RequestError::NotHere => Code::NotHere,
            RequestError::NoSuchFile => Code::NotFound,
            RequestError::BadOffset(_) => Code::BadOffset,
            RequestError::DiskFull => Code::DiskFull,
            RequestError::Stopping => Code::Stopping,
            RequestError::FilesFull => {
                let text = "The files of other members have reached their limit, and the rest are pinned. \
                            Unpin or remove a file, or raise --files-quota.";
                return Self::new(Code::DiskFull, text);
            }
            RequestError::StorageFull => {
                return Self::new(Code::TooLong, "The storage for drafts and settings is full.");
            }
        };
        code.into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).expect("codes have valid statuses");
        let mut response = (status, Json(ErrorBody { error: self.code, message: self.message })).into_response();
        if self.code == Code::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
