//! The request to say something, for HTTP and WebSocket alike, with every check that needs no state
//! of the node.

use serde::Deserialize;

use super::attachments::{FileFields, attachments};
use super::change::{MentionFields, check_text, mentions};
use super::fields::{ChannelName, MemberId, MessageId, Reference};
use crate::api::Code;
use crate::proto::commands::SayCommand;
use crate::proto::entries::timeline::{Conversation, MessageKind};
use crate::proto::limits::TEXT_BYTES_MAX;
use crate::web::error::ApiError;
use crate::web::requests::{NodeRequest, RequestError, SayResult, SocketId};
use crate::web::state::AppState;

/// The fields of something to say. Unknown fields are ignored, for newer pages.
#[derive(Deserialize)]
pub(crate) struct SayFields {
    text: String,
    #[serde(rename = "ref")]
    pub(crate) reference: Option<Reference>,
    to: Option<MemberId>,
    channel: Option<ChannelName>,
    reply_to: Option<MessageId>,
    mentions: Option<Vec<MentionFields>>,
    files: Option<Vec<FileFields>>,
}

/// A well-formed request to say something.
#[derive(Debug, PartialEq, Eq)]
pub enum SayRequest {
    /// To be said.
    Say(SayCommand),
    /// To be refused in any state of the node, with the `ref` of the request: a `ref` that was used
    /// is refused first.
    Rejected(ApiError, Option<String>),
}

/// Returns the refusal of a text, unless it is blank beside files.
fn allow_blank(is_blank_with_files: bool, code: Code) -> Result<(), Code> {
    if is_blank_with_files && code == Code::Empty { Ok(()) } else { Err(code) }
}

/// The answer of the node, which comes later.
pub(crate) type PendingSay = tokio::sync::oneshot::Receiver<Result<SayResult, RequestError>>;

impl SayRequest {
    /// Makes the request of its fields.
    pub(crate) fn new(fields: SayFields) -> Result<Self, ApiError> {
        if fields.text.len() > TEXT_BYTES_MAX {
            return Err(Code::TooLong.into());
        }
        let mentions = mentions(fields.mentions, &fields.text)?;
        let files = attachments(fields.files, &fields.text)?;
        let reference = fields.reference.map(|reference| reference.0);
        let conversation = match (fields.to, fields.channel) {
            (Some(_), Some(_)) => {
                let code = check_text(&fields.text).err().unwrap_or(Code::BadTarget);
                return Ok(Self::Rejected(code.into(), reference));
            }
            (Some(to), None) => Conversation::Direct(to.0),
            (None, Some(channel)) => Conversation::Channel(channel.0),
            (None, None) => Conversation::general(),
        };
        let say = SayCommand::new(MessageKind::Say, conversation, fields.text);
        let reply_to = fields.reply_to.map(|id| id.0);
        Ok(Self::check(SayCommand { reply_to, mentions, files, ..say }, reference))
    }

    /// Checks the text.
    pub(crate) fn check(say: SayCommand, reference: Option<String>) -> Self {
        let is_blank_with_files = !say.files.0.is_empty() && say.text.trim().is_empty();
        match check_text(&say.text).or_else(|code| allow_blank(is_blank_with_files, code)) {
            Ok(()) => Self::Say(say.with_reference(reference)),
            Err(code) => Self::Rejected(code.into(), reference),
        }
    }

    /// Sends the request to the node.
    pub(crate) async fn begin(self, shared: &AppState, source: Option<SocketId>) -> Result<PendingSay, ApiError> {
        match self {
            Self::Say(say) => shared.begin_ask(|answer| NodeRequest::Say { source, say, answer }).await,
            Self::Rejected(refused, None) => Err(refused),
            Self::Rejected(refused, Some(reference)) => {
                let used = shared.ask(|answer| NodeRequest::RefUsed { reference, answer }).await?;
                Err(if used { Code::RefUsed.into() } else { refused })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::proto::names::name::Name;
    use crate::web::extract::json;

    fn read(body: &Value) -> Result<SayRequest, ApiError> {
        json::read(body.to_string().as_bytes()).and_then(SayRequest::new)
    }

    #[track_caller]
    fn check(body: Value, expected: Option<Code>) {
        let code = match read(&body) {
            Err(refused) | Ok(SayRequest::Rejected(refused, _)) => Some(refused.code),
            Ok(SayRequest::Say(_)) => None,
        };
        assert_eq!(code, expected, "{body}");
    }

    #[test]
    fn refusals_come_in_the_contract_order() {
        let id = "ab".repeat(32);
        check(json!({"text": " x\n\t/y "}), None);
        check(json!({"text": "x", "ref": "r", "to": id, "channel": null, "reply_to": id, "new": 1}), None);
        check(json!({"text": "x".repeat(TEXT_BYTES_MAX)}), None);
        check(json!({"text": "x".repeat(TEXT_BYTES_MAX + 1), "ref": 5}), Some(Code::TooLong));
        check(json!({"ref": 5, "text": "x".repeat(TEXT_BYTES_MAX + 1)}), Some(Code::TooLong));
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
    fn channel_names_are_cleaned() {
        let body = json!({"text": "x", "channel": "  ca\u{200b}ke "});
        let Ok(SayRequest::Say(say)) = read(&body) else { panic!("refused") };
        assert_eq!(say.conversation, Conversation::Channel(Name::new("cake").expect("a name")));
    }
}
