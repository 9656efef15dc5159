//! Encodes the frames from the node to a page.

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;

use super::error::to_json;
use super::file_statuses::FileStatuses;
use crate::api;
use crate::proto::entries::timeline::{Conversation, Delivery, Message, Notice};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{Arrival, EntryId, NodeId};
use crate::proto::members::member::Member;
use crate::proto::names::name::Name;

/// A frame with its type as the first field.
#[derive(Serialize)]
struct Typed<T> {
    r#type: &'static str,
    #[serde(flatten)]
    rest: T,
}

fn typed(r#type: &'static str, rest: impl Serialize) -> Utf8Bytes {
    to_json(&Typed { r#type, rest }).into()
}

/// Encodes a message as other sockets get it, and with a `ref` also as `said` for its sender. The
/// message is formatted once for both.
pub(super) fn message(line: &Message, files: &FileStatuses, reference: Option<&str>) -> (Utf8Bytes, Option<Utf8Bytes>) {
    let message = to_json(&files.message(line));
    let said = reference.map(|reference| {
        let reference = to_json(&reference);
        format!(r#"{{"type":"said","ref":{reference},"message":{message}}}"#).into()
    });
    (format!(r#"{{"type":"message","message":{message}}}"#).into(), said)
}

pub(super) fn said(line: &Message, files: &FileStatuses, reference: &str) -> Utf8Bytes {
    message(line, files, Some(reference)).1.unwrap_or_default()
}

pub(super) fn file(file: &api::FileJson) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields<'a> {
        file: &'a api::FileJson,
    }
    typed("file", Fields { file })
}

pub(super) fn notice(notice: &Notice) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields {
        notice: api::NoticeJson,
    }
    typed("notice", Fields { notice: notice.into() })
}

pub(super) fn member(member: &Member) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields {
        member: api::MemberJson,
    }
    typed("member", Fields { member: member.into() })
}

pub(super) fn held(id: EntryId, held: Delivery) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields {
        id: String,
        held_by: usize,
        of: usize,
    }
    typed("held", Fields { id: id.to_string(), held_by: held.held_by, of: held.of })
}

pub(super) fn read(marker: &ReadMarker) -> Utf8Bytes {
    let ReadMarker { conversation, read, unread, mentions } = marker;
    let form = api::ReadMarkerJson { room: conversation.into(), read: *read, unread: *unread, mentions: *mentions };
    typed("read", form)
}

pub(super) fn topic(channel: &Name, text: &str) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields<'a> {
        channel: &'a str,
        text: &'a str,
    }
    typed("topic", Fields { channel: channel.as_str(), text })
}

pub(super) fn typing(member: NodeId, conversation: &Conversation) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields {
        id: String,
        #[serde(flatten)]
        room: api::ConversationRef,
    }
    typed("typing", Fields { id: member.to_string(), room: conversation.into() })
}

pub(super) fn welcome(welcome: &api::WelcomeFrame) -> Utf8Bytes {
    typed("welcome", welcome)
}

pub(super) fn challenge(nonce: &str, proof: &str) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields<'a> {
        nonce: &'a str,
        proof: &'a str,
    }
    typed("challenge", Fields { nonce, proof })
}

pub(super) fn done(reference: &str) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields<'a> {
        r#ref: &'a str,
    }
    typed("done", Fields { r#ref: reference })
}

pub(super) fn beat(arrival: Arrival) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Fields {
        arrival: Arrival,
    }
    typed("beat", Fields { arrival })
}

pub(super) fn stopping() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"stopping"}"#)
}

pub(super) fn resync() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"resync"}"#)
}
