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
