//! The batch: 1 to 64 consecutive entries of one log under one signature. It is the unit that is
//! signed, sent, verified and stored.
//!
//! Bytes are kept exactly as they were signed and received; a batch is never split, joined or
//! encoded again. Only [`super::deletion`] replaces the body of a deleted entry. The layout is
//! described in [`crate::wire`].

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use minicbor::{Decode, Decoder, Encode, Encoder, data::Type};

use super::body::Body;
use super::body_range::{BodyRange, BodyRanges};
use crate::proto::clock::Stamp;
use crate::proto::ids::{EntryId, Hash, LogId, LogKey, NodeId, RoomId, Seq};
use crate::proto::limits::{
    BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, BODY_BYTES_MAX, DELETION_BODY_BYTES_MAX, DELETION_HEADER_BYTES_MAX,
    HEADER_BYTES_MAX, STRIPPED_BATCH_BYTES_MAX,
};

/// The header version that this program writes and reads.
pub const HEADER_VERSION: u64 = 1;

/// Prefix of the signed bytes, so that a signature made for another purpose is never valid here.
const SIGNATURE_DOMAIN: &[u8] = b"roomful batch 1\0";

/// The signed part of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// [`HEADER_VERSION`].
    #[n(0)]
    pub version: u64,
    /// The room. The batch is invalid in any other room.
    #[n(1)]
    pub room: RoomId,
    /// The author.
    #[n(2)]
    pub author: NodeId,
    /// The only other member that may read it. `None`: the whole room.
    #[n(3)]
    pub audience: Option<NodeId>,
    /// The log that it continues.
    #[n(4)]
    pub log: LogId,
    /// The sequence number of its first entry, from 1.
    #[n(5)]
    pub first_seq: Seq,
    /// BLAKE3 of the previous header in the log. `None` in the first batch.
    #[n(6)]
    pub prev: Option<Hash>,
    /// The entry after which this batch is ordered.
    ///
    /// It is the entry with the greatest place that the author held, if that place is not below the
    /// first time here and the log is not already ordered after it. Otherwise it is the message
    /// that the first entry replies to, if that is in another log.
    #[n(7)]
    pub after: Option<EntryId>,
    /// One slot per entry.
    #[n(8)]
    pub entries: Vec<EntrySlot>,
}

/// The signed description of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EntrySlot {
    /// When the author wrote it, as a [`Stamp`].
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
    /// The log and its author.
    pub fn key(&self) -> LogKey {
        LogKey { author: self.author, log: self.log }
    }

    /// The sequence number of its last entry.
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
        let is_ascending = self.entries.windows(2).all(|pair| pair[0].time < pair[1].time);
        if !is_ascending || self.last_time().0 >= Stamp::END {
            return Err(BatchError::Malformed("times do not grow or are out of range"));
        }
        Ok(())
    }
}

/// A batch with a valid signature, valid hashes and sizes within the limits. Only [`verify`] and
/// [`sign`] create one.
///
/// Cheap to clone: the bytes are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    bytes: Bytes,
    header: Header,
    hash: Hash,
    bodies: BodyRanges,
}

impl Verified {
    /// The bytes as signed or received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The signed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// BLAKE3 of the header's bytes, which the next batch names as `prev`.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Returns true if it is longer than any that an author signs, because of deletions in it.
    pub fn is_extended(&self) -> bool {
        self.bytes.len() > BATCH_BYTES_MAX
    }

    /// What the bytes hold of each entry.
    pub fn body_ranges(&self) -> &BodyRanges {
        &self.bodies
    }

    /// The id of the entry at `index`.
    pub fn entry_id(&self, index: usize) -> EntryId {
        EntryId::new(self.header.key(), self.header.first_seq + index as Seq, &self.hash, index)
    }

    /// Decodes the body of the entry at `index`. Returns `None` if it was deleted or cannot be
    /// shown.
    pub fn body(&self, index: usize) -> Option<Body> {
        self.bodies.get(index)?.body(&self.bytes)
    }

    /// Decodes the deletion in place of the body of the entry at `index`, if that was deleted.
    pub fn deletion(&self, index: usize) -> Option<Body> {
        self.bodies.get(index)?.deletion(&self.bytes)
    }

    /// Returns true if the body of the entry at `index` was deleted.
    pub fn is_deleted(&self, index: usize) -> bool {
        self.bodies.get(index).is_some_and(BodyRange::is_deleted)
    }
}

/// Why bytes are not a valid batch for this room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A header of another version, written by a newer program.
    #[error("a header of version {0}")]
    Version(u64),
    /// It belongs to another room.
    #[error("meant for another room")]
    OtherRoom,
    /// The signature is not the author's.
    #[error("the signature is not the author's")]
    Signature,
    /// A body does not match its hash or length.
    #[error("a body is not the one that was signed")]
    Body,
    /// It does not follow the protocol's form.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

impl From<minicbor::decode::Error> for BatchError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed("not the CBOR of a batch")
    }
}

/// Signs a batch. `header.author` must be the key's public half, and the header well-formed, as own
/// drafts are.
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
            ranges.push(BodyRange::Present(end - body.len()..end));
        }
        Ok(ranges)
    };
    let ranges = write(&mut encoder).expect("a Vec takes everything");
    let bytes = Bytes::from(encoder.into_writer());
    assert!(bytes.len() <= BATCH_BYTES_MAX, "own drafts keep the limit");
    Verified { bytes, header, hash: Hash(*blake3::hash(&signed).as_bytes()), bodies: ranges }
}

/// Returns the slot of an entry with this body.
pub fn slot(time: Stamp, body: &[u8]) -> EntrySlot {
    EntrySlot { time: time.0, body_length: body.len() as u64, body_hash: Hash(*blake3::hash(body).as_bytes()) }
}

/// Verifies a batch from a peer, a database or a file.
pub fn verify(bytes: &Bytes, room: &RoomId) -> Result<Verified, BatchError> {
    const TOO_LONG: BatchError = BatchError::Malformed("a batch has at most 128 KiB");
    if bytes.len() > STRIPPED_BATCH_BYTES_MAX {
        return Err(TOO_LONG);
    }
    let mut decoder = Decoder::new(bytes);
    let parts = decoder.array()?;
    let (header, hash) = read_header(&mut decoder, room)?;
    if parts != Some(3) {
        return Err(BatchError::Malformed("a batch has three parts"));
    }
    let bodies = read_bodies(&mut decoder, &header, &hash, SlotCheck::Signature)?;
    if decoder.position() != bytes.len() {
        return Err(BatchError::Malformed("something follows the batch"));
    }
    let deletions: usize = bodies.iter().map(BodyRange::deletion_bytes).sum();
    if bytes.len() - deletions > BATCH_BYTES_MAX {
        return Err(TOO_LONG);
    }
    Ok(Verified { bytes: bytes.clone(), header, hash, bodies })
}

/// Decodes the header of a batch that was verified before, and the positions of its bodies.
///
/// Fails unless the header still hashes to `hash` and the bodies to their slots. Far cheaper than
/// [`verify`], which alone detects a changed signature.
pub fn check_hashes(bytes: &Bytes, hash: &Hash) -> Result<(Header, BodyRanges), BatchError> {
    let mut decoder = Decoder::new(bytes);
    decoder.array()?;
    let signed = decoder.bytes()?;
    decoder.bytes()?;
    if blake3::hash(signed).as_bytes() != &hash.0 {
        return Err(BatchError::Signature);
    }
    let header = Decoder::new(signed).decode()?;
    let bodies = read_bodies(&mut decoder, &header, hash, SlotCheck::Hash)?;
    Ok((header, bodies))
}

/// Reads the bodies and checks each against its slot.
fn read_bodies(
    decoder: &mut Decoder<'_>,
    header: &Header,
    hash: &Hash,
    check: SlotCheck,
) -> Result<BodyRanges, BatchError> {
    if decoder.array()? != Some(header.entries.len() as u64) {
        return Err(BatchError::Malformed("a batch has a body or a deletion for each slot"));
    }
    let mut bodies = Vec::with_capacity(header.entries.len());
    for (index, slot) in header.entries.iter().enumerate() {
        if decoder.datatype()? == Type::Array {
            let id = EntryId::new(header.key(), header.first_seq + index as Seq, hash, index);
            let from = decoder.position();
            check_slot(decoder, header, id, check)?;
            bodies.push(BodyRange::Deleted(from..decoder.position()));
            continue;
        }
        let body = decoder.bytes()?;
        if body.len() > BODY_BYTES_MAX || body.len() as u64 != slot.body_length {
            return Err(BatchError::Body);
        }
        if blake3::hash(body).as_bytes() != &slot.body_hash.0 {
            return Err(BatchError::Body);
        }
        bodies.push(BodyRange::Present(decoder.position() - body.len()..decoder.position()));
    }
    Ok(bodies)
}

/// The one field that headers of all versions share.
#[derive(Decode)]
#[cbor(map)]
struct Versioned {
    #[n(0)]
    version: u64,
}

/// Reads header and signature, and checks both.
pub(in crate::proto) fn read_header(decoder: &mut Decoder<'_>, room: &RoomId) -> Result<(Header, Hash), BatchError> {
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

/// How a deletion in a batch is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotCheck {
    /// With the signature of its author.
    Signature,
    /// Without the signature, which was checked when the batch was stored.
    Hash,
}

/// Checks what stands in place of a deleted body: a batch of the same author and audience with
/// nothing but a deletion of this entry.
fn check_slot(decoder: &mut Decoder<'_>, header: &Header, id: EntryId, check: SlotCheck) -> Result<(), BatchError> {
    if decoder.array()? != Some(4) {
        return Err(BatchError::Malformed("a deletion has four parts"));
    }
    let signed = decoder.clone().bytes()?;
    let other = match check {
        SlotCheck::Signature => read_header(decoder, &header.room)?.0,
        SlotCheck::Hash => {
            decoder.bytes()?;
            decoder.bytes()?;
            minicbor::decode(signed)?
        }
    };
    let index = decoder.u64()?;
    let body = decoder.bytes()?;
    let [slot] = &other.entries[..] else {
        return Err(BatchError::Malformed("a deletion is signed alone"));
    };
    if index != 0 || signed.len() > DELETION_HEADER_BYTES_MAX || body.len() > DELETION_BODY_BYTES_MAX {
        return Err(BatchError::Malformed("a deletion is too long"));
    }
    let same_origin = other.author == header.author && other.audience == header.audience;
    let is_signed = blake3::hash(body).as_bytes() == &slot.body_hash.0;
    let names_entry = matches!(Body::decode(body), Some(Body::Delete { entry, .. }) if entry == id);
    if same_origin && is_signed && names_entry { Ok(()) } else { Err(BatchError::Body) }
}

#[cfg(test)]
mod tests;
