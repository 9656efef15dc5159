//! The kinds of entries. Each has one descriptor, which the store, the API and the commands read.

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A text message.
    Say,
    /// A festive greeting.
    Hooray,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A message.
    Message(MessageKind),
    /// A new text of a message.
    Edit,
    /// The deletion of a message.
    Delete,
    /// A reaction to a message.
    React,
    /// The name and the status of an author.
    Profile,
    /// A file.
    File,
    /// The topic of a channel.
    Topic,
}

/// The descriptor of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// Its word in the API and in exports.
    pub word: &'static str,
    /// The words in front of its text where a kind can't be shown otherwise, with a space.
    pub prefix: &'static str,
    /// True if it is shown as a message of its own, in its place in a conversation.
    pub is_shown: bool,
    /// True if a search finds it.
    pub is_searched: bool,
    /// True if it is part of an export.
    pub is_exported: bool,
    /// True if it counts as unread.
    pub counts_as_unread: bool,
}

const MESSAGE: KindInfo =
    KindInfo { word: "", prefix: "", is_shown: true, is_searched: true, is_exported: true, counts_as_unread: true };

const HIDDEN: KindInfo =
    KindInfo { word: "", prefix: "", is_shown: false, is_searched: false, is_exported: false, counts_as_unread: false };

impl EntryKind {
    /// The descriptor of the kind.
    pub const fn info(self) -> &'static KindInfo {
        match self {
            Self::Message(MessageKind::Say) => &KindInfo { word: "say", ..MESSAGE },
            Self::Message(MessageKind::Hooray) => &KindInfo { word: "hooray", prefix: "Hooray! ", ..MESSAGE },
            Self::Edit => &KindInfo { word: "edit", ..HIDDEN },
            Self::Delete => &KindInfo { word: "delete", ..HIDDEN },
            Self::React => &KindInfo { word: "react", ..HIDDEN },
            Self::Profile => &KindInfo { word: "profile", ..HIDDEN },
            Self::File => &KindInfo { word: "file", ..HIDDEN },
            Self::Topic => &KindInfo { word: "topic", ..HIDDEN },
        }
    }
}

impl MessageKind {
    /// Every kind of message.
    pub const ALL: [Self; 2] = [Self::Say, Self::Hooray];

    /// The descriptor of the kind.
    pub const fn info(self) -> &'static KindInfo {
        EntryKind::Message(self).info()
    }

    /// The kind with this word. None: a kind of a later version.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.info().word == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_kinds_are_found_by_their_words() {
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::from_word(kind.info().word), Some(kind));
            assert!(kind.info().is_shown);
        }
        assert_eq!(MessageKind::from_word("edit"), None);
    }
}
