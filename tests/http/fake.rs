//! The fake node of these tests: Ana's, with Ben as the other member.

use std::ops::Deref;
use std::path::PathBuf;

use roomful::api;
use roomful::proto::entries::timeline::{Conversation, Message, MessageKind};
use roomful::proto::history::ReadMarker;
use roomful::proto::ids::{Arrival, NodeId};
use roomful::proto::members::member::Member;
use roomful::proto::names::name::Name;
use roomful::web::BroadcastEvent;
use support::fake_node::FakeNode;
use support::fake_node::room::FakeRoom;
use support::fake_node::samples::{NOW_MS, doctor, info};

pub(crate) const OWN: NodeId = NodeId([1; 32]);
pub(crate) const OTHER: NodeId = NodeId([2; 32]);

/// A node with the program's web server, on a port and a socket.
pub(crate) struct Server {
    node: FakeNode,
    pub(crate) path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Deref for Server {
    type Target = FakeNode;

    fn deref(&self) -> &FakeNode {
        &self.node
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("page.sock");
        let socket = tokio::net::UnixListener::bind(&path).expect("a socket");
        let node = FakeNode::open_with_socket(room(), Some(socket)).await.expect("a server");
        Self { node, path, _dir: dir }
    }

    pub(crate) fn token(&self) -> String {
        self.keys.token().to_hex().to_string()
    }

    /// Commits a message of the other member without publishing it.
    pub(crate) fn commit(&self, text: &str) -> Message {
        self.room().commit(OTHER, MessageKind::Say, Conversation::general(), text)
    }

    /// The other member sends a message.
    pub(crate) fn hear(&self, text: &str) -> Message {
        let message = self.commit(text);
        self.hub.publish(BroadcastEvent::NewMessage { message: message.clone(), sender: None });
        message
    }
}

fn room() -> FakeRoom {
    let mut room = FakeRoom::of(api::NodeJson {
        name: "Ana".to_owned(),
        history: api::History {
            missing: 3,
            lacking: vec![api::AuthorGaps { id: OTHER.to_string(), entries: 3 }],
            ..api::History::default()
        },
        ..info(OWN)
    });
    room.members = vec![member(OWN, "Ana"), member(OTHER, "Ben")];
    room.doctor = Some(doctor(OTHER));
    room.delivers = false;
    room.topics = [(Conversation::general(), "Lunch".to_owned())].into();
    room.read_markers = vec![
        ReadMarker { unread: 1, mentions: 1, ..read_marker(Conversation::general(), 3) },
        read_marker(Conversation::Direct(OTHER), 0),
    ];
    room
}

/// Everything is read up to here.
pub(crate) fn read_marker(conversation: Conversation, read: Arrival) -> ReadMarker {
    ReadMarker { conversation, unread: 0, read, mentions: 0 }
}

/// A member, the own one if it is `OWN`.
pub(crate) fn member(id: NodeId, name: &str) -> Member {
    let member = Member::own(id, Name::from_lossy(name, "?"), vec![[192, 0, 2, 7].into()], NOW_MS);
    Member { own: id == OWN, clock_error_ms: None, ..member }
}
