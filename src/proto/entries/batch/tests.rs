//! What verifies, what is refused, and what may stand for a body.

use super::super::body::SALT_BYTES;
use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn room() -> RoomId {
    RoomId::new("lobby", b"")
}

fn say(text: &str) -> Vec<u8> {
    Body::say(text.to_owned(), None, None).encode([1; SALT_BYTES])
}

fn header(bodies: &[Vec<u8>]) -> Header {
    let author = NodeId(key(1).verifying_key().to_bytes());
    let entries = bodies.iter().enumerate().map(|(i, body)| slot(Stamp(100 + i as u64), body)).collect();
    Header {
        version: HEADER_VERSION,
        room: room(),
        author,
        audience: None,
        log: LogId(5),
        first_seq: 1,
        prev: None,
        after: None,
        entries,
    }
}

fn signed(texts: &[&str]) -> Verified {
    let bodies: Vec<_> = texts.iter().map(|text| say(text)).collect();
    sign(&key(1), header(&bodies), &bodies)
}

#[test]
fn signed_batch_verifies_unchanged() {
    let batch = signed(&["one", "two"]);
    let again = verify(batch.bytes(), &room()).expect("our own batch");
    assert_eq!(again, batch);
    assert!(matches!(again.body(1), Some(Body::Say { text, .. }) if text == "two"));
    assert_eq!(again.header().last_seq(), 2);
}

#[test]
fn every_flipped_bit_is_detected() {
    let batch = signed(&["hello"]);
    for position in 0..batch.bytes().len() {
        for bit in 0..8 {
            let mut bytes = batch.bytes().to_vec();
            bytes[position] ^= 1 << bit;
            assert!(verify(&Bytes::from(bytes), &room()).is_err(), "byte {position}, bit {bit}");
        }
    }
}

#[test]
fn another_room_is_refused() {
    let batch = signed(&["hello"]);
    assert_eq!(verify(batch.bytes(), &RoomId::new("lobby", b"key")), Err(BatchError::OtherRoom));
}

#[test]
fn a_foreign_signature_is_refused() {
    let bodies = [say("hello")];
    let forged = sign(&key(2), header(&bodies), &bodies);
    assert_eq!(verify(forged.bytes(), &room()), Err(BatchError::Signature));
}

#[test]
fn malformed_headers_are_refused() {
    let bodies = [say("a"), say("b")];
    let check = |change: fn(&mut Header)| {
        let mut header = header(&bodies);
        change(&mut header);
        assert!(header.check(&room()).is_err());
    };
    check(|h| h.first_seq = 0);
    check(|h| h.first_seq = 2);
    check(|h| (h.first_seq, h.prev) = ((1 << 63) - 2, Some(Hash([0; 32]))));
    let last = Header { first_seq: (1 << 63) - 3, prev: Some(Hash([0; 32])), ..header(&bodies) };
    assert_eq!((last.last_seq(), last.check(&room())), ((1 << 63) - 2, Ok(())), "the last seq");
    check(|h| h.prev = Some(Hash([0; 32])));
    check(|h| h.entries.clear());
    check(|h| h.entries.swap(0, 1));
    check(|h| h.entries[1].time = Stamp::END);
    check(|h| h.audience = Some(h.author));
}

#[test]
fn other_version_is_reported_as_such() {
    // {0: 2, 3: "new"}, and other parts behind it than a batch has now.
    let header = [0x48, 0xa2, 0x00, 0x02, 0x03, 0x63, b'n', b'e', b'w'];
    for (head, rest) in [(0x82, &[0xf6][..]), (0x83, &[0x40, 0x00]), (0x85, &[0x00, 0x00, 0x00, 0x00])] {
        let bytes = Bytes::from([&[head], &header[..], rest].concat());
        assert_eq!(verify(&bytes, &room()), Err(BatchError::Version(2)));
    }
}

/// Replaces the only body of `batch` by what `deletion` says of it.
fn strip(batch: &Verified, deletion: &Verified, index: u64) -> Bytes {
    let mut theirs = Decoder::new(deletion.bytes());
    theirs.array().expect("array");
    let (signed, signature) = (theirs.bytes().expect("header"), theirs.bytes().expect("signature"));
    let BodyRange::Present(range) = deletion.bodies[0].clone() else { panic!("a body") };
    let body = &deletion.bytes()[range];
    let mut ours = Decoder::new(batch.bytes());
    ours.array().expect("array");
    let mut e = Encoder::new(Vec::new());
    let head = (ours.bytes().expect("header"), ours.bytes().expect("signature"));
    e.array(3).expect("Vec").bytes(head.0).expect("Vec").bytes(head.1).expect("Vec").array(1).expect("Vec");
    e.array(4).expect("Vec").bytes(signed).expect("Vec").bytes(signature).expect("Vec");
    e.u64(index).expect("Vec").bytes(body).expect("Vec");
    Bytes::from(e.into_writer())
}

#[test]
fn only_the_authors_deletion_replaces_a_body() {
    let batch = signed(&["regret"]);
    let delete = |entry: EntryId, author: &SigningKey| {
        let bodies = [Body::delete(entry).encode([2; SALT_BYTES])];
        let mut header = header(&bodies);
        header.author = NodeId(author.verifying_key().to_bytes());
        header.log = LogId(6);
        sign(author, header, &bodies)
    };
    let right = strip(&batch, &delete(batch.entry_id(0), &key(1)), 0);
    let stripped = verify(&right, &room()).expect("a deletion by its author");
    assert_eq!(stripped.hash(), batch.hash());
    assert_eq!(stripped.body(0), None);

    let other = signed(&["another"]);
    assert!(verify(&strip(&batch, &delete(other.entry_id(0), &key(1)), 0), &room()).is_err());
    assert!(verify(&strip(&batch, &delete(batch.entry_id(0), &key(2)), 0), &room()).is_err());
    assert!(verify(&strip(&batch, &delete(batch.entry_id(0), &key(1)), 1), &room()).is_err());
}
