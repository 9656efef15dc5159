//! Robustness of the decoders against arbitrary, oversized and future input.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use minicbor::Encoder;
use proptest::prelude::*;

use super::WireError;
use super::envelope::kind;
use super::frame::{Greeting, LENGTH_BYTES, decode, decode_greeting, encode, encode_hello, encode_intro};
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{BatchError, HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::entries::body::Body;
use crate::proto::ids::{Instance, LogId, NodeId, RoomId, RoomTag};
use crate::proto::limits::{FRAME_BYTES_MAX, FRAME_RECEIPTS_MAX, WIRE_MS_MAX};
use crate::proto::links::version_range::VersionRange;
use crate::proto::names::name::Name;
use crate::proto::replication::frame::{CloseReason, Frame, Hello, Intro, ReachReport, ReachState, Receipt};

fn room() -> RoomId {
    RoomId::new("lobby", b"")
}

fn batch(text: &str) -> Verified {
    let key = SigningKey::from_bytes(&[1; 32]);
    let body = Body::say(text.to_owned(), None, None).encode([1; 16]);
    let header = Header {
        version: HEADER_VERSION,
        room: room(),
        author: NodeId(key.verifying_key().to_bytes()),
        audience: None,
        log: LogId(5),
        first_seq: 1,
        prev: None,
        after: None,
        entries: vec![slot(Stamp(100), &body)],
    };
    sign(&key, header, &[body])
}

/// A frame without its length, as decoders take it.
fn body(frame: &Bytes) -> Bytes {
    frame.slice(LENGTH_BYTES..)
}

/// CBOR written by hand.
fn written(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Bytes {
    let mut e = Encoder::new(Vec::new());
    write(&mut e);
    Bytes::from(e.into_writer())
}

#[test]
fn frame_begins_with_its_length() {
    let frame = encode(&Frame::Push(vec![batch("hello")]));
    let (length, rest) = frame.split_at(LENGTH_BYTES);
    assert_eq!(u32::from_be_bytes(length.try_into().expect("four bytes")) as usize, rest.len());
}

#[test]
fn batches_are_verified_and_not_copied() {
    let bytes = body(&encode(&Frame::Push(vec![batch("one"), batch("two")])));
    let Ok(Some(Frame::Push(batches))) = decode(&bytes, &room()) else { panic!("a push") };
    assert_eq!(batches, [batch("one"), batch("two")]);
    let inside = bytes.as_ptr_range();
    assert!(batches.iter().all(|batch| inside.contains(&batch.bytes().as_ptr())));

    let mut forged = bytes.to_vec();
    *forged.last_mut().expect("not empty") ^= 1;
    assert_eq!(decode(&Bytes::from(forged), &room()), Err(WireError::Batch(BatchError::Body)));
    assert_eq!(decode(&bytes, &RoomId::new("other", b"")), Err(WireError::Batch(BatchError::OtherRoom)));
}

#[test]
fn batch_of_a_later_version_is_skipped() {
    // [header {0: 2}, signature, bodies]: later versions keep only the version number in its place.
    let mut header = batch("x").header().clone();
    header.version = HEADER_VERSION + 1;
    let header = minicbor::to_vec(&header).expect("a Vec takes everything");
    let later = written(|e| {
        e.array(3)
            .and_then(|e| e.bytes(&header))
            .and_then(|e| e.bytes(&[0; 64]))
            .and_then(|e| e.array(0))
            .expect("Vec");
    });
    let bytes = written(|e| {
        let e = e.array(2).and_then(|e| e.u64(kind::PUSH)).and_then(|e| e.map(1)).expect("Vec");
        let e = e.u8(0).and_then(|e| e.array(2)).and_then(|e| e.bytes(&later)).expect("Vec");
        e.bytes(batch("now").bytes()).expect("Vec");
    });
    assert_eq!(decode(&bytes, &room()), Ok(Some(Frame::Push(vec![batch("now")]))));
}

#[test]
fn unknown_fields_and_frames_are_ignored() {
    // [4, {0: 7, 9: [1, {2: 3}]}], then an unknown type.
    let field = &[0x82, 0x04, 0xa2, 0x00, 0x07, 0x09, 0x82, 0x01, 0xa1, 0x02, 0x03];
    assert_eq!(decode(&Bytes::from_static(field), &room()), Ok(Some(Frame::Ping { wall_ms: 7 })));
    let frame = &[0x82, 0x18, 99, 0xff, 0xff];
    assert_eq!(decode(&Bytes::from_static(frame), &room()), Ok(None));
    // A receipt with an extra element.
    let receipt = &[0x82, 0x07, 0xa1, 0x00, 0x81, 0x84, 0x01, 0x02, 0x03, 0x61, b'x'];
    let expected = Frame::Receipt(vec![Receipt { log: LogId(1), first: 2, last: 3 }]);
    assert_eq!(decode(&Bytes::from_static(receipt), &room()), Ok(Some(expected)));
    // An unknown reason.
    let close = &[0x82, 0x03, 0xa1, 0x00, 0x18, 77];
    assert_eq!(decode(&Bytes::from_static(close), &room()), Ok(Some(Frame::Close(CloseReason::Other))));
}

#[test]
fn lists_are_bounded_before_memory_is_taken() {
    let receipts = |count: u64| {
        written(|e| {
            let e = e.array(2).and_then(|e| e.u64(kind::RECEIPT)).and_then(|e| e.map(1)).expect("Vec");
            let mut e = e.u8(0).and_then(|e| e.array(count)).expect("Vec");
            for _ in 0..count.min(2_000) {
                e = e.array(3).and_then(|e| e.u8(1)).and_then(|e| e.u8(1)).and_then(|e| e.u8(1)).expect("Vec");
            }
        })
    };
    let most = FRAME_RECEIPTS_MAX as u64;
    assert!(matches!(decode(&receipts(most), &room()), Ok(Some(Frame::Receipt(list))) if list.len() as u64 == most));
    assert!(decode(&receipts(most + 1), &room()).is_err());
    assert!(decode(&receipts(u64::MAX), &room()).is_err());
    let endless = written(|e| {
        let e = e.array(2).and_then(|e| e.u64(kind::RECEIPT)).and_then(|e| e.map(1)).expect("Vec");
        e.u8(0).and_then(|e| e.begin_array()).and_then(|e| e.end()).expect("Vec");
    });
    assert!(decode(&endless, &room()).is_err());
}

#[test]
fn malformed_frames_are_refused() {
    let refused = |bytes: &[u8]| decode(&Bytes::copy_from_slice(bytes), &room()).is_err();
    let ping = body(&encode(&Frame::Ping { wall_ms: 7 }));
    assert!(refused(&[&ping[..], &[0]].concat()), "something behind it");
    assert!((0..ping.len()).all(|cut| refused(&ping[..cut])), "something missing");
    assert!(refused(&vec![0; FRAME_BYTES_MAX + 1]), "too long");
    assert!(refused(&[0x82, 0x04, 0xa0]), "a field missing");
    let hello = Hello { versions: VersionRange::new(1, 1), room: RoomTag::new("lobby"), instance: Instance(1) };
    assert!(refused(&body(&encode_hello(&hello))), "the handshake is over");
    assert!(decode_greeting(&ping, &NodeId([7; 32])).is_err(), "the handshake is not over");
}

#[test]
fn milliseconds_are_clamped_to_the_limit() {
    let id = NodeId([7; 32]);
    for (sent, taken) in [(WIRE_MS_MAX, WIRE_MS_MAX), (WIRE_MS_MAX + 1, WIRE_MS_MAX), (u64::MAX, WIRE_MS_MAX)] {
        let read = |frame: Frame| decode(&body(&encode(&frame)), &room()).ok().flatten();
        assert_eq!(read(Frame::Ping { wall_ms: sent }), Some(Frame::Ping { wall_ms: taken }));
        assert_eq!(read(Frame::Pong { wall_ms: sent }), Some(Frame::Pong { wall_ms: taken }));
        let name = Name::from_lossy("Ana", "?");
        let reach = ReachReport {
            member: id,
            state: ReachState::Here,
            name: name.clone(),
            uptime_ms: sent,
            listens: Vec::new(),
        };
        assert_eq!(read(Frame::Reach(reach.clone())), Some(Frame::Reach(ReachReport { uptime_ms: taken, ..reach })));
        let intro = Intro { name, uptime_ms: sent, wall_ms: sent, listens: Vec::new() };
        let greeting = decode_greeting(&body(&encode_intro(&intro)), &id);
        assert_eq!(greeting, Ok(Greeting::Intro(Intro { uptime_ms: taken, wall_ms: taken, ..intro })));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&Bytes::from(bytes.clone()), &room());
        let _ = decode_greeting(&bytes, &NodeId([7; 32]));
    }

    #[test]
    fn no_fields_panic(kind in 0_u8..16, fields in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [&[0x82, kind], &fields[..]].concat();
        let _ = decode(&Bytes::from(bytes.clone()), &room());
        let _ = decode_greeting(&bytes, &NodeId([7; 32]));
    }

    #[test]
    fn damaged_batch_never_verifies(position in any::<prop::sample::Index>(), flip in 1_u8..) {
        let right = Frame::Push(vec![batch("hello"), batch("world")]);
        let mut bytes = body(&encode(&right)).to_vec();
        let position = position.index(bytes.len());
        bytes[position] ^= flip;
        // The result may be another frame without batches, but every batch accepted was signed.
        if let Ok(Some(Frame::Push(batches) | Frame::Page { batches, .. })) = decode(&Bytes::from(bytes), &room()) {
            let Frame::Push(signed) = &right else { unreachable!("written above") };
            prop_assert!(batches.iter().all(|batch| signed.contains(batch)));
        }
    }
}
