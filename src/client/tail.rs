//! `roomful tail`: the last messages, and what arrives.
//!
//! A cursor over arrival numbers, as everything that sends is: events only say that there is more, and what there is, is read in
//! pages. So a terminal that stands still costs the node nothing, and nothing is missed or shown twice.

use std::collections::HashSet;
use std::time::Duration;

use super::listen::Event;
use super::{Error, Node, print};
use crate::api::{Message, Messages};

/// The largest page that a node gives.
const PAGE: usize = 500;

/// How long to leave a node alone that closed the connection.
const COME_BACK_MS: u64 = 250;

/// The channel that goes without saying.
const USUAL_CHANNEL: &str = "general";

/// Prints the last `count` messages of all conversations, oldest first; with `follow` goes on in arrival order until the node
/// stops, which is an error then.
pub async fn tail(mut node: Node, count: u32, follow: bool, json: bool) -> Result<(), Error> {
    if !follow {
        return last(&node, count).await?.iter().try_for_each(|message| show(message, json));
    }
    // Listening begins first, so that nothing falls between what was and what comes.
    let (mut events, mut since) = node.listen().await?;
    let shown = last(&node, count).await?;
    shown.iter().try_for_each(|message| show(message, json))?;
    let mut shown: HashSet<String> =
        shown.into_iter().filter(|message| message.arrival > since).map(|message| message.id).collect();

    let dir = node.dir.clone();
    loop {
        since = catch_up(&node, since, &mut shown, json).await?;
        loop {
            match events.next().await? {
                Event::Arrived(arrival) if arrival > since => break,
                Event::Arrived(_) | Event::Held { .. } => {}
                Event::Stopping => return Err(Error::Stopped),
                // Too slow, or a new token, or a node that was started again at once: it goes on where it was.
                Event::Ended => {
                    tokio::time::sleep(Duration::from_millis(COME_BACK_MS)).await;
                    node = Node::find(Some(&dir)).map_err(stopped)?;
                    let (again, covered) = node.listen().await.map_err(stopped)?;
                    events = again;
                    // Only a node that lost its history counts from the start again.
                    since = since.min(covered);
                    break;
                }
            }
        }
    }
}

/// A node that was followed and cannot be found has stopped.
fn stopped(error: Error) -> Error {
    if matches!(error, Error::NotRunning(_)) { Error::Stopped } else { error }
}

/// Prints what arrived after `since`, but for what was `shown`; gives the number to go on from.
async fn catch_up(node: &Node, mut since: u64, shown: &mut HashSet<String>, json: bool) -> Result<u64, Error> {
    loop {
        let page: Messages = node.get(&format!("/api/v1/messages?since={since}&limit={PAGE}")).await?;
        for message in page.messages.iter().filter(|message| !shown.remove(&message.id)) {
            show(message, json)?;
        }
        let numbers = page.messages.iter().map(|message| message.arrival);
        // A page may be cut anywhere, so only an empty one is the end.
        match numbers.chain(page.notices.iter().map(|notice| notice.arrival)).max() {
            Some(newest) if newest > since => since = newest,
            _ => return Ok(since),
        }
    }
}

/// The newest `count` messages, oldest first.
async fn last(node: &Node, count: u32) -> Result<Vec<Message>, Error> {
    let count = count as usize;
    let mut pages: Vec<Vec<Message>> = Vec::new();
    let mut missing = count;
    let mut before: Option<String> = None;
    while missing > 0 {
        let cursor = before.map(|cursor| format!("&before={cursor}")).unwrap_or_default();
        let page: Messages = node.get(&format!("/api/v1/messages?limit={}{cursor}", missing.min(PAGE))).await?;
        missing -= page.messages.len().min(missing);
        let empty = page.messages.is_empty();
        pages.push(page.messages);
        before = page.before;
        if empty || before.is_none() {
            break;
        }
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

/// Prints a message.
pub(super) fn show(message: &Message, json: bool) -> Result<(), Error> {
    if json { print::json(message) } else { print::line(&line(message)) }
}

/// A message as people read it: time, name, where if not in the usual channel, text.
fn line(message: &Message) -> String {
    let place = match message.channel.as_deref() {
        Some(USUAL_CHANNEL) => String::new(),
        Some(channel) => format!(" #{}", print::harmless(channel)),
        None => " (direct)".to_owned(),
    };
    let hooray = if message.kind == "hooray" { "Hooray! " } else { "" };
    let text = print::harmless_lines(&message.text);
    format!("{} {}{place}: {hooray}{text}", print::local(&message.time), print::harmless(&message.name))
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, channel: Option<&str>, kind: &str, text: &str) -> Message {
        Message {
            id: String::new(),
            author: String::new(),
            name: name.to_owned(),
            time: "no time".to_owned(),
            kind: kind.to_owned(),
            channel: channel.map(str::to_owned),
            to: None,
            text: text.to_owned(),
            spans: Vec::new(),
            reply_to: None,
            held_by: None,
            of: None,
            order: String::new(),
            arrival: 1,
        }
    }

    #[test]
    fn lines_say_when_who_where_and_what() {
        assert_eq!(line(&message("Ana", Some("general"), "say", "hi\nyou")), "no time Ana: hi\n    you");
        assert_eq!(line(&message("A\u{1b}c", Some("de\u{7}v"), "say", "\u{1b}[2J")), "no time A␛c #de␇v: ␛[2J");
        assert_eq!(line(&message("Ana", None, "hooray", "")), "no time Ana (direct): Hooray!");
    }
}
