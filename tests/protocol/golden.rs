//! Golden bytes of the protocol: one example of every beacon, frame and batch. They must never
//! change: nodes of this version are in use, and databases hold these batches. A new field or frame
//! gets a new example.

mod example;

use std::net::SocketAddr;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::{self, HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::Body;
use roomful::proto::entries::deletion::strip;
use roomful::proto::entries::mention::{Mention, Mentions};
use roomful::proto::files::attachment::{Attachment, Attachments};
use roomful::proto::files::file_frame::FileFrame;
use roomful::proto::ids::{EntryId, Hash, Instance, LogId, LogKey, NodeId, RoomId, RoomTag};
use roomful::proto::links::room_proof::{Role, Transcript};
use roomful::proto::links::version_range::VersionRange;
use roomful::proto::names::name::Name;
use roomful::proto::replication::author_limits::LimitedAuthors;
use roomful::proto::replication::fork::{Fork, SignedHeader};
use roomful::proto::replication::frame::{
    Beacon, CloseReason, Fetch, Frame, HeldRange, Hello, Intro, LogHoldings, ReachReport, ReachState, Receipt,
};
use roomful::wire;
use roomful::wire::frame::{Greeting, LENGTH_BYTES};

const WALL_MS: u64 = 1_800_000_000_000;

/// A preview: the beginning of a JPEG of 2 by 1 pixels.
const PREVIEW: &str = "ffd8ffc0000b0800010002010111";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn id(seed: u8) -> NodeId {
    NodeId(key(seed).verifying_key().to_bytes())
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn room() -> RoomId {
    RoomId::new("lobby", b"")
}

fn hello() -> Hello {
    Hello { versions: VersionRange::new(1, 1), room: RoomTag::new("lobby"), instance: Instance(0x0102_0304_0506_0708) }
}

/// The first batch of a log: its author's name, and a message.
fn first() -> Verified {
    let profile = Body::Profile { name: "Ana".to_owned(), status: None }.encode([0xaa; 16]);
    let say = Body::say("Olá!".to_owned(), Some("general".to_owned()), None);
    let say = say.encode([0xbb; 16]);
    let time = Stamp::from_ms(WALL_MS);
    let header = Header {
        version: HEADER_VERSION,
        room: room(),
        author: id(1),
        audience: None,
        log: LogId(0x1111_2222_3333_4444),
        first_seq: 1,
        prev: None,
        after: None,
        entries: vec![slot(time, &profile), slot(Stamp(time.0 + 1), &say)],
    };
    sign(&key(1), header, &[profile, say])
}

/// A later one of a direct log, in which every field of a header is there.
fn later() -> Verified {
    let say = Body::say("yes".to_owned(), None, Some(first().entry_id(1)));
    let say = say.encode([0xcc; 16]);
    let header = Header {
        version: HEADER_VERSION,
        room: room(),
        author: id(1),
        audience: Some(id(2)),
        log: LogId(5),
        first_seq: 3,
        prev: Some(Hash([0xdd; 32])),
        after: Some(first().entry_id(1)),
        entries: vec![slot(Stamp::from_ms(WALL_MS + 1), &say)],
    };
    sign(&key(1), header, &[say])
}

/// The deletion of the message in the first batch.
fn deletion() -> Verified {
    let entry = first().entry_id(1);
    let body = Body::Delete { entry, channel: Some("general".to_owned()) }.encode([0xdd; 16]);
    let header = Header {
        version: HEADER_VERSION,
        room: room(),
        author: id(1),
        audience: None,
        log: LogId(0x1111_2222_3333_4444),
        first_seq: 3,
        prev: Some(first().hash()),
        after: None,
        entries: vec![slot(Stamp::from_ms(WALL_MS + 2), &body)],
    };
    sign(&key(1), header, &[body])
}

fn log() -> LogKey {
    first().header().key()
}

/// Hex without the white space that only helps reading.
fn bytes(hex: &str) -> Bytes {
    let digits: String = hex.split_whitespace().collect();
    Bytes::from(HEXLOWER.decode(digits.as_bytes()).expect("hex"))
}

#[track_caller]
fn same(actual: &[u8], hex: &str) {
    assert_eq!(HEXLOWER.encode(actual), HEXLOWER.encode(&bytes(hex)));
}

/// A frame is these bytes, and these bytes are that frame.
#[track_caller]
fn check(frame: &Frame, hex: &str) {
    same(&wire::frame::encode(frame), hex);
    let decoded = wire::frame::decode(&bytes(hex).slice(LENGTH_BYTES..), &room());
    assert_eq!(decoded.as_ref(), Ok(&Some(frame.clone())));
}

#[track_caller]
fn check_greeting(encoded: &[u8], greeting: &Greeting, hex: &str) {
    same(encoded, hex);
    assert_eq!(wire::frame::decode_greeting(&bytes(hex)[LENGTH_BYTES..], &id(1)).as_ref(), Ok(greeting));
}

#[test]
fn ids() {
    same(&id(1).0, "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
    same(&room().0, "0136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f94");
    same(&RoomId::new("lobby", &[7; 16]).0, "00fb3d8cb0598bfa877209e166e3d2a75f6abf92ba86685558e2499260de215a");
    same(&RoomTag::new("lobby").0, "f3e9a0c01174de88");
    same(&first().hash().0, "1b92250d1c13f5181c918d5be1e1e691357efced2a10b291c7beb7a68552baca");
    same(&first().entry_id(1).to_bytes(), "11112222333344440000000000000002420ed4a7e7a6d469dafebe6e0e9568ec");
    let second = EntryId::new(log(), 2, &first().hash(), 1);
    assert_eq!(second, first().entry_id(1));
}

#[test]
fn beacon() {
    let instance = Instance(0x0102_0304_0506_0708);
    let beacon = Beacon { room: RoomTag::new("lobby"), id: id(1), instance, port: 7666, name: name("Ana") };
    let hex = "524f4f4d46554c01a50048f3e9a0c01174de880158208a88e3dd7409f195fd52db2d3cba5d72ca67\
            09bf1d94121bf3748801b40f6f5c021b010203040506070803191df20463416e61";
    same(&wire::beacon::encode(&beacon), hex);
    assert_eq!(wire::beacon::decode(&bytes(hex)), Ok(beacon));
}

#[test]
fn handshake() {
    check_greeting(
        &wire::frame::encode_hello(&hello()),
        &Greeting::Hello(hello()),
        "0000001b8200a4000101010248f3e9a0c01174de88031b0102030405060708",
    );
    let second = Hello { versions: VersionRange::new(1, 2), ..hello() };
    check_greeting(
        &wire::frame::encode_hello(&second),
        &Greeting::Hello(second),
        "0000001b8200a4000101020248f3e9a0c01174de88031b0102030405060708",
    );
    let proof = [0x5a; 32];
    check_greeting(
        &wire::frame::encode_proof(&proof),
        &Greeting::Proof(proof),
        "000000268201a10058205a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\
            5a5a",
    );
    let listens = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let intro = Intro {
        name: name("Ana"),
        uptime_ms: 1234,
        wall_ms: WALL_MS,
        listens: vec![listens("192.0.2.7:7666"), listens("[fe80::1]:7666")],
    };
    check_greeting(
        &wire::frame::encode_intro(&intro),
        &Greeting::Intro(intro),
        "000000328202a40063416e61011904d2021b000001a3185c5000038246c00002071df252fe800000\
            0000000000000000000000011df2",
    );
    let close = CloseReason::Room;
    check_greeting(&wire::frame::encode_close(close), &Greeting::Close(close), "000000058203a10004");
}

#[test]
fn proof() {
    let (dialler_hello, acceptor_hello) =
        (wire::frame::encode_hello(&hello()), wire::frame::encode_hello(&Hello { instance: Instance(9), ..hello() }));
    let transcript = Transcript {
        dialler: id(1),
        acceptor: id(2),
        dialler_hello: &dialler_hello,
        acceptor_hello: &acceptor_hello,
        exporter: [0x0f; 32],
    };
    same(
        &transcript.prove(b"lobby", Role::Dialler),
        "974d731d54cae4470777b1b385292bbbacb50815cf704946e3fbfbf6b555e1f8",
    );
    same(
        &transcript.prove(b"lobby", Role::Acceptor),
        "42b7ef77a3d0824ef18316e04bb45614064c1c57b7bfdbab1412e3ea12553597",
    );
}

#[test]
fn batches() {
    for (batch, hex) in [
        (
            first(),
            "8358b3a600010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f\
            940258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c041b1111\
            22223333444405010882831b01a3185c5000000018185820d6629dec3de9676d439410964641388d\
            bf36056c46d4213b5d86567043d510f3831b01a3185c5000000118235820c646f07269396e1aa06d\
            411c96d169432ad5324f11ed76247c4a3c5f77c3e0665840986f70a1c34ac020afd6332d404e9a32\
            f539820ca79d9e8c1123e0bc7a884dd43587624560a7b7c05ae44cde03dfde2b0512679fd89edfbf\
            a0c93e51ff80020e825818aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8204a10063416e615823bbbbbb\
            bbbbbbbbbbbbbbbbbbbbbbbbbb8200a200654f6cc3a121016767656e6572616c",
        ),
        (
            later(),
            "8358e6a900010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f\
                    940258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c03582081\
                    39770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39404050503065820dddd\
                    dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd07582011112222333344\
                    440000000000000002420ed4a7e7a6d469dafebe6e0e9568ec0881831b01a3185c50010000183b58\
                    20d21f1469017eefc61c897fe7f0c391f24decc6c8feec14c2191ce8cbce6b9180584061c83945e1\
                    2d1ffe642fbc36951e2cd4378489f2d6ddf38bf2f599a2d0f337ccf494e70006631676623c923253\
                    be6969fa0e64d98b676bc80e41571e746b310181583bcccccccccccccccccccccccccccccccc8200\
                    a2006379657302582011112222333344440000000000000002420ed4a7e7a6d469dafebe6e0e9568\
                    ec",
        ),
    ] {
        same(batch.bytes(), hex);
        assert_eq!(batch::verify(&bytes(hex), &room()), Ok(batch));
    }
}

/// The first batch without its message, and the deletion alone.
#[test]
fn deleted_body() {
    let deletion = deletion();
    same(
        deletion.bytes(),
        "8358a8a700010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f\
            940258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c041b1111\
            22223333444405030658201b92250d1c13f5181c918d5be1e1e691357efced2a10b291c7beb7a685\
            52baca0881831b01a3185c50020000183f582067a3c6f9db1404528dcee30e9a2c52d322700edff3\
            bbe554240649acfdd3406d5840e6f19a9d5197d858dd424873ae9d0b3a55aeb50ccecc8317be17ab\
            31ae426f61738e68195fd8c12c9bee5a314537f0c24a2db491290a99d17a21f63b4a3cc50081583f\
            dddddddddddddddddddddddddddddddd8202a200582011112222333344440000000000000002420e\
            d4a7e7a6d469dafebe6e0e9568ec016767656e6572616c",
    );
    let stripped = strip(&first(), 1, &deletion).expect("its author deleted it");
    let hex = "8358b3a600010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f\
        940258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c041b1111\
        22223333444405010882831b01a3185c5000000018185820d6629dec3de9676d439410964641388d\
        bf36056c46d4213b5d86567043d510f3831b01a3185c5000000118235820c646f07269396e1aa06d\
        411c96d169432ad5324f11ed76247c4a3c5f77c3e0665840986f70a1c34ac020afd6332d404e9a32\
        f539820ca79d9e8c1123e0bc7a884dd43587624560a7b7c05ae44cde03dfde2b0512679fd89edfbf\
        a0c93e51ff80020e825818aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8204a10063416e618458a8a700\
        010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f940258208a\
        88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c041b11112222333344\
        4405030658201b92250d1c13f5181c918d5be1e1e691357efced2a10b291c7beb7a68552baca0881\
        831b01a3185c50020000183f582067a3c6f9db1404528dcee30e9a2c52d322700edff3bbe5542406\
        49acfdd3406d5840e6f19a9d5197d858dd424873ae9d0b3a55aeb50ccecc8317be17ab31ae426f61\
        738e68195fd8c12c9bee5a314537f0c24a2db491290a99d17a21f63b4a3cc50000583fdddddddddd\
        dddddddddddddddddddddd8202a200582011112222333344440000000000000002420ed4a7e7a6d4\
        69dafebe6e0e9568ec016767656e6572616c";
    same(stripped.bytes(), hex);
    assert_eq!(batch::verify(&bytes(hex), &room()), Ok(stripped.clone()));
    assert_eq!((stripped.hash(), stripped.is_deleted(1)), (first().hash(), true));
}

#[test]
fn bodies() {
    let entry = first().entry_id(1);
    let text = || "hi".to_owned();
    let channel = || Some("general".to_owned());
    for (body, hex) in [
        (
            Body::say(text(), channel(), Some(entry)),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8200a300626869016767656e6572616c0258201111222233\
                3344440000000000000002420ed4a7e7a6d469dafebe6e0e9568ec",
        ),
        (
            Body::Edit { entry, text: text(), mentions: Mentions::default() },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8201a200582011112222333344440000000000000002420e\
                d4a7e7a6d469dafebe6e0e9568ec01626869",
        ),
        (
            Body::delete(entry),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8202a100582011112222333344440000000000000002420e\
                d4a7e7a6d469dafebe6e0e9568ec",
        ),
        (
            Body::Delete { entry, channel: channel() },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8202a200582011112222333344440000000000000002420e\
                d4a7e7a6d469dafebe6e0e9568ec016767656e6572616c",
        ),
        (
            Body::React { entry, emoji: "👍".to_owned(), off: false },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8203a300582011112222333344440000000000000002420e\
                d4a7e7a6d469dafebe6e0e9568ec0164f09f918d02f4",
        ),
        (
            Body::Profile { name: "Ana".to_owned(), status: Some("away".to_owned()) },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8204a20063416e61016461776179",
        ),
        (
            Body::Say {
                text: "@Ana hi".to_owned(),
                channel: None,
                reply_to: None,
                files: Attachments::default(),
                mentions: Mentions(vec![Mention { id: id(1), first: 0, bytes: 4 }]),
            },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8200a2006740416e6120686904818358208a88e3dd7409f1\
                95fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c0004",
        ),
        (
            Body::Edit {
                entry,
                text: "@Ana".to_owned(),
                mentions: Mentions(vec![Mention { id: id(1), first: 0, bytes: 4 }]),
            },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8201a300582011112222333344440000000000000002420e\
                d4a7e7a6d469dafebe6e0e9568ec016440416e6102818358208a88e3dd7409f195fd52db2d3cba5d\
                72ca6709bf1d94121bf3748801b40f6f5c0004",
        ),
        (
            Body::Topic { channel: "general".to_owned(), text: "Lunch".to_owned() },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8207a2006767656e6572616c01654c756e6368",
        ),
        (Body::Hooray { text: text(), channel: None }, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8205a100626869"),
        (
            Body::File {
                name: "a.png".to_owned(),
                size: 70_000,
                media_type: "image/png".to_owned(),
                content: Hash([0xee; 32]),
                channel: channel(),
            },
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8206a50065612e706e67011a000111700269696d6167652f\
                    706e67035820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0467\
                    67656e6572616c",
        ),
    ] {
        same(&body.encode([0xaa; 16]), hex);
        assert_eq!(Body::decode(&bytes(hex)), Some(body));
    }
}

#[test]
fn message_with_files() {
    let body = Body::Say {
        text: String::new(),
        channel: None,
        reply_to: None,
        files: Attachments(vec![
            Attachment {
                content: Hash([0xee; 32]),
                name: "a.png".to_owned(),
                size: 70_000,
                media_type: "image/png".to_owned(),
                width: Some(640),
                height: Some(480),
                preview: Some(HEXLOWER.decode(PREVIEW.as_bytes()).expect("hex").into()),
            },
            Attachment {
                content: Hash([0xdd; 32]),
                name: "b".to_owned(),
                size: 0,
                media_type: "application/octet-stream".to_owned(),
                width: None,
                height: None,
                preview: None,
            },
        ]),
        mentions: Mentions::default(),
    };
    let hex = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8200a200600382a7005820eeeeeeeeeeeeeeeeeeeeeeeeee\
                eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0165612e706e67021a000111700369696d6167652f\
                706e6704190280051901e0064effd8ffc0000b0800010002010111a4005820dddddddddddddddddd\
                dddddddddddddddddddddddddddddddddddddddddddddd01616202000378186170706c6963617469\
                6f6e2f6f637465742d73747265616d";
    same(&body.encode([0xaa; 16]), hex);
    assert_eq!(Body::decode(&bytes(hex)), Some(body));
}

#[test]
fn signs_of_life() {
    check(&Frame::Ping { wall_ms: WALL_MS }, "0000000d8204a1001b000001a3185c5000");
    check(&Frame::Pong { wall_ms: WALL_MS }, "0000000d8205a1001b000001a3185c5000");
}

#[test]
fn talking() {
    check(
        &Frame::Push(vec![first()]),
        "000001408206a100815901388358b3a600010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd\
            0ae7f702a31b34dfb5202c4f940258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121b\
            f3748801b40f6f5c041b111122223333444405010882831b01a3185c5000000018185820d6629dec\
            3de9676d439410964641388dbf36056c46d4213b5d86567043d510f3831b01a3185c500000011823\
            5820c646f07269396e1aa06d411c96d169432ad5324f11ed76247c4a3c5f77c3e0665840986f70a1\
            c34ac020afd6332d404e9a32f539820ca79d9e8c1123e0bc7a884dd43587624560a7b7c05ae44cde\
            03dfde2b0512679fd89edfbfa0c93e51ff80020e825818aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa82\
            04a10063416e615823bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb8200a200654f6cc3a121016767656e\
            6572616c",
    );
    let receipts = vec![Receipt { log: log().log, first: 1, last: 2 }, Receipt { log: LogId(5), first: 3, last: 300 }];
    check(&Frame::Receipt(receipts), "000000178207a10082831b1111222233334444010283050319012c");
}

#[test]
fn comparing() {
    let (hash, linked) = (Hash([0xab; 32]), vec![id(1), id(2)]);
    check(
        &Frame::Compare { hash, from: None, linked: linked.clone() },
        "0000006c8208a2005820abababababababababababababababababababababababababababababab\
            abab028258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c5820\
            8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
    );
    check(
        &Frame::Compare { hash, from: Some(id(2)), linked: Vec::new() },
        "0000004b8208a3005820abababababababababababababababababababababababababababababab\
            abab0158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3940280",
    );
    check(
        &Frame::Authors { same: true, authors: Vec::new(), more: false, linked },
        "0000004f8209a400f5018002f4038258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d9412\
            1bf3748801b40f6f5c58208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8f\
            c9b394",
    );
    check(
        &Frame::Authors { same: false, authors: vec![(id(1), hash)], more: true, linked: Vec::new() },
        "000000508209a400f401818258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf374\
            8801b40f6f5c5820abababababababababababababababababababababababababababababababab\
            02f50380",
    );
    check(
        &Frame::AskLogs { author: id(1), from: None },
        "00000026820aa10058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c",
    );
    check(
        &Frame::AskLogs { author: id(1), from: Some(LogId(5)) },
        "00000028820aa20058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c0105",
    );
    let span = |first, last| HeldRange { first, last, head: hash };
    let logs = vec![
        LogHoldings { log: LogId(5), audience: Some(id(2)), ranges: vec![span(1, 3)], fork: None },
        LogHoldings { log: log().log, audience: None, ranges: vec![span(1, 2), span(9, 70_000)], fork: None },
    ];
    check(
        &Frame::Logs { author: id(1), logs, more: false },
        "000000d2820ba30058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c0182a300050158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9\
            b39402818301035820ababababababababababababababababababababababababababababababab\
            aba2001b111122223333444402828301025820ababababababababababababababababababababab\
            ababababababababababab83091a000111705820abababababababababababababababababababab\
            abababababababababababab02f4",
    );
}

#[test]
fn fork_is_encoded_with_its_log() {
    let say = Body::say("no".to_owned(), None, None).encode([0xee; 16]);
    let header = Header { entries: vec![slot(Stamp::from_ms(WALL_MS + 1), &say)], ..later().header().clone() };
    let other = sign(&key(1), header, &[say]);
    let fork = Fork::new(SignedHeader::of(&later()), SignedHeader::of(&other));
    let holding = LogHoldings { log: LogId(5), audience: Some(id(2)), ranges: Vec::new(), fork };
    check(
        &Frame::Logs { author: id(1), logs: vec![holding], more: false },
        "000002af820ba30058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c0181a400050158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9\
            b3940280038259012b8258e6a900010158200136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f7\
            02a31b34dfb5202c4f940258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf37488\
            01b40f6f5c0358208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\
            04050503065820dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd07\
            582011112222333344440000000000000002420ed4a7e7a6d469dafebe6e0e9568ec0881831b01a3\
            185c50010000183b5820d21f1469017eefc61c897fe7f0c391f24decc6c8feec14c2191ce8cbce6b\
            9180584061c83945e12d1ffe642fbc36951e2cd4378489f2d6ddf38bf2f599a2d0f337ccf494e700\
            06631676623c923253be6969fa0e64d98b676bc80e41571e746b310159012a8258e5a90001015820\
            0136e51c1b1a7cf8044b655d4417ca0e4af8bd0ae7f702a31b34dfb5202c4f940258208a88e3dd74\
            09f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c0358208139770ea87d175f56a3\
            5466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39404050503065820dddddddddddddddddddddd\
            dddddddddddddddddddddddddddddddddddddddddd07582011112222333344440000000000000002\
            420ed4a7e7a6d469dafebe6e0e9568ec0881831b01a3185c50010000175820e3eefe083f0513ae42\
            5cbf916bd0b21e6118acd6cc9d48a3ab627cee71047fcf58401e18ce683937aec730031628a54a63\
            d9b51d6a61c01d923a94e5441a620ca6be9f0c7d5a9f49f09681b3be43644cd4407c92048055d28a\
            12691f60e95ffb160402f4",
    );
}

#[test]
fn fetching() {
    check(
        &Frame::Fetch(Fetch { key: log(), first: 1, last: 64, bytes: 16_384 }),
        "00000039820ca50058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c011b1111222233334444020103184004194000",
    );
    check(
        &Frame::Page { key: log(), batches: vec![first()], busy: false },
        "0000016f820da40058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c011b111122223333444402815901388358b3a600010158200136e51c1b1a7cf8044b655d4417\
            ca0e4af8bd0ae7f702a31b34dfb5202c4f940258208a88e3dd7409f195fd52db2d3cba5d72ca6709\
            bf1d94121bf3748801b40f6f5c041b111122223333444405010882831b01a3185c50000000181858\
            20d6629dec3de9676d439410964641388dbf36056c46d4213b5d86567043d510f3831b01a3185c50\
            00000118235820c646f07269396e1aa06d411c96d169432ad5324f11ed76247c4a3c5f77c3e06658\
            40986f70a1c34ac020afd6332d404e9a32f539820ca79d9e8c1123e0bc7a884dd43587624560a7b7\
            c05ae44cde03dfde2b0512679fd89edfbfa0c93e51ff80020e825818aaaaaaaaaaaaaaaaaaaaaaaa\
            aaaaaaaa8204a10063416e615823bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb8200a200654f6cc3a121\
            016767656e6572616c03f4",
    );
    check(
        &Frame::Page { key: log(), batches: Vec::new(), busy: true },
        "00000034820da40058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f\
            6f5c011b1111222233334444028003f5",
    );
}

#[test]
fn closing() {
    for (reason, number) in [
        (CloseReason::Stopping, "00"),
        (CloseReason::Duplicate, "01"),
        (CloseReason::KeyInUse, "02"),
        (CloseReason::Version, "03"),
        (CloseReason::Room, "04"),
        (CloseReason::Protocol, "05"),
        (CloseReason::Silent, "06"),
        (CloseReason::Busy, "07"),
    ] {
        check(&Frame::Close(reason), &format!("00000005 8203a100{number}"));
    }
    check(&Frame::Close(CloseReason::Other), "00000006 8203a10018ff");
}

#[test]
fn the_example_in_the_documentation_is_right() {
    let documented = include_str!("../../src/wire/mod.rs");
    let hex = HEXLOWER.encode(&wire::frame::encode(&Frame::Ping { wall_ms: WALL_MS }));
    assert!(documented.contains(&format!("`{hex}`")), "{hex}");
}

#[test]
fn typing() {
    check(&Frame::Typing { channel: Some(name("lunch")) }, "0000000a8212a100656c756e6368");
    check(&Frame::Typing { channel: None }, "000000038212a0");
}

#[test]
fn relay_reach_carry() {
    check(
        &Frame::Relay { member: id(2), on: true },
        "00000028820ea20058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\
            01f5",
    );
    let listens = vec![SocketAddr::from(([192, 0, 2, 7], 7666))];
    let reach = ReachReport { member: id(2), state: ReachState::Here, name: name("Ben"), uptime_ms: 5_000, listens };
    check(
        &Frame::Reach(reach.clone()),
        "0000003a820fa50058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\
            0100026342656e03191388048146c00002071df2",
    );
    check(
        &Frame::Reach(ReachReport { state: ReachState::Left, listens: Vec::new(), ..reach.clone() }),
        "00000033820fa50058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\
            0101026342656e031913880480",
    );
    check(
        &Frame::Reach(ReachReport { state: ReachState::Gone, listens: Vec::new(), ..reach }),
        "00000033820fa50058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\
            0102026342656e031913880480",
    );
    let receipts = vec![Receipt { log: LogId(5), first: 1, last: 3 }];
    check(
        &Frame::Carry { author: id(1), from: id(2), receipts },
        "0000004f8210a30058208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\
            0158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394028183050103",
    );
}

#[test]
fn closed() {
    check(
        &Frame::Closed(LimitedAuthors { others: false, authors: [id(1)].into() }),
        "000000298211a200f4018158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
    );
    check(&Frame::Closed(LimitedAuthors { others: true, authors: [].into() }), "000000078211a200f50180");
}

#[test]
fn files() {
    let content = Hash([0xee; 32]);
    for (frame, hex) in [
        (
            FileFrame::Want { content, on: true },
            "000000288213a2005820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\
                eeee01f5",
        ),
        (
            FileFrame::Have { content, size: Some(70_000), parts: vec![1] },
            "0000002f8214a3005820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\
                eeee011a00011170024101",
        ),
        (
            FileFrame::Have { content, size: None, parts: Vec::new() },
            "000000288214a2005820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\
                eeee0240",
        ),
        (
            FileFrame::Request { content, first: 3, count: 2 },
            "0000002a8215a3005820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\
                eeee01030202",
        ),
        (
            FileFrame::Data { content, first: 3, count: 1, bytes: Bytes::from_static(b"data") },
            "000000308216a4005820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\
                eeee01030201034464617461",
        ),
        (
            FileFrame::Refuse { content, first: 3, count: 2, busy: true },
            "0000002c8217a4005820eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\
                eeee0103020203f5",
        ),
    ] {
        check(&Frame::File(frame), hex);
    }
}

#[test]
fn file_frames_beyond_a_limit_are_refused() {
    let content = Hash([0xee; 32]);
    let request = |first, count| FileFrame::Request { content, first, count };
    let data = |count, length| FileFrame::Data { content, first: 0, count, bytes: vec![0; length].into() };
    let refused = [
        request(0, 0),
        request(0, 65),
        request(u64::MAX, 1),
        data(4, 0),
        data(3, 51_841),
        FileFrame::Have { content, size: Some(1), parts: vec![0; 2_049] },
    ];
    for frame in refused {
        let bytes = wire::frame::encode(&Frame::File(frame.clone())).slice(LENGTH_BYTES..);
        assert!(wire::frame::decode(&bytes, &room()).is_err(), "{frame:?}");
    }
}
