//! What an entry says: the bodies that a batch carries behind its header.
//!
//! A body is 16 random bytes, so that nobody can guess a short text from its hash, and a CBOR value: an array of the
//! kind's number and a map of its fields. A kind that this node does not know, or that is not well-formed, is stored
//! and relayed like any other, and not shown.

use minicbor::{Decode, Encode};

use super::ids::{EntryId, Hash};
use super::limits::{BODY_BYTES_MAX, TEXT_BYTES_MAX};
use super::name::Name;

/// The random bytes in front of every body.
pub const SALT_BYTES: usize = 16;

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// A message.
    #[n(0)]
    #[cbor(map)]
    Say {
        /// Exactly what was typed.
        #[n(0)]
        text: String,
        /// The channel; none in a direct message.
        #[n(1)]
        channel: Option<String>,
        /// The entry that it answers.
        #[n(2)]
        reply_to: Option<EntryId>,
    },
    /// A new text for an earlier message of the same author.
    #[n(1)]
    #[cbor(map)]
    Edit {
        /// Which message.
        #[n(0)]
        entry: EntryId,
        /// What it says from now on.
        #[n(1)]
        text: String,
    },
    /// Takes an earlier entry of the same author back: its body goes, this stands in its place.
    #[n(2)]
    #[cbor(map)]
    Delete {
        /// Which entry.
        #[n(0)]
        entry: EntryId,
    },
    /// A reaction to a message.
    #[n(3)]
    #[cbor(map)]
    React {
        /// Which message.
        #[n(0)]
        entry: EntryId,
        /// One emoji.
        #[n(1)]
        emoji: String,
        /// Whether it is taken back.
        #[n(2)]
        off: bool,
    },
    /// The author's name from here on; the first entry of each log.
    #[n(4)]
    #[cbor(map)]
    Profile {
        /// The name, clean as [`Name`] says, or as it once did: shown cleaned anew.
        #[n(0)]
        name: String,
        /// A word on what they are doing.
        #[n(1)]
        status: Option<String>,
    },
    /// A festive greeting for everybody.
    #[n(5)]
    #[cbor(map)]
    Hooray {
        /// The greeting as text.
        #[n(0)]
        text: String,
        /// The channel; none in a direct message.
        #[n(1)]
        channel: Option<String>,
    },
    /// A file that can be fetched by its hash.
    #[n(6)]
    #[cbor(map)]
    File {
        /// Its name.
        #[n(0)]
        name: String,
        /// Its size in bytes.
        #[n(1)]
        size: u64,
        /// Its media type.
        #[n(2)]
        media_type: String,
        /// BLAKE3 of its content.
        #[n(3)]
        content: Hash,
        /// The channel; none in a direct message.
        #[n(4)]
        channel: Option<String>,
    },
}

impl Body {
    /// The bytes that stand in a batch.
    pub fn encode(&self, salt: [u8; SALT_BYTES]) -> Vec<u8> {
        let mut bytes = salt.to_vec();
        minicbor::encode(self, &mut bytes).expect("a Vec takes everything");
        bytes
    }

    /// What a message answers.
    pub fn answers(&self) -> Option<EntryId> {
        match self {
            Self::Say { reply_to, .. } => *reply_to,
            Self::Edit { .. }
            | Self::Delete { .. }
            | Self::React { .. }
            | Self::Profile { .. }
            | Self::Hooray { .. }
            | Self::File { .. } => None,
        }
    }

    /// Reads a body; `None` for one that this node can't show.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BODY_BYTES_MAX {
            return None;
        }
        let body: Self = minicbor::decode(bytes.get(SALT_BYTES..)?).ok()?;
        body.is_showable().then_some(body)
    }

    /// The channel it was said in, where it belongs to one.
    pub fn channel(&self) -> Option<&str> {
        match self {
            Self::Say { channel, .. } | Self::Hooray { channel, .. } | Self::File { channel, .. } => channel.as_deref(),
            Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } | Self::Profile { .. } => None,
        }
    }

    /// Whether it stands in a timeline, as a line of its own.
    pub fn is_message(&self) -> bool {
        match self {
            Self::Say { .. } | Self::Hooray { .. } => true,
            Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } | Self::Profile { .. } | Self::File { .. } => {
                false
            }
        }
    }

    fn is_showable(&self) -> bool {
        let channel = self.channel().is_none_or(Name::was_clean);
        channel
            && match self {
                Self::Say { text, .. } | Self::Edit { text, .. } | Self::Hooray { text, .. } => {
                    text.len() <= TEXT_BYTES_MAX && !text.trim().is_empty()
                }
                Self::Profile { name, .. } => Name::was_clean(name),
                Self::Delete { .. } | Self::React { .. } | Self::File { .. } => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str, channel: Option<&str>) -> Body {
        Body::Say { text: text.to_owned(), channel: channel.map(str::to_owned), reply_to: None }
    }

    #[test]
    fn a_body_survives_its_bytes() {
        let body = say("  /not a command\n\u{202e}שלום 👩\u{200d}💻 ", Some("general"));
        assert_eq!(Body::decode(&body.encode([7; SALT_BYTES])), Some(body));
    }

    #[test]
    fn what_cannot_be_shown_is_no_body() {
        assert_eq!(Body::decode(&say(" \n", None).encode([0; SALT_BYTES])), None);
        assert_eq!(Body::decode(&say("x", Some(" general")).encode([0; SALT_BYTES])), None);
        assert_eq!(Body::decode(&say(&"x".repeat(TEXT_BYTES_MAX + 1), None).encode([0; SALT_BYTES])), None);
        assert_eq!(Body::decode(b"short"), None);
        // A kind from the future: number 99 with an empty map.
        let mut unknown = vec![0; SALT_BYTES];
        unknown.extend([0x82, 0x18, 99, 0xa0]);
        assert_eq!(Body::decode(&unknown), None);
    }

    #[test]
    fn fields_from_the_future_are_passed_over() {
        let mut bytes = vec![0; SALT_BYTES];
        // [0, {0: "hi", 9: true}]
        bytes.extend([0x82, 0x00, 0xa2, 0x00, 0x62, b'h', b'i', 0x09, 0xf5]);
        assert_eq!(Body::decode(&bytes), Some(say("hi", None)));
    }
}
