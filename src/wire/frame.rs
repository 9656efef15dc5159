//! The bytes of the frames on a link. Writers give the whole frame with its four bytes of length, so that it can go
//! out as it is, to one link or to many; readers take what follows the length.

use bytes::Bytes;
use minicbor::bytes::{ByteArray, ByteSlice};
use minicbor::{Decoder, Encode, Encoder};

use super::WireError;
use super::forms::{self, List};
use crate::proto::batch::{self, BatchError, Verified};
use crate::proto::closed::Closings;
use crate::proto::fork::{Fork, Signed};
use crate::proto::frame::{CloseReason, Fetch, Frame, Hello, Holding, Intro, Reach, Reached};
use crate::proto::ids::{LogKey, NodeId, RoomId};
use crate::proto::limits::{FRAME_BYTES_MAX, WIRE_MS_MAX};
use crate::proto::name::Name;
use crate::proto::session::Proof;

/// The numbers of the types of frames, as in the table in [`super`].
pub(super) mod kind {
    pub const HELLO: u64 = 0;
    pub const PROOF: u64 = 1;
    pub const INTRO: u64 = 2;
    pub const CLOSE: u64 = 3;
    pub const PING: u64 = 4;
    pub const PONG: u64 = 5;
    pub const PUSH: u64 = 6;
    pub const RECEIPT: u64 = 7;
    pub const COMPARE: u64 = 8;
    pub const AUTHORS: u64 = 9;
    pub const ASK_LOGS: u64 = 10;
    pub const LOGS: u64 = 11;
    pub const FETCH: u64 = 12;
    pub const PAGE: u64 = 13;
    pub const RELAY: u64 = 14;
    pub const REACH: u64 = 15;
    pub const CARRY: u64 = 16;
    pub const CLOSED: u64 = 17;
}

/// Bytes of length in front of every frame, big-endian; they don't count themselves.
pub const LENGTH_BYTES: usize = 4;

/// A frame of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// What each side says first.
    Hello(Hello),
    /// That it knows the room's key.
    Proof(Proof),
    /// What it tells to members only.
    Intro(Intro),
    /// Why there will be no link.
    Close(CloseReason),
}

/// The first frame of either side.
pub fn encode_hello(hello: &Hello) -> Bytes {
    let (lowest, highest) = hello.versions;
    frame(kind::HELLO, forms::Hello { lowest, highest, room: hello.room, instance: hello.instance })
}

/// The frame with the room proof.
pub fn encode_proof(proof: &Proof) -> Bytes {
    frame(kind::PROOF, forms::Proof { proof: ByteArray::from(*proof) })
}

/// What a node tells once the other's proof was right.
pub fn encode_intro(intro: &Intro) -> Bytes {
    let listens = List::new(intro.listens.iter().copied().map(forms::Address));
    let form = forms::Intro { name: intro.name.as_str(), uptime_ms: intro.uptime_ms, wall_ms: intro.wall_ms, listens };
    frame(kind::INTRO, form)
}

/// Reads a frame of a handshake, without its length. `from` is the id in the sender's certificate.
pub fn decode_greeting(bytes: &[u8], from: &NodeId) -> Result<Greeting, WireError> {
    let (number, mut d) = open(bytes)?;
    let greeting = match number {
        kind::HELLO => {
            let form: forms::Hello = d.decode()?;
            let versions = (form.lowest, form.highest);
            Greeting::Hello(Hello { versions, room: form.room, instance: form.instance })
        }
        kind::PROOF => Greeting::Proof(d.decode::<forms::Proof>()?.proof.into()),
        kind::INTRO => {
            let form: forms::Intro<'_> = d.decode()?;
            Greeting::Intro(Intro {
                name: Name::lossy(form.name, &from.short()),
                uptime_ms: ms(form.uptime_ms),
                wall_ms: ms(form.wall_ms),
                listens: form.listens.0.into_iter().map(|address| address.0).collect(),
            })
        }
        kind::CLOSE => Greeting::Close(reason(d.decode::<forms::Close>()?.reason)),
        _ => return Err(WireError::Malformed("not a frame of a handshake")),
    };
    end(&d)?;
    Ok(greeting)
}

/// Any frame that follows the handshake.
pub fn encode(value: &Frame) -> Bytes {
    match value {
        Frame::Ping { wall_ms } => frame(kind::PING, forms::Clock { wall_ms: *wall_ms }),
        Frame::Pong { wall_ms } => frame(kind::PONG, forms::Clock { wall_ms: *wall_ms }),
        Frame::Push(batches) => frame(kind::PUSH, forms::Push { batches: slices(batches) }),
        Frame::Receipt(receipts) => {
            let receipts = List::new(receipts.iter().map(forms::Receipt::from));
            frame(kind::RECEIPT, forms::Receipts { receipts })
        }
        Frame::Compare { hash, from, linked } => {
            let linked = List::new(linked.iter().copied());
            frame(kind::COMPARE, forms::Compare { hash: *hash, from: *from, linked })
        }
        Frame::Authors { same, authors, more, linked } => {
            let (authors, linked) = (List::new(authors.iter().copied()), List::new(linked.iter().copied()));
            frame(kind::AUTHORS, forms::Authors { same: *same, authors, more: *more, linked })
        }
        Frame::AskLogs { author, from } => frame(kind::ASK_LOGS, forms::AskLogs { author: *author, from: *from }),
        Frame::Logs { author, logs, more } => {
            let logs = List::new(logs.iter().map(forms::Holding::from));
            frame(kind::LOGS, forms::Logs { author: *author, logs, more: *more })
        }
        Frame::Fetch(Fetch { key, first, last, bytes }) => {
            let (author, log) = (key.author, key.log);
            frame(kind::FETCH, forms::Fetch { author, log, first: *first, last: *last, bytes: *bytes })
        }
        Frame::Page { key, batches, busy } => {
            let (author, log) = (key.author, key.log);
            frame(kind::PAGE, forms::Page { author, log, batches: slices(batches), busy: *busy })
        }
        Frame::Relay { member, on } => frame(kind::RELAY, forms::Relay { member: *member, on: *on }),
        Frame::Reach(reach) => {
            let listens = List::new(reach.listens.iter().copied().map(forms::Address));
            let (name, uptime_ms) = (reach.name.as_str(), reach.uptime_ms);
            let state = reached_number(reach.state);
            frame(kind::REACH, forms::Reach { member: reach.member, state, name, uptime_ms, listens })
        }
        Frame::Carry { author, from, receipts } => {
            let receipts = List::new(receipts.iter().map(forms::Receipt::from));
            frame(kind::CARRY, forms::Carry { author: *author, from: *from, receipts })
        }
        Frame::Closed(Closings { others, authors }) => {
            frame(kind::CLOSED, forms::Closed { others: *others, authors: List::new(authors.iter().copied()) })
        }
        Frame::Close(reason) => encode_close(*reason),
    }
}

/// The last frame on a link; also in place of any frame of a handshake.
pub fn encode_close(reason: CloseReason) -> Bytes {
    frame(kind::CLOSE, forms::Close { reason: number(reason) })
}

/// Reads a frame that follows the handshake, without its length, and verifies every batch in it; `None` for a type
/// that this program does not know. The batches share the memory of `bytes`.
pub fn decode(bytes: &Bytes, room: &RoomId) -> Result<Option<Frame>, WireError> {
    let (number, mut d) = open(bytes)?;
    let value = match number {
        kind::CLOSE => Frame::Close(reason(d.decode::<forms::Close>()?.reason)),
        kind::PING => Frame::Ping { wall_ms: ms(d.decode::<forms::Clock>()?.wall_ms) },
        kind::PONG => Frame::Pong { wall_ms: ms(d.decode::<forms::Clock>()?.wall_ms) },
        kind::PUSH => Frame::Push(verify_all(bytes, &d.decode::<forms::Push<'_>>()?.batches, room)?),
        kind::RECEIPT => {
            let form: forms::Receipts = d.decode()?;
            Frame::Receipt(form.receipts.0.into_iter().map(Into::into).collect())
        }
        kind::COMPARE => {
            let form: forms::Compare = d.decode()?;
            Frame::Compare { hash: form.hash, from: form.from, linked: form.linked.0 }
        }
        kind::AUTHORS => {
            let form: forms::Authors = d.decode()?;
            Frame::Authors { same: form.same, authors: form.authors.0, more: form.more, linked: form.linked.0 }
        }
        kind::ASK_LOGS => {
            let form: forms::AskLogs = d.decode()?;
            Frame::AskLogs { author: form.author, from: form.from }
        }
        kind::LOGS => {
            let form: forms::Logs<'_> = d.decode()?;
            let logs = form.logs.0.into_iter().map(|form| holding(bytes, form, room)).collect::<Result<_, _>>()?;
            Frame::Logs { author: form.author, logs, more: form.more }
        }
        kind::FETCH => {
            let form: forms::Fetch = d.decode()?;
            let key = LogKey { author: form.author, log: form.log };
            Frame::Fetch(Fetch { key, first: form.first, last: form.last, bytes: form.bytes })
        }
        kind::PAGE => {
            let form: forms::Page<'_> = d.decode()?;
            let key = LogKey { author: form.author, log: form.log };
            Frame::Page { key, batches: verify_all(bytes, &form.batches, room)?, busy: form.busy }
        }
        kind::RELAY => {
            let form: forms::Relay = d.decode()?;
            Frame::Relay { member: form.member, on: form.on }
        }
        kind::REACH => {
            let form: forms::Reach<'_> = d.decode()?;
            Frame::Reach(Reach {
                member: form.member,
                state: reached(form.state),
                name: Name::lossy(form.name, &form.member.short()),
                uptime_ms: ms(form.uptime_ms),
                listens: form.listens.0.into_iter().map(|address| address.0).collect(),
            })
        }
        kind::CARRY => {
            let form: forms::Carry = d.decode()?;
            let receipts = form.receipts.0.into_iter().map(Into::into).collect();
            Frame::Carry { author: form.author, from: form.from, receipts }
        }
        kind::CLOSED => {
            let form: forms::Closed = d.decode()?;
            Frame::Closed(Closings { others: form.others, authors: form.authors.0.into_iter().collect() })
        }
        kind::HELLO | kind::PROOF | kind::INTRO => return Err(WireError::Malformed("the handshake is over")),
        _ => return Ok(None),
    };
    end(&d)?;
    Ok(Some(value))
}

/// A whole frame: length, and an array of type and fields.
fn frame(number: u64, fields: impl Encode<()>) -> Bytes {
    let mut e = Encoder::new(vec![0; LENGTH_BYTES]);
    let written = e.array(2).and_then(|e| e.u64(number)).and_then(|e| e.encode(fields));
    written.expect("a Vec takes everything");
    let mut bytes = e.into_writer();
    let length = bytes.len() - LENGTH_BYTES;
    assert!(length <= FRAME_BYTES_MAX, "our own frames keep the limit");
    bytes[..LENGTH_BYTES].copy_from_slice(&u32::try_from(length).expect("below the limit").to_be_bytes());
    Bytes::from(bytes)
}

/// The type of a frame, and a decoder that stands before its fields.
fn open(bytes: &[u8]) -> Result<(u64, Decoder<'_>), WireError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(WireError::TooLong);
    }
    let mut d = Decoder::new(bytes);
    if d.array()? != Some(2) {
        return Err(WireError::Malformed("a frame has a type and fields"));
    }
    let number = d.u64()?;
    Ok((number, d))
}

fn end(d: &Decoder<'_>) -> Result<(), WireError> {
    if d.position() == d.input().len() { Ok(()) } else { Err(WireError::Malformed("something follows the frame")) }
}

fn slices<const MAX: usize>(batches: &[Verified]) -> List<&ByteSlice, MAX> {
    List::new(batches.iter().map(|batch| <&ByteSlice>::from(batch.bytes().as_ref())))
}

/// Checks every batch. One of a later version is passed over: a newer program wrote it for its own kind, and the link
/// has done nothing wrong by carrying it.
fn verify_all<const MAX: usize>(
    bytes: &Bytes,
    batches: &List<&ByteSlice, MAX>,
    room: &RoomId,
) -> Result<Vec<Verified>, WireError> {
    let mut verified = Vec::with_capacity(batches.0.len());
    for batch in &batches.0 {
        match batch::verify(&bytes.slice_ref(batch), room) {
            Ok(batch) => verified.push(batch),
            Err(BatchError::Version(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(verified)
}

/// Reads what is held of a log. What proves no fork, or only to a newer program, is passed over.
fn holding(bytes: &Bytes, form: forms::Holding<'_>, room: &RoomId) -> Result<Holding, WireError> {
    let mut proof = Vec::new();
    for part in form.fork.iter().flat_map(|parts| &parts.0) {
        match Signed::verify(&bytes.slice_ref(part), room) {
            Ok(signed) => proof.push(signed),
            Err(BatchError::Version(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let fork = <[Signed; 2]>::try_from(proof).ok().and_then(|[one, other]| Fork::new(one, other));
    let ranges = form.ranges.0.into_iter().map(Into::into).collect();
    Ok(Holding { log: form.log, audience: form.audience, ranges, fork })
}

/// Milliseconds as they are taken: what is beyond any time counts as the greatest.
fn ms(ms: u64) -> u64 {
    ms.min(WIRE_MS_MAX)
}

fn reached_number(reached: Reached) -> u64 {
    match reached {
        Reached::Here => 0,
        Reached::Left => 1,
        Reached::Gone => 2,
    }
}

fn reached(number: u64) -> Reached {
    match number {
        0 => Reached::Here,
        1 => Reached::Left,
        _ => Reached::Gone,
    }
}

fn number(reason: CloseReason) -> u64 {
    match reason {
        CloseReason::Stopping => 0,
        CloseReason::Duplicate => 1,
        CloseReason::KeyInUse => 2,
        CloseReason::Version => 3,
        CloseReason::Room => 4,
        CloseReason::Protocol => 5,
        CloseReason::Silent => 6,
        CloseReason::Busy => 7,
        CloseReason::Other => 255,
    }
}

fn reason(number: u64) -> CloseReason {
    match number {
        0 => CloseReason::Stopping,
        1 => CloseReason::Duplicate,
        2 => CloseReason::KeyInUse,
        3 => CloseReason::Version,
        4 => CloseReason::Room,
        5 => CloseReason::Protocol,
        6 => CloseReason::Silent,
        7 => CloseReason::Busy,
        _ => CloseReason::Other,
    }
}
