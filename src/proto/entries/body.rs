//! Bodies: the content of entries, carried in a batch after its header.
//!
//! A body is 16 random bytes, so that a short text cannot be guessed from its hash, and a CBOR
//! value: an array of the kind's number and a map of its fields. A body of an unknown kind, or one
//! that is not well-formed, is stored and relayed like any other, but not shown.

use minicbor::{Decode, Encode};

use super::emoji;
use super::kind::{EntryKind, MessageKind};
use super::mention::Mentions;
use crate::proto::files::attachment::{Attachment, Attachments};
use crate::proto::ids::{EntryId, Hash, NodeId};
use crate::proto::limits::{BODY_BYTES_MAX, STATUS_BYTES_MAX, TEXT_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::proto::names::name::Name;

/// Length of the random prefix of each body.
pub const SALT_BYTES: usize = 16;

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// A message.
    #[n(0)]
    #[cbor(map)]
    Say {
        /// The text exactly as typed.
        #[n(0)]
        text: String,
        /// The channel. `None` in a direct message.
        #[n(1)]
        channel: Option<String>,
        /// The entry that it replies to.
        #[n(2)]
        reply_to: Option<EntryId>,
        /// The files that it names.
        #[n(3)]
        files: Attachments,
        /// The members that it mentions.
        #[n(4)]
        mentions: Mentions,
    },
    /// A new text for an earlier message of the same author.
    #[n(1)]
    #[cbor(map)]
    Edit {
        /// The message.
        #[n(0)]
        entry: EntryId,
        /// The new text.
        #[n(1)]
        text: String,
        /// The members that it mentions from now on.
        #[n(2)]
        mentions: Mentions,
    },
    /// Deletes an earlier entry of the same author. Its body is removed, and this body stands in
    /// its place.
    #[n(2)]
    #[cbor(map)]
    Delete {
        /// The entry.
        #[n(0)]
        entry: EntryId,
        /// The channel of a deleted message; any channel if that is a direct one. `None` if the
        /// entry is no message.
        ///
        /// Without the body, nothing else tells in which conversation the message stood.
        #[n(1)]
        channel: Option<String>,
    },
    /// A reaction to a message.
    #[n(3)]
    #[cbor(map)]
    React {
        /// The message.
        #[n(0)]
        entry: EntryId,
        /// One emoji.
        #[n(1)]
        emoji: String,
        /// True if the reaction is withdrawn.
        #[n(2)]
        off: bool,
    },
    /// The author's name from here on. The first entry of each log.
    #[n(4)]
    #[cbor(map)]
    Profile {
        /// The name, normalised by this or an earlier version of [`Name`]; normalised again when
        /// shown.
        #[n(0)]
        name: String,
        /// What the author is doing; see [`shown_status`].
        #[n(1)]
        status: Option<String>,
    },
    /// A festive greeting for all members.
    #[n(5)]
    #[cbor(map)]
    Hooray {
        /// The greeting as text.
        #[n(0)]
        text: String,
        /// The channel. `None` in a direct message.
        #[n(1)]
        channel: Option<String>,
    },
    /// A file that can be fetched by its hash.
    #[n(6)]
    #[cbor(map)]
    File {
        /// The file's name.
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
        /// The channel. `None` in a direct message.
        #[n(4)]
        channel: Option<String>,
    },
    /// What a channel is about, from here on.
    #[n(7)]
    #[cbor(map)]
    Topic {
        /// The channel.
        #[n(0)]
        channel: String,
        /// The topic; empty: none.
        #[n(1)]
        text: String,
    },
}

impl Body {
    /// A message without files that mentions no member.
    pub fn say(text: String, channel: Option<String>, reply_to: Option<EntryId>) -> Self {
        Self::Say { text, channel, reply_to, files: Attachments::default(), mentions: Mentions::default() }
    }

    /// Deletes an entry that is no message, or whose conversation is not known.
    pub fn delete(entry: EntryId) -> Self {
        Self::Delete { entry, channel: None }
    }

    /// Encodes the body with its random prefix.
    pub fn encode(&self, salt: [u8; SALT_BYTES]) -> Vec<u8> {
        let mut bytes = salt.to_vec();
        minicbor::encode(self, &mut bytes).expect("a Vec takes everything");
        bytes
    }

    /// The entry that a message replies to.
    pub fn reply_to(&self) -> Option<EntryId> {
        match self {
            Self::Say { reply_to, .. } => *reply_to,
            Self::Edit { .. }
            | Self::Delete { .. }
            | Self::React { .. }
            | Self::Profile { .. }
            | Self::Hooray { .. }
            | Self::File { .. }
            | Self::Topic { .. } => None,
        }
    }

    /// Returns true if it is a message that mentions a member, inside code too.
    pub fn mentions(&self, member: NodeId) -> bool {
        match self {
            Self::Say { text, mentions, .. } => mentions.counted(text).iter().any(|mention| mention.id == member),
            _ => false,
        }
    }

    /// The files that it names.
    pub fn files(&self) -> &[Attachment] {
        match self {
            Self::Say { files, .. } => &files.0,
            _ => &[],
        }
    }

    /// The message that it changes.
    pub fn changes(&self) -> Option<EntryId> {
        match self {
            Self::Edit { entry, .. } | Self::Delete { entry, .. } | Self::React { entry, .. } => Some(*entry),
            Self::Say { .. } | Self::Profile { .. } | Self::Hooray { .. } | Self::File { .. } | Self::Topic { .. } => {
                None
            }
        }
    }

    /// Decodes a body. Returns `None` if this version cannot show it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BODY_BYTES_MAX {
            return None;
        }
        let body: Self = minicbor::decode(bytes.get(SALT_BYTES..)?).ok()?;
        body.is_showable().then_some(body)
    }

    /// The channel, if the kind has one.
    pub fn channel(&self) -> Option<&str> {
        match self {
            Self::Say { channel, .. }
            | Self::Hooray { channel, .. }
            | Self::File { channel, .. }
            | Self::Delete { channel, .. } => channel.as_deref(),
            Self::Topic { channel, .. } => Some(channel),
            Self::Edit { .. } | Self::React { .. } | Self::Profile { .. } => None,
        }
    }

    /// The kind of the entry.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Say { .. } => EntryKind::Message(MessageKind::Say),
            Self::Hooray { .. } => EntryKind::Message(MessageKind::Hooray),
            Self::Edit { .. } => EntryKind::Edit,
            Self::Delete { .. } => EntryKind::Delete,
            Self::React { .. } => EntryKind::React,
            Self::Profile { .. } => EntryKind::Profile,
            Self::File { .. } => EntryKind::File,
            Self::Topic { .. } => EntryKind::Topic,
        }
    }

    /// Returns true if the entry is shown as a message of its own.
    pub fn is_message(&self) -> bool {
        self.kind().info().is_shown
    }

    fn is_showable(&self) -> bool {
        let channel = self.channel().is_none_or(Name::was_clean);
        channel
            && match self {
                Self::Say { text, files, .. } => {
                    text.len() <= TEXT_BYTES_MAX && !(text.trim().is_empty() && files.0.is_empty())
                }
                Self::Edit { text, .. } | Self::Hooray { text, .. } => {
                    text.len() <= TEXT_BYTES_MAX && !text.trim().is_empty()
                }
                Self::Profile { name, .. } => Name::was_clean(name),
                Self::React { emoji, .. } => emoji::is_showable(emoji),
                Self::Topic { text, .. } => is_line(text, TOPIC_BYTES_MAX),
                Self::Delete { .. } | Self::File { .. } => true,
            }
    }
}

/// The status of a profile as it is shown: none if there is none, or if it is too long.
pub fn shown_status(status: Option<&str>) -> Option<&str> {
    status.filter(|status| is_line(status, STATUS_BYTES_MAX) && !status.trim().is_empty())
}

/// Returns true if a text is one line without control characters, of at most so many bytes.
pub fn is_line(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str, channel: Option<&str>) -> Body {
        Body::say(text.to_owned(), channel.map(str::to_owned), None)
    }

    #[test]
    fn a_body_survives_its_bytes() {
        let body = say("  /not a command\n\u{202e}שלום 👩\u{200d}💻 ", Some("general"));
        assert_eq!(Body::decode(&body.encode([7; SALT_BYTES])), Some(body));
    }

    #[test]
    fn unshowable_body_is_not_decoded() {
        assert_eq!(Body::decode(&say(" \n", None).encode([0; SALT_BYTES])), None);
        assert_eq!(Body::decode(&say("x", Some(" general")).encode([0; SALT_BYTES])), None);
        assert_eq!(Body::decode(&say(&"x".repeat(TEXT_BYTES_MAX + 1), None).encode([0; SALT_BYTES])), None);
        assert_eq!(Body::decode(b"short"), None);
        // A kind of a later version: number 99 with an empty map.
        let mut unknown = vec![0; SALT_BYTES];
        unknown.extend([0x82, 0x18, 99, 0xa0]);
        assert_eq!(Body::decode(&unknown), None);
    }

    #[test]
    fn blank_text_is_shown_with_a_file() {
        let file = Attachment {
            content: Hash([7; 32]),
            name: "a.txt".to_owned(),
            size: 3,
            media_type: "text/plain".to_owned(),
            width: None,
            height: None,
            preview: None,
        };
        let with = |files| Body::Say {
            text: String::new(),
            channel: None,
            reply_to: None,
            files: Attachments(files),
            mentions: Mentions::default(),
        };
        let body = with(vec![file.clone()]);
        assert_eq!(Body::decode(&body.encode([7; SALT_BYTES])), Some(body));
        assert_eq!(Body::decode(&with(Vec::new()).encode([7; SALT_BYTES])), None);
        let too_large = Attachment { size: 1 << 63, ..file };
        assert_eq!(Body::decode(&with(vec![too_large]).encode([7; SALT_BYTES])), None);
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let mut bytes = vec![0; SALT_BYTES];
        // [0, {0: "hi", 9: true}]
        bytes.extend([0x82, 0x00, 0xa2, 0x00, 0x62, b'h', b'i', 0x09, 0xf5]);
        assert_eq!(Body::decode(&bytes), Some(say("hi", None)));
    }
}
