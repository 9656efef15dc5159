//! A fake node behind the program's real web server. The test sets members and messages, and the
//! node answers pages as a real one would. Nothing is stored, sent to other nodes or random.

pub mod files;
mod replies;
pub mod room;
pub mod samples;

use std::sync::{Arc, Mutex, MutexGuard};

use roomful::proto::entries::timeline::{Conversation, Message, MessageKind, NoticeKind};
use roomful::proto::files::status::FileStatus;
use roomful::proto::ids::Hash;
use roomful::web::listeners::PortSelection;
use roomful::web::{BroadcastEvent, Credentials, Hub, Listeners, PageToken, Web};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::replies::answer_all;
use self::room::{FakeRoom, id_of};
use crate::{Context, Result};

/// A fake node, with the program's real web server in front of it.
pub struct FakeNode {
    /// Events to all pages.
    pub hub: Hub,
    /// The token of its page.
    pub keys: Credentials,
    /// The port of its page.
    pub port: u16,
    /// Stops the web server.
    pub stop: CancellationToken,
    room: Arc<Mutex<FakeRoom>>,
    serving: Mutex<Option<JoinHandle<()>>>,
    /// The runtime of the web server, apart from the test's: ended at once, it closes its
    /// connections without a goodbye.
    runtime: Mutex<Option<Runtime>>,
}

impl FakeNode {
    /// Opens a node on a free port of loopback.
    pub async fn open(room: FakeRoom) -> Result<Self> {
        Self::open_with_socket(room, None).await
    }

    /// Opens a node on a free port of loopback and on a Unix socket.
    pub async fn open_with_socket(room: FakeRoom, socket: Option<UnixListener>) -> Result<Self> {
        let runtime = Runtime::new()?;
        let listeners = runtime.spawn(Listeners::open(PortSelection::Given(0), socket)).await??;
        let port = listeners.port().context("a port")?;
        let (requests, received) = mpsc::channel(64);
        let (hub, keys, stop) = (Hub::new(), Credentials::new(PageToken::random()), CancellationToken::new());
        let room = Arc::new(Mutex::new(room));
        runtime.spawn(answer_all(room.clone(), hub.clone(), keys.clone(), received));
        let web = Web::new(requests, hub.clone(), keys.clone(), stop.clone());
        let serving = Mutex::new(Some(runtime.spawn(web.serve(listeners))));
        Ok(Self { hub, keys, port, stop, room, serving, runtime: Mutex::new(Some(runtime)) })
    }

    /// The link to its page.
    pub fn link(&self) -> String {
        format!("http://127.0.0.1:{}/#token={}", self.port, self.keys.token().to_hex().as_str())
    }

    /// What it holds.
    pub fn room(&self) -> MutexGuard<'_, FakeRoom> {
        self.room.lock().expect("no test panics while it holds the room")
    }

    /// Waits until the web server has stopped. Panics if it panicked.
    pub async fn stopped(&self) {
        let serving = self.serving.lock().expect("the task").take();
        serving.expect("the first wait").await.expect("no panic");
    }

    /// Sets how much of some content is here.
    pub fn set_file(&self, content: Hash, status: FileStatus) {
        self.hub.file_statuses().set(content, status);
    }

    /// A member sends a message now.
    pub fn hear(&self, word: &str, text: &str) -> Message {
        let line = self.room().say(word, 0, text);
        self.hub.publish(BroadcastEvent::NewMessage { message: line.clone(), sender: None });
        line
    }

    /// A member sends a message of a kind to a conversation now.
    pub fn hear_in(&self, place: &Conversation, word: &str, text: &str, kind: MessageKind) -> Message {
        let line = Message { kind, ..self.room().say_in(place, word, 0, text) };
        self.hub.publish(BroadcastEvent::NewMessage { message: line.clone(), sender: None });
        line
    }

    /// What was said long ago arrives only now.
    pub fn hear_late(&self, word: &str, ago_s: u64, text: &str) {
        let line = self.room().say(word, ago_s, text);
        self.hub.publish(BroadcastEvent::NewMessage { message: line, sender: None });
    }

    /// A member is typing.
    pub fn types(&self, word: &str, place: &Conversation) {
        let (member, conversation) = (id_of(word), place.clone());
        self.hub.publish(BroadcastEvent::Typing { member, conversation });
    }

    /// A notice about a member, now.
    pub fn notice(&self, word: &str, kind: NoticeKind) {
        let notice = self.room().notice(word, 0, kind);
        self.hub.publish(BroadcastEvent::Notice(notice));
    }

    /// More members hold the newest own message of the room.
    pub fn receipt(&self, held_by: usize, of: usize) {
        self.room().held(held_by, of);
        let room = self.room();
        let own = room.own();
        let newest = room.messages.iter().rev().find(|line| line.order.author == own && line.held.is_some());
        if let Some((id, held)) = newest.and_then(|line| Some((line.id, line.held?))) {
            self.hub.publish(BroadcastEvent::Held { id, held });
        }
    }

    /// The node says that it stops, and does.
    pub fn say_goodbye(&self) {
        self.hub.publish(BroadcastEvent::Stopping);
        self.stop.cancel();
    }

    /// The node is gone without a word.
    pub fn vanish(&self) {
        if let Some(runtime) = self.runtime.lock().ok().and_then(|mut runtime| runtime.take()) {
            runtime.shutdown_background();
        }
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.vanish();
    }
}
