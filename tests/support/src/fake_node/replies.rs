//! The answers of a fake node to the page's requests.

use std::sync::{Arc, Mutex};

use roomful::api;
use roomful::metrics::MetricsSnapshot;
use roomful::proto::commands::{ChangeCommand, RequestedChange, SayCommand};
use roomful::proto::entries::appearance::{Appearance, Reaction};
use roomful::proto::entries::timeline::{Conversation, Message, MessageKind, Order};
use roomful::proto::files::attachment::Attachment;
use roomful::proto::history::{
    ExportRows, HitRow, MessageSelector, MessageVersion, PagePosition, PageQuery, ReadMarker, SearchQuery,
    SearchResult, TimelinePage, VersionPage,
};
use roomful::proto::ids::{Arrival, EntryId, LogId, NodeId};
use roomful::proto::member_flags::FlagChange;
use roomful::proto::members::member::Member;
use roomful::web::file_requests::FileRequest;
use roomful::web::requests::{RequestError, Resume, SayResult, WelcomeReply};
use roomful::web::{BroadcastEvent, Credentials, Hub, NodeRequest, PageToken};
use tokio::sync::mpsc;

use super::room::FakeRoom;

/// Messages that a welcome brings.
const WELCOME_MESSAGES: usize = 80;

const RUN: &str = "this run";

fn say_command(room: &mut FakeRoom, say: SayCommand) -> Result<SayResult, RequestError> {
    if let Some((before, id)) = say.reference.as_ref().and_then(|reference| room.refs.get(&reference.name)) {
        let found = room.messages.iter().find(|message| message.id == *id && *before == say);
        return found.map(|message| SayResult::Before(Box::new(message.clone()))).ok_or(RequestError::RefUsed);
    }
    if let Some(error) = room.refuses_next.take().or(room.refuses) {
        return Err(error);
    }
    match say.recipient() {
        Some(to) if to == room.own() => return Err(RequestError::BadTarget),
        Some(to) if room.members.iter().all(|member| member.id != to) => return Err(RequestError::NoSuchMember),
        _ => {}
    }
    let message = room.commit(room.own(), say.kind, say.conversation.clone(), &say.text);
    if let Some(reference) = say.reference.clone() {
        room.refs.insert(reference.name, (say, message.id));
    }
    Ok(SayResult::New(Box::new(message)))
}

fn apply(room: &mut FakeRoom, command: ChangeCommand) -> Result<Option<Message>, RequestError> {
    room.changes.push(command.clone());
    if let Some(error) = room.refuses_next.take() {
        return Err(error);
    }
    let id = match command.change {
        RequestedChange::Edit { id, .. } | RequestedChange::Delete { id } | RequestedChange::React { id, .. } => id,
        RequestedChange::Topic { .. } => return Ok(None),
    };
    let own = room.own();
    let message = room.messages.iter_mut().find(|message| message.id == id).ok_or(RequestError::NoSuchMessage)?;
    match command.change {
        RequestedChange::Edit { text, mentions, .. } => {
            message.changes.edited = Some(message.time);
            message.changes.mentions = mentions.unwrap_or_default().counted(&text);
            message.text = text;
        }
        RequestedChange::Delete { .. } => {
            message.text.clear();
            *message.changes = Appearance { deleted: true, ..Appearance::default() };
        }
        RequestedChange::React { emoji, .. } => {
            message.changes.reactions = vec![Reaction { emoji, by: vec![own] }];
        }
        RequestedChange::Topic { .. } => {}
    }
    Ok(Some(message.clone()))
}

fn find(room: &FakeRoom, selector: &MessageSelector) -> Vec<EntryId> {
    let matches = |id: &EntryId| match selector {
        MessageSelector::OwnLast => id.seq == room.arrival(),
        MessageSelector::IdPart(part) => id.to_string().starts_with(part),
    };
    room.messages.iter().map(|message| message.id).filter(matches).collect()
}

fn versions(room: &FakeRoom, id: EntryId, before: Option<Order>) -> Option<VersionPage> {
    let message = room.messages.iter().find(|message| message.id == id)?;
    let first = MessageVersion { text: "first".to_owned(), time: message.time };
    let versions = if before.is_some() { vec![first] } else { Vec::new() };
    Some(VersionPage { versions, before: before.is_none().then_some(message.order) })
}

fn page(room: &mut FakeRoom, query: PageQuery) -> Option<TimelinePage> {
    let fits = |message: &&Message| query.conversation.as_ref().is_none_or(|wanted| message.conversation == *wanted);
    let all: Vec<&Message> = room.messages.iter().filter(fits).collect();
    let (from, to) = match query.at {
        PagePosition::Newest | PagePosition::Since(_) => (all.len().saturating_sub(query.limit), all.len()),
        PagePosition::Before(order) => {
            let end = all.partition_point(|message| message.order < order);
            (end.saturating_sub(query.limit), end)
        }
        PagePosition::After(order) => {
            let start = all.partition_point(|message| message.order <= order);
            (start, (start + query.limit).min(all.len()))
        }
        PagePosition::Around(id) => {
            let middle = all.iter().position(|message| message.id == id)?;
            let start = middle.saturating_sub(query.limit / 2);
            (start, (start + query.limit).min(all.len()))
        }
    };
    let lines: Vec<Message> = all[from..to].iter().map(|&message| message.clone()).collect();
    let before = if from == 0 { None } else { lines.first().map(|message| message.order) };
    let none = Order { place: 0, author: room.own(), log: LogId(1), seq: 1 };
    let after = lines.last().or(room.messages.last()).map_or(none, |message| message.order);
    room.queries.push(query);
    Some(TimelinePage { lines, notices: Vec::new(), before, after, arrival: 0 })
}

fn welcome(room: &FakeRoom, resume: Option<&Resume>) -> WelcomeReply {
    let resumed = resume.filter(|resume| resume.run == RUN && resume.after <= room.arrival());
    let from = room.messages.len().saturating_sub(WELCOME_MESSAGES);
    let lines = match resumed {
        Some(resume) => {
            let is_missed = |message: &&Message| message.arrival > resume.after;
            let mut missed: Vec<Message> = room.messages.iter().filter(is_missed).cloned().collect();
            missed.sort_unstable_by_key(|message| message.arrival);
            missed
        }
        None => room.messages[from..].to_vec(),
    };
    WelcomeReply {
        run: RUN.to_owned(),
        info: room.info.clone(),
        members: room.members.clone(),
        conversations: room.read_markers.clone(),
        topics: room.topics.clone(),
        lines,
        notices: room.notices.clone(),
        moved: Vec::new(),
        before: if from == 0 { None } else { Some(room.messages[from].order) },
        arrival: room.arrival(),
        reset: resume.is_some() && resumed.is_none(),
        storage: room.storage.clone(),
        held: if resumed.is_some() { room.deliveries.clone() } else { Vec::new() },
    }
}

fn mark(room: &mut FakeRoom, id: NodeId, change: FlagChange) -> Result<Member, RequestError> {
    if id == room.own() {
        return Err(RequestError::BadTarget);
    }
    let member = room.members.iter_mut().find(|member| member.id == id).ok_or(RequestError::NoSuchMember)?;
    member.marks = change.apply(member.marks);
    Ok(member.clone())
}

/// Returns what is unread in a conversation that was read up to `read`.
fn read_to(room: &FakeRoom, conversation: Conversation, read: Arrival) -> ReadMarker {
    let is_unread = |message: &&Message| {
        message.conversation == conversation && message.order.author != room.own() && message.arrival > read
    };
    let unread = room.messages.iter().filter(is_unread).count() as u64;
    ReadMarker { conversation, unread, mentions: 0, read }
}

/// The files of a conversation, the newest first.
fn files<'a>(room: &'a FakeRoom, of: Option<&Conversation>) -> Vec<&'a Attachment> {
    let messages = room.messages.iter().rev().filter(|message| of.is_none_or(|of| message.conversation == *of));
    messages.flat_map(|message| &message.changes.files).collect()
}

fn search(room: &FakeRoom, query: &SearchQuery) -> SearchResult {
    let hit = |line: &Message| Some(HitRow { ranges: query.wanted.find(&line.text)?, line: line.clone() });
    SearchResult { hits: room.messages.iter().rev().filter_map(hit).take(query.limit).collect(), before: None }
}

fn holders(room: &FakeRoom, id: EntryId) -> Option<api::MessageHolders> {
    let others = room.members.iter().filter(|member| !member.own).map(|member| member.id.to_string());
    let is_own = |message: &Message| message.id == id && message.order.author == room.own();
    room.messages.iter().any(is_own).then(|| api::MessageHolders { held: Vec::new(), missing: others.collect() })
}

fn set_item(room: &mut FakeRoom, key: String, value: Option<String>) -> Result<(), RequestError> {
    _ = match value {
        Some(value) => room.storage.insert(key, value),
        None => room.storage.remove(&key),
    };
    room.refuses_next.take().map_or(Ok(()), Err)
}

/// Answers requests until the web server is gone.
pub(super) async fn answer_all(
    room: Arc<Mutex<FakeRoom>>,
    hub: Hub,
    keys: Credentials,
    mut requests: mpsc::Receiver<NodeRequest>,
) {
    // Requests that will not be answered are kept, so that their clients keep waiting.
    let mut unanswered = Vec::new();
    while let Some(request) = requests.recv().await {
        let mut room = room.lock().expect("no test panics while it holds the room");
        match request {
            NodeRequest::Say { answer, .. } if room.is_mute => unanswered.push(answer),
            request => answer(&mut room, &hub, &keys, request),
        }
    }
}

fn answer(room: &mut FakeRoom, hub: &Hub, keys: &Credentials, request: NodeRequest) {
    // The client may be gone already.
    let _ = match request {
        NodeRequest::Say { source, say, answer } => {
            let sender = source.zip(say.reference.clone().map(|reference| reference.name));
            let said = say_command(room, say);
            if let Ok(SayResult::New(message)) = &said {
                hub.publish(BroadcastEvent::NewMessage { message: (**message).clone(), sender });
            }
            answer.send(said).is_ok()
        }
        NodeRequest::Change { change, answer } => {
            let changed = apply(room, change);
            if let Ok(Some(message)) = &changed {
                hub.publish(BroadcastEvent::ChangedMessage(message.clone()));
            }
            answer.send(changed).is_ok()
        }
        NodeRequest::SetStatus { status, answer } => {
            room.status = status;
            answer.send(Ok(())).is_ok()
        }
        NodeRequest::RemoveCopies { answer } => {
            answer.send(roomful::api::RemovedCopies { removed: vec!["room.db.damaged-1".to_owned()] }).is_ok()
        }
        NodeRequest::Metrics { answer } => answer.send(MetricsSnapshot::default()).is_ok(),
        NodeRequest::FindMessages { selector, answer } => answer.send(find(room, &selector)).is_ok(),
        NodeRequest::Versions { id, before, answer } => answer.send(versions(room, id, before)).is_ok(),
        NodeRequest::Files(FileRequest::List { conversation, answer }) => {
            let statuses = hub.file_statuses();
            let attached = files(room, conversation.as_ref()).into_iter().map(|file| statuses.file(file));
            answer.send(attached.chain(room.files.all()).collect()).is_ok()
        }
        NodeRequest::Files(request) => room.files.answer_soon(request),
        NodeRequest::RefUsed { reference, answer } => answer.send(room.refs.contains_key(&reference)).is_ok(),
        NodeRequest::Rename { name, answer } => {
            room.renamed = Some(name);
            answer.send(Ok(())).is_ok()
        }
        NodeRequest::MarkRead { conversation, arrival, answer } => {
            hub.publish(BroadcastEvent::Read(read_to(room, conversation, arrival)));
            answer.send(Ok(())).is_ok()
        }
        NodeRequest::Typing { conversation, answer } => {
            room.typed.push(conversation);
            answer.send(Ok(())).is_ok()
        }
        NodeRequest::SetItem { key, value, answer } => answer.send(set_item(room, key, value)).is_ok(),
        NodeRequest::Exit { answer } => {
            room.exited = true;
            // Both are on their way to the page; the worse order for the answer.
            hub.publish(BroadcastEvent::Stopping);
            answer.send(()).is_ok()
        }
        NodeRequest::RotateToken { answer } => {
            keys.rotate(PageToken::random());
            hub.publish(BroadcastEvent::TokenRotated);
            answer.send(Ok(())).is_ok()
        }
        NodeRequest::Members { answer } => answer.send(room.members.clone()).is_ok(),
        NodeRequest::Info { answer } => answer.send(room.info.clone()).is_ok(),
        NodeRequest::Doctor { answer } => room.doctor.clone().is_some_and(|doctor| answer.send(doctor).is_ok()),
        NodeRequest::Page { query, answer } => answer.send(page(room, query)).is_ok(),
        NodeRequest::Mark { member, change, answer } => answer.send(mark(room, member, change)).is_ok(),
        NodeRequest::Search { query, answer } => answer.send(search(room, &query)).is_ok(),
        NodeRequest::Holders { id, answer } => answer.send(holders(room, id)).is_ok(),
        NodeRequest::AddPeer { address, answer } => {
            answer.send(if address.contains(' ') { Err("a host has no spaces") } else { Ok(()) }).is_ok()
        }
        NodeRequest::Export { answer, .. } => {
            answer.send(ExportRows { lines: room.messages.clone(), after: None }).is_ok()
        }
        NodeRequest::Welcome { resume, answer } => {
            let welcome = welcome(room, resume.as_ref());
            for index in 0..std::mem::take(&mut room.commits_during_welcome) {
                let author = room.members.last().map_or(room.own(), |member| member.id);
                let text = format!("during the welcome {index}");
                let message = room.commit(author, MessageKind::Say, Conversation::general(), &text);
                hub.publish(BroadcastEvent::NewMessage { message, sender: None });
            }
            answer.send(welcome).is_ok()
        }
    };
}
