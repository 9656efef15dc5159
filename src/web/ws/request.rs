//! The frames of a page, read and checked as far as that needs no state of the node.

use serde::Deserialize;
use serde_json::Value;

use crate::api::Code;
use crate::proto::commands::{ChangeCommand, SayCommand};
use crate::proto::entries::timeline::{Conversation, MessageKind};
use crate::proto::ids::Arrival;
use crate::proto::limits::{PAGE_STORAGE_KEY_BYTES_MAX, PAGE_STORAGE_VALUE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::proto::names::name::{Name, NameError};
use crate::web::error::ApiError;
use crate::web::extract::fields::{ChannelName, MemberId, MessageId, Reference};
use crate::web::extract::say::{SayFields, SayRequest};
use crate::web::extract::{change, json};

/// The text of a hooray without a text.
const HOORAY: &str = "Hooray!";

/// One frame of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The `ref` of the frame, for its answer. None if it is missing or malformed.
    pub reference: Option<String>,
    /// The request, or the refusal.
    pub message: Result<RequestKind, ApiError>,
}

/// A request of a page.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say what their fields are")]
pub enum RequestKind {
    /// Send a message.
    Say(SayRequest),
    /// Change the user's name.
    Rename(Name),
    /// Set an item of the page's storage, or remove it if there is no value.
    SetItem { key: String, value: Option<String> },
    /// Change a message or a topic.
    Change(ChangeCommand),
    /// Set the user's status, or take it back.
    SetStatus(Option<String>),
    /// Leave the room and stop the node.
    Exit,
    /// Tell the others that the user is typing.
    Typing(Conversation),
    /// Mark a conversation as read up to an arrival number.
    Read { conversation: Conversation, arrival: Arrival },
}

/// The fields that every frame has.
#[derive(Deserialize)]
struct FrameHead {
    #[serde(default)]
    r#type: Value,
    #[serde(default)]
    r#ref: Value,
}

#[derive(Deserialize)]
struct CommandFields {
    r#ref: Reference,
    name: String,
    text: Option<String>,
}

/// The `ref` of a frame that needs one.
#[derive(Deserialize)]
struct Referenced {
    #[serde(rename = "ref")]
    _reference: Reference,
}

/// The message that a frame changes.
#[derive(Deserialize)]
struct Targeted {
    id: MessageId,
}

/// A conversation, by one of its two fields.
#[derive(Deserialize)]
struct ConversationFields {
    channel: Option<ChannelName>,
    with: Option<MemberId>,
}

#[derive(Deserialize)]
struct ReadFields {
    channel: Option<ChannelName>,
    with: Option<MemberId>,
    arrival: Arrival,
}

#[derive(Deserialize)]
struct ItemFields {
    #[serde(rename = "ref")]
    _reference: Reference,
    key: String,
    value: Option<String>,
}

/// Reads the text of a frame.
pub fn read(text: &str) -> Request {
    let Ok(head) = serde_json::from_str::<FrameHead>(text) else {
        return Request { reference: None, message: Err(ApiError::bad_request("A frame must be a JSON object.")) };
    };
    let reference = head.r#ref.as_str().and_then(|text| Reference::try_from(text.to_owned()).ok());
    Request { reference: reference.map(|reference| reference.0), message: read_kind(&head.r#type, text) }
}

fn read_kind(kind: &Value, text: &str) -> Result<RequestKind, ApiError> {
    let Value::String(kind) = kind else { return Err(ApiError::bad_request("A frame needs a \"type\".")) };
    match kind.as_str() {
        "say" => read_say(json::read(text.as_bytes())?),
        "command" => read_command(json::read(text.as_bytes())?),
        "edit" | "delete" | "react" => read_change(kind, text.as_bytes()).map(RequestKind::Change),
        "topic" => {
            let Referenced { .. } = json::read(text.as_bytes())?;
            change::topic(json::read(text.as_bytes())?).map(RequestKind::Change)
        }
        "status" => {
            let Referenced { .. } = json::read(text.as_bytes())?;
            change::status(json::read(text.as_bytes())?).map(RequestKind::SetStatus)
        }
        "read" => read_mark(json::read(text.as_bytes())?),
        "typing" => read_conversation(json::read(text.as_bytes())?).map(RequestKind::Typing),
        "storage" => read_item(json::read(text.as_bytes())?),
        "hello" | "proof" => Err(ApiError::bad_request("This connection is already open.")),
        _ => Err(Code::UnknownType.into()),
    }
}

/// Reads a change of the message that the frame names.
fn read_change(kind: &str, text: &[u8]) -> Result<ChangeCommand, ApiError> {
    let Referenced { .. } = json::read(text)?;
    let Targeted { id: MessageId(id) } = json::read(text)?;
    match kind {
        "edit" => change::edit(id, json::read(text)?),
        "delete" => Ok(change::delete(id, json::read(text)?)),
        _ => change::react(id, json::read(text)?),
    }
}

fn read_say(fields: SayFields) -> Result<RequestKind, ApiError> {
    let has_reference = fields.reference.is_some();
    let say = SayRequest::new(fields)?;
    if !has_reference {
        return Err(ApiError::bad_request("This needs a \"ref\" of 1 to 64 characters."));
    }
    Ok(RequestKind::Say(say))
}

fn read_command(CommandFields { r#ref: reference, name, text }: CommandFields) -> Result<RequestKind, ApiError> {
    if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Code::TooLong.into());
    }
    match name.as_str() {
        "hooray" => {
            let text = text.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| HOORAY.to_owned());
            let say = SayCommand::new(MessageKind::Hooray, Conversation::general(), text);
            Ok(RequestKind::Say(SayRequest::check(say, Some(reference.0))))
        }
        "name" => {
            let name = Name::new(&text.unwrap_or_default()).map_err(|error| match error {
                NameError::Empty => ApiError::new(Code::Empty, "A name needs at least one visible character."),
                NameError::TooLong => ApiError::new(Code::TooLong, "A name can have up to 32 characters and 64 bytes."),
            })?;
            Ok(RequestKind::Rename(name))
        }
        "exit" => Ok(RequestKind::Exit),
        _ => Err(ApiError::bad_request("The commands are \"hooray\", \"name\" and \"exit\".")),
    }
}

fn read_mark(ReadFields { channel, with, arrival }: ReadFields) -> Result<RequestKind, ApiError> {
    let conversation = read_conversation(ConversationFields { channel, with })?;
    Ok(RequestKind::Read { conversation, arrival })
}

fn read_conversation(fields: ConversationFields) -> Result<Conversation, ApiError> {
    match (fields.channel, fields.with) {
        (Some(ChannelName(name)), None) => Ok(Conversation::Channel(name)),
        (None, Some(MemberId(id))) => Ok(Conversation::Direct(id)),
        _ => Err(ApiError::bad_request("This needs either a \"channel\" or \"with\".")),
    }
}

fn read_item(ItemFields { key, value, .. }: ItemFields) -> Result<RequestKind, ApiError> {
    if key.is_empty() || key.len() > PAGE_STORAGE_KEY_BYTES_MAX {
        return Err(ApiError::bad_request("\"key\" must be a string of 1 to 160 bytes."));
    }
    if value.as_ref().is_some_and(|value| value.len() > PAGE_STORAGE_VALUE_BYTES_MAX) {
        return Err(ApiError::new(Code::TooLong, "A stored value can have up to 96 KiB."));
    }
    Ok(RequestKind::SetItem { key, value })
}
