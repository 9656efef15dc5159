//! `roomful tail`: the last messages, and what arrives.
//!
//! A cursor over arrival numbers, as everything that sends is: events only say that there is more, and what there is, is read in
//! pages. So a terminal that stands still costs the node nothing, and nothing is missed or shown twice.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use futures::FutureExt as _;

use super::listen::{Event, Named};
use super::members::all;
use super::{Error, Node, print};
use crate::api::{Labels, Message, Messages};

/// The largest page that a node gives.
const PAGE: usize = 500;

/// How long to leave a node alone that closed the connection.
const COME_BACK_MS: u64 = 250;

/// The channel that goes without saying.
const USUAL_CHANNEL: &str = "general";

/// Prints the last `count` messages of all conversations, oldest first; with `follow` goes on in arrival order until the node
/// stops, which is an error then.
pub async fn tail(mut node: Node, count: u32, follow: bool, json: bool) -> Result<(), Error> {
    let mut printer = Printer { json, labels: Labels::default() };
    if !follow {
        if !json {
            printer.labels = all(&node).await?.iter().collect();
        }
        return printer.print(last(&node, count).await?.iter());
    }
    // Listening begins first, so that nothing falls between what was and what comes.
    let (mut events, welcome) = node.listen().await?;
    let mut since = welcome.arrival;
    printer.learn(&welcome.members);
    let shown = last(&node, count).await?;
    printer.print(shown.iter())?;
    let mut shown: HashSet<String> =
        shown.into_iter().filter(|message| message.arrival > since).map(|message| message.id).collect();

    let dir = node.dir.clone();
    let mut announced = since;
    loop {
        let event = if announced == since {
            events.next().await?
        } else if let Some(event) = events.next().now_or_never() {
            // Events that are here already come first: one request then covers them all.
            event?
        } else {
            catch_up(&node, since..announced, &mut shown, &mut printer).await?;
            since = announced;
            continue;
        };
        match event {
            Event::Arrived(arrival) => announced = announced.max(arrival),
            Event::Held { .. } => {}
            Event::Member(member) => printer.learn(&[member]),
            Event::Stopping => {
                // The node may refuse by now: what it announced is printed if it still answers.
                _ = catch_up(&node, since..announced, &mut shown, &mut printer).await;
                return Err(Error::Stopped);
            }
            // Too slow, or a new token, or a node that was started again at once: it goes on where it was.
            Event::Ended => {
                tokio::time::sleep(Duration::from_millis(COME_BACK_MS)).await;
                node = Node::find(Some(&dir)).map_err(stopped)?;
                let (again, welcome) = node.listen().await.map_err(stopped)?;
                events = again;
                printer.learn(&welcome.members);
                announced = welcome.arrival;
                // Only a node that lost its history counts from the start again.
                since = since.min(announced);
            }
        }
    }
}

/// A node that was followed and cannot be found has stopped.
fn stopped(error: Error) -> Error {
    if matches!(error, Error::NotRunning(_)) { Error::Stopped } else { error }
}

/// Prints the messages with these arrival numbers, without the lower and with the higher bound, but for those `shown`.
///
/// Later ones wait for their own event. The node tells of a new member before that member's messages, so a namesake is
/// known before a message could be taken for theirs.
async fn catch_up(
    node: &Node,
    mut range: Range<u64>,
    shown: &mut HashSet<String>,
    printer: &mut Printer,
) -> Result<(), Error> {
    while range.start < range.end {
        let limit = (range.end - range.start).min(PAGE as u64);
        let page: Messages = node.get(&format!("/api/v1/messages?since={}&limit={limit}", range.start)).await?;
        let new = page.messages.iter().filter(|message| message.arrival <= range.end);
        printer.print(new.filter(|message| !shown.remove(&message.id)))?;
        let numbers = page.messages.iter().map(|message| message.arrival);
        // A page may be cut anywhere, so only an empty one is the end.
        match numbers.chain(page.notices.iter().map(|notice| notice.arrival)).max() {
            Some(newest) if newest > range.start => range.start = newest,
            _ => break,
        }
    }
    Ok(())
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

/// Prints messages, and remembers the names seen so far.
struct Printer {
    json: bool,
    labels: Labels,
}

impl Printer {
    /// Adds members to the names that are compared.
    fn learn(&mut self, members: &[Named]) {
        members.iter().for_each(|member| self.labels.insert(&member.id, &member.name));
    }

    /// Prints these messages in their order. Their names are compared first, also with each other: authors may have had
    /// other names then.
    fn print<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) -> Result<(), Error> {
        let messages: Vec<&Message> = messages.collect();
        messages.iter().for_each(|message| self.labels.insert(&message.author, &message.name));
        messages.into_iter().try_for_each(|message| {
            if self.json { print::json(message) } else { print::line(&line(message, &self.labels)) }
        })
    }
}

/// A message as people read it: time, label of the author, where if not in the usual channel, text.
pub(super) fn line(message: &Message, labels: &Labels) -> String {
    let place = match message.channel.as_deref() {
        Some(USUAL_CHANNEL) => String::new(),
        Some(channel) => format!(" #{}", print::harmless(channel)),
        None => " (direct)".to_owned(),
    };
    let hooray = if message.kind == "hooray" { "Hooray! " } else { "" };
    let text = print::harmless_lines(&message.text);
    let author = print::harmless(&labels.label(&message.author, &message.name));
    format!("{} {author}{place}: {hooray}{text}", print::local(&message.time)).trim_end().to_owned()
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
        let line = |message: &Message| line(message, &Labels::default());
        assert_eq!(line(&message("Ana", Some("general"), "say", "hi\nyou")), "no time Ana: hi\n    you");
        assert_eq!(line(&message("A\u{1b}c", Some("de\u{7}v"), "say", "\u{1b}[2J")), "no time A␛c #de␇v: ␛[2J");
        assert_eq!(line(&message("Ana", None, "hooray", "")), "no time Ana (direct): Hooray!");
    }
}
