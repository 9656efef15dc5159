//! A refusal on its way out, as an answer over HTTP or as a frame on a socket.

use axum::Json;
use axum::extract::ws::Utf8Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::ask::SayError;
use crate::api::{Code, Refusal};

/// Why not, with a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The frame that says so, to the frame that carried `reference`.
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

/// The JSON of one of our own forms.
pub(super) fn to_json(form: &impl Serialize) -> String {
    serde_json::to_string(form).expect("forms are plain structs with text keys")
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}

impl From<SayError> for Refused {
    fn from(error: SayError) -> Self {
        let code = match error {
            SayError::RefUsed => Code::RefUsed,
            SayError::BadTarget => Code::BadTarget,
            SayError::NoSuchMember => Code::NoSuchMember,
            SayError::DiskFull => Code::DiskFull,
            SayError::Stopping => Code::Stopping,
            SayError::StorageFull => return Self::new(Code::TooLong, "The storage for drafts and settings is full."),
        };
        code.into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).expect("codes have valid statuses");
        let mut response = (status, Json(Refusal { error: self.code, message: self.message })).into_response();
        if self.code == Code::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
