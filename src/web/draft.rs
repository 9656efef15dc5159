//! From the JSON of something to say to a [`Say`], for HTTP and WebSocket alike, with every check that needs no state.

use serde_json::{Map, Value};

use super::Shared;
use super::ask::{Ask, Said, Say, SayError, SocketNo};
use super::refused::Refused;
use crate::api::Code;
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::{REF_CHARS_MAX, TEXT_BYTES_MAX};
use crate::proto::name::{Name, NameError};
use crate::proto::timeline::LineKind;

/// What is well-formed.
#[derive(Debug, PartialEq, Eq)]
pub enum Draft {
    /// To be said.
    Say(Say),
    /// Never to be said, whatever the node's state; but that its `ref` was used would be said before.
    Never(Refused, Option<String>),
}

/// An answer that comes later.
pub(super) type Saying = tokio::sync::oneshot::Receiver<Result<Said, SayError>>;

impl Draft {
    /// Reads the fields of `{"text":…,"ref":…?,"to":…?,"channel":…?,"reply_to":…?}`. Others are ignored, for newer pages.
    pub(super) fn read(fields: &Map<String, Value>) -> Result<Self, Refused> {
        let text = text(fields, "text");
        if let Ok(Some(text)) = text
            && text.len() > TEXT_BYTES_MAX
        {
            return Err(Code::TooLong.into());
        }
        let text = text?.ok_or_else(|| bad("A message needs a \"text\"."))?;
        let say = Say {
            kind: LineKind::Say,
            text: text.to_owned(),
            reference: reference(fields)?.map(str::to_owned),
            to: id(fields, "to", NodeId::from_hex)?,
            channel: channel(fields)?,
            reply_to: id(fields, "reply_to", EntryId::from_hex)?,
        };
        Ok(Self::check(say))
    }

    /// Checks what a well-formed message says, and where.
    pub(super) fn check(say: Say) -> Self {
        let code = if say.text.trim().is_empty() {
            Code::Empty
        } else if say.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            Code::NotText
        } else if say.to.is_some() && say.channel.is_some() {
            Code::BadTarget
        } else {
            return Self::Say(say);
        };
        Self::Never(code.into(), say.reference)
    }

    /// Asks the node to say it.
    pub(super) async fn begin(self, shared: &Shared, source: Option<SocketNo>) -> Result<Saying, Refused> {
        match self {
            Self::Say(say) => shared.begin_ask(|answer| Ask::Say { source, say, answer }).await,
            Self::Never(refused, None) => Err(refused),
            Self::Never(refused, Some(reference)) => {
                let used = shared.ask(|answer| Ask::RefUsed { reference, answer }).await?;
                Err(if used { Code::RefUsed.into() } else { refused })
            }
        }
    }
}

pub(super) fn bad(message: &str) -> Refused {
    Refused::new(Code::BadRequest, message)
}

/// A field that is a text; missing and null are the same.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refused> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(&format!("\"{name}\" has to be a text."))),
    }
}

/// The field `ref`.
pub(super) fn reference(fields: &Map<String, Value>) -> Result<Option<&str>, Refused> {
    let reference = text(fields, "ref")?;
    if reference.is_some_and(|reference| reference.is_empty() || reference.chars().nth(REF_CHARS_MAX).is_some()) {
        return Err(bad("A \"ref\" has 1 to 64 characters."));
    }
    Ok(reference)
}

/// A field that is a full id.
pub(super) fn id<T>(
    fields: &Map<String, Value>,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Refused> {
    let wrong = || bad(&format!("\"{name}\" has to be a full id."));
    text(fields, name)?.map(|text| read(text).ok_or_else(wrong)).transpose()
}

/// The field `channel`.
pub(super) fn channel(fields: &Map<String, Value>) -> Result<Option<Name>, Refused> {
    text(fields, "channel")?.map(channel_name).transpose()
}

/// A channel's name, cleaned.
pub(super) fn channel_name(text: &str) -> Result<Name, Refused> {
    Name::new(text).map_err(|error| match error {
        NameError::Empty => bad("A channel needs a name."),
        NameError::TooLong => bad("A channel's name has at most 32 characters."),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: Value, expected: Option<Code>) {
        let fields = body.as_object().expect("an object");
        let code = match Draft::read(fields) {
            Err(refused) | Ok(Draft::Never(refused, _)) => Some(refused.code),
            Ok(Draft::Say(_)) => None,
        };
        assert_eq!(code, expected, "{body}");
    }

    #[test]
    fn refusals_come_in_order() {
        let id = "ab".repeat(32);
        check(json!({"text": " x\n\t/y "}), None);
        check(json!({"text": "x", "ref": "r", "to": id, "channel": null, "reply_to": id, "new": 1}), None);
        check(json!({"text": "x".repeat(TEXT_BYTES_MAX)}), None);
        check(json!({"text": "x".repeat(TEXT_BYTES_MAX + 1), "ref": 5}), Some(Code::TooLong));
        check(json!({"text": "é".repeat(TEXT_BYTES_MAX / 2 + 1)}), Some(Code::TooLong));
        for body in [
            json!({}),
            json!({"text": null}),
            json!({"text": 1}),
            json!({"text": " ", "ref": ""}),
            json!({"text": "x", "ref": "x".repeat(65)}),
            json!({"text": "x", "to": "short"}),
            json!({"text": "x", "channel": " \u{200b}"}),
            json!({"text": "x", "channel": "x".repeat(33)}),
            json!({"text": "x", "reply_to": 7}),
        ] {
            check(body, Some(Code::BadRequest));
        }
        check(json!({"text": "x", "ref": "é".repeat(64)}), None);
        check(json!({"text": " \n\u{3000}", "to": id, "channel": "a"}), Some(Code::Empty));
        check(json!({"text": ""}), Some(Code::Empty));
        for text in ["a\0b", "\u{1b}[31m", "\u{85}x"] {
            check(json!({"text": text, "to": id, "channel": "a"}), Some(Code::NotText));
        }
        check(json!({"text": "x", "to": id, "channel": "a"}), Some(Code::BadTarget));
    }

    #[test]
    fn a_channel_is_cleaned() {
        let body = json!({"text": "x", "channel": "  ca\u{200b}ke "});
        let Ok(Draft::Say(say)) = Draft::read(body.as_object().expect("an object")) else { panic!("refused") };
        assert_eq!(say.channel.as_ref().map(Name::as_str), Some("cake"));
    }
}
