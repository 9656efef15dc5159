//! The JSON forms of the contract: all that crosses HTTP, the WebSocket and `--json`.
//!
//! The forms are separate from the program's own types, so that either can change alone. They do no
//! I/O. The order of fields, and the fields that may be null, are part of the contract.

pub mod changes;
pub mod code;
pub mod conversation;
pub mod copies;
pub mod doctor;
pub mod export;
pub mod file;
pub mod label;
pub mod member;
pub mod message;
pub mod node;
pub mod safety;
pub mod search_hit;
pub mod span;
pub mod welcome;

pub use changes::{QuoteJson, ReactionJson, VersionJson, Versions};
pub use code::{Code, ErrorBody};
pub use conversation::{ConversationRef, ReadMarkerJson, UnreadCount};
pub use copies::{RemovedCopies, RetainedCopy};
pub use doctor::Doctor;
pub use export::{ExportEntry, ExportPage};
pub use file::{ExportFile, FileJson, FileList};
pub use label::Labels;
pub use member::{MemberJson, Members};
pub use message::{Cursor, FoundMessages, MessageHolder, MessageHolders, MessageJson, Messages, NoticeJson, SayBody};
pub use node::{AuthorGaps, DiscoveryTarget, History, NodeJson};
pub use safety::SafetyJson;
pub use search_hit::{SearchHit, SearchHits};
pub use span::Span;
pub use welcome::{DefaultsJson, LimitsJson, WelcomeFrame};

use std::io;

use serde::Serialize;

use crate::proto::entries::kind::MessageKind;
use crate::proto::history::SizeEstimator;
use crate::proto::ids::NodeId;

/// Formats a wall-clock time as in the contract: `2026-11-22T14:05:00.123Z`.
///
/// Times beyond the year 9999 show as its end: peers choose them, and a page must not break on
/// them.
pub fn time(wall_ms: u64) -> String {
    let end = jiff::Timestamp::MAX;
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(end);
    format!("{time:.3}")
}

/// Returns the short id of a full id in hex, or an empty text for anything else.
pub fn short(id: &str) -> String {
    NodeId::from_hex(id).map(|id| id.short()).unwrap_or_default()
}

/// Returns the words in front of the text of a message of this kind, where the kind can't be shown
/// otherwise. A kind of a later version has none.
pub fn text_prefix(kind: &str) -> &'static str {
    MessageKind::from_word(kind).map_or("", |kind| kind.info().prefix)
}

/// Sizes of messages and notices on a page, in bytes of JSON, each with its comma.
pub const PAGE_SIZES: SizeEstimator = SizeEstimator {
    line: |line| json_len(&MessageJson::new(line, |_| file::LONGEST)) + 1,
    notice: |notice| json_len(&NoticeJson::from(notice)) + 1,
};

/// Like [`PAGE_SIZES`], for an export.
pub const EXPORT_SIZES: SizeEstimator =
    SizeEstimator { line: |line| json_len(&ExportEntry::from(line)) + 1, ..PAGE_SIZES };

/// Returns the length of a form's JSON in bytes, without storing it.
pub fn json_len(form: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, form).expect("forms are plain structs with text keys, and counting never fails");
    count.0
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_795_356_300_123), "2026-11-22T14:05:00.123Z");
        assert_eq!(time(1_795_356_300_000), "2026-11-22T14:05:00.000Z");
        assert!(time(u64::MAX).starts_with("9999-12-"));
    }
}
