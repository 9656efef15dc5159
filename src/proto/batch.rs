//! The unit that is signed, sent, checked and stored: 1 to 64 consecutive entries of one log under one signature.
//!
//! Bytes are kept exactly as they were signed and received; nothing here cuts, joins or encodes a batch again.
//! The layout is part of the written protocol, in the documentation of [`crate::wire`].

use std::ops::Range;

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use minicbor::{Decode, Decoder, Encode, Encoder, data::Type};

use super::body::Body;
use super::clock::Stamp;
use super::ids::{EntryId, Hash, LogId, LogKey, NodeId, RoomId, Seq};
use super::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, BODY_BYTES_MAX, HEADER_BYTES_MAX};

/// The version of header that this program writes and reads.
pub const HEADER_VERSION: u64 = 1;

/// What the signature covers begins with this, so that no signature made for anything else can stand here.
const SIGNATURE_DOMAIN: &[u8] = b"roomful batch 1\0";

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// [`HEADER_VERSION`].
    #[n(0)]
    pub version: u64,
    /// The room it was said in; it has no meaning in another.
    #[n(1)]
    pub room: RoomId,
    /// Who says it.
    #[n(2)]
    pub author: NodeId,
    /// The one other member it is for; none: the whole room.
    #[n(3)]
    pub audience: Option<NodeId>,
    /// The log it continues.
    #[n(4)]
    pub log: LogId,
    /// The number of its first entry, from 1.
    #[n(5)]
    pub first_seq: Seq,
    /// BLAKE3 of the header before it in its log; none in the first batch.
    #[n(6)]
    pub prev: Option<Hash>,
    /// The entry that the author held with the greatest place, if that is not below the first time here and the log is not
    /// below it already; else what the first message here answers, if that stands in another log.
    #[n(7)]
    pub after: Option<EntryId>,
    /// One slot for each entry.
    #[n(8)]
    pub entries: Vec<Slot>,
}

/// What the header says of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Slot {
    /// When the author said it, as [`Stamp`].
    #[n(0)]
    pub time: u64,
    /// The body's length in bytes.
    #[n(1)]
    pub body_length: u64,
    /// BLAKE3 of the body.
    #[n(2)]
    pub body_hash: Hash,
}

impl Header {
    /// Which log of whom.
    pub fn key(&self) -> LogKey {
        LogKey { author: self.author, log: self.log }
    }

    /// The number of its last entry.
    pub fn last_seq(&self) -> Seq {
        self.first_seq + self.entries.len() as Seq - 1
    }

    /// The time of its last entry.
    pub fn last_time(&self) -> Stamp {
        Stamp(self.entries.last().map_or(0, |slot| slot.time))
    }

    fn check(&self, room: &RoomId) -> Result<(), BatchError> {
        if self.room != *room {
            return Err(BatchError::OtherRoom);
        }
        if self.entries.is_empty() || self.entries.len() > BATCH_ENTRIES_MAX {
            return Err(BatchError::Malformed("a batch has 1 to 64 entries"));
        }
        if self.audience == Some(self.author) {
            return Err(BatchError::Malformed("nobody writes to themselves"));
        }
        let last = self.first_seq.checked_add(self.entries.len() as u64);
        if self.first_seq == 0 || last.is_none_or(|last| last > i64::MAX as u64) {
            return Err(BatchError::Malformed("a sequence number is out of range"));
        }
        if (self.first_seq == 1) != self.prev.is_none() {
            return Err(BatchError::Malformed("only the first batch of a log has nothing before it"));
        }
        let grows = self.entries.windows(2).all(|pair| pair[0].time < pair[1].time);
        if !grows || self.last_time().0 >= Stamp::END {
            return Err(BatchError::Malformed("times do not grow or are out of range"));
        }
        Ok(())
    }
}

/// A batch whose signature, hashes and limits are right. Only [`verify`] and [`sign`] make one.
///
/// Cheap to clone: the bytes are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    bytes: Bytes,
    header: Header,
    hash: Hash,
    bodies: BodyRanges,
}

/// Where the body of each entry stands in the bytes of a batch; none where it was deleted.
pub type BodyRanges = Vec<Option<Range<usize>>>;

impl Verified {
    /// The batch as it was signed or received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What was signed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// BLAKE3 of the header's bytes: what the next batch names as `prev`.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The id of the entry at `index`.
    pub fn entry_id(&self, index: usize) -> EntryId {
        EntryId::new(self.header.key(), self.header.first_seq + index as Seq, &self.hash, index)
    }

    /// What the entry at `index` says; `None` where it was deleted or can't be shown.
    pub fn body(&self, index: usize) -> Option<Body> {
        let range = self.bodies.get(index)?.clone()?;
        Body::decode(&self.bytes[range])
    }
}

/// Why bytes are no batch for this room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A header of another version; a newer program wrote it.
    #[error("a header of version {0}")]
    Version(u64),
    /// Meant for another room.
    #[error("meant for another room")]
    OtherRoom,
    /// The signature is not the author's.
    #[error("the signature is not the author's")]
    Signature,
    /// A body is not the one that was signed.
    #[error("a body is not the one that was signed")]
    Body,
    /// Not of the form that the protocol says.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

impl From<minicbor::decode::Error> for BatchError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed("not the CBOR of a batch")
    }
}

/// Signs a batch. `header.author` must be the key's public half, and the header well-formed: our own drafts are.
pub fn sign(key: &SigningKey, header: Header, bodies: &[Vec<u8>]) -> Verified {
    assert_eq!(header.entries.len(), bodies.len(), "a body for each slot");
    debug_assert_eq!(header.check(&header.room), Ok(()));
    let signed = minicbor::to_vec(&header).expect("a Vec takes everything");
    let signature = key.sign(&[SIGNATURE_DOMAIN, &signed].concat());
    let mut encoder = Encoder::new(Vec::with_capacity(signed.len() + 128));
    let write = |e: &mut Encoder<Vec<u8>>| -> Result<_, minicbor::encode::Error<_>> {
        e.array(3)?.bytes(&signed)?.bytes(&signature.to_bytes())?.array(bodies.len() as u64)?;
        let mut ranges = Vec::with_capacity(bodies.len());
        for body in bodies {
            e.bytes(body)?;
            let end = e.writer().len();
            ranges.push(Some(end - body.len()..end));
        }
        Ok(ranges)
    };
    let ranges = write(&mut encoder).expect("a Vec takes everything");
    let bytes = Bytes::from(encoder.into_writer());
    assert!(bytes.len() <= BATCH_BYTES_MAX, "own drafts keep the limit");
    Verified { bytes, header, hash: Hash(*blake3::hash(&signed).as_bytes()), bodies: ranges }
}

/// The slot of an entry with a body.
pub fn slot(time: Stamp, body: &[u8]) -> Slot {
    Slot { time: time.0, body_length: body.len() as u64, body_hash: Hash(*blake3::hash(body).as_bytes()) }
}

/// Checks a batch from anywhere else: a peer, a database, a file.
pub fn verify(bytes: &Bytes, room: &RoomId) -> Result<Verified, BatchError> {
    if bytes.len() > BATCH_BYTES_MAX {
        return Err(BatchError::Malformed("a batch has at most 128 KiB"));
    }
    let mut decoder = Decoder::new(bytes);
    let parts = decoder.array()?;
    let (header, hash) = read_header(&mut decoder, room)?;
    if parts != Some(3) {
        return Err(BatchError::Malformed("a batch has three parts"));
    }
    let bodies = read_bodies(&mut decoder, &header, &hash)?;
    if decoder.position() != bytes.len() {
        return Err(BatchError::Malformed("something follows the batch"));
    }
    Ok(Verified { bytes: bytes.clone(), header, hash, bodies })
}

/// Reads the header of a batch that was verified once, and where its bodies stand. Fails unless the header still hashes to
/// `hash`, and the bodies to what it says. Far cheaper than [`verify`], which alone sees a change to the signature.
pub fn unchanged(bytes: &Bytes, hash: &Hash) -> Result<(Header, BodyRanges), BatchError> {
    let mut decoder = Decoder::new(bytes);
    decoder.array()?;
    let signed = decoder.bytes()?;
    decoder.bytes()?;
    if blake3::hash(signed).as_bytes() != &hash.0 {
        return Err(BatchError::Signature);
    }
    let header = Decoder::new(signed).decode()?;
    let bodies = read_bodies(&mut decoder, &header, hash)?;
    Ok((header, bodies))
}

/// Reads the bodies and checks each against its slot. Where one was deleted, nothing stands.
fn read_bodies(decoder: &mut Decoder<'_>, header: &Header, hash: &Hash) -> Result<BodyRanges, BatchError> {
    if decoder.array()? != Some(header.entries.len() as u64) {
        return Err(BatchError::Malformed("a batch has a body or a deletion for each slot"));
    }
    let mut bodies = Vec::with_capacity(header.entries.len());
    for (index, slot) in header.entries.iter().enumerate() {
        if decoder.datatype()? == Type::Array {
            let id = EntryId::new(header.key(), header.first_seq + index as Seq, hash, index);
            check_deletion(decoder, header, id)?;
            bodies.push(None);
            continue;
        }
        let body = decoder.bytes()?;
        if body.len() > BODY_BYTES_MAX || body.len() as u64 != slot.body_length {
            return Err(BatchError::Body);
        }
        if blake3::hash(body).as_bytes() != &slot.body_hash.0 {
            return Err(BatchError::Body);
        }
        bodies.push(Some(decoder.position() - body.len()..decoder.position()));
    }
    Ok(bodies)
}

/// What a header of any version begins with; all else may be of another form.
#[derive(Decode)]
#[cbor(map)]
struct Versioned {
    #[n(0)]
    version: u64,
}

/// Reads header and signature, and checks both.
pub(super) fn read_header(decoder: &mut Decoder<'_>, room: &RoomId) -> Result<(Header, Hash), BatchError> {
    let signed = decoder.bytes()?;
    let Versioned { version } = minicbor::decode(signed)?;
    if version != HEADER_VERSION {
        return Err(BatchError::Version(version));
    }
    let signature = decoder.bytes()?;
    if signed.len() > HEADER_BYTES_MAX {
        return Err(BatchError::Malformed("a header has at most 6 KiB"));
    }
    let mut inner = Decoder::new(signed);
    let header: Header = inner.decode()?;
    if inner.position() != signed.len() {
        return Err(BatchError::Malformed("something follows the header"));
    }
    header.check(room)?;
    let key = VerifyingKey::from_bytes(&header.author.0).map_err(|_| BatchError::Signature)?;
    let signature = Signature::from_slice(signature).map_err(|_| BatchError::Signature)?;
    key.verify_strict(&[SIGNATURE_DOMAIN, signed].concat(), &signature).map_err(|_| BatchError::Signature)?;
    Ok((header, Hash(*blake3::hash(signed).as_bytes())))
}

/// Reads what stands where a body was deleted: the header and signature of the batch in which the same author says so
/// to the same audience, the index there, and the body that names this entry.
fn check_deletion(decoder: &mut Decoder<'_>, header: &Header, id: EntryId) -> Result<(), BatchError> {
    if decoder.array()? != Some(4) {
        return Err(BatchError::Malformed("a deletion has four parts"));
    }
    let (other, _) = read_header(decoder, &header.room)?;
    let index = usize::try_from(decoder.u64()?).unwrap_or(usize::MAX);
    let body = decoder.bytes()?;
    let slot = other.entries.get(index).ok_or(BatchError::Malformed("a deletion names no slot"))?;
    let same = other.author == header.author && other.audience == header.audience;
    let signed = blake3::hash(body).as_bytes() == &slot.body_hash.0;
    let names_it = Body::decode(body) == Some(Body::Delete { entry: id });
    if same && signed && names_it { Ok(()) } else { Err(BatchError::Body) }
}

#[cfg(test)]
mod tests;
