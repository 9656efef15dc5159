//! Builds the welcome: the state that a page starts from, within limits that a page can take at
//! once.

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;

use crate::api::{self, Code, Cursor};
use crate::proto::entries::timeline::Delivery;
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::limits::{RESUME_BYTES_MAX, WELCOME_BYTES_MAX, WELCOME_MESSAGES};
use crate::web::FileStatuses;
use crate::web::error::{ApiError, to_json};
use crate::web::frames;
use crate::web::requests::{NodeRequest, Resume, WelcomeReply};
use crate::web::state::AppState;

/// The first frames of a session.
pub(crate) struct InitialFrames {
    /// The welcome, and the frames that follow it at once.
    pub(crate) frames: Vec<Utf8Bytes>,
    /// The highest arrival number that the welcome covers.
    pub(crate) arrival: Arrival,
    /// The delivery counts that the page was sent.
    pub(crate) held: HashMap<EntryId, Delivery>,
}

/// Requests the state from the node and encodes it.
pub(crate) async fn build(shared: &AppState, resume: Option<Resume>) -> Result<InitialFrames, ApiError> {
    let resumes = resume.is_some();
    let welcome = shared.ask(|answer| NodeRequest::Welcome { resume, answer }).await?;
    if resumes && !welcome.reset {
        if let Some(start) = write(welcome, delta, shared).await? {
            return Ok(start);
        }
        // Over the limit for a resume, so the page starts afresh.
        let mut fresh_welcome = shared.ask(|answer| NodeRequest::Welcome { resume: None, answer }).await?;
        fresh_welcome.reset = true;
        return write(fresh_welcome, full_state, shared).await?.ok_or_else(|| Code::Stopping.into());
    }
    write(welcome, full_state, shared).await?.ok_or_else(|| Code::Stopping.into())
}

/// Chooses and formats the messages, on a thread that may block.
async fn write(
    welcome: WelcomeReply,
    choose: fn(&mut WelcomeReply, &FileStatuses) -> Option<Vec<api::MessageJson>>,
    shared: &AppState,
) -> Result<Option<InitialFrames>, ApiError> {
    let files = shared.hub.file_statuses();
    let bearer = shared.keys.bearer().to_hex().to_string();
    let written = tokio::task::spawn_blocking(move || {
        let mut welcome = welcome;
        let messages = choose(&mut welcome, &files)?;
        Some(assemble(welcome, messages, &files, bearer))
    });
    written.await.map_err(|_| Code::Stopping.into())
}

/// Returns the newest messages that fit, at least one.
fn full_state(welcome: &mut WelcomeReply, files: &FileStatuses) -> Option<Vec<api::MessageJson>> {
    let mut messages = Vec::new();
    let mut bytes = 0;
    for line in welcome.lines.iter().rev().take(WELCOME_MESSAGES) {
        let message = files.message(line);
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

/// Returns all messages, or none if they are over the limit of a resume.
fn delta(welcome: &mut WelcomeReply, files: &FileStatuses) -> Option<Vec<api::MessageJson>> {
    let mut bytes: usize = welcome.notices.iter().map(|notice| to_json(&api::NoticeJson::from(notice)).len()).sum();
    let mut messages = Vec::with_capacity(welcome.lines.len());
    for line in &welcome.lines {
        let message = files.message(line);
        bytes += to_json(&message).len();
        if bytes > RESUME_BYTES_MAX {
            return None;
        }
        messages.push(message);
    }
    Some(messages)
}

fn assemble(
    welcome: WelcomeReply,
    messages: Vec<api::MessageJson>,
    files: &FileStatuses,
    bearer: String,
) -> InitialFrames {
    let told = welcome.lines.iter().chain(&welcome.moved).filter_map(|line| Some((line.id, line.held?)));
    let held = told.chain(welcome.held.iter().copied()).collect();
    let moved = welcome.moved.iter().map(|line| frames::message(line, files, None).0);
    let again = welcome.held.iter().map(|(id, held)| frames::held(*id, *held));
    let conversations = welcome.conversations.iter().map(|reading| api::UnreadCount {
        room: (&reading.conversation).into(),
        unread: reading.unread,
        read: reading.read,
        mentions: reading.mentions,
        topic: welcome.topics.get(&reading.conversation).cloned(),
    });
    let form = api::WelcomeFrame {
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
        limits: api::LimitsJson::default(),
        defaults: api::DefaultsJson::default(),
        storage: welcome.storage,
    };
    InitialFrames {
        frames: [frames::welcome(&form)].into_iter().chain(moved).chain(again).collect(),
        arrival: welcome.arrival,
        held,
    }
}
