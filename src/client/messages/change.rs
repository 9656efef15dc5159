//! `roomful edit`, `delete`, `react` and `status`: what the page can do to messages and the user's
//! own status.

use serde_json::json;

use super::input::text_or_input;
use super::once::post_once;
use crate::api::MessageJson;
use crate::client::members::all;
use crate::client::selection::find_message;
use crate::client::{Error, NodeClient, print};

/// Gives an own message a new text; `-` is standard input.
pub async fn edit(node: &NodeClient, message: &str, text: String, json: bool) -> Result<(), Error> {
    let id = find_message(node, message).await?;
    let text = text_or_input(Some(text))?;
    change(node, &id, "edit", json!({ "text": text }), json).await
}

/// Deletes an own message.
pub async fn delete(node: &NodeClient, message: &str, json: bool) -> Result<(), Error> {
    let id = find_message(node, message).await?;
    change(node, &id, "delete", json!({}), json).await
}

/// Reacts to a message, or takes the reaction back with `off`.
pub async fn react(node: &NodeClient, message: &str, emoji: &str, off: bool, json: bool) -> Result<(), Error> {
    let id = find_message(node, message).await?;
    change(node, &id, "react", json!({ "emoji": named_emoji(emoji), "off": off }), json).await
}

/// Sets the user's status, or takes it back if the text is empty. Without a text it prints the
/// status.
pub async fn status(node: &NodeClient, text: Option<String>, json: bool) -> Result<(), Error> {
    if let Some(text) = text {
        let _: serde_json::Value = post_once(node, "/api/v1/status", json!({ "text": text })).await?;
        return Ok(());
    }
    let status = all(node).await?.into_iter().find(|member| member.own).and_then(|member| member.status);
    if json {
        return print::json(&json!({ "status": status }));
    }
    status.map_or(Ok(()), |status| print::line(&print::sanitize(&status)))
}

/// Posts a change, and with `json` prints the message as it is now.
async fn change(node: &NodeClient, id: &str, verb: &str, body: serde_json::Value, json: bool) -> Result<(), Error> {
    let message: MessageJson = post_once(node, &format!("/api/v1/messages/{id}/{verb}"), body).await?;
    if json { print::json(&message) } else { Ok(()) }
}

/// Returns the emoji that has this name, with colons or without, else the text itself.
fn named_emoji(text: &str) -> &str {
    let name = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).unwrap_or(text);
    emojis::get_by_shortcode(name).map_or(text, emojis::Emoji::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_found_by_their_names() {
        for (written, expected) in
            [("👍", "👍"), (":+1:", "👍"), ("thumbsup", "👍"), (":none such:", ":none such:"), (":", ":"), ("", "")]
        {
            assert_eq!(named_emoji(written), expected, "{written}");
        }
    }
}
