//! Handles the frames of a page: sends their requests to the node, and answers with frames.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use super::request::{self, Request, RequestKind};
use crate::proto::entries::timeline::Message;
use crate::web::FileStatuses;
use crate::web::error::ApiError;
use crate::web::extract::say::PendingSay;
use crate::web::frames;
use crate::web::requests::{NodeRequest, RequestError, SayResult, SocketId};
use crate::web::state::AppState;

/// The answer to a frame, once the node has responded. None if an event answers it.
pub(crate) type PendingReply = BoxFuture<'static, Option<Utf8Bytes>>;

/// Handles one frame. The request is sent when this returns, so requests keep the order of the
/// frames.
pub(crate) async fn handle_text(shared: &Arc<AppState>, socket: SocketId, text: &str) -> PendingReply {
    let Request { reference, message } = request::read(text);
    let waiting = match message {
        Ok(message) => start(shared, socket, message).await,
        Err(refused) => Err(refused),
    };
    match waiting {
        Ok(waiting) => respond(waiting, shared.hub.file_statuses(), reference.unwrap_or_default()),
        Err(refused) => ready(Some(refused.frame(reference.as_deref()))).boxed(),
    }
}

/// A request that waits for its response.
enum InFlight {
    /// Answers `said`, unless the event of the message does.
    Said(PendingSay),
    /// Answers `done`.
    Done(oneshot::Receiver<Result<(), RequestError>>),
    /// `done`, with a message that an event tells.
    Changed(oneshot::Receiver<Result<Option<Message>, RequestError>>),
    /// Answers `done`. This request cannot fail.
    Leaving(oneshot::Receiver<()>),
    /// Answers only errors; an event reports success.
    Quiet(oneshot::Receiver<Result<(), RequestError>>),
}

async fn start(shared: &Arc<AppState>, socket: SocketId, message: RequestKind) -> Result<InFlight, ApiError> {
    match message {
        RequestKind::Say(draft) => draft.begin(shared, Some(socket)).await.map(InFlight::Said),
        RequestKind::Rename(name) => {
            shared.begin_ask(|answer| NodeRequest::Rename { name, answer }).await.map(InFlight::Done)
        }
        RequestKind::Change(change) => {
            shared.begin_ask(|answer| NodeRequest::Change { change, answer }).await.map(InFlight::Changed)
        }
        RequestKind::SetStatus(status) => {
            shared.begin_ask(|answer| NodeRequest::SetStatus { status, answer }).await.map(InFlight::Done)
        }
        RequestKind::SetItem { key, value } => {
            shared.begin_ask(|answer| NodeRequest::SetItem { key, value, answer }).await.map(InFlight::Done)
        }
        RequestKind::Exit => shared.begin_ask(|answer| NodeRequest::Exit { answer }).await.map(InFlight::Leaving),
        RequestKind::Typing(conversation) => {
            let asked = shared.begin_ask(|answer| NodeRequest::Typing { conversation, answer });
            asked.await.map(InFlight::Quiet)
        }
        RequestKind::Read { conversation, arrival } => {
            let asked = shared.begin_ask(|answer| NodeRequest::MarkRead { conversation, arrival, answer });
            asked.await.map(InFlight::Quiet)
        }
    }
}

fn respond(waiting: InFlight, files: FileStatuses, reference: String) -> PendingReply {
    let reply = async move {
        let answer = match waiting {
            InFlight::Said(saying) => match saying.await.unwrap_or(Err(RequestError::Stopping)) {
                // The event reaches this socket as `said`.
                Ok(SayResult::Published | SayResult::New(_)) => Ok(None),
                Ok(SayResult::Before(line)) => Ok(Some(frames::said(&line, &files, &reference))),
                Err(error) => Err(error),
            },
            InFlight::Done(done) => {
                done.await.unwrap_or(Err(RequestError::Stopping)).map(|()| Some(frames::done(&reference)))
            }
            InFlight::Changed(done) => {
                done.await.unwrap_or(Err(RequestError::Stopping)).map(|_| Some(frames::done(&reference)))
            }
            InFlight::Leaving(leaving) => {
                leaving.await.map_err(|_| RequestError::Stopping).map(|()| Some(frames::done(&reference)))
            }
            InFlight::Quiet(done) => done.await.unwrap_or(Err(RequestError::Stopping)).map(|()| None),
        };
        let reference = Some(reference.as_str()).filter(|reference| !reference.is_empty());
        answer.unwrap_or_else(|error| Some(ApiError::from(error).frame(reference)))
    };
    reply.boxed()
}
