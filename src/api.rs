//! The JSON forms that page, scripts and commands rely on: what crosses HTTP, the WebSocket and `--json`.
//!
//! Forms are written for their readers, apart from the program's own types, so that neither drags the other along.
//! They do no I/O and decide nothing; field order and which fields may be null are part of the contract.

mod bare;
pub mod code;
pub mod doctor;
pub mod export;
pub mod form;
pub mod held;
pub mod hit;
pub mod label;
mod marks;
pub mod safety;
pub mod span;

pub use code::Code;
pub use doctor::Doctor;
pub use export::{Entry, Export};
pub use form::{
    Cursor, Discovery, History, Lacking, Member, Members, Message, Messages, Node, Notice, Read, Refusal, Room, Say,
    Unread, Welcome,
};
pub use held::{Holder, Holders};
pub use hit::{Hit, Hits};
pub use label::Labels;
pub use safety::Safety;
pub use span::Span;

use std::io;

use serde::Serialize;

use crate::proto::history::Sizes;
use crate::proto::ids::NodeId;

/// A wall-clock time as the contract writes it: `2026-11-22T14:05:00.123Z`.
///
/// Milliseconds beyond the year 9999 are shown as its end: peers choose them, and a page must not break on them.
pub fn time(wall_ms: u64) -> String {
    let end = jiff::Timestamp::MAX;
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(end);
    format!("{time:.3}")
}

/// The 8 characters that people read, of a full id in hex; of anything else nothing.
pub fn short(id: &str) -> String {
    NodeId::from_hex(id).map(|id| id.short()).unwrap_or_default()
}

/// What messages and notices take on a page, in bytes of JSON, each with the comma behind it.
pub const PAGE_SIZES: Sizes =
    Sizes { line: |line| json_len(&Message::from(line)) + 1, notice: |notice| json_len(&Notice::from(notice)) + 1 };

/// As [`PAGE_SIZES`], of an export.
pub const EXPORT_SIZES: Sizes = Sizes { line: |line| json_len(&Entry::from(line)) + 1, ..PAGE_SIZES };

/// The length of the JSON of a form, in bytes, without writing it anywhere.
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
