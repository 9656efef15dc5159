//! What a page says over its socket, asked of the node. What the node answers becomes a frame.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use super::Shared;
use super::ask::{Ask, SayError, SocketNo};
use super::draft::Saying;
use super::frames;
use super::message::{self, Frame, Message};
use super::refused::Refused;

/// What a page is answered, once the node has; none if an event tells it.
pub(super) type Reply = BoxFuture<'static, Option<Utf8Bytes>>;

/// Hears one frame. The node was asked when this returns, so frames are asked in the order in which they came.
pub(super) async fn hear(shared: &Arc<Shared>, socket: SocketNo, text: &str) -> Reply {
    let Frame { reference, message } = message::read(text);
    let waiting = match message {
        Ok(message) => begin(shared, socket, message).await,
        Err(refused) => Err(refused),
    };
    match waiting {
        Ok(waiting) => reply(waiting, reference.unwrap_or_default()),
        Err(refused) => ready(Some(refused.frame(reference.as_deref()))).boxed(),
    }
}

/// An answer that is waited for.
enum Waiting {
    /// `said`, unless its event says so.
    Said(Saying),
    /// `done`.
    Done(oneshot::Receiver<Result<(), SayError>>),
    /// `done`, and nothing can go wrong.
    Leaving(oneshot::Receiver<()>),
    /// Nothing but an event.
    Quiet(oneshot::Receiver<Result<(), SayError>>),
}

async fn begin(shared: &Arc<Shared>, socket: SocketNo, message: Message) -> Result<Waiting, Refused> {
    match message {
        Message::Say(draft) => draft.begin(shared, Some(socket)).await.map(Waiting::Said),
        Message::Rename(name) => shared.begin_ask(|answer| Ask::Rename { name, answer }).await.map(Waiting::Done),
        Message::SetItem { key, value } => {
            shared.begin_ask(|answer| Ask::SetItem { key, value, answer }).await.map(Waiting::Done)
        }
        Message::Exit => shared.begin_ask(|answer| Ask::Exit { answer }).await.map(Waiting::Leaving),
        Message::Read { conversation, arrival } => {
            let asked = shared.begin_ask(|answer| Ask::MarkRead { conversation, arrival, answer });
            asked.await.map(Waiting::Quiet)
        }
    }
}

fn reply(waiting: Waiting, reference: String) -> Reply {
    let reply = async move {
        let answer = match waiting {
            Waiting::Said(saying) => match saying.await.unwrap_or(Err(SayError::Stopping)) {
                // Its event goes to this socket as `said`.
                Ok(said) if said.new => Ok(None),
                Ok(said) => Ok(Some(frames::said(&said.line, &reference))),
                Err(error) => Err(error),
            },
            Waiting::Done(done) => {
                done.await.unwrap_or(Err(SayError::Stopping)).map(|()| Some(frames::done(&reference)))
            }
            Waiting::Leaving(leaving) => {
                leaving.await.map_err(|_| SayError::Stopping).map(|()| Some(frames::done(&reference)))
            }
            Waiting::Quiet(done) => done.await.unwrap_or(Err(SayError::Stopping)).map(|()| None),
        };
        let reference = Some(reference.as_str()).filter(|reference| !reference.is_empty());
        answer.unwrap_or_else(|error| Some(Refused::from(error).frame(reference)))
    };
    reply.boxed()
}
