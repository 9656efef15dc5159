//! A small room for fuzzing: a few keys, and batches signed with them in advance, since a fuzzer
//! cannot sign.

use std::sync::OnceLock;

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use minicbor::{Decoder, Encoder};
use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::{Body, SALT_BYTES};
use roomful::proto::ids::{EntryId, Hash, LogId, LogKey, NodeId, RoomId};

/// The wall clock in this room, in milliseconds since 1970.
pub const WALL_MS: u64 = 1_800_000_000_000;

/// How many keys there are; the node that is tested has the first.
const KEYS: u8 = 4;

/// Batches in each log.
const LOG_BATCHES: u64 = 5;

/// What a signature of a batch covers begins with this.
const SIGNATURE_DOMAIN: &[u8] = b"roomful batch 1\0";

/// The room.
pub fn id_of_room() -> RoomId {
    RoomId::new("lobby", b"")
}

/// A key; there are [`KEYS`].
pub fn key(number: u8) -> &'static SigningKey {
    static ALL: OnceLock<Vec<SigningKey>> = OnceLock::new();
    &ALL.get_or_init(|| (0..KEYS).map(|n| SigningKey::from_bytes(&[n + 1; 32])).collect())[usize::from(number % KEYS)]
}

/// An id: of one of the keys, or unused, at either end of the order.
pub fn id(number: u8) -> NodeId {
    match number % (KEYS + 2) {
        KEYS => NodeId([0; 32]),
        5 => NodeId([0xff; 32]),
        number => NodeId(key(number).verifying_key().to_bytes()),
    }
}

/// Bytes from a fuzzer, read from the front; behind their end there are zeros.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number: mostly small, now and then at one of the ends.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=199 => u64::from(small),
            200..=219 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            220..=229 => WALL_MS + u64::from(self.byte()) * 1_000,
            230..=235 => Stamp::END - u64::from(self.byte()),
            236..=240 => i64::MAX as u64 - u64::from(self.byte()),
            _ => u64::MAX - u64::from(self.byte()),
        }
    }

    pub fn id(&mut self) -> NodeId {
        id(self.byte())
    }

    pub fn maybe_id(&mut self) -> Option<NodeId> {
        (self.byte() % 2 == 1).then(|| self.id())
    }

    /// One of the logs of [`batches`], or one that is not there.
    pub fn log(&mut self) -> LogId {
        LogId(u64::from(self.byte() % 4))
    }

    pub fn log_key(&mut self) -> LogKey {
        LogKey { author: self.id(), log: self.log() }
    }

    /// A header hash: of a batch that there is, or of none.
    pub fn hash(&mut self) -> Hash {
        match self.byte() {
            0 => Hash([0; 32]),
            number => batches()[usize::from(number) % batches().len()].hash(),
        }
    }

    /// Some of [`batches`].
    pub fn batches(&mut self) -> Vec<Verified> {
        let many = self.byte() % 8;
        (0..many).map(|_| batches()[usize::from(self.byte()) % batches().len()].clone()).collect()
    }

    /// The next piece, which says its own length.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = (usize::from(self.byte()) << 2).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }
}

/// All signed batches: for each key a log for the room and one for the tested node, a fork of the
/// former, and a log with the greatest sequence numbers.
pub fn batches() -> &'static [Verified] {
    static ALL: OnceLock<Vec<Verified>> = OnceLock::new();
    ALL.get_or_init(|| (0..KEYS).flat_map(of_key).collect())
}

fn of_key(number: u8) -> Vec<Verified> {
    let own = id(0);
    let audience = if number == 0 { id(1) } else { own };
    let room = chain(number, LogId(0), None, &[], LOG_BATCHES, "room");
    let fork = chain(number, LogId(0), None, &room[..2], 2, "fork");
    let direct = chain(number, LogId(1), Some(audience), &[], LOG_BATCHES, "direct");
    let mut last = room[0].header().clone();
    last.log = LogId(2);
    last.first_seq = i64::MAX as u64 - 1;
    last.prev = Some(room[0].hash());
    last.after = Some(EntryId { log: LogId(9), seq: u64::MAX, check: [7; 16] });
    let bodies = [say("at the end")];
    last.entries = vec![slot(Stamp(Stamp::END - 1), &bodies[0])];
    let end = sign(key(number), last, &bodies);
    [room, fork, direct, vec![end]].concat()
}

/// `many` more batches behind `before`, the first of a log with the author's name.
fn chain(
    number: u8,
    log: LogId,
    audience: Option<NodeId>,
    before: &[Verified],
    many: u64,
    text: &str,
) -> Vec<Verified> {
    let mut all = before.to_vec();
    for index in 0..many {
        let mut bodies = vec![say(&format!("{text} {index}")), say("and more")];
        if all.is_empty() {
            let name = format!("member {number}");
            bodies[0] = Body::Profile { name, status: None }.encode([0; SALT_BYTES]);
        }
        let first_seq = all.last().map_or(1, |batch: &Verified| batch.header().last_seq() + 1);
        let time = Stamp::from_ms(WALL_MS).0 + first_seq * 1_000;
        let entries = bodies.iter().zip(time..).map(|(body, time)| slot(Stamp(time), body)).collect();
        let header = Header {
            version: HEADER_VERSION,
            room: id_of_room(),
            author: id(number),
            audience,
            log,
            first_seq,
            prev: all.last().map(Verified::hash),
            after: None,
            entries,
        };
        all.push(sign(key(number), header, &bodies));
    }
    all.split_off(before.len())
}

fn say(text: &str) -> Vec<u8> {
    Body::say(text.to_owned(), None, None).encode([0; SALT_BYTES])
}

/// Signs a header and bodies made of these bytes with the key of the author in the header, if it is
/// one of ours. The first two bytes are the header's length; the list of bodies follows the header.
pub fn sign_parts(bytes: &[u8]) -> Bytes {
    let mut reader = Reader(bytes);
    let length = usize::from(reader.byte()) << 8 | usize::from(reader.byte());
    let (signed, bodies) = reader.0.split_at(length.min(reader.0.len()));
    let author = Decoder::new(signed).decode::<Header>().ok().map(|header| header.author);
    let number = (0..KEYS).find(|number| Some(id(*number)) == author).unwrap_or(0);
    let signature = key(number).sign(&[SIGNATURE_DOMAIN, signed].concat());
    let mut e = Encoder::new(Vec::new());
    e.array(3)
        .and_then(|e| e.bytes(signed))
        .and_then(|e| e.bytes(&signature.to_bytes()))
        .expect("a Vec takes everything");
    let mut whole = e.into_writer();
    whole.extend_from_slice(bodies);
    Bytes::from(whole)
}
