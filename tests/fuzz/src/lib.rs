//! The fuzz targets: each passes its bytes to code that strangers can reach, and checks the
//! invariants of the result. `tests/protocol/corpora.rs` does the same with the saved inputs.

mod engine;
mod frontier;
mod room;

use std::collections::BTreeSet;

use bytes::Bytes;
use roomful::api::span::{self, Span};
use roomful::proto::entries::batch::{Verified, verify};
use roomful::proto::limits::{
    BATCH_ENTRIES_MAX, BEACON_BYTES_MAX, PAGE_STORAGE_KEY_BYTES_MAX, PAGE_STORAGE_VALUE_BYTES_MAX, PORT_MIN,
    REF_CHARS_MAX, SPAN_DEPTH_MAX, TEXT_BYTES_MAX,
};
use roomful::proto::names::name::Name;
use roomful::web::request::{RequestKind, read};
use roomful::wire;
use roomful::wire::frame::{Greeting, LENGTH_BYTES};

pub use engine::engine;
pub use frontier::frontier;

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 8] = [
    ("beacon", beacon),
    ("hello", hello),
    ("frame", frame),
    ("batch", batch),
    ("frontier", frontier),
    ("spans", spans),
    ("message", message),
    ("engine", engine),
];

/// A packet: what is read from it survives being written.
pub fn beacon(bytes: &[u8]) {
    let Ok(beacon) = wire::beacon::decode(bytes) else { return };
    let packet = wire::beacon::encode(&beacon);
    assert!(packet.len() <= BEACON_BYTES_MAX && beacon.port >= PORT_MIN);
    assert_eq!(wire::beacon::decode(&packet), Ok(beacon));
}

/// A frame of a handshake.
pub fn hello(bytes: &[u8]) {
    let from = room::id(2);
    let Ok(greeting) = wire::frame::decode_greeting(bytes, &from) else { return };
    let again = match &greeting {
        Greeting::Hello(hello) => wire::frame::encode_hello(hello),
        Greeting::Proof(proof) => wire::frame::encode_proof(proof),
        Greeting::Intro(intro) => wire::frame::encode_intro(intro),
        Greeting::Close(reason) => wire::frame::encode_close(*reason),
    };
    assert_eq!(wire::frame::decode_greeting(&again[LENGTH_BYTES..], &from), Ok(greeting));
}

/// A frame that follows the handshake.
pub fn frame(bytes: &[u8]) {
    let Ok(Some(frame)) = wire::frame::decode(&Bytes::copy_from_slice(bytes), &room::id_of_room()) else { return };
    let again = wire::frame::encode(&frame);
    assert_eq!(wire::frame::decode(&again.slice(LENGTH_BYTES..), &room::id_of_room()), Ok(Some(frame)));
}

/// A batch as it is, and, since a fuzzer cannot sign, as a header and bodies signed with a member's
/// key.
pub fn batch(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let bytes = if kind % 2 == 0 { Bytes::copy_from_slice(rest) } else { room::sign_parts(rest) };
    let Ok(batch) = verify(&bytes, &room::id_of_room()) else { return };
    check_batch(&batch, &bytes);
}

fn check_batch(batch: &Verified, bytes: &Bytes) {
    let header = batch.header();
    let many = header.entries.len();
    assert!((1..=BATCH_ENTRIES_MAX).contains(&many) && header.first_seq > 0);
    assert_eq!(header.last_seq() - header.first_seq + 1, many as u64);
    assert_eq!(batch.bytes(), bytes, "kept as it came");
    let ids: BTreeSet<_> = (0..many).map(|index| batch.entry_id(index)).collect();
    assert_eq!(ids.len(), many, "each entry has an id of its own");
    // A body may be anything; reading it is total.
    let shown = (0..=many).filter(|index| batch.body(*index).is_some()).count();
    assert!(shown <= many);
}

/// A text in Markdown: limited depth, links only with allowed schemes, and nothing shown that was
/// not typed.
pub fn spans(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.len() > TEXT_BYTES_MAX {
        return;
    }
    let shown = check_spans(&span::spans(text, &[]), 1);
    // Of a tab that is partly a list's indentation, the rest of its columns is code.
    let most = text.len() + 3 * text.matches('\t').count();
    assert!(shown <= most, "{shown} bytes shown of {}", text.len());
}

/// How many bytes of text these spans show.
fn check_spans(spans: &[Span], depth: usize) -> usize {
    assert!(depth <= SPAN_DEPTH_MAX || spans.is_empty(), "{depth} deep");
    let shown = |span: &Span| match span {
        Span::Text { text } => {
            assert!(!text.is_empty());
            text.len()
        }
        Span::Code { text } | Span::Pre { text, .. } | Span::Mention { text, .. } => text.len(),
        Span::Em { spans } | Span::Strong { spans } | Span::Strike { spans } | Span::Quote { spans } => {
            check_spans(spans, depth + 1)
        }
        Span::Link { href, spans } => {
            let lower = href.to_ascii_lowercase();
            assert!(["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)), "{href:?}");
            check_spans(spans, depth + 1)
        }
    };
    spans.iter().map(shown).sum()
}

/// A text frame of a page.
pub fn message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let frame = read(text);
    if let Some(reference) = &frame.reference {
        assert!((1..=REF_CHARS_MAX).contains(&reference.chars().count()));
    }
    match frame.message {
        Ok(RequestKind::Say(_)) => assert!(frame.reference.is_some(), "what is said has a name"),
        Ok(RequestKind::Rename(name)) => assert_eq!(Name::new(name.as_str()), Ok(name)),
        Ok(RequestKind::SetItem { key, value }) => {
            assert!((1..=PAGE_STORAGE_KEY_BYTES_MAX).contains(&key.len()));
            assert!(value.is_none_or(|value| value.len() <= PAGE_STORAGE_VALUE_BYTES_MAX));
        }
        Ok(RequestKind::Change(_) | RequestKind::SetStatus(_)) => {
            assert!(frame.reference.is_some(), "a change has a name")
        }
        Ok(RequestKind::Exit | RequestKind::Typing(_) | RequestKind::Read { .. }) | Err(_) => {}
    }
}
