//! The commands of the node's user: what a page, a script or the command line asks to publish.

use crate::proto::entries::mention::Mentions;
use crate::proto::entries::timeline::{Conversation, MessageKind};
use crate::proto::files::attachment::Attachments;
use crate::proto::ids::{EntryId, Hash, NodeId};
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::IdempotencyKey;

/// A message to send. The text is neither empty nor too long, and has no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SayCommand {
    /// The kind of message.
    pub kind: MessageKind,
    /// The conversation in which it is said.
    pub conversation: Conversation,
    /// The text as typed.
    pub text: String,
    /// The message that this one replies to.
    pub reply_to: Option<EntryId>,
    /// The members that it mentions. None: those whose names stand in it.
    pub mentions: Option<Mentions>,
    /// The files that it names, each here already. The node fills in their sizes.
    pub files: Attachments,
    /// The caller's idempotency key.
    pub reference: Option<IdempotencyKey>,
}

impl SayCommand {
    /// A message without a reply, mentions, files or a key.
    pub fn new(kind: MessageKind, conversation: Conversation, text: String) -> Self {
        let (reply_to, mentions, files, reference) = (None, None, Attachments::default(), None);
        Self { kind, conversation, text, reply_to, mentions, files, reference }
    }

    /// The same message under a key of this name. The key covers all other fields.
    #[must_use]
    pub fn with_reference(self, name: Option<String>) -> Self {
        let content = self.content();
        Self { reference: name.map(|name| IdempotencyKey { name, content }), ..self }
    }

    fn content(&self) -> Hash {
        let (to, channel) = match &self.conversation {
            Conversation::Direct(to) => (Some(to), Conversation::GENERAL),
            Conversation::Channel(channel) => (None, channel.as_str()),
        };
        let mut content = ContentHasher::default();
        content.part(self.kind.info().word.as_bytes());
        content.part(self.text.as_bytes());
        content.part(to.map_or(&[], |to| &to.0));
        content.part(channel.as_bytes());
        content.part(self.reply_to.map(EntryId::to_bytes).as_ref().map_or(&[], |id| &id[..]));
        content.mentions(self.mentions.as_ref());
        for file in &self.files.0 {
            content.part(&file.content.0);
            content.part(file.name.as_bytes());
        }
        content.finish()
    }

    /// The recipient of a direct message.
    pub fn recipient(&self) -> Option<NodeId> {
        match &self.conversation {
            Conversation::Direct(to) => Some(*to),
            Conversation::Channel(_) => None,
        }
    }
}

/// A change of a message or a topic. Its form is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeCommand {
    /// What changes.
    pub change: RequestedChange,
    /// The caller's idempotency key.
    pub reference: Option<IdempotencyKey>,
}

impl ChangeCommand {
    /// A change, under a key of this name.
    pub fn new(change: RequestedChange, name: Option<String>) -> Self {
        let reference = name.map(|name| IdempotencyKey { name, content: change.content() });
        Self { change, reference }
    }
}

/// The change of a [`ChangeCommand`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say what their fields are")]
pub enum RequestedChange {
    /// A new text for an own message. Without mentions: the members whose names stand in it.
    Edit { id: EntryId, text: String, mentions: Option<Mentions> },
    /// The deletion of an own message.
    Delete { id: EntryId },
    /// A reaction to a message, or its removal.
    React { id: EntryId, emoji: String, off: bool },
    /// A new topic of a channel. Empty: none.
    Topic { channel: Name, text: String },
}

impl RequestedChange {
    /// The message that changes. None: a topic does.
    pub fn target(&self) -> Option<EntryId> {
        match self {
            Self::Edit { id, .. } | Self::Delete { id } | Self::React { id, .. } => Some(*id),
            Self::Topic { .. } => None,
        }
    }

    fn content(&self) -> Hash {
        let mut content = ContentHasher::default();
        content.part(self.target().map(EntryId::to_bytes).as_ref().map_or(&[], |id| &id[..]));
        match self {
            Self::Edit { text, mentions, .. } => {
                content.part(b"edit");
                content.part(text.as_bytes());
                content.mentions(mentions.as_ref());
            }
            Self::Delete { .. } => content.part(b"delete"),
            Self::React { emoji, off, .. } => {
                content.part(if *off { b"react off" } else { b"react" });
                content.part(emoji.as_bytes());
            }
            Self::Topic { channel, text } => {
                content.part(b"topic");
                content.part(channel.as_str().as_bytes());
                content.part(text.as_bytes());
            }
        }
        content.finish()
    }
}

/// Hashes all that a command is made of, to tell a repetition from a key used for something else.
///
/// The hash is stored for 30 days, so its input must not change.
#[derive(Default)]
struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn mentions(&mut self, mentions: Option<&Mentions>) {
        let Some(Mentions(mentions)) = mentions else { return };
        let fields =
            mentions.iter().map(|mention| (mention.id.0, mention.first.to_be_bytes(), mention.bytes.to_be_bytes()));
        let bytes: Vec<u8> = fields.flat_map(|(id, first, bytes)| id.into_iter().chain(first).chain(bytes)).collect();
        self.part(&bytes);
    }

    fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::entries::mention::Mention;
    use crate::proto::files::attachment::Attachment;
    use crate::proto::ids::LogId;

    const ID: EntryId = EntryId { log: LogId(1), seq: 2, check: [3; 16] };

    #[test]
    fn key_covers_every_field_of_a_message() {
        let plain = || SayCommand::new(MessageKind::Say, Conversation::general(), "hi".to_owned());
        let mentions = |first| Some(Mentions(vec![Mention::new(NodeId([1; 32]), &(first..first + 1))]));
        let channel = Conversation::Channel(Name::from_lossy("cake", "?"));
        let file = |name: &str| {
            let (content, name, media_type) = (Hash([1; 32]), name.to_owned(), "a/b".to_owned());
            Attachments(vec![Attachment {
                content,
                name,
                size: 1,
                media_type,
                width: None,
                height: None,
                preview: None,
            }])
        };
        let commands = [
            plain(),
            SayCommand { kind: MessageKind::Hooray, ..plain() },
            SayCommand { conversation: channel, ..plain() },
            SayCommand { conversation: Conversation::Direct(NodeId([1; 32])), ..plain() },
            SayCommand { conversation: Conversation::Direct(NodeId([2; 32])), ..plain() },
            SayCommand { text: "ho".to_owned(), ..plain() },
            SayCommand { reply_to: Some(ID), ..plain() },
            SayCommand { mentions: Some(Mentions::default()), ..plain() },
            SayCommand { mentions: mentions(0), ..plain() },
            SayCommand { mentions: mentions(1), ..plain() },
            SayCommand { files: file("a"), ..plain() },
            SayCommand { files: file("b"), ..plain() },
        ];
        let keys: Vec<_> = commands.into_iter().map(|say| say.with_reference(Some("r".to_owned())).reference).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(key.is_some() && !keys[..index].contains(key), "{index}");
        }
    }

    #[test]
    fn stored_keys_stay_valid() {
        let say = SayCommand::new(MessageKind::Say, Conversation::general(), "hi".to_owned());
        let key = say.with_reference(Some("r".to_owned())).reference.expect("a key");
        assert_eq!(data_encoding::HEXLOWER.encode(&key.content.0[..8]), "c7a7af5d927c534b");
        let change = RequestedChange::React { id: ID, emoji: "👍".to_owned(), off: false };
        let key = ChangeCommand::new(change, Some("r".to_owned())).reference.expect("a key");
        assert_eq!(data_encoding::HEXLOWER.encode(&key.content.0[..8]), "9fb6c668b0870d16");
    }
}
