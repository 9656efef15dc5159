//! Frames from the node to a page, each written in one place.

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;

use super::refused::to_json;
use crate::api;
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::roster::Member;
use crate::proto::timeline::{Conversation, Held, Line, Notice};

/// A frame with its type first.
#[derive(Serialize)]
struct Typed<T> {
    r#type: &'static str,
    #[serde(flatten)]
    rest: T,
}

fn typed(r#type: &'static str, rest: impl Serialize) -> Utf8Bytes {
    to_json(&Typed { r#type, rest }).into()
}

/// A message as others get it, and, with a `ref`, as the socket gets it that said it. Formatted once for both.
pub(super) fn message(line: &Line, reference: Option<&str>) -> (Utf8Bytes, Option<Utf8Bytes>) {
    let message = to_json(&api::Message::from(line));
    let said = reference.map(|reference| {
        let reference = to_json(&reference);
        format!(r#"{{"type":"said","ref":{reference},"message":{message}}}"#).into()
    });
    (format!(r#"{{"type":"message","message":{message}}}"#).into(), said)
}

pub(super) fn said(line: &Line, reference: &str) -> Utf8Bytes {
    message(line, Some(reference)).1.unwrap_or_default()
}

pub(super) fn notice(notice: &Notice) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Rest {
        notice: api::Notice,
    }
    typed("notice", Rest { notice: notice.into() })
}

pub(super) fn member(member: &Member) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Rest {
        member: api::Member,
    }
    typed("member", Rest { member: member.into() })
}

pub(super) fn held(id: EntryId, held: Held) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Rest {
        id: String,
        held_by: usize,
        of: usize,
    }
    typed("held", Rest { id: id.to_string(), held_by: held.held_by, of: held.of })
}

pub(super) fn read(conversation: &Conversation, arrival: Arrival) -> Utf8Bytes {
    typed("read", api::Read { room: conversation.into(), read: arrival })
}

pub(super) fn welcome(welcome: &api::Welcome) -> Utf8Bytes {
    typed("welcome", welcome)
}

pub(super) fn challenge(nonce: &str, proof: &str) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Rest<'a> {
        nonce: &'a str,
        proof: &'a str,
    }
    typed("challenge", Rest { nonce, proof })
}

pub(super) fn done(reference: &str) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Rest<'a> {
        r#ref: &'a str,
    }
    typed("done", Rest { r#ref: reference })
}

pub(super) fn beat(arrival: Arrival) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Rest {
        arrival: Arrival,
    }
    typed("beat", Rest { arrival })
}

pub(super) fn stopping() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"stopping"}"#)
}

pub(super) fn resync() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"resync"}"#)
}
