//! `roomful send`: one message, stored by the node before this returns.

use std::io::Read as _;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::listen::{Event, Events};
use super::members::resolve;
use super::{Error, Node, print};
use crate::api;

/// What is read of standard input: far over what a message holds, and below a request's limit however it is escaped, so that the
/// node itself says what is too long.
const INPUT_BYTES_MAX: u64 = 128 * 1024;

/// What to send, and when to return.
#[derive(Clone, Debug)]
pub struct Send {
    /// To this member alone.
    pub to: Option<String>,
    /// In this channel; none: the usual one.
    pub channel: Option<String>,
    /// What to say; none or `-`: standard input.
    pub text: Option<String>,
    /// Return only when another member holds it.
    pub wait: bool,
    /// How long that may take, in seconds.
    pub timeout_seconds: u32,
    /// Print the Message.
    pub json: bool,
}

/// Sends it.
pub async fn send(node: &Node, send: Send) -> Result<(), Error> {
    // Before anything is read: who types a long text wants to know at once that nobody takes it.
    node.connect().await?;
    let to = match &send.to {
        Some(member) => Some(resolve(node, member).await?),
        None => None,
    };
    let text = match send.text {
        Some(text) if text != "-" => text,
        _ => input(std::io::stdin().lock())?,
    };
    let deadline = Instant::now() + Duration::from_secs(send.timeout_seconds.into());
    // Listening begins before it is said, so that no report is missed.
    let events = if send.wait { Some(node.listen().await?.0) } else { None };

    let reference = format!("{:032x}", rand::random::<u128>());
    let mut say = json!({"text": text, "ref": reference});
    if let Some(to) = to {
        say["to"] = to.into();
    }
    if let Some(channel) = send.channel {
        say["channel"] = channel.into();
    }
    let mut message = post(node, &say).await?;
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

/// Posts it, and once more if the connection broke: the same `ref` never makes a second message.
async fn post(node: &Node, say: &serde_json::Value) -> Result<api::Message, Error> {
    let answer = match node.post("/api/v1/messages", say).await {
        Err(Error::Broken(_)) => node.post("/api/v1/messages", say).await?,
        answer => answer?,
    };
    serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))
}

/// Returns when another member holds `message`, and enters who does.
async fn held(mut events: Events, message: &mut api::Message) -> Result<(), Error> {
    while message.held_by.unwrap_or(0) == 0 {
        match events.next().await? {
            Event::Held { id, held_by, of } if id == message.id => {
                message.held_by = Some(held_by);
                message.of = of;
            }
            Event::Held { .. } | Event::Arrived(_) | Event::Member(_) => {}
            Event::Stopping | Event::Ended => return Err(Error::Stopped),
        }
    }
    Ok(())
}

/// All of `reader` as text, less one final newline.
fn input(reader: impl std::io::Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    reader.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::Input)?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| Error::NotText)?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_loses_one_newline_and_nothing_else() {
        for (given, expected) in [("", ""), ("\n", ""), ("a\n\n", "a\n"), (" a\r\n", " a\r"), ("/exit", "/exit")] {
            assert_eq!(input(given.as_bytes()).unwrap(), expected);
        }
        assert!(matches!(input(&b"a\xff"[..]), Err(Error::NotText)));
        assert!(matches!(input(std::io::repeat(b'a')), Err(Error::TooLong)));
    }
}
