//! Changes of messages that pages ask for: whether the user may make them, and the entry that
//! makes them.

use super::info::report;
use crate::proto::commands::RequestedChange;
use crate::proto::engine::Engine;
use crate::proto::entries::body::{Body, SALT_BYTES};
use crate::proto::entries::mention::{Mentions, find};
use crate::proto::entries::timeline::{Conversation, Message};
use crate::proto::files::attachment::Attachments;
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::{BODY_BYTES_MAX, REACTION_KINDS_MAX, REACTIONS_OF_AUTHOR_MAX};
use crate::proto::members::member::Member;
use crate::store::Store;
use crate::web::requests::{RequestError, Responder};

/// The answer to a change: the message as it is now, none of a topic.
pub(super) type ChangeResponder = Responder<Result<Option<Message>, RequestError>>;

/// Why the user may not make a change.
fn refusal(own: NodeId, change: &RequestedChange, message: &Message) -> Option<RequestError> {
    let is_own = message.order.author == own;
    match change {
        RequestedChange::Edit { .. } | RequestedChange::Delete { .. } if !is_own => Some(RequestError::NotYours),
        RequestedChange::Edit { .. } | RequestedChange::React { .. } if message.changes.deleted => {
            Some(RequestError::Deleted)
        }
        RequestedChange::React { emoji, off: false, .. } => {
            let given = |kind: &&crate::proto::entries::appearance::Reaction| kind.by.contains(&own);
            let reactions = &message.changes.reactions;
            let of_own = reactions.iter().filter(given).count();
            match reactions.iter().find(|kind| kind.emoji == *emoji) {
                Some(kind) if given(&kind) => None,
                found => {
                    let is_full =
                        of_own >= REACTIONS_OF_AUTHOR_MAX || (found.is_none() && reactions.len() >= REACTION_KINDS_MAX);
                    is_full.then_some(RequestError::TooMany)
                }
            }
        }
        RequestedChange::Edit { .. }
        | RequestedChange::Delete { .. }
        | RequestedChange::React { .. }
        | RequestedChange::Topic { .. } => None,
    }
}

/// The entry of a change.
pub(super) enum ChangeEntry {
    /// It changes something in this conversation.
    New(Body, Conversation),
    /// The message is deleted already.
    Done(Box<Message>),
}

/// Makes the entry of a change to a message, or of a topic.
pub(super) fn to_entry(
    change: RequestedChange,
    message: Option<Message>,
    engine: &Engine,
) -> Result<ChangeEntry, RequestError> {
    if change.target().is_some() {
        let message = message.as_ref().ok_or(RequestError::NoSuchMessage)?;
        if let Some(error) = refusal(engine.own(), &change, message) {
            return Err(error);
        }
    }
    match message {
        Some(message) if message.changes.deleted => Ok(ChangeEntry::Done(Box::new(message))),
        message => {
            let (body, conversation) = entry(change, message.as_ref(), engine.members())?;
            Ok(ChangeEntry::New(body, conversation))
        }
    }
}

/// The entry that makes a change, and the conversation that it belongs to.
fn entry<'a>(
    change: RequestedChange,
    message: Option<&Message>,
    members: impl Iterator<Item = &'a Member>,
) -> Result<(Body, Conversation), RequestError> {
    let body = match change {
        RequestedChange::Edit { id, text, mentions } => {
            let mentions = mentions_or_names(mentions, &text, &Attachments::default(), members)?;
            Body::Edit { entry: id, text, mentions }
        }
        RequestedChange::Delete { id } => {
            let channel = message.map(|message| message.conversation.channel().to_owned());
            Body::Delete { entry: id, channel }
        }
        RequestedChange::React { id, emoji, off } => Body::React { entry: id, emoji, off },
        RequestedChange::Topic { channel, text } => {
            let body = Body::Topic { channel: channel.as_str().to_owned(), text };
            return Ok((body, Conversation::Channel(channel)));
        }
    };
    let conversation = message.map(|message| message.conversation.clone()).ok_or(RequestError::NoSuchMessage)?;
    Ok((body, conversation))
}

/// The mentions of a text: those that are asked for, else those of names in it, as far as they fit
/// beside it.
pub(super) fn mentions_or_names<'a>(
    asked: Option<Mentions>,
    text: &str,
    files: &Attachments,
    members: impl Iterator<Item = &'a Member>,
) -> Result<Mentions, RequestError> {
    let fits = |mentions: &Mentions| {
        // What else a body holds: its random bytes, a channel and an answered entry.
        const REST_BYTES: usize = 192;
        let alone = Body::Say {
            text: String::new(),
            channel: None,
            reply_to: None,
            files: files.clone(),
            mentions: mentions.clone(),
        };
        text.len() + alone.encode([0; SALT_BYTES]).len() + REST_BYTES <= BODY_BYTES_MAX
    };
    match asked {
        Some(asked) if fits(&asked) => Ok(asked),
        Some(_) => Err(RequestError::TooLong),
        None => {
            let found = find(text, members.map(|member| (member.id, member.name.as_str())));
            Ok(if fits(&found) { found } else { Mentions::default() })
        }
    }
}

/// Answers with a message as it is now.
pub(super) fn answer_current(store: Store, id: Option<EntryId>, answer: ChangeResponder) {
    tokio::spawn(async move {
        let Some(id) = id else {
            _ = answer.send(Ok(None));
            return;
        };
        if let Some(message) = report(store.line(id).await) {
            _ = answer.send(Ok(message));
        }
    });
}
