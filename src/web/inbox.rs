//! What a page says over its socket: read, checked, asked of the node. What the node answers becomes a frame.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::Shared;
use super::ask::{Ask, Say, SayError, SocketNo};
use super::draft::{self, Draft, Saying, bad};
use super::frames;
use super::refused::Refused;
use crate::api::Code;
use crate::proto::ids::NodeId;
use crate::proto::limits::TEXT_BYTES_MAX;
use crate::proto::name::{Name, NameError};
use crate::proto::timeline::{Conversation, LineKind};

/// What a page is answered, once the node has; none if an event tells it.
pub(super) type Reply = BoxFuture<'static, Option<Utf8Bytes>>;

/// What a hooray says if its page says nothing.
const HOORAY: &str = "Hooray!";

/// Hears one frame. The node was asked when this returns, so frames are asked in the order in which they came.
pub(super) async fn hear(shared: &Arc<Shared>, socket: SocketNo, text: &str) -> Reply {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else {
        return ready(Some(bad("A frame has to be a JSON object.").frame(None))).boxed();
    };
    let reference = draft::reference(&fields).ok().flatten().map(str::to_owned);
    match begin(shared, socket, &fields).await {
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

async fn begin(shared: &Arc<Shared>, socket: SocketNo, fields: &Map<String, Value>) -> Result<Waiting, Refused> {
    let kind = draft::text(fields, "type")?.ok_or_else(|| bad("A frame needs a \"type\"."))?;
    match kind {
        "say" => {
            let draft = Draft::read(fields)?;
            needed_reference(fields)?;
            draft.begin(shared, Some(socket)).await.map(Waiting::Said)
        }
        "command" => command(shared, socket, fields).await,
        "read" => {
            let conversation = conversation(fields)?;
            let arrival = fields.get("arrival").and_then(Value::as_u64);
            let arrival = arrival.ok_or_else(|| bad("\"arrival\" has to be a number."))?;
            let asked = shared.begin_ask(|answer| Ask::MarkRead { conversation, arrival, answer });
            asked.await.map(Waiting::Quiet)
        }
        "hello" | "proof" => Err(bad("This socket is open already.")),
        _ => Err(Code::UnknownType.into()),
    }
}

async fn command(shared: &Arc<Shared>, socket: SocketNo, fields: &Map<String, Value>) -> Result<Waiting, Refused> {
    let text = draft::text(fields, "text");
    if let Ok(Some(text)) = text
        && text.len() > TEXT_BYTES_MAX
    {
        return Err(Code::TooLong.into());
    }
    let text = text?;
    let reference = needed_reference(fields)?;
    match draft::text(fields, "name")? {
        Some("hooray") => {
            let text = text.filter(|text| !text.trim().is_empty()).unwrap_or(HOORAY).to_owned();
            let kind = LineKind::Hooray;
            let say = Say { kind, text, reference: Some(reference), to: None, channel: None, reply_to: None };
            Draft::check(say).begin(shared, Some(socket)).await.map(Waiting::Said)
        }
        Some("name") => {
            let name = Name::new(text.unwrap_or_default()).map_err(|error| match error {
                NameError::Empty => Refused::new(Code::Empty, "A name needs at least one visible character."),
                NameError::TooLong => Refused::new(Code::TooLong, "A name has at most 32 characters and 64 bytes."),
            })?;
            shared.begin_ask(|answer| Ask::Rename { name, answer }).await.map(Waiting::Done)
        }
        Some("exit") => shared.begin_ask(|answer| Ask::Exit { answer }).await.map(Waiting::Leaving),
        _ => Err(bad("This node knows the commands \"hooray\", \"name\" and \"exit\".")),
    }
}

fn needed_reference(fields: &Map<String, Value>) -> Result<String, Refused> {
    draft::reference(fields)?.map(str::to_owned).ok_or_else(|| bad("This needs a \"ref\" of 1 to 64 characters."))
}

fn conversation(fields: &Map<String, Value>) -> Result<Conversation, Refused> {
    match (draft::channel(fields)?, draft::id(fields, "with", NodeId::from_hex)?) {
        (Some(name), None) => Ok(Conversation::Channel(name)),
        (None, Some(id)) => Ok(Conversation::Direct(id)),
        _ => Err(bad("This needs either a \"channel\" or \"with\".")),
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
