//! Writes logs as a member does, or with violations.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::{Body, SALT_BYTES};
use roomful::proto::ids::{LogId, NodeId, RoomId};

use crate::speaker::{Speaker, wall_ms};

/// One log of one author, as far as it is written. A clone continues from the same place, which
/// makes a fork.
#[derive(Clone)]
pub(crate) struct Writer {
    key: SigningKey,
    room: RoomId,
    /// Who it is for: none, the whole room.
    pub(crate) audience: Option<NodeId>,
    log: LogId,
    last: Option<Verified>,
    name: String,
}

impl Writer {
    /// A log that is not begun yet.
    pub(crate) fn new(speaker: &Speaker, log: u64) -> Self {
        let name = speaker.intro.name.as_str().to_owned();
        Self { key: speaker.key.clone(), room: speaker.room(), audience: None, log: LogId(log), last: None, name }
    }

    /// The same in another room.
    pub(crate) fn in_room(mut self, room: RoomId) -> Self {
        self.room = room;
        self
    }

    /// The same under another name, which need not be a clean one.
    pub(crate) fn called(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// The next batch, which says these texts now.
    pub(crate) fn says(&mut self, texts: &[String]) -> Verified {
        self.says_at(Stamp::from_ms(wall_ms()), texts)
    }

    /// The next batch, which says these texts at a time that need not be true.
    pub(crate) fn says_at(&mut self, time: Stamp, texts: &[String]) -> Verified {
        self.writes_at(time, texts.iter().map(|text| Body::say(text.clone(), None, None)).collect())
    }

    /// The next batch, with these entries now.
    pub(crate) fn writes(&mut self, bodies: Vec<Body>) -> Verified {
        self.writes_at(Stamp::from_ms(wall_ms()), bodies)
    }

    fn writes_at(&mut self, time: Stamp, mut bodies: Vec<Body>) -> Verified {
        if self.last.is_none() {
            bodies.insert(0, Body::Profile { name: self.name.clone(), status: None });
        }
        let before = self.last.as_ref().map_or(0, |last| last.header().last_time().0 + 1);
        let bodies: Vec<_> = bodies.iter().map(|body| body.encode([7; SALT_BYTES])).collect();
        let first = time.0.max(before).min(Stamp::END - bodies.len() as u64);
        let header = Header {
            version: HEADER_VERSION,
            room: self.room,
            author: NodeId(self.key.verifying_key().to_bytes()),
            audience: self.audience,
            log: self.log,
            first_seq: self.last.as_ref().map_or(1, |last| last.header().last_seq() + 1),
            prev: self.last.as_ref().map(Verified::hash),
            after: None,
            entries: bodies.iter().zip(first..).map(|(body, time)| slot(Stamp(time), body)).collect(),
        };
        self.last.insert(sign(&self.key, header, &bodies)).clone()
    }
}

/// A push of these bytes as a batch, whatever they are.
pub(crate) fn push(batches: &[&[u8]]) -> Bytes {
    // [6, {0: [batch…]}] as the protocol describes it: the program itself cannot encode an invalid
    // batch.
    let mut e = minicbor::Encoder::new(vec![0; 4]);
    e.array(2)
        .and_then(|e| e.u64(6))
        .and_then(|e| e.map(1))
        .and_then(|e| e.u64(0))
        .and_then(|e| e.array(batches.len() as u64))
        .expect("a Vec takes everything");
    for batch in batches {
        e.bytes(batch).expect("a Vec takes everything");
    }
    let mut bytes = e.into_writer();
    let length = u32::try_from(bytes.len() - 4).expect("a frame");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Bytes::from(bytes)
}
