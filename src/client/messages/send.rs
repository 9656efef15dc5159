//! `roomful send`: sends one message and returns once the node has stored it.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::input::text_or_input;
use super::once::post_once;
use crate::api;
use crate::client::files::upload_all;
use crate::client::listen::{Events, SocketEvent};
use crate::client::members::resolve;
use crate::client::selection::find_message;
use crate::client::{Error, NodeClient, print};

/// The options of `send`.
#[derive(Clone, Debug)]
pub struct Send {
    /// The recipient of a direct message.
    pub to: Option<String>,
    /// The channel; none is the default one.
    pub channel: Option<String>,
    /// The message that it replies to.
    pub reply: Option<String>,
    /// The text; none or `-` is standard input, unless there are files.
    pub text: Option<String>,
    /// Paths of files to send with it; `-` is standard input.
    pub files: Vec<String>,
    /// The name of standard input as a file.
    pub file_name: Option<String>,
    /// Return only when another member holds the message.
    pub wait: bool,
    /// Timeout of the wait, in seconds.
    pub timeout_seconds: u32,
    /// Print the Message as JSON.
    pub json: bool,
}

/// Sends the message.
pub async fn send(node: &NodeClient, send: Send) -> Result<(), Error> {
    // Checked first, so that a user without a node learns it before typing a text.
    node.connect().await?;
    let to = match &send.to {
        Some(member) => Some(resolve(node, member).await?),
        None => None,
    };
    let reply_to = match &send.reply {
        Some(message) => Some(find_message(node, message).await?),
        None => None,
    };
    let (paths, text) = files_and_text(send.files, send.text);
    // With files, the text may be missing.
    let text = if paths.is_empty() || text.is_some() { text_or_input(text)? } else { String::new() };
    let files = upload_all(node, &paths, send.file_name.as_deref()).await?;
    let deadline = Instant::now() + Duration::from_secs(send.timeout_seconds.into());
    // Opened before the message is sent, so that no event is missed.
    let events = if send.wait { Some(node.listen().await?.0) } else { None };

    let mut say = json!({"text": text});
    if !files.is_empty() {
        say["files"] = files.into();
    }
    if let Some(to) = to {
        say["to"] = to.into();
    }
    if let Some(channel) = send.channel {
        say["channel"] = channel.into();
    }
    if let Some(reply_to) = reply_to {
        say["reply_to"] = reply_to.into();
    }
    let mut message: api::MessageJson = post_once(node, "/api/v1/messages", say).await?;
    let held = match events {
        Some(events) => {
            timeout_at(deadline, held(events, &mut message)).await.unwrap_or(Err(Error::NotHeld(send.timeout_seconds)))
        }
        None => Ok(()),
    };
    if send.json {
        print::json(&message)?;
    }
    held
}

/// Tells files from the text behind them: `--file a.png b.png "both"`. The last of several words is
/// the text if it is no file and no other text was given.
fn files_and_text(mut paths: Vec<String>, text: Option<String>) -> (Vec<String>, Option<String>) {
    if text.is_none() && paths.len() > 1 && paths.last().is_some_and(|last| last != "-" && !Path::new(last).exists()) {
        let text = paths.pop();
        return (paths, text);
    }
    (paths, text)
}

/// Waits until another member holds `message`, and updates its delivery count.
async fn held(mut events: Events, message: &mut api::MessageJson) -> Result<(), Error> {
    while message.held_by.unwrap_or(0) == 0 {
        match events.next().await? {
            SocketEvent::Held { id, held_by, of } if id == message.id => {
                message.held_by = Some(held_by);
                message.of = of;
            }
            SocketEvent::Held { .. } | SocketEvent::Message(_) | SocketEvent::Arrived(_) | SocketEvent::Member(_) => {}
            SocketEvent::Stopping | SocketEvent::Ended => return Err(Error::Stopped),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_word_after_files_may_be_the_text() {
        let file = || "Cargo.toml".to_owned();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (paths, text, expected) in [
            (words(&["Cargo.toml", "look at this"]), None, (vec![file()], Some("look at this".to_owned()))),
            (words(&["Cargo.toml", "Cargo.toml"]), None, (vec![file(), file()], None)),
            (words(&["missing"]), None, (words(&["missing"]), None)),
            (words(&["Cargo.toml", "-"]), None, (words(&["Cargo.toml", "-"]), None)),
            (
                words(&["Cargo.toml", "missing"]),
                Some("x".to_owned()),
                (words(&["Cargo.toml", "missing"]), Some("x".to_owned())),
            ),
        ] {
            assert_eq!(files_and_text(paths.clone(), text), expected, "{paths:?}");
        }
    }
}
