//! What hyper refuses by itself, because it is no HTTP, dressed as every other refusal: with our headers and a body.
//!
//! hyper gives nobody a say in this, so it is seen to where its bytes leave. Every answer of ours carries a policy;
//! one without is hyper's.

use axum::response::IntoResponse as _;

use super::headers::with_headers;
use super::refused::{Refused, to_json};
use crate::api::{Code, Refusal};

/// What goes out instead of `written`, if that is a refusal of hyper's own.
pub(super) fn dress(written: &[u8]) -> Option<Vec<u8>> {
    if !written.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(written).ok()?.strip_suffix("\r\n\r\n")?;
    if head.contains("\r\n\r\n") || head.contains("content-security-policy") {
        return None;
    }
    let refused = Refused::from(Code::BadRequest);
    let body = to_json(&Refusal { error: refused.code, message: refused.message.clone() });
    // Also where hyper says 414 or 431: a code of the contract has one status.
    let mut answer = format!("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let dressed = with_headers(refused.into_response(), None);
    for (name, value) in dressed.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?))) {
        answer += &format!("{name}: {value}\r\n");
    }
    Some(format!("{answer}\r\n{body}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::dress;

    #[test]
    fn only_what_is_not_ours_is_dressed() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let dressed = String::from_utf8(dress(bare).expect("dressed")).expect("text");
        assert!(dressed.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        assert!(dressed.contains("x-content-type-options: nosniff\r\n") && dressed.ends_with('}'));
        assert_eq!(dress(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(dress(b"HTTP/1.1 404 Not Found\r\ncontent-security-policy: x\r\n\r\n"), None);
        assert_eq!(dress(b"HTTP/1.1 404 Not Found\r\n\r\n{}"), None);
    }
}
