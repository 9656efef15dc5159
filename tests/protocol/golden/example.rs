//! Checks the worked example of the protocol page: each value is computed from the ones before it,
//! using only the hash and signature crates, and compared with the program's result and the page.

use blake3::Hasher;
use data_encoding::HEXLOWER;
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use roomful::proto::links::version_range::VersionRange;
use roomful::proto::replication::frontier::Frontier;
use sha2::Sha256;

use super::*;

/// The page.
const PAGE: &str = include_str!("../../../src/wire/example.md");

/// The bytes in one line of the page.
const LINE_BYTES: usize = 44;

/// The value that TLS exports in the example.
const EXPORTER: [u8; 32] = [0x0f; 32];

/// What stands on the page, in its order: what it is, and its bytes.
#[derive(Default)]
struct Example(Vec<(&'static str, Vec<u8>)>);

impl Example {
    fn add(&mut self, what: &'static str, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        self.0.push((what, bytes.as_ref().to_vec()));
        bytes.as_ref().to_vec()
    }

    /// As the page has it.
    fn page(&self) -> String {
        let mut page = String::new();
        for (what, bytes) in &self.0 {
            page += &format!("{what} ({} bytes)\n", bytes.len());
            for line in bytes.chunks(LINE_BYTES) {
                page += &format!("  {}\n", HEXLOWER.encode(line));
            }
        }
        page
    }
}

/// BLAKE3 of these parts, one behind the other.
fn blake3_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    parts.iter().for_each(|part| _ = hasher.update(part));
    *hasher.finalize().as_bytes()
}

fn hmac_of(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

fn keys_and_room(example: &mut Example) {
    for (seed, id_of, number) in [("seed of Ana", "id of Ana", 1), ("seed of Ben", "id of Ben", 2)] {
        example.add(seed, [number; 32]);
        example.add(id_of, id(number).0);
    }
    let input = example.add("room id, input", [&5_u64.to_be_bytes()[..], b"lobby"].concat());
    let hash = blake3::derive_key("roomful 2026-11 room id", &input);
    assert_eq!(example.add("room id", hash), room().0);
    let tag = blake3::derive_key("roomful 2026-11 room tag", b"lobby");
    assert_eq!(example.add("room tag", &tag[..8]), RoomTag::new("lobby").0);
}

fn handshake(example: &mut Example) {
    let hellos = [hello(), Hello { instance: Instance(9), ..hello() }].map(|hello| {
        assert_eq!(hello.versions, VersionRange::new(1, 1), "this page is of version 1");
        wire::frame::encode_hello(&hello)
    });
    let [ours, theirs] = &hellos;
    example.add("Hello of Ana, who dials", ours);
    example.add("Hello of Ben", theirs);
    let exporter = example.add("value of the TLS exporter", EXPORTER);
    let key = example.add("HMAC key", b"lobby");
    let transcript =
        Transcript { dialler: id(1), acceptor: id(2), dialler_hello: ours, acceptor_hello: theirs, exporter: EXPORTER };
    let sides = [
        ("HMAC input of Ben", "proof of Ben", "Proof of Ben", 1, Role::Acceptor),
        ("HMAC input of Ana", "proof of Ana", "Proof of Ana", 0, Role::Dialler),
    ];
    for (input, proof, frame, byte, role) in sides {
        let parts = [&b"roomful room proof 1\0"[..], &[byte], &id(1).0, &id(2).0, ours, theirs, &exporter].concat();
        let input = example.add(input, parts);
        let computed = example.add(proof, hmac_of(&key, &input));
        assert_eq!(computed, transcript.prove(&key, role));
        example.add(frame, wire::frame::encode_proof(&transcript.prove(&key, role)));
    }
    let intro = Intro { name: name("Ana"), uptime_ms: 5_000, wall_ms: WALL_MS, listens: Vec::new() };
    example.add("Intro of Ana", wire::frame::encode_intro(&intro));
}

fn batch_and_frames(example: &mut Example) {
    let batch = first();
    let profile = Body::Profile { name: "Ana".to_owned(), status: None }.encode([0xaa; 16]);
    let say = Body::say("Olá!".to_owned(), Some("general".to_owned()), None);
    let say = say.encode([0xbb; 16]);
    let profile = example.add("body 0, a Profile", profile);
    example.add("BLAKE3 of body 0", blake3_of(&[&profile]));
    let say = example.add("body 1, a Say", say);
    example.add("BLAKE3 of body 1", blake3_of(&[&say]));
    let signed = SignedHeader::of(&batch);
    let header = header_of(&signed);
    let header = example.add("header", header);
    let hash = example.add("header hash", blake3_of(&[&header]));
    assert_eq!(hash, batch.hash().0);
    let input = example.add("signed", [&b"roomful batch 1\0"[..], &header].concat());
    let signature = example.add("signature", key(1).sign(&input).to_bytes());
    let bytes = example.add("batch", batch.bytes());
    assert!(bytes.windows(header.len()).any(|part| part == header), "the header stands in the batch");
    assert!(bytes.windows(signature.len()).any(|part| part == signature), "the signature stands in the batch");
    let input = example.add("entry id of entry 2, input", [&id(1).0[..], &hash, &1_u64.to_be_bytes()].concat());
    let check = blake3_of(&[&input]);
    let log = 0x1111_2222_3333_4444_u64.to_be_bytes();
    let entry = example.add("entry id of entry 2", [&log[..], &2_u64.to_be_bytes(), &check[..16]].concat());
    assert_eq!(entry, batch.entry_id(1).to_bytes());
    example.add("Push", wire::frame::encode(&Frame::Push(vec![batch.clone()])));
    let receipt = Receipt { log: LogId(u64::from_be_bytes(log)), first: 1, last: 2 };
    example.add("Receipt", wire::frame::encode(&Frame::Receipt(vec![receipt])));

    let numbers = [1, 1, 2].map(u64::to_be_bytes).concat();
    let input = example.add("hash of Ana's logs, input", [&log[..], &numbers, &hash].concat());
    let author = example.add("hash of Ana's logs", blake3_of(&[&input]));
    let input = example.add("hash of everything, input", [&id(1).0[..], &author].concat());
    let everything = example.add("hash of everything", blake3_of(&[&input]));
    let mut frontier = Frontier::new(id(2), Vec::new(), u64::MAX);
    frontier.commit(&batch);
    assert_eq!(everything, frontier.hash(id(3)).0, "what Ben tells somebody else");
    let compare = Frame::Compare { hash: Hash(everything.try_into().expect("32 bytes")), from: None, linked: vec![] };
    example.add("Compare", wire::frame::encode(&compare));
}

/// The header in `[header, signature]`.
fn header_of(signed: &SignedHeader) -> Vec<u8> {
    let mut decoder = minicbor::Decoder::new(signed.bytes());
    decoder.array().expect("an array");
    decoder.bytes().expect("a header").to_vec()
}

#[test]
fn worked_example_on_the_page_is_right() {
    let mut example = Example::default();
    keys_and_room(&mut example);
    handshake(&mut example);
    batch_and_frames(&mut example);
    let blocks = PAGE.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches("text\n"));
    let documented: String = blocks.collect();
    assert_eq!(documented, example.page(), "the page should say:\n{}", example.page());
}
