//! The requests to change a message, a topic or the status, for HTTP and WebSocket alike, with
//! every check that needs no state of the node.

use serde::Deserialize;

use super::fields::{ChannelName, MemberId, Reference};
use crate::api::Code;
use crate::proto::commands::{ChangeCommand, RequestedChange};
use crate::proto::entries::body::is_line;
use crate::proto::entries::emoji;
use crate::proto::entries::mention::{Mention, Mentions};
use crate::proto::ids::EntryId;
use crate::proto::limits::{MENTIONS_MAX, STATUS_BYTES_MAX, TEXT_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::web::error::ApiError;

/// The fields of an edit.
#[derive(Deserialize)]
pub(crate) struct EditFields {
    text: String,
    mentions: Option<Vec<MentionFields>>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

/// The fields of a deletion.
#[derive(Deserialize)]
pub(crate) struct DeleteFields {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

/// The fields of a reaction.
#[derive(Deserialize)]
pub(crate) struct ReactFields {
    emoji: String,
    off: Option<bool>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

/// The fields of a topic.
#[derive(Deserialize)]
pub(crate) struct TopicFields {
    channel: ChannelName,
    text: String,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
}

/// The fields of a status.
#[derive(Deserialize)]
pub(crate) struct StatusFields {
    text: String,
    #[serde(rename = "ref")]
    _reference: Option<Reference>,
}

/// A mention, in UTF-16 units of the text.
#[derive(Deserialize)]
pub(crate) struct MentionFields {
    id: MemberId,
    start: usize,
    end: usize,
}

/// Checks an edit of a message.
pub(crate) fn edit(id: EntryId, fields: EditFields) -> Result<ChangeCommand, ApiError> {
    let EditFields { text, mentions: named, reference } = fields;
    check_length(&text, TEXT_BYTES_MAX)?;
    let mentions = mentions(named, &text)?;
    check_text(&text)?;
    Ok(command(RequestedChange::Edit { id, text, mentions }, reference))
}

/// Returns the deletion of a message.
pub(crate) fn delete(id: EntryId, fields: DeleteFields) -> ChangeCommand {
    command(RequestedChange::Delete { id }, fields.reference)
}

/// Checks a reaction to a message. A reaction that another version gave can be taken back.
pub(crate) fn react(id: EntryId, fields: ReactFields) -> Result<ChangeCommand, ApiError> {
    let ReactFields { emoji, off, reference } = fields;
    let off = off.unwrap_or(false);
    let emoji = match emoji::canonical(&emoji) {
        Some(emoji) => emoji.to_owned(),
        None if off && emoji::is_showable(&emoji) => emoji,
        None => return Err(Code::BadEmoji.into()),
    };
    Ok(command(RequestedChange::React { id, emoji, off }, reference))
}

/// Checks a topic.
pub(crate) fn topic(fields: TopicFields) -> Result<ChangeCommand, ApiError> {
    let text = one_line(&fields.text, TOPIC_BYTES_MAX)?.to_owned();
    Ok(command(RequestedChange::Topic { channel: fields.channel.0, text }, fields.reference))
}

/// Checks a status. None takes it back.
pub(crate) fn status(fields: StatusFields) -> Result<Option<String>, ApiError> {
    let text = one_line(&fields.text, STATUS_BYTES_MAX)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn command(change: RequestedChange, reference: Option<Reference>) -> ChangeCommand {
    ChangeCommand::new(change, reference.map(|reference| reference.0))
}

fn check_length(text: &str, bytes_max: usize) -> Result<(), ApiError> {
    if text.len() > bytes_max {
        return Err(ApiError::new(Code::TooLong, format!("Too long. This can have up to {bytes_max} bytes.")));
    }
    Ok(())
}

fn one_line(text: &str, bytes_max: usize) -> Result<&str, ApiError> {
    check_length(text, bytes_max)?;
    let text = text.trim();
    if is_line(text, text.len()) { Ok(text) } else { Err(Code::NotText.into()) }
}

/// Checks the text of a message.
pub(crate) fn check_text(text: &str) -> Result<(), Code> {
    if text.trim().is_empty() {
        return Err(Code::Empty);
    }
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.chars().all(is_allowed) { Ok(()) } else { Err(Code::NotText) }
}

/// Returns the mentions in bytes of the text. A range that does not fit the text is ignored.
pub(crate) fn mentions(list: Option<Vec<MentionFields>>, text: &str) -> Result<Option<Mentions>, ApiError> {
    let Some(list) = list else { return Ok(None) };
    if list.len() > MENTIONS_MAX {
        return Err(ApiError::new(Code::TooLong, format!("A message can mention up to {MENTIONS_MAX} members.")));
    }
    let mut mentions = Vec::new();
    for MentionFields { id: MemberId(id), start, end } in list {
        if let (Some(start), Some(end)) = (byte_at(text, start), byte_at(text, end))
            && start < end
        {
            mentions.push(Mention::new(id, &(start..end)));
        }
    }
    Ok(Some(Mentions(mentions)))
}

/// Returns the byte at which a UTF-16 unit begins, if a character or the end does.
fn byte_at(text: &str, unit: usize) -> Option<usize> {
    let mut units = 0;
    let starts = text.char_indices().map(|(at, c)| (at, c.len_utf16())).chain([(text.len(), 0)]);
    for (at, length) in starts {
        if units >= unit {
            return (units == unit).then_some(at);
        }
        units += length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::NodeId;

    #[test]
    fn utf16_ranges_become_bytes() {
        let range = |start, end| MentionFields { id: MemberId(NodeId([0xab; 32])), start, end };
        let list = vec![range(3, 7), range(1, 7), range(3, 99), range(7, 3)];
        let read = mentions(Some(list), "👍 @Zoë").expect("few enough").expect("a list");
        assert_eq!(read.0, [Mention::new(NodeId([0xab; 32]), &(5..10))]);
        assert_eq!(mentions(None, "@x").expect("none"), None);
    }
}
