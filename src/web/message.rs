//! What a page says over its socket, read and checked as far as that needs no state. It asks nobody anything.

use serde_json::{Map, Value};

use super::ask::Say;
use super::draft::{self, Draft, bad};
use super::refused::Refused;
use crate::api::Code;
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{PAGE_STORAGE_KEY_BYTES_MAX, PAGE_STORAGE_VALUE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::proto::name::{Name, NameError};
use crate::proto::timeline::{Conversation, LineKind};

/// What a hooray says if its page says nothing.
const HOORAY: &str = "Hooray!";

/// One frame of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// The page's own name for it, which its answer carries; none where it has none, or a wrong one.
    pub reference: Option<String>,
    /// What it says, or why it says nothing.
    pub message: Result<Message, Refused>,
}

/// What a page can say.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// Something to the room or to a member.
    Say(Draft),
    /// The user wants another name.
    Rename(Name),
    /// An item of the storage of the user's pages; without a value it is removed.
    SetItem {
        /// Which.
        key: String,
        /// To what.
        value: Option<String>,
    },
    /// The user leaves, and the node stops.
    Exit,
    /// The user has read so far.
    Read {
        /// Where.
        conversation: Conversation,
        /// Everything up to here.
        arrival: Arrival,
    },
}

/// Reads the text of a frame.
pub fn read(text: &str) -> Frame {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Frame { reference: None, message: Err(bad("A frame has to be a JSON object.")) };
    };
    let reference = draft::reference(&fields).ok().flatten().map(str::to_owned);
    Frame { reference, message: read_fields(&fields) }
}

fn read_fields(fields: &Map<String, Value>) -> Result<Message, Refused> {
    let kind = draft::text(fields, "type")?.ok_or_else(|| bad("A frame needs a \"type\"."))?;
    match kind {
        "say" => {
            let draft = Draft::read(fields)?;
            needed_reference(fields)?;
            Ok(Message::Say(draft))
        }
        "command" => read_command(fields),
        "read" => {
            let conversation = read_conversation(fields)?;
            let arrival = fields.get("arrival").and_then(Value::as_u64);
            let arrival = arrival.ok_or_else(|| bad("\"arrival\" has to be a number."))?;
            Ok(Message::Read { conversation, arrival })
        }
        "storage" => read_item(fields),
        "hello" | "proof" => Err(bad("This socket is open already.")),
        _ => Err(Code::UnknownType.into()),
    }
}

fn read_command(fields: &Map<String, Value>) -> Result<Message, Refused> {
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
            Ok(Message::Say(Draft::check(say)))
        }
        Some("name") => {
            let name = Name::new(text.unwrap_or_default()).map_err(|error| match error {
                NameError::Empty => Refused::new(Code::Empty, "A name needs at least one visible character."),
                NameError::TooLong => Refused::new(Code::TooLong, "A name has at most 32 characters and 64 bytes."),
            })?;
            Ok(Message::Rename(name))
        }
        Some("exit") => Ok(Message::Exit),
        _ => Err(bad("This node knows the commands \"hooray\", \"name\" and \"exit\".")),
    }
}

fn read_item(fields: &Map<String, Value>) -> Result<Message, Refused> {
    needed_reference(fields)?;
    let key = draft::text(fields, "key")?.filter(|key| !key.is_empty() && key.len() <= PAGE_STORAGE_KEY_BYTES_MAX);
    let key = key.ok_or_else(|| bad("\"key\" has to be a text of 1 to 160 bytes."))?.to_owned();
    let value = draft::text(fields, "value")?;
    if value.is_some_and(|value| value.len() > PAGE_STORAGE_VALUE_BYTES_MAX) {
        return Err(Refused::new(Code::TooLong, "A stored value has at most 96 KiB."));
    }
    Ok(Message::SetItem { key, value: value.map(str::to_owned) })
}

fn needed_reference(fields: &Map<String, Value>) -> Result<String, Refused> {
    draft::reference(fields)?.map(str::to_owned).ok_or_else(|| bad("This needs a \"ref\" of 1 to 64 characters."))
}

fn read_conversation(fields: &Map<String, Value>) -> Result<Conversation, Refused> {
    match (draft::channel(fields)?, draft::id(fields, "with", NodeId::from_hex)?) {
        (Some(name), None) => Ok(Conversation::Channel(name)),
        (None, Some(id)) => Ok(Conversation::Direct(id)),
        _ => Err(bad("This needs either a \"channel\" or \"with\".")),
    }
}
