//! Encodes and decodes frames. Encoders return the whole frame with its four bytes of length, ready
//! for one link or many; decoders take what follows the length.

use bytes::Bytes;
use minicbor::bytes::{ByteArray, ByteSlice};

use super::envelope::{end, frame, kind, open};
use super::forms::{self, List};
use super::{WireError, files};
use crate::proto::entries::batch::{self, BatchError, Verified};
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::{LogKey, NodeId, RoomId};
use crate::proto::limits::WIRE_MS_MAX;
use crate::proto::links::room_proof::RoomProof;
use crate::proto::links::version_range::VersionRange;
use crate::proto::names::name::Name;
use crate::proto::replication::author_limits::LimitedAuthors;
use crate::proto::replication::fork::{Fork, SignedHeader};
use crate::proto::replication::frame::{CloseReason, Fetch, Frame, Hello, Intro, LogHoldings, ReachReport, ReachState};

pub use super::envelope::LENGTH_BYTES;

/// A frame of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The first frame of each side.
    Hello(Hello),
    /// The proof that the sender knows the room's key.
    Proof(RoomProof),
    /// What the sender tells only to members.
    Intro(Intro),
    /// Why there will be no link.
    Close(CloseReason),
}

/// Encodes a Hello frame.
pub fn encode_hello(hello: &Hello) -> Bytes {
    let VersionRange { lowest, highest } = hello.versions;
    frame(kind::HELLO, forms::HelloForm { lowest, highest, room: hello.room, instance: hello.instance })
}

/// Encodes a Proof frame.
pub fn encode_proof(proof: &RoomProof) -> Bytes {
    frame(kind::PROOF, forms::ProofForm { proof: ByteArray::from(*proof) })
}

/// Encodes an Intro frame.
pub fn encode_intro(intro: &Intro) -> Bytes {
    let listens = List::new(intro.listens.iter().copied().map(forms::Address));
    let form =
        forms::IntroForm { name: intro.name.as_str(), uptime_ms: intro.uptime_ms, wall_ms: intro.wall_ms, listens };
    frame(kind::INTRO, form)
}

/// Decodes a frame of the handshake, without its length. `from` is the id in the sender's
/// certificate.
pub fn decode_greeting(bytes: &[u8], from: &NodeId) -> Result<Greeting, WireError> {
    let (number, mut d) = open(bytes)?;
    let greeting = match number {
        kind::HELLO => {
            let form: forms::HelloForm = d.decode()?;
            let versions = VersionRange::new(form.lowest, form.highest);
            Greeting::Hello(Hello { versions, room: form.room, instance: form.instance })
        }
        kind::PROOF => Greeting::Proof(d.decode::<forms::ProofForm>()?.proof.into()),
        kind::INTRO => {
            let form: forms::IntroForm<'_> = d.decode()?;
            Greeting::Intro(Intro {
                name: Name::from_lossy(form.name, &from.short()),
                uptime_ms: ms(form.uptime_ms),
                wall_ms: ms(form.wall_ms),
                listens: form.listens.0.into_iter().map(|address| address.0).collect(),
            })
        }
        kind::CLOSE => Greeting::Close(reason(d.decode::<forms::CloseForm>()?.reason)),
        _ => return Err(WireError::Malformed("not a frame of a handshake")),
    };
    end(&d)?;
    Ok(greeting)
}

/// Encodes a frame that follows the handshake.
pub fn encode(value: &Frame) -> Bytes {
    match value {
        Frame::Ping { wall_ms } => frame(kind::PING, forms::ClockForm { wall_ms: *wall_ms }),
        Frame::Pong { wall_ms } => frame(kind::PONG, forms::ClockForm { wall_ms: *wall_ms }),
        Frame::Push(batches) => frame(kind::PUSH, forms::PushForm { batches: slices(batches) }),
        Frame::Receipt(receipts) => {
            let receipts = List::new(receipts.iter().map(forms::ReceiptForm::from));
            frame(kind::RECEIPT, forms::ReceiptsForm { receipts })
        }
        Frame::Compare { hash, from, linked } => {
            let linked = List::new(linked.iter().copied());
            frame(kind::COMPARE, forms::CompareForm { hash: *hash, from: *from, linked })
        }
        Frame::Authors { same, authors, more, linked } => {
            let (authors, linked) = (List::new(authors.iter().copied()), List::new(linked.iter().copied()));
            frame(kind::AUTHORS, forms::AuthorsForm { same: *same, authors, more: *more, linked })
        }
        Frame::AskLogs { author, from } => frame(kind::ASK_LOGS, forms::AskLogsForm { author: *author, from: *from }),
        Frame::Logs { author, logs, more } => {
            let logs = List::new(logs.iter().map(forms::LogHoldingsForm::from));
            frame(kind::LOGS, forms::LogsForm { author: *author, logs, more: *more })
        }
        Frame::Fetch(Fetch { key, first, last, bytes }) => {
            let (author, log) = (key.author, key.log);
            frame(kind::FETCH, forms::FetchForm { author, log, first: *first, last: *last, bytes: *bytes })
        }
        Frame::Page { key, batches, busy } => {
            let (author, log) = (key.author, key.log);
            frame(kind::PAGE, forms::PageForm { author, log, batches: slices(batches), busy: *busy })
        }
        Frame::Relay { member, on } => frame(kind::RELAY, forms::RelayForm { member: *member, on: *on }),
        Frame::Reach(reach) => {
            let listens = List::new(reach.listens.iter().copied().map(forms::Address));
            let (name, uptime_ms) = (reach.name.as_str(), reach.uptime_ms);
            let state = reached_number(reach.state);
            frame(kind::REACH, forms::ReachForm { member: reach.member, state, name, uptime_ms, listens })
        }
        Frame::Carry { author, from, receipts } => {
            let receipts = List::new(receipts.iter().map(forms::ReceiptForm::from));
            frame(kind::CARRY, forms::CarryForm { author: *author, from: *from, receipts })
        }
        Frame::Closed(LimitedAuthors { others, authors }) => {
            frame(kind::CLOSED, forms::LimitsForm { others: *others, authors: List::new(authors.iter().copied()) })
        }
        Frame::Typing { channel } => {
            frame(kind::TYPING, forms::TypingForm { channel: channel.as_ref().map(Name::as_str) })
        }
        Frame::File(file) => files::encode(file),
        Frame::Close(reason) => encode_close(*reason),
    }
}

/// Encodes a Close frame: the last frame on a link, or in place of any frame of the handshake.
pub fn encode_close(reason: CloseReason) -> Bytes {
    frame(kind::CLOSE, forms::CloseForm { reason: number(reason) })
}

/// Decodes a frame that follows the handshake, without its length, and verifies every batch in it.
/// Returns `None` for an unknown type. The batches share the memory of `bytes`.
pub fn decode(bytes: &Bytes, room: &RoomId) -> Result<Option<Frame>, WireError> {
    let (number, mut d) = open(bytes)?;
    let value = match number {
        kind::CLOSE => Frame::Close(reason(d.decode::<forms::CloseForm>()?.reason)),
        kind::PING => Frame::Ping { wall_ms: ms(d.decode::<forms::ClockForm>()?.wall_ms) },
        kind::PONG => Frame::Pong { wall_ms: ms(d.decode::<forms::ClockForm>()?.wall_ms) },
        kind::PUSH => Frame::Push(verify_all(bytes, &d.decode::<forms::PushForm<'_>>()?.batches, room)?),
        kind::RECEIPT => {
            let form: forms::ReceiptsForm = d.decode()?;
            Frame::Receipt(form.receipts.0.into_iter().map(Into::into).collect())
        }
        kind::COMPARE => {
            let form: forms::CompareForm = d.decode()?;
            Frame::Compare { hash: form.hash, from: form.from, linked: form.linked.0 }
        }
        kind::AUTHORS => {
            let form: forms::AuthorsForm = d.decode()?;
            Frame::Authors { same: form.same, authors: form.authors.0, more: form.more, linked: form.linked.0 }
        }
        kind::ASK_LOGS => {
            let form: forms::AskLogsForm = d.decode()?;
            Frame::AskLogs { author: form.author, from: form.from }
        }
        kind::LOGS => {
            let form: forms::LogsForm<'_> = d.decode()?;
            let logs = form.logs.0.into_iter().map(|form| holding(bytes, form, room)).collect::<Result<_, _>>()?;
            Frame::Logs { author: form.author, logs, more: form.more }
        }
        kind::FETCH => {
            let form: forms::FetchForm = d.decode()?;
            let key = LogKey { author: form.author, log: form.log };
            Frame::Fetch(Fetch { key, first: form.first, last: form.last, bytes: form.bytes })
        }
        kind::PAGE => {
            let form: forms::PageForm<'_> = d.decode()?;
            let key = LogKey { author: form.author, log: form.log };
            Frame::Page { key, batches: verify_all(bytes, &form.batches, room)?, busy: form.busy }
        }
        kind::RELAY => {
            let form: forms::RelayForm = d.decode()?;
            Frame::Relay { member: form.member, on: form.on }
        }
        kind::REACH => {
            let form: forms::ReachForm<'_> = d.decode()?;
            Frame::Reach(ReachReport {
                member: form.member,
                state: reached(form.state),
                name: Name::from_lossy(form.name, &form.member.short()),
                uptime_ms: ms(form.uptime_ms),
                listens: form.listens.0.into_iter().map(|address| address.0).collect(),
            })
        }
        kind::CARRY => {
            let form: forms::CarryForm = d.decode()?;
            let receipts = form.receipts.0.into_iter().map(Into::into).collect();
            Frame::Carry { author: form.author, from: form.from, receipts }
        }
        kind::CLOSED => {
            let form: forms::LimitsForm = d.decode()?;
            Frame::Closed(LimitedAuthors { others: form.others, authors: form.authors.0.into_iter().collect() })
        }
        kind::TYPING => {
            let form: forms::TypingForm<'_> = d.decode()?;
            let channel = |text| Name::from_lossy(text, Conversation::GENERAL);
            Frame::Typing { channel: form.channel.map(channel) }
        }
        kind::FILE_WANT..=kind::FILE_REFUSE => Frame::File(files::decode(number, &mut d, bytes)?),
        kind::HELLO | kind::PROOF | kind::INTRO => return Err(WireError::Malformed("the handshake is over")),
        _ => return Ok(None),
    };
    end(&d)?;
    Ok(Some(value))
}

/// Returns true if a frame has data of a file. It has no signature, so decoding it takes no time.
pub fn is_file_data(bytes: &[u8]) -> bool {
    open(bytes).is_ok_and(|(number, _)| number == kind::FILE_DATA)
}

fn slices<const MAX: usize>(batches: &[Verified]) -> List<&ByteSlice, MAX> {
    List::new(batches.iter().map(|batch| <&ByteSlice>::from(batch.bytes().as_ref())))
}

/// Verifies all batches. Batches of a later version are skipped: a newer program wrote them for its
/// own kind, and the link that carries them is not at fault.
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

/// Decodes the holdings of a log. A fork proof that proves nothing, or only to a newer version, is
/// ignored.
fn holding(bytes: &Bytes, form: forms::LogHoldingsForm<'_>, room: &RoomId) -> Result<LogHoldings, WireError> {
    let mut proof = Vec::new();
    for part in form.fork.iter().flat_map(|parts| &parts.0) {
        match SignedHeader::verify(&bytes.slice_ref(part), room) {
            Ok(signed) => proof.push(signed),
            Err(BatchError::Version(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let fork = <[SignedHeader; 2]>::try_from(proof).ok().and_then(|[first, second]| Fork::new(first, second));
    let ranges = form.ranges.0.into_iter().map(Into::into).collect();
    Ok(LogHoldings { log: form.log, audience: form.audience, ranges, fork })
}

/// Clamps received milliseconds to [`WIRE_MS_MAX`].
fn ms(ms: u64) -> u64 {
    ms.min(WIRE_MS_MAX)
}

fn reached_number(reached: ReachState) -> u64 {
    match reached {
        ReachState::Here => 0,
        ReachState::Left => 1,
        ReachState::Gone => 2,
    }
}

fn reached(number: u64) -> ReachState {
    match number {
        0 => ReachState::Here,
        1 => ReachState::Left,
        _ => ReachState::Gone,
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
