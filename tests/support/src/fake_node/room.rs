//! What a fake node holds: members, messages and how far they were read; and what was asked of it.

use std::collections::{BTreeMap, HashMap};

use roomful::api;
use roomful::proto::clock::Stamp;
use roomful::proto::commands::{ChangeCommand, SayCommand};
use roomful::proto::entries::timeline::{Conversation, Delivery, Message, MessageKind, Notice, NoticeKind, Order};
use roomful::proto::files::attachment::Attachment;
use roomful::proto::history::{PageQuery, ReadMarker};
use roomful::proto::ids::{Arrival, EntryId, LogId, NodeId};
use roomful::proto::members::member::{Member, Presence};
use roomful::proto::names::name::Name;
use roomful::web::requests::RequestError;

use super::files::FakeFiles;
use super::samples::{NOW_MS, info};

/// What a fake node holds, what was asked of it, and how it behaves.
pub struct FakeRoom {
    /// All members, the own one first.
    pub members: Vec<Member>,
    /// The messages, in the order of the timeline.
    pub messages: Vec<Message>,
    /// The notices, oldest first.
    pub notices: Vec<Notice>,
    /// How far each conversation was read.
    pub read_markers: Vec<ReadMarker>,
    /// The topics of channels.
    pub topics: BTreeMap<Conversation, String>,
    /// The entries of the page's storage.
    pub storage: BTreeMap<String, String>,
    /// The files that were uploaded.
    pub files: FakeFiles,
    /// The description of the node.
    pub info: api::NodeJson,
    /// The diagnosis of its network. None: a request for it fails.
    pub doctor: Option<api::Doctor>,
    /// True if other members hold every own message at once.
    pub delivers: bool,
    /// True if messages of the user stay unanswered.
    pub is_mute: bool,
    /// The error that answers every message of the user, if any.
    pub refuses: Option<RequestError>,
    /// The error that answers the next request, if any.
    pub refuses_next: Option<RequestError>,
    /// Number of messages that are committed while a welcome is read, after its snapshot, and
    /// published before it is answered.
    pub commits_during_welcome: usize,
    /// The deliveries that a resuming page is told.
    pub deliveries: Vec<(EntryId, Delivery)>,
    /// The changes that were requested.
    pub changes: Vec<ChangeCommand>,
    /// The pages of history that were requested.
    pub queries: Vec<PageQuery>,
    /// The last name that was requested.
    pub renamed: Option<Name>,
    /// The last status that was requested.
    pub status: Option<String>,
    /// Conversations in which the user typed.
    pub typed: Vec<Conversation>,
    /// True once the node was asked to stop.
    pub exited: bool,
    pub(super) refs: HashMap<String, (SayCommand, EntryId)>,
    arrival: Arrival,
}

/// The id of a member: always the same for the same word.
pub fn id_of(word: &str) -> NodeId {
    NodeId(*blake3::hash(word.as_bytes()).as_bytes())
}

fn name(text: &str) -> Name {
    Name::from_lossy(text, "?")
}

/// A channel.
pub fn channel(text: &str) -> Conversation {
    Conversation::Channel(name(text))
}

/// The direct conversation with a member.
pub fn direct(word: &str) -> Conversation {
    Conversation::Direct(id_of(word))
}

impl FakeRoom {
    /// Returns the empty room of Kai's node.
    pub fn empty() -> Self {
        let mut room = Self::of(info(id_of("kai")));
        room.member("kai", "Kai", |kai| kai.own = true);
        room
    }

    /// Returns a room without members or messages, of the node that `info` describes.
    pub fn of(info: api::NodeJson) -> Self {
        Self {
            members: Vec::new(),
            messages: Vec::new(),
            notices: Vec::new(),
            read_markers: Vec::new(),
            topics: BTreeMap::new(),
            storage: BTreeMap::new(),
            files: FakeFiles::default(),
            info,
            doctor: None,
            delivers: true,
            is_mute: false,
            refuses: None,
            refuses_next: None,
            commits_during_welcome: 0,
            deliveries: Vec::new(),
            changes: Vec::new(),
            queries: Vec::new(),
            renamed: None,
            status: None,
            typed: Vec::new(),
            exited: false,
            refs: HashMap::new(),
            arrival: 0,
        }
    }

    /// The id of the node's user.
    pub fn own(&self) -> NodeId {
        self.members[0].id
    }

    /// The arrival number of the newest message or notice.
    pub fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// Adds a member who is online since this morning; `change` makes it another one.
    pub fn member(&mut self, word: &str, called: &str, change: impl FnOnce(&mut Member)) {
        let number = u8::try_from(self.members.len()).unwrap_or(u8::MAX);
        let mut member = Member {
            id: id_of(word),
            name: name(called),
            state: Presence::Online,
            own: false,
            addresses: vec![[192, 0, 2, 20 + number].into()],
            since_ms: NOW_MS - 6 * 3_600_000,
            direct: true,
            via: None,
            clock_error_ms: Some(3),
            marks: Default::default(),
            forked: false,
            status: None,
            bytes: 0,
            closed: None,
        };
        change(&mut member);
        self.members.push(member);
    }

    /// Adds a message to the main channel, `ago_s` seconds old.
    pub fn say(&mut self, word: &str, ago_s: u64, text: &str) -> Message {
        self.say_in(&Conversation::general(), word, ago_s, text)
    }

    /// Adds a message to a conversation, `ago_s` seconds old.
    pub fn say_in(&mut self, place: &Conversation, word: &str, ago_s: u64, text: &str) -> Message {
        // Of messages that are as new as can be, each is newer than the one before.
        let later_ms = if ago_s == 0 { self.arrival + 1 } else { 0 };
        let time = Stamp::from_ms(NOW_MS - ago_s * 1000 + later_ms);
        self.add(id_of(word), name(word), time, MessageKind::Say, place.clone(), text)
    }

    /// Adds a message of a member by its id, as new as can be.
    pub fn commit(&mut self, author: NodeId, kind: MessageKind, place: Conversation, text: &str) -> Message {
        let time = Stamp::from_ms(NOW_MS + self.arrival + 1);
        self.add(author, name("?"), time, kind, place, text)
    }

    /// Adds a message. `fallback` names an author that is no member.
    fn add(
        &mut self,
        author: NodeId,
        fallback: Name,
        time: Stamp,
        kind: MessageKind,
        conversation: Conversation,
        text: &str,
    ) -> Message {
        self.arrival += 1;
        let own = self.own();
        let author_name = self.members.iter().find(|member| member.id == author).map(|member| member.name.clone());
        let others = self.members.iter().filter(|member| !member.own && member.state.is_here()).count();
        let held = Delivery { held_by: if self.delivers { others } else { 0 }, of: others };
        let message = Message {
            id: EntryId { log: LogId(7), seq: self.arrival, check: [9; 16] },
            arrival: self.arrival,
            order: Order { place: time.0, author, log: LogId(7), seq: self.arrival },
            time,
            name: author_name.unwrap_or(fallback),
            to: match &conversation {
                Conversation::Direct(other) if author == own => Some(*other),
                Conversation::Direct(_) => Some(own),
                Conversation::Channel(_) => None,
            },
            conversation,
            kind,
            text: text.to_owned(),
            reply_to: None,
            reply: None,
            changes: Box::default(),
            held: (author == own).then_some(held),
        };
        let at = self.messages.partition_point(|before| before.order < message.order);
        self.messages.insert(at, message.clone());
        message
    }

    /// Adds a notice about a member, `ago_s` seconds old.
    pub fn notice(&mut self, word: &str, ago_s: u64, kind: NoticeKind) -> Notice {
        self.arrival += 1;
        let member = id_of(word);
        let called = self.members.iter().find(|one| one.id == member).map(|one| one.name.clone());
        let name = called.unwrap_or_else(|| name(word));
        let notice = Notice { arrival: self.arrival, wall_ms: NOW_MS - ago_s * 1000, kind, member, name };
        self.notices.push(notice.clone());
        notice
    }

    /// Attaches a file to the message that was added last.
    pub fn attach(&mut self, file: Attachment) {
        let newest = self.arrival;
        if let Some(message) = self.messages.iter_mut().find(|message| message.arrival == newest) {
            message.changes.files.push(file);
        }
    }

    /// Sets the delivery of the newest own message in the main channel.
    pub fn held(&mut self, held_by: usize, of: usize) {
        let (own, room) = (self.own(), Conversation::general());
        let is_meant = |message: &&mut Message| message.order.author == own && message.conversation == room;
        if let Some(message) = self.messages.iter_mut().rev().find(is_meant) {
            message.held = Some(Delivery { held_by, of });
        }
    }

    /// Marks everything up to now as read, except for this many messages in each of these
    /// conversations.
    pub fn read_but(&mut self, unread: &[(Conversation, u64)]) {
        let mut places: Vec<Conversation> = self.messages.iter().map(|message| message.conversation.clone()).collect();
        places.sort();
        places.dedup();
        let own = self.own();
        let marker = |conversation: Conversation| {
            let left = unread.iter().find(|(one, _)| *one == conversation).map_or(0, |(_, count)| *count);
            let mut arrivals: Vec<Arrival> = self
                .messages
                .iter()
                .filter(|message| message.conversation == conversation && message.order.author != own)
                .map(|message| message.arrival)
                .collect();
            arrivals.sort_unstable();
            let skipped = usize::try_from(left).unwrap_or(usize::MAX);
            let read = arrivals.iter().rev().nth(skipped).copied().unwrap_or(0);
            ReadMarker { conversation, unread: left, mentions: 0, read: if left == 0 { self.arrival } else { read } }
        };
        self.read_markers = places.into_iter().map(marker).collect();
    }
}
