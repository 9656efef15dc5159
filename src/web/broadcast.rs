//! Broadcasts events to all sockets. The node publishes an event once, it is encoded once, and each
//! socket is a cursor over the same ring of recent frames. A message is encoded on the task of the
//! first socket that sends it.
//!
//! The ring is bounded, so a slow socket costs no memory. A cursor that falls out of the ring has
//! lagged: its client resumes with the entries it holds. Publishing never waits.

mod frame;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub(super) use frame::{BroadcastFrame, BroadcastKind};

use frame::{FrameContent, MessageFrame};

use super::file_statuses::FileStatuses;
use super::frames;
use super::requests::SocketId;
use crate::api::FileJson;
use crate::proto::entries::timeline::{Conversation, Delivery, Message, Notice};
use crate::proto::history::ReadMarker;
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::{HELD_EVERY_MS, PAGE_BEHIND_BYTES_MAX, PAGE_BEHIND_EVENTS_MAX, PAGE_WRITE_BYTES_MAX};
use crate::proto::members::member::Member;
use crate::proto::names::name::Name;

/// An event for all pages. It is published after its commit, messages and notices in the order of
/// arrival.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the variants say what their fields are")]
pub enum BroadcastEvent {
    /// A new message.
    NewMessage {
        message: Message,
        /// The socket of this node that sent it, with its `ref`.
        sender: Option<(SocketId, String)>,
    },
    /// A message that was sent before changed, or has a new place in the timeline.
    ChangedMessage(Message),
    Notice(Notice),
    /// A field of a member changed.
    Member(Member),
    /// The delivery count of an own message grew.
    Held {
        id: EntryId,
        held: Delivery,
    },
    /// The user has read a conversation up to an arrival number.
    Read(ReadMarker),
    /// The topic of a channel changed. Empty: none.
    Topic {
        channel: Name,
        text: String,
    },
    /// A member is typing.
    Typing {
        member: NodeId,
        conversation: Conversation,
    },
    /// Other messages are shown than before, so every socket must resume from the start.
    Resync,
    Stopping,
    /// The status of a file changed.
    File(Box<FileJson>),
    /// The token was rotated, so every open socket is closed.
    TokenRotated,
}

/// A cursor fell out of the ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lagged;

/// The publisher of events. Clones share their state.
#[derive(Clone, Default)]
pub struct Hub(Arc<BroadcastState>);

#[derive(Default)]
struct BroadcastState {
    ring: Mutex<Ring>,
    files: FileStatuses,
    /// The number of the next frame.
    head: watch::Sender<u64>,
    /// Wakes [`Hub::run`] when the first count is debounced.
    debounce_begun: Notify,
}

#[derive(Default)]
struct Ring {
    frames: VecDeque<RingSlot>,
    /// The number of the oldest frame.
    first: u64,
    bytes: usize,
    /// Messages whose delivery count was sent less than [`HELD_EVERY_MS`] ago.
    debounced: HashMap<EntryId, Debounce>,
}

struct RingSlot {
    frame: Arc<BroadcastFrame>,
    /// Its share of [`Ring::bytes`].
    bytes: usize,
}

impl Ring {
    /// Drops the oldest frames beyond the limits.
    fn trim(&mut self) {
        while self.bytes > PAGE_BEHIND_BYTES_MAX || self.frames.len() > PAGE_BEHIND_EVENTS_MAX {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.bytes;
            self.first += 1;
        }
    }

    /// Counts the bytes that frames have now, since sockets have encoded some.
    fn recount(&mut self, from: u64, many: usize) {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        for slot in self.frames.iter_mut().skip(skip).take(many) {
            let bytes = slot.frame.bytes();
            self.bytes = self.bytes - slot.bytes + bytes;
            slot.bytes = bytes;
        }
        self.trim();
    }
}

struct Debounce {
    sent_at: Instant,
    /// The newest count that was not sent yet.
    newer: Option<Delivery>,
}

impl Hub {
    /// Makes a hub without sockets.
    pub fn new() -> Self {
        Self::default()
    }

    /// The statuses of files, for the forms of messages.
    pub fn file_statuses(&self) -> FileStatuses {
        self.0.files.clone()
    }

    /// Publishes an event to all sockets. Never waits.
    pub fn publish(&self, event: BroadcastEvent) {
        let (kind, text) = match event {
            BroadcastEvent::NewMessage { message: line, sender } => {
                return self.publish_message(BroadcastKind::Entry(line.arrival), line, sender);
            }
            BroadcastEvent::ChangedMessage(line) => return self.publish_message(BroadcastKind::State, line, None),
            BroadcastEvent::Notice(notice) => (BroadcastKind::Entry(notice.arrival), frames::notice(&notice)),
            BroadcastEvent::Member(member) => (BroadcastKind::State, frames::member(&member)),
            BroadcastEvent::Held { id, held } => return self.publish_held(id, held),
            BroadcastEvent::Read(marker) => (BroadcastKind::State, frames::read(&marker)),
            BroadcastEvent::Topic { channel, text } => (BroadcastKind::State, frames::topic(&channel, &text)),
            BroadcastEvent::File(file) => (BroadcastKind::State, frames::file(&file)),
            BroadcastEvent::Typing { member, conversation } => {
                (BroadcastKind::State, frames::typing(member, &conversation))
            }
            BroadcastEvent::Resync => (BroadcastKind::Resync, Utf8Bytes::default()),
            BroadcastEvent::Stopping => (BroadcastKind::Stopping, Utf8Bytes::default()),
            BroadcastEvent::TokenRotated => (BroadcastKind::TokenRotated, Utf8Bytes::default()),
        };
        self.push(&mut self.ring(), BroadcastFrame::new(kind, FrameContent::Encoded(text)));
    }

    fn publish_message(&self, kind: BroadcastKind, message: Message, sender: Option<(SocketId, String)>) {
        let frame = MessageFrame::new(message, self.0.files.clone(), sender);
        self.push(&mut self.ring(), BroadcastFrame::new(kind, FrameContent::Message(Box::new(frame))));
    }

    fn publish_held(&self, id: EntryId, held: Delivery) {
        let now = Instant::now();
        let mut ring = self.ring();
        match ring.debounced.get_mut(&id) {
            Some(debounce) => debounce.newer = Some(held),
            None => {
                if ring.debounced.is_empty() {
                    self.0.debounce_begun.notify_one();
                }
                ring.debounced.insert(id, Debounce { sent_at: now, newer: None });
                self.push_held(&mut ring, id, held);
            }
        }
    }

    fn push_held(&self, ring: &mut Ring, id: EntryId, held: Delivery) {
        let content = FrameContent::Encoded(frames::held(id, held));
        self.push(ring, BroadcastFrame::new(BroadcastKind::Held(id, held), content));
    }

    fn push(&self, ring: &mut Ring, frame: BroadcastFrame) {
        let slot = RingSlot { bytes: frame.bytes(), frame: Arc::new(frame) };
        ring.bytes += slot.bytes;
        ring.frames.push_back(slot);
        ring.trim();
        self.0.head.send_replace(ring.first + ring.frames.len() as u64);
    }

    /// Sends debounced delivery counts, until `stop`. No timer runs while there are none.
    pub(super) async fn run(self, stop: CancellationToken) {
        let flush = async {
            loop {
                self.0.debounce_begun.notified().await;
                while self.has_debounced() {
                    sleep(Duration::from_millis(HELD_EVERY_MS) / 2).await;
                    self.flush_debounced(Instant::now());
                }
            }
        };
        let _: Option<()> = stop.run_until_cancelled(flush).await;
    }

    fn has_debounced(&self) -> bool {
        !self.ring().debounced.is_empty()
    }

    fn flush_debounced(&self, now: Instant) {
        let every = Duration::from_millis(HELD_EVERY_MS);
        let mut ring = self.ring();
        let mut due = Vec::new();
        ring.debounced.retain(|id, debounce| {
            if now.duration_since(debounce.sent_at) < every {
                return true;
            }
            let newer = debounce.newer.take();
            debounce.sent_at = now;
            due.extend(newer.map(|held| (*id, held)));
            newer.is_some()
        });
        for (id, held) in due {
            self.push_held(&mut ring, id, held);
        }
    }

    /// Returns the number of the next frame.
    pub(super) fn head(&self) -> u64 {
        *self.0.head.borrow()
    }

    /// Returns a watch that changes with every new frame.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.0.head.subscribe()
    }

    /// Returns the frames from number `from`, as many as go out in one write. Encodes them.
    pub(super) fn take(&self, from: u64) -> Result<Vec<Arc<BroadcastFrame>>, Lagged> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        {
            let ring = self.ring();
            let skip = from.checked_sub(ring.first).ok_or(Lagged)?;
            for slot in ring.frames.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)) {
                bytes += slot.bytes;
                if !frames.is_empty() && bytes > PAGE_WRITE_BYTES_MAX {
                    break;
                }
                frames.push(slot.frame.clone());
            }
        }
        // Without the lock, which the node's loop takes to publish.
        frames.iter().for_each(|frame| frame.encode());
        self.ring().recount(from, frames.len());
        Ok(frames)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::clock::Stamp;
    use crate::proto::entries::timeline::{MessageKind, Order};
    use crate::proto::ids::LogId;

    const SOCKET: SocketId = SocketId(7);

    fn event(text: &str, sender: Option<(SocketId, String)>) -> BroadcastEvent {
        let (id, author) = (EntryId { log: LogId(1), seq: 1, check: [0; 16] }, NodeId([1; 32]));
        let line = Message {
            id,
            arrival: 1,
            order: Order { place: 1, author, log: id.log, seq: 1 },
            time: Stamp::from_ms(1),
            name: Name::from_lossy("Ana", "?"),
            conversation: Conversation::general(),
            to: None,
            kind: MessageKind::Say,
            text: text.to_owned(),
            reply_to: None,
            reply: None,
            changes: Box::default(),
            held: None,
        };
        BroadcastEvent::NewMessage { message: line, sender }
    }

    fn is_encoded(frame: &BroadcastFrame) -> bool {
        frame.is_encoded()
    }

    fn counted(ring: &Ring) -> usize {
        ring.frames.iter().map(|slot| slot.frame.bytes()).sum()
    }

    #[test]
    fn message_is_encoded_by_the_first_reader() {
        let hub = Hub::new();
        hub.publish(event("*hi*", Some((SOCKET, "r".to_owned()))));
        assert!(!is_encoded(&hub.ring().frames[0].frame));
        let frames = hub.take(0).expect("in the ring");
        assert!(is_encoded(&hub.ring().frames[0].frame));
        assert!(frames[0].text_for(SOCKET).contains(r#""type":"said","ref":"r""#));
        assert!(frames[0].text_for(SocketId(8)).contains(r#""type":"message""#));
    }

    #[test]
    fn encoded_bytes_count_toward_the_ring() {
        let hub = Hub::new();
        let text = "*a* ".repeat(400);
        for _ in 0..PAGE_BEHIND_BYTES_MAX / 8_192 {
            hub.publish(event(&text, None));
        }
        let many = hub.ring().frames.len();
        let mut at = 0;
        while at < hub.head()
            && let Ok(frames) = hub.take(at)
        {
            at += frames.len() as u64;
            let ring = hub.ring();
            assert_eq!(ring.bytes, counted(&ring));
            assert!(ring.bytes <= PAGE_BEHIND_BYTES_MAX);
        }
        assert!(hub.ring().frames.len() < many, "the oldest made room");
        assert_eq!(hub.head(), many as u64);
    }
}
