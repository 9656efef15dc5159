//! The bytes of files over HTTP. Whatever they contain, a browser only saves them.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use percent_encoding::utf8_percent_encode;
use tokio::sync::mpsc;

use super::ApiResult;
use super::files::{PLAIN, complete};
use crate::api::{Code, FileJson};
use crate::proto::ids::Hash;
use crate::proto::limits::DOWNLOAD_PIECES_WAITING_MAX;
use crate::web::connection_slots::{BusySlot, SlotGuard};
use crate::web::error::ApiError;
use crate::web::extract::byte_range::{ByteRange, byte_range};
use crate::web::file_requests::FileRequest;
use crate::web::middleware::security_headers::Sandboxed;
use crate::web::requests::NodeRequest;
use crate::web::state::AppState;

/// `GET /api/v1/files/CONTENT`
pub(crate) async fn content(
    State(shared): State<Arc<AppState>>,
    Path(content): Path<String>,
    request: Request,
) -> ApiResult {
    let (parts, _) = request.into_parts();
    let headers = &parts.headers;
    let (content, file) = complete(&shared, &content).await?;
    let tag = format!("\"{content}\"");
    let is_known = |value: &HeaderValue| value.to_str().is_ok_and(|known| known == "*" || known.contains(&tag));
    if headers.get(header::IF_NONE_MATCH).is_some_and(is_known) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let (from, to, status) = match byte_range(headers, file.size, &tag) {
        ByteRange::All => (0, file.size, StatusCode::OK),
        ByteRange::Part(from, to) => (from, to, StatusCode::PARTIAL_CONTENT),
        ByteRange::Unsatisfiable => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{}", file.size))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let mut response = attachment(&shared, (content, &file.name), (from, to), &parts).await?;
    *response.status_mut() = status;
    let answer = response.headers_mut();
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::ETAG, header_value(&tag)?);
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert(header::CONTENT_RANGE, header_value(&format!("bytes {from}-{}/{}", to - 1, file.size))?);
    }
    Ok(response)
}

/// `GET /f/TICKET/NAME`
///
/// HEAD leaves the ticket as it is: link checkers and some browsers send it before GET.
pub(crate) async fn ticket(
    State(shared): State<Arc<AppState>>,
    Path((ticket, _)): Path<(String, String)>,
    request: Request,
) -> ApiResult {
    let (parts, _) = request.into_parts();
    let (is_head, now) = (parts.method == Method::HEAD, Instant::now());
    let found = if is_head { shared.tickets.peek(&ticket, now) } else { shared.tickets.redeem(&ticket, now) };
    let Some(found) = found else {
        let slot = parts.extensions.get::<SlotGuard>();
        // A delayed connection may be evicted for another.
        slot.inspect(|slot| slot.set_idle());
        shared.slow.delay().await;
        slot.inspect(|slot| slot.set_busy());
        return Err(ApiError::new(Code::NotFound, "This download link was used already, or has expired."));
    };
    let (content, FileJson { size, .. }) = complete(&shared, &found.content.to_string()).await?;
    attachment(&shared, (content, &found.name), (0, size), &parts).await
}

/// The slot of the request's connection, to be kept while the body lasts.
fn slot_of(request: &Parts) -> Option<BusySlot> {
    request.extensions.get::<SlotGuard>().cloned().map(BusySlot::new)
}

/// Makes the answer with some bytes of a file.
async fn attachment(
    shared: &AppState,
    (content, name): (Hash, &str),
    (from, to): (u64, u64),
    request: &Parts,
) -> ApiResult {
    let is_empty = request.method == Method::HEAD || from == to;
    let body = if is_empty { Body::empty() } else { stream_of(shared, content, (from, to), slot_of(request)).await? };
    let mut response = Response::new(body);
    response.extensions_mut().insert(Sandboxed);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, header_value(&(to - from).to_string())?);
    headers.insert(header::CONTENT_DISPOSITION, header_value(&disposition(name))?);
    Ok(response)
}

async fn stream_of(
    shared: &AppState,
    content: Hash,
    (from, to): (u64, u64),
    slot: Option<BusySlot>,
) -> Result<Body, ApiError> {
    let (pieces, received) = mpsc::channel(DOWNLOAD_PIECES_WAITING_MAX);
    shared.send(NodeRequest::Files(FileRequest::Read { content, from, to, pieces })).await?;
    Ok(body_of(received, to - from, slot))
}

/// Returns a body that ends early, and so breaks the connection, if the bytes can't be read.
fn body_of(received: mpsc::Receiver<Bytes>, length: u64, slot: Option<BusySlot>) -> Body {
    let state = (received, length, slot);
    Body::from_stream(stream::try_unfold(state, |(mut received, left, slot)| async move {
        slot.as_ref().inspect(|slot| slot.renew());
        match received.recv().await {
            Some(bytes) => {
                let left = left.saturating_sub(bytes.len() as u64);
                Ok(Some((bytes, (received, left, slot))))
            }
            None if left == 0 => Ok(None),
            None => Err(std::io::Error::other("the file can't be read")),
        }
    }))
}

/// The name of a download in both forms of RFC 6266.
fn disposition(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
}

fn header_value(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(text).map_err(|_| Code::Internal.into())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::web::connection_slots::ConnectionSlots;

    #[tokio::test]
    async fn running_download_keeps_its_connection() {
        let slots = ConnectionSlots::default();
        let slot = slots.take().expect("a slot");
        let (pieces, received) = mpsc::channel(2);
        let mut body = body_of(received, 2, Some(BusySlot::new(slot.clone()))).into_data_stream();
        slot.set_idle();
        pieces.send(Bytes::from_static(b"a")).await.expect("a reader");
        body.next().await.expect("a piece").expect("bytes");
        let others: Vec<_> = std::iter::from_fn(|| slots.take().inspect(SlotGuard::set_busy)).collect();
        assert!(!slot.is_evicted() && !others.is_empty());
        drop(body);
        assert!(slots.take().is_some() && slot.is_evicted(), "it is idle afterwards");
    }

    #[test]
    fn names_fit_into_the_header() {
        assert_eq!(disposition("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(disposition("é\"%\\.x"), "attachment; filename=\"____.x\"; filename*=UTF-8''%C3%A9%22%25%5C.x");
    }
}
