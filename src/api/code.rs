//! Every way in which the node says no: the code, its HTTP status and a sentence for a person.

use serde::{Deserialize, Serialize};

/// Why something was refused, in the order in which the reasons are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The Host header names something that is not this machine's loopback.
    BadHost,
    /// The request comes from another site's page.
    BadOrigin,
    /// No token, or a wrong one.
    Unauthorized,
    /// There is nothing at this address.
    NotFound,
    /// Another method is needed here.
    BadMethod,
    /// A POST that is not JSON.
    BadType,
    /// A text over 32 KiB or a body over 1 MiB.
    TooLong,
    /// Not what this address or socket understands: JSON, a field or the query.
    BadRequest,
    /// A frame of a type that this node does not know. On the WebSocket only.
    UnknownType,
    /// The same `ref` was used for something else.
    RefUsed,
    /// Only white space.
    Empty,
    /// Holds control characters.
    NotText,
    /// Cannot be said there.
    BadTarget,
    /// Nobody with this id was ever seen.
    NoSuchMember,
    /// No room to store it.
    DiskFull,
    /// The node is stopping.
    Stopping,
}

impl Code {
    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadHost | Self::BadOrigin => 403,
            Self::Unauthorized => 401,
            Self::NotFound | Self::NoSuchMember => 404,
            Self::BadMethod => 405,
            Self::BadType => 415,
            Self::TooLong => 413,
            Self::BadRequest | Self::UnknownType => 400,
            Self::RefUsed => 409,
            Self::Empty | Self::NotText | Self::BadTarget => 422,
            Self::DiskFull => 507,
            Self::Stopping => 503,
        }
    }

    /// What to tell a person if nothing more is known.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadHost => "Open the page under localhost or 127.0.0.1.",
            Self::BadOrigin => "Only the node's own page may ask this.",
            Self::Unauthorized => "This needs the node's token; `roomful url` prints a link with it.",
            Self::NotFound => "There is nothing here.",
            Self::BadMethod => "This cannot be done here.",
            Self::BadType => "Send it as application/json.",
            Self::TooLong => "This is too long: a message has at most 32 KiB, a request 1 MiB.",
            Self::BadRequest => "This request cannot be understood.",
            Self::UnknownType => "This node does not know this type of frame.",
            Self::RefUsed => "This ref was used for another message already.",
            Self::Empty => "There is nothing to say in it; write at least one visible character.",
            Self::NotText => "It holds control characters, such as colours of a terminal; only text can be said.",
            Self::BadTarget => {
                "It cannot be said there: name one other member, or a channel, or a message that is here."
            }
            Self::NoSuchMember => "Nobody with this id is known here; `roomful members` lists who is.",
            Self::DiskFull => "The disk is full, so this was not stored. Make room and say it again.",
            Self::Stopping => "The node is stopping. Start it again with `roomful`.",
        }
    }
}
