//! `roomful tail`: prints the last messages, and follows new ones.
//!
//! A cursor over arrival numbers: an event only wakes it, and it reads the new messages in pages.
//! So a stalled terminal costs the node nothing, and no message is missed or printed twice.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;

use super::seen::{MessageChange, SeenMessages};
use crate::api::{self, Labels, MessageJson, Messages};
use crate::client::listen::{MemberName, SocketEvent};
use crate::client::members::all;
use crate::client::{Error, NodeClient, print};

/// Greatest number of messages on a page, which is the node's limit.
const PAGE: usize = 500;

/// Delay before a reconnect, in milliseconds.
const COME_BACK_MS: u64 = 250;

/// Characters of a message's text behind a reaction to it.
const QUOTE_CHARACTERS: usize = 60;

/// The default channel, whose name is not printed.
const USUAL_CHANNEL: &str = "general";

/// The options of `tail`.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    /// How many messages are printed at once.
    pub count: u32,
    /// Go on with new messages and changes.
    pub follow: bool,
    /// Begin each line with the id of its message.
    pub ids: bool,
    /// Print messages as JSON.
    pub json: bool,
}

/// Prints the last messages of all conversations, oldest first. With `follow` it goes on in arrival
/// order until the node stops, which is an error.
pub async fn tail(node: NodeClient, tail: Tail) -> Result<(), Error> {
    let mut printer = Printer { json: tail.json, ids: tail.ids, ..Printer::default() };
    if tail.follow {
        return tokio::select! {
            ended = follow(node, tail.count as usize, printer) => ended,
            () = print::output_closed() => Err(Error::Closed),
        };
    }
    if !tail.json {
        printer.labels = all(&node).await?.iter().collect();
    }
    printer.print(last(&node, tail.count as usize).await?.iter())
}

/// Prints the last `count` messages, then new messages and changes.
async fn follow(mut node: NodeClient, count: usize, mut printer: Printer) -> Result<(), Error> {
    // Opened before the first page is read, so that no message is missed.
    let (mut events, welcome) = node.listen().await?;
    let mut since = welcome.arrival;
    printer.learn(&welcome.members);
    let page = last(&node, PAGE.max(count)).await?;
    let (earlier, shown) = page.split_at(page.len().saturating_sub(count));
    // Later messages come again, to be printed.
    earlier.iter().filter(|message| message.arrival <= since).for_each(|message| printer.remember(message));
    printer.print(shown.iter())?;

    let dir = node.dir.clone();
    let mut announced = since;
    loop {
        let event = if announced == since {
            events.next().await?
        } else if let Some(event) = events.next().now_or_never() {
            // Pending events are taken first, so that one request covers them all.
            event?
        } else {
            catch_up(&node, since..announced, &mut printer).await?;
            since = announced;
            continue;
        };
        match event {
            SocketEvent::Message(message) if message.arrival <= since => printer.print_changes(&message)?,
            SocketEvent::Message(message) => announced = announced.max(message.arrival),
            SocketEvent::Arrived(arrival) => announced = announced.max(arrival),
            SocketEvent::Held { .. } => {}
            SocketEvent::Member(member) => printer.learn(&[member]),
            SocketEvent::Stopping => {
                // The node may refuse requests by now. If it still answers, the announced messages
                // are printed.
                _ = catch_up(&node, since..announced, &mut printer).await;
                return Err(Error::Stopped);
            }
            // The client was too slow, the token was rotated, or the node restarted: go on from the
            // cursor.
            SocketEvent::Ended => {
                tokio::time::sleep(Duration::from_millis(COME_BACK_MS)).await;
                node = NodeClient::find(Some(&dir)).map_err(stopped)?;
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

/// A followed node that cannot be found any more has stopped.
fn stopped(error: Error) -> Error {
    if matches!(error, Error::NotRunning(_)) { Error::Stopped } else { error }
}

/// Prints the messages with arrival numbers above the lower and up to the higher bound, and the
/// changes of earlier ones.
///
/// Later messages wait for their own event. The node reports a new member before its messages, so
/// two members of one name are told apart in time.
async fn catch_up(node: &NodeClient, mut range: Range<u64>, printer: &mut Printer) -> Result<(), Error> {
    while range.start < range.end {
        let page: Messages = node.get(&format!("/api/v1/messages?since={}&limit={PAGE}", range.start)).await?;
        for message in &page.messages {
            // Messages that changed come again, with the numbers that they had.
            if message.arrival <= range.start || printer.seen.contains(message) {
                printer.print_changes(message)?;
            } else if message.arrival <= range.end {
                printer.print(std::iter::once(message))?;
            }
        }
        // A page may end anywhere. Its own number covers what is no message, too.
        match page.arrival {
            Some(covered) if covered > range.start => range.start = covered,
            _ => break,
        }
    }
    Ok(())
}

/// Returns the newest `count` messages, oldest first.
async fn last(node: &NodeClient, count: usize) -> Result<Vec<MessageJson>, Error> {
    let mut pages: Vec<Vec<MessageJson>> = Vec::new();
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

/// The printer of messages, with the names and messages seen so far.
#[derive(Default)]
struct Printer {
    json: bool,
    /// True if each line begins with the id of its message.
    ids: bool,
    labels: Labels,
    /// The present names of members by their full ids.
    names: HashMap<String, String>,
    seen: SeenMessages,
}

impl Printer {
    /// Adds the names of members.
    fn learn(&mut self, members: &[MemberName]) {
        for member in members {
            self.labels.insert(&member.id, &member.name);
            self.names.insert(member.id.clone(), member.name.clone());
        }
    }

    /// Remembers the state of a message that is not printed.
    fn remember(&mut self, message: &MessageJson) {
        self.seen.update(message);
    }

    /// Prints messages in their order. Their names are added first, since authors may have had
    /// other names at that time.
    fn print<'a>(&mut self, messages: impl Iterator<Item = &'a MessageJson>) -> Result<(), Error> {
        let messages: Vec<&MessageJson> = messages.collect();
        messages.iter().for_each(|message| self.labels.insert(&message.author, &message.name));
        messages.into_iter().try_for_each(|message| {
            self.seen.update(message);
            self.put(message, || line(message, &self.labels))
        })
    }

    /// Prints what changed of a message since it was last seen: a line for each change, or the
    /// message once as JSON.
    fn print_changes(&mut self, message: &MessageJson) -> Result<(), Error> {
        let changes = self.seen.update(message);
        if self.json && !changes.is_empty() {
            return print::json(message);
        }
        self.labels.insert(&message.author, &message.name);
        changes.iter().try_for_each(|change| self.put(message, || self.change_line(message, change)))
    }

    fn put(&self, message: &MessageJson, line: impl Fn() -> String) -> Result<(), Error> {
        match (self.json, self.ids) {
            (true, _) => print::json(message),
            (false, true) => print::line(&format!("{} {}", print::sanitize(&message.id), line())),
            (false, false) => print::line(&line()),
        }
    }

    /// Formats a change for people. The time of a deletion or a reaction is that of its arrival.
    fn change_line(&self, message: &MessageJson, change: &MessageChange) -> String {
        let now = || Timestamp::now().to_string();
        let author = label(message, &self.labels);
        let (of, place) = (print::local(&message.time), place(message));
        match change {
            MessageChange::Edited => {
                let time = print::local(message.edited.as_ref().unwrap_or(&message.time));
                let text = print::harmless_lines(&message.text);
                format!("{time} {author}{place} edited the message of {of}: {text}")
            }
            MessageChange::Deleted => {
                format!("{} {author}{place} deleted the message of {of}", print::local(&now()))
            }
            MessageChange::Reacted { emoji, by, off } => {
                let name = self.names.get(by).map_or_else(|| crate::api::short(by), |name| self.labels.label(by, name));
                let (name, emoji) = (print::sanitize(&name), print::sanitize(emoji));
                let verb = if *off { "took back" } else { "reacted" };
                let text = print::sanitize(&message.text.chars().take(QUOTE_CHARACTERS).collect::<String>());
                format!("{} {name}{place} {verb} {emoji} to {author} of {of}: {text}", print::local(&now()))
            }
        }
    }
}

/// Formats a message for people: time, label of the author, conversation unless it is the default
/// channel, text.
pub(super) fn line(message: &MessageJson, labels: &Labels) -> String {
    let prefix = api::text_prefix(&message.kind);
    let text = if message.deleted { "(deleted)".to_owned() } else { print::harmless_lines(&message.text) };
    let author = label(message, labels);
    let files: String = message.files.iter().map(|file| format!(" [{}]", print::sanitize(&file.name))).collect();
    let line = format!("{} {author}{}: {prefix}{text}", print::local(&message.time), place(message));
    line.trim_end().to_owned() + &files
}

/// Returns the label of a message's author.
fn label(message: &MessageJson, labels: &Labels) -> String {
    print::sanitize(&labels.label(&message.author, &message.name))
}

/// Returns the conversation of a message behind a space; nothing for the default channel.
fn place(message: &MessageJson) -> String {
    match message.channel.as_deref() {
        Some(USUAL_CHANNEL) => String::new(),
        Some(channel) => format!(" #{}", print::sanitize(channel)),
        None => " (direct)".to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn message(name: &str, channel: Option<&str>, kind: &str, text: &str) -> MessageJson {
        MessageJson {
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
            reply: None,
            edited: None,
            deleted: false,
            mentions: Vec::new(),
            reactions: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn lines_show_time_author_channel_and_text() {
        let line = |message: &MessageJson| line(message, &Labels::default());
        assert_eq!(line(&message("Ana", Some("general"), "say", "hi\nyou")), "no time Ana: hi\n    you");
        assert_eq!(line(&message("A\u{1b}c", Some("de\u{7}v"), "say", "\u{1b}[2J")), "no time A␛c #de␇v: ␛[2J");
        assert_eq!(line(&message("Ana", None, "hooray", "")), "no time Ana (direct): Hooray!");
    }
}
