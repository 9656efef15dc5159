//! Types of single fields, each read from a string with its own check.

use serde::Deserialize;

use crate::api::Cursor;
use crate::proto::entries::timeline::Order;
use crate::proto::ids::{EntryId, Hash, NodeId};
use crate::proto::limits::REF_CHARS_MAX;
use crate::proto::names::name::{Name, NameError};

/// A member's full id.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct MemberId(pub(crate) NodeId);

impl TryFrom<String> for MemberId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        NodeId::from_hex(&text).map(Self).ok_or("a member's ID has 64 hex digits")
    }
}

/// A message's full id.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct MessageId(pub(crate) EntryId);

impl TryFrom<String> for MessageId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        EntryId::from_hex(&text).map(Self).ok_or("a message's ID has 64 hex digits")
    }
}

/// The hash of some content.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ContentHash(pub(crate) Hash);

impl TryFrom<String> for ContentHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Hash::from_hex(&text).map(Self).ok_or("the hash of a file has 64 hex digits")
    }
}

/// The name of a channel, cleaned.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ChannelName(pub(crate) Name);

impl TryFrom<String> for ChannelName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Name::new(&text).map(Self).map_err(|error| match error {
            NameError::Empty => "a channel needs a name",
            NameError::TooLong => "a channel name can have up to 32 characters",
        })
    }
}

/// A client's own name for a request, which makes it idempotent.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Reference(pub(crate) String);

impl TryFrom<String> for Reference {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_valid = !text.is_empty() && text.chars().nth(REF_CHARS_MAX).is_none();
        if is_valid { Ok(Self(text)) } else { Err("a \"ref\" has 1 to 64 characters") }
    }
}

/// A place in the timeline, as an earlier answer gave it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimelineCursor(pub(crate) Order);

impl TryFrom<String> for TimelineCursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Cursor::parse(&text).map(|cursor| Self(cursor.0)).ok_or("this cursor does not belong to this room")
    }
}

/// A number in a query: digits only, since the standard library would take a plus sign as well.
///
/// A number that is too large for this machine reads as the largest.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Digits(pub(crate) u64);

impl TryFrom<String> for Digits {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(Self(text.parse().unwrap_or(u64::MAX))) } else { Err("a number has digits only") }
    }
}
