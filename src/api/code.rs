//! The codes of refusals, each with its HTTP status and a sentence for a person.

use serde::{Deserialize, Serialize};

/// The reason of a refusal, in the order in which reasons are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The Host header does not name this machine's loopback.
    BadHost,
    /// The request comes from a page of another origin.
    BadOrigin,
    /// The token is missing or wrong.
    Unauthorized,
    /// The path is unknown.
    NotFound,
    /// The path has other methods.
    BadMethod,
    /// The content type of a POST does not fit the path.
    BadType,
    /// A text is over 32 KiB, or a body over 1 MiB.
    TooLong,
    /// The JSON, a field or the query is malformed.
    BadRequest,
    /// The type of a frame is unknown. On the WebSocket only.
    UnknownType,
    /// The same `ref` was used for other content.
    RefUsed,
    /// The text is empty, or white space only.
    Empty,
    /// The text contains control characters.
    NotText,
    /// The target is not valid.
    BadTarget,
    /// The member was never seen.
    NoSuchMember,
    /// The message is another member's.
    NotYours,
    /// No message with this id is here.
    NoSuchMessage,
    /// The message was deleted.
    Deleted,
    /// Not all of the file is here.
    NotHere,
    /// A part of an upload begins elsewhere than the one before ended.
    BadOffset,
    /// Not one emoji that this version knows.
    BadEmoji,
    /// As many reactions as count are given.
    TooMany,
    /// The disk is full.
    DiskFull,
    /// The node is stopping.
    Stopping,
    /// The node did not answer in time. An addition to the contract.
    TimedOut,
    /// The program has a bug. An addition to the contract.
    Internal,
}

impl Code {
    /// Returns the HTTP status of the code.
    pub fn status(self) -> u16 {
        match self {
            Self::BadHost | Self::BadOrigin | Self::NotYours => 403,
            Self::Unauthorized => 401,
            Self::NotFound | Self::NoSuchMember | Self::NoSuchMessage => 404,
            Self::BadMethod => 405,
            Self::BadType => 415,
            Self::TooLong => 413,
            Self::BadRequest | Self::UnknownType => 400,
            Self::RefUsed | Self::Deleted | Self::TooMany | Self::NotHere | Self::BadOffset => 409,
            Self::Empty | Self::NotText | Self::BadTarget | Self::BadEmoji => 422,
            Self::DiskFull => 507,
            Self::Stopping | Self::TimedOut => 503,
            Self::Internal => 500,
        }
    }

    /// Returns the default sentence of the code.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadHost => "Open the page at localhost or 127.0.0.1.",
            Self::BadOrigin => "Only the node’s own page can do this.",
            Self::Unauthorized => "Not signed in. Get a sign-in link with `roomful url`.",
            Self::NotFound => "Not found.",
            Self::BadMethod => "This method isn’t supported here.",
            Self::BadType => "Send the request as application/json.",
            Self::TooLong => "Too long. A message can have up to 32 KiB, a request 1 MiB.",
            Self::BadRequest => "The request is not valid.",
            Self::UnknownType => "This type of frame is unknown.",
            Self::RefUsed => "This ref was already used for another message.",
            Self::Empty => "The message is empty.",
            Self::NotText => "The message contains control characters, such as terminal colors. Send plain text.",
            Self::BadTarget => "Can’t send there: choose a channel or one other member.",
            Self::NoSuchMember => "No member has this ID. `roomful members` lists all members.",
            Self::NotYours => "You can change only your own messages.",
            Self::NoSuchMessage => "This message isn’t here, or hasn’t arrived yet.",
            Self::Deleted => "This message was deleted.",
            Self::NotHere => "Not all of this file is here yet. Get it first.",
            Self::BadOffset => "This part of the upload doesn’t follow the last one.",
            Self::BadEmoji => "Choose one emoji.",
            Self::TooMany => "This message has as many reactions as it can show.",
            Self::DiskFull => "The disk is full, so the message wasn’t saved. Free up space and try again.",
            Self::Stopping => "Roomful is stopping. Start it again with `roomful`.",
            Self::TimedOut => "Roomful took too long to answer. Try again.",
            Self::Internal => "Roomful failed because of a bug. Its log says more.",
        }
    }
}

/// The body of every refusal over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code.
    pub error: Code,
    /// A sentence for a person.
    pub message: String,
}
