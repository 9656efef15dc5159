//! The first frame to a page that came in: enough to begin, never more than a page can take at once.

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;

use super::ask::{Ask, Resume, Welcome};
use super::frames;
use super::refused::{Refused, to_json};
use super::{Shared, keys::Keys};
use crate::api::{self, Code, Cursor};
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::limits::{RESUME_BYTES_MAX, WELCOME_BYTES_MAX, WELCOME_MESSAGES};
use crate::proto::timeline::Held;

/// How a page begins.
pub(super) struct Start {
    /// The welcome, and what follows it at once.
    pub(super) frames: Vec<Utf8Bytes>,
    /// The highest arrival number that it covers.
    pub(super) arrival: Arrival,
    /// How many hold which own message, as far as the page was told.
    pub(super) held: HashMap<EntryId, Held>,
}

/// Asks the node what the page needs, and writes it.
pub(super) async fn start(shared: &Shared, resume: Option<Resume>) -> Result<Start, Refused> {
    let resumes = resume.is_some();
    let welcome = shared.ask(|answer| Ask::Welcome { resume, answer }).await?;
    if resumes && !welcome.reset {
        if let Some(start) = write(welcome, resumed, &shared.keys).await? {
            return Ok(start);
        }
        // More than a page can take at once: it starts afresh.
        let mut fresh_welcome = shared.ask(|answer| Ask::Welcome { resume: None, answer }).await?;
        fresh_welcome.reset = true;
        return write(fresh_welcome, fresh, &shared.keys).await?.ok_or_else(|| Code::Stopping.into());
    }
    write(welcome, fresh, &shared.keys).await?.ok_or_else(|| Code::Stopping.into())
}

/// Chooses and formats the messages, away from the threads that serve others.
async fn write(
    welcome: Welcome,
    choose: fn(&mut Welcome) -> Option<Vec<api::Message>>,
    keys: &Keys,
) -> Result<Option<Start>, Refused> {
    let bearer = keys.bearer().to_hex().to_string();
    let written = tokio::task::spawn_blocking(move || {
        let mut welcome = welcome;
        let messages = choose(&mut welcome)?;
        Some(finish(welcome, messages, bearer))
    });
    written.await.map_err(|_| Code::Stopping.into())
}

/// The newest messages, as many as fit; at least one.
fn fresh(welcome: &mut Welcome) -> Option<Vec<api::Message>> {
    let mut messages = Vec::new();
    let mut bytes = 0;
    for line in welcome.lines.iter().rev().take(WELCOME_MESSAGES) {
        let message = api::Message::from(line);
        bytes += to_json(&message).len();
        if bytes > WELCOME_BYTES_MAX && !messages.is_empty() {
            break;
        }
        messages.push(message);
    }
    if let Some(oldest) = welcome.lines.len().checked_sub(messages.len()).filter(|left_out| *left_out > 0) {
        welcome.before = welcome.lines.get(oldest).map(|line| line.order);
    }
    welcome.held.clear();
    welcome.moved.clear();
    messages.reverse();
    Some(messages)
}

/// All messages, if they are not too much.
fn resumed(welcome: &mut Welcome) -> Option<Vec<api::Message>> {
    let mut bytes: usize = welcome.notices.iter().map(|notice| to_json(&api::Notice::from(notice)).len()).sum();
    let mut messages = Vec::with_capacity(welcome.lines.len());
    for line in &welcome.lines {
        let message = api::Message::from(line);
        bytes += to_json(&message).len();
        if bytes > RESUME_BYTES_MAX {
            return None;
        }
        messages.push(message);
    }
    Some(messages)
}

fn finish(welcome: Welcome, messages: Vec<api::Message>, bearer: String) -> Start {
    let told = welcome.lines.iter().chain(&welcome.moved).filter_map(|line| Some((line.id, line.held?)));
    let held = told.chain(welcome.held.iter().copied()).collect();
    let moved = welcome.moved.iter().map(|line| frames::message(line, None).0);
    let again = welcome.held.iter().map(|(id, held)| frames::held(*id, *held));
    let conversations = welcome.conversations.iter().map(|reading| api::Unread {
        room: (&reading.conversation).into(),
        unread: reading.unread,
        read: reading.read,
    });
    let form = api::Welcome {
        run: welcome.run,
        bearer,
        node: welcome.info,
        members: welcome.members.iter().map(Into::into).collect(),
        conversations: conversations.collect(),
        messages,
        notices: welcome.notices.iter().map(Into::into).collect(),
        before: welcome.before.map(|order| Cursor(order).to_string()),
        arrival: welcome.arrival,
        reset: welcome.reset,
        storage: welcome.storage,
    };
    Start {
        frames: [frames::welcome(&form)].into_iter().chain(moved).chain(again).collect(),
        arrival: welcome.arrival,
        held,
    }
}
