//! `POST /api/v1/messages` with NDJSON: many messages over one request.
//!
//! Messages are in flight together, so that they share commits and signatures, and are answered in
//! their order. No more of the request is read than may be in flight, and no more is begun than the
//! client reads answers of: a slow side slows down the other, and memory stays bounded.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::stream::{Stream, StreamExt as _, unfold};
use serde::Serialize;

use crate::api::{Code, ErrorBody};
use crate::proto::ids::Arrival;
use crate::proto::limits::{STREAM_LINE_BYTES_MAX, STREAM_SAYS_MAX};
use crate::web::connection_slots::{BusySlot, SlotGuard};
use crate::web::error::{ApiError, to_json};
use crate::web::extract::json;
use crate::web::extract::line_splitter::{BodyLine, LineSplitter};
use crate::web::extract::say::{PendingSay, SayFields, SayRequest};
use crate::web::middleware::auth::Authenticated;
use crate::web::requests::SayResult;
use crate::web::state::AppState;

/// The media type of the request and of its answer.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// The answer to a line whose message is stored.
#[derive(Serialize)]
struct StoredLine {
    id: String,
    arrival: Arrival,
}

/// Sends the message of each line, and answers line by line.
pub(super) fn say_all(shared: Arc<AppState>, authenticated: Authenticated, request: Request) -> Response {
    let slot = request.extensions().get::<SlotGuard>().cloned().map(BusySlot::new);
    let lines = BodyLines {
        body: request.into_body().into_data_stream(),
        splitter: LineSplitter::new(STREAM_LINE_BYTES_MAX),
        is_complete: false,
        shared: shared.clone(),
        slot,
    };
    let begun = unfold(lines, BodyLines::next).then(move |line| begin(shared.clone(), authenticated, line));
    let answers = in_order(begun).map(|answer| Ok::<_, std::convert::Infallible>(answer + "\n"));
    ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(answers)).into_response()
}

/// Awaits the messages that were begun, many at once, and returns their answers in order.
fn in_order(begun: impl Stream<Item = Result<PendingSay, ApiError>>) -> impl Stream<Item = String> {
    let answers = begun.map(async |begun| match begun {
        Ok(pending) => match pending.await {
            Ok(Ok(SayResult::New(line) | SayResult::Before(line))) => {
                to_json(&StoredLine { id: line.id.to_string(), arrival: line.arrival })
            }
            Ok(Ok(SayResult::Published)) => refusal(Code::Internal.into()),
            Ok(Err(error)) => refusal(error.into()),
            Err(_) => refusal(Code::Stopping.into()),
        },
        Err(refused) => refusal(refused),
    });
    answers.buffered(STREAM_SAYS_MAX)
}

fn refusal(error: ApiError) -> String {
    to_json(&ErrorBody { error: error.code, message: error.message })
}

/// Sends the message of a line to the node. The credentials are checked for each line, since the
/// token may be rotated while the request lasts.
async fn begin(
    shared: Arc<AppState>,
    Authenticated { generation }: Authenticated,
    line: BodyLine,
) -> Result<PendingSay, ApiError> {
    if shared.keys.generation() != generation {
        return Err(Code::Unauthorized.into());
    }
    match line {
        BodyLine::Whole(line) => SayRequest::new(json::read::<SayFields>(&line)?)?.begin(&shared, None).await,
        BodyLine::TooLong => Err(Code::TooLong.into()),
    }
}

/// The lines of a request. They end when the node stops.
struct BodyLines {
    body: BodyDataStream,
    splitter: LineSplitter,
    is_complete: bool,
    shared: Arc<AppState>,
    slot: Option<BusySlot>,
}

impl BodyLines {
    async fn next(mut self) -> Option<(BodyLine, Self)> {
        self.slot.as_ref().inspect(|slot| slot.renew());
        loop {
            if let Some(line) = self.splitter.take_line() {
                return Some((line, self));
            }
            if self.is_complete {
                return None;
            }
            match self.shared.stop.run_until_cancelled(self.body.next()).await? {
                Some(Ok(piece)) => self.splitter.push(piece),
                // A part of a line is no line.
                Some(Err(error)) => {
                    tracing::debug!(%error, "a stream of messages broke off");
                    return None;
                }
                None => {
                    self.is_complete = true;
                    let line = self.splitter.finish()?;
                    return Some((line, self));
                }
            }
        }
    }
}
