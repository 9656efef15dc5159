//! An event in the ring of recent ones, as the sockets send it.

use std::sync::OnceLock;

use axum::extract::ws::Utf8Bytes;
use tokio::time::Instant;

use crate::proto::entries::timeline::{Delivery, Message};
use crate::proto::ids::{Arrival, EntryId};
use crate::web::file_statuses::FileStatuses;
use crate::web::frames;
use crate::web::requests::SocketId;

/// An event in the ring. A message is encoded by the first socket that sends it.
#[derive(Debug)]
pub(in crate::web) struct BroadcastFrame {
    pub(in crate::web) kind: BroadcastKind,
    pub(in crate::web) published: Instant,
    content: FrameContent,
}

#[derive(Debug)]
pub(super) enum FrameContent {
    Encoded(Utf8Bytes),
    Message(Box<MessageFrame>),
}

/// A message that is encoded when it is needed: parsing its formatting takes too long for the loop
/// that publishes it.
#[derive(Debug)]
pub(super) struct MessageFrame {
    message: Message,
    /// The statuses of its files, as they are when it is encoded.
    files: FileStatuses,
    /// The socket that sent it, with its `ref`.
    sender: Option<(SocketId, String)>,
    /// The text for all, and the one for the socket that sent it.
    encoded: OnceLock<(Utf8Bytes, Option<Utf8Bytes>)>,
}

/// The part of a frame that sockets interpret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum BroadcastKind {
    /// A message or notice with this arrival number. It is sent exactly once.
    Entry(Arrival),
    /// A delivery count, which may be older than that of a welcome.
    Held(EntryId, Delivery),
    /// A state that may be sent twice.
    State,
    /// No frame: sockets close with `resync`.
    Resync,
    /// No frame: sockets close as the node stops.
    Stopping,
    /// No frame: sockets close as unauthenticated.
    TokenRotated,
}

impl BroadcastFrame {
    pub(super) fn new(kind: BroadcastKind, content: FrameContent) -> Self {
        Self { kind, published: Instant::now(), content }
    }

    /// Returns the text for a socket.
    pub(in crate::web) fn text_for(&self, socket: SocketId) -> Utf8Bytes {
        match &self.content {
            FrameContent::Encoded(text) => text.clone(),
            FrameContent::Message(frame) => {
                let is_sender = frame.sender.as_ref().is_some_and(|(by, _)| *by == socket);
                let (text, said) = frame.encoded();
                said.as_ref().filter(|_| is_sender).unwrap_or(text).clone()
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_encoded(&self) -> bool {
        match &self.content {
            FrameContent::Encoded(_) => true,
            FrameContent::Message(frame) => frame.encoded.get().is_some(),
        }
    }

    /// Encodes a message, unless a socket did so before.
    pub(super) fn encode(&self) {
        if let FrameContent::Message(frame) = &self.content {
            frame.encoded();
        }
    }

    /// The size in memory; of a message that is not encoded yet, an estimate.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.content {
                FrameContent::Encoded(text) => text.len(),
                FrameContent::Message(frame) => {
                    let encoded = frame.encoded.get().map_or(frame.message.text.len(), |(text, said)| {
                        text.len() + said.as_ref().map_or(0, |said| said.len())
                    });
                    size_of::<MessageFrame>() + frame.message.text.len() + encoded
                }
            }
    }
}

impl MessageFrame {
    pub(super) fn new(message: Message, files: FileStatuses, sender: Option<(SocketId, String)>) -> Self {
        Self { message, files, sender, encoded: OnceLock::new() }
    }

    fn encoded(&self) -> &(Utf8Bytes, Option<Utf8Bytes>) {
        let reference = self.sender.as_ref().map(|(_, reference)| reference.as_str());
        self.encoded.get_or_init(|| frames::message(&self.message, &self.files, reference))
    }
}
