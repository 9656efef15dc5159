//! What happens, told to every socket: the node publishes an event once, it is written as JSON once, and every socket
//! is a cursor over the same ring of recent frames.
//!
//! The ring is bounded, so slow sockets cost nobody memory: a cursor that falls out of it has to come back with what
//! it holds. Nothing here waits for anybody.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::ask::SocketNo;
use super::frames;
use crate::proto::ids::{Arrival, EntryId};
use crate::proto::limits::{HELD_EVERY_MS, PAGE_BEHIND_BYTES_MAX, PAGE_BEHIND_EVENTS_MAX, PAGE_WRITE_BYTES_MAX};
use crate::proto::roster::Member;
use crate::proto::timeline::{Conversation, Held, Line, Notice};

/// Something that pages should know. Published after its commit; lines and notices in the order of their arrival.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new message.
    Line {
        /// The message.
        line: Line,
        /// The socket of this node that said it, with its `ref`.
        said_by: Option<(SocketNo, String)>,
    },
    /// A message that was sent before has another place now.
    Moved(Line),
    /// A new notice.
    Notice(Notice),
    /// A field of a member changed.
    Member(Member),
    /// More members hold an own message.
    Held {
        /// Which message.
        id: EntryId,
        /// How many, of how many.
        held: Held,
    },
    /// The user has read a conversation up to there.
    Read {
        /// Which one.
        conversation: Conversation,
        /// Up to which arrival number.
        arrival: Arrival,
    },
    /// Other messages are shown than before: every socket has to come back and start afresh.
    Afresh,
    /// The node is stopping.
    Stopping,
    /// Every socket came in with a token that is worthless now.
    TokenRotated,
}

/// An event as it goes out.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) text: Utf8Bytes,
    /// Who gets another text: the socket that said it.
    said: Option<(SocketNo, Utf8Bytes)>,
    pub(super) published: Instant,
}

/// What a socket has to know of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// A message or notice with this arrival number: to be sent exactly once.
    Entry(Arrival),
    /// What was true when it was published, and may be older than a welcome.
    Held(EntryId, Held),
    /// Anything else that may come twice without harm.
    State,
    /// No frame: the socket is to come back.
    Afresh,
    /// No frame: the socket is to say goodbye.
    Stopping,
    /// No frame: the socket is to be closed.
    TokenRotated,
}

impl Frame {
    /// The text for this socket.
    pub(super) fn text_for(&self, socket: SocketNo) -> Utf8Bytes {
        match &self.said {
            Some((by, said)) if *by == socket => said.clone(),
            _ => self.text.clone(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.said.as_ref().map_or(0, |(_, said)| said.len())
    }
}

/// A cursor fell out of the ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Behind;

/// Where events are published. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ring: Mutex<Ring>,
    /// The number that the next frame gets.
    head: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    frames: VecDeque<Arc<Frame>>,
    /// The number of the first frame that is still here.
    first: u64,
    bytes: usize,
    /// Messages of which pages heard less than [`HELD_EVERY_MS`] ago how many hold them.
    calm: HashMap<EntryId, Calm>,
}

struct Calm {
    told: Instant,
    /// What they have not heard yet.
    newer: Option<Held>,
}

impl Hub {
    /// A hub without sockets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells every socket. Never waits.
    pub fn publish(&self, event: Event) {
        // Written before the lock is taken: formatting a long text takes a moment.
        let (kind, text, said) = match event {
            Event::Line { line, said_by } => {
                let (text, said) = frames::message(&line, said_by.as_ref().map(|(_, reference)| reference.as_str()));
                (FrameKind::Entry(line.arrival), text, said_by.map(|(by, _)| by).zip(said))
            }
            Event::Moved(line) => (FrameKind::State, frames::message(&line, None).0, None),
            Event::Notice(notice) => (FrameKind::Entry(notice.arrival), frames::notice(&notice), None),
            Event::Member(member) => (FrameKind::State, frames::member(&member), None),
            Event::Held { id, held } => return self.publish_held(id, held),
            Event::Read { conversation, arrival } => (FrameKind::State, frames::read(&conversation, arrival), None),
            Event::Afresh => (FrameKind::Afresh, Utf8Bytes::default(), None),
            Event::Stopping => (FrameKind::Stopping, Utf8Bytes::default(), None),
            Event::TokenRotated => (FrameKind::TokenRotated, Utf8Bytes::default(), None),
        };
        self.push(&mut self.ring(), Frame { kind, text, said, published: Instant::now() });
    }

    fn publish_held(&self, id: EntryId, held: Held) {
        let now = Instant::now();
        let mut ring = self.ring();
        match ring.calm.get_mut(&id) {
            Some(calm) => calm.newer = Some(held),
            None => {
                ring.calm.insert(id, Calm { told: now, newer: None });
                self.push_held(&mut ring, id, held, now);
            }
        }
    }

    fn push_held(&self, ring: &mut Ring, id: EntryId, held: Held, now: Instant) {
        let text = frames::held(id, held);
        self.push(ring, Frame { kind: FrameKind::Held(id, held), text, said: None, published: now });
    }

    fn push(&self, ring: &mut Ring, frame: Frame) {
        ring.bytes += frame.bytes();
        ring.frames.push_back(Arc::new(frame));
        while ring.bytes > PAGE_BEHIND_BYTES_MAX || ring.frames.len() > PAGE_BEHIND_EVENTS_MAX {
            let Some(oldest) = ring.frames.pop_front() else { break };
            ring.bytes -= oldest.bytes();
            ring.first += 1;
        }
        self.0.head.send_replace(ring.first + ring.frames.len() as u64);
    }

    /// Tells what was held back because pages had just heard of the same message. Runs until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut turns = tokio::time::interval(Duration::from_millis(HELD_EVERY_MS) / 2);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            self.tell_held(Instant::now());
        }
    }

    fn tell_held(&self, now: Instant) {
        let every = Duration::from_millis(HELD_EVERY_MS);
        let mut ring = self.ring();
        let mut due = Vec::new();
        ring.calm.retain(|id, calm| {
            if now.duration_since(calm.told) < every {
                return true;
            }
            let newer = calm.newer.take();
            calm.told = now;
            due.extend(newer.map(|held| (*id, held)));
            newer.is_some()
        });
        for (id, held) in due {
            self.push_held(&mut ring, id, held, now);
        }
    }

    /// The number that the next frame gets.
    pub(super) fn head(&self) -> u64 {
        *self.0.head.borrow()
    }

    /// Says when there is something new.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.0.head.subscribe()
    }

    /// The frames from number `from` on, as many as go out in one write; none if there is nothing new.
    pub(super) fn take(&self, from: u64) -> Result<Vec<Arc<Frame>>, Behind> {
        let ring = self.ring();
        let skip = from.checked_sub(ring.first).ok_or(Behind)?;
        let mut bytes = 0;
        let frames = ring.frames.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
        let fitting = frames.take_while(|frame| {
            let first = bytes == 0;
            bytes += frame.bytes();
            first || bytes <= PAGE_WRITE_BYTES_MAX
        });
        Ok(fitting.cloned().collect())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
