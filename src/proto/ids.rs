//! Identifiers: of nodes, rooms, logs, entries and links. Each is a type of its own, so that they
//! cannot be confused.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use minicbor::{Decode, Encode};

/// Declares a newtype over 32 bytes that prints as lower-case hex.
macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), HEXLOWER.encode(&self.0[..4]))
            }
        }

        impl $name {
            /// Parses 64 hex digits of either case.
            pub fn from_hex(text: &str) -> Option<Self> {
                let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
                Some(Self(bytes.try_into().ok()?))
            }
        }
    };
}

bytes32! {
    /// A node's Ed25519 public key. The key *is* the identity: the holder of the private half is
    /// the node.
    NodeId
}

bytes32! {
    /// A BLAKE3 hash.
    Hash
}

bytes32! {
    /// A room's id, known to its members only: a hash of the room's name and key ([`RoomId::new`]).
    RoomId
}

impl NodeId {
    /// The form for people: the first 5 bytes in lower-case RFC 4648 base32, 8 characters.
    pub fn short(&self) -> String {
        BASE32_NOPAD.encode(&self.0[..5]).to_ascii_lowercase()
    }
}

impl RoomId {
    /// Derives the id of a room. An open room has an empty `key`.
    pub fn new(name: &str, key: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("roomful 2026-11 room id");
        hasher.update(&(name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update(key);
        Self(*hasher.finalize().as_bytes())
    }
}

/// The public tag of a room in beacons: a hash of its name alone, so that it reveals nothing about
/// the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct RoomTag(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 8]);

impl RoomTag {
    /// Derives the tag of the room called `name`.
    pub fn new(name: &str) -> Self {
        let hash = blake3::derive_key("roomful 2026-11 room tag", name.as_bytes());
        let mut tag = [0; 8];
        tag.copy_from_slice(&hash[..8]);
        Self(tag)
    }
}

impl fmt::Debug for RoomTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomTag({})", HEXLOWER.encode(&self.0))
    }
}

/// Declares a newtype over a random 64-bit number that prints as 16 hex digits.
macro_rules! random64 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:x})"), self.0)
            }
        }
    };
}

random64! {
    /// One start of the program: a random number, drawn at each start.
    Instance
}

random64! {
    /// The number of a log, drawn at random. So a copied data directory does not continue the
    /// original's logs.
    LogId
}

/// One TCP connection with another node, numbered by this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// One dial, numbered by this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// The sequence number of an entry in its log, from 1.
pub type Seq = u64;

/// The local number under which a node stored an entry or a notice. Strictly increasing, never
/// reused.
pub type Arrival = u64;

/// A log of an author. Log numbers are random, so they identify a log only together with the
/// author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The author.
    pub author: NodeId,
    /// The log's number.
    pub log: LogId,
}

/// Identifies an entry on every node: its position, and 16 bytes that bind author and content.
///
/// Its text form is 64 hex digits: 8 bytes log, 8 bytes sequence number, 16 bytes check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The log that contains it.
    pub log: LogId,
    /// Its sequence number.
    pub seq: Seq,
    /// The first 16 bytes of BLAKE3(author, header hash, index in the batch as 8 bytes big-endian).
    pub check: [u8; 16],
}

impl EntryId {
    /// The id of the entry at `index` in the batch whose header hashes to `header`.
    pub fn new(key: LogKey, seq: Seq, header: &Hash, index: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&key.author.0);
        hasher.update(&header.0);
        hasher.update(&(index as u64).to_be_bytes());
        let mut check = [0; 16];
        check.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self { log: key.log, seq, check }
    }

    /// The 32 bytes of the id, as they are signed, stored and printed.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.log.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_be_bytes());
        bytes[16..].copy_from_slice(&self.check);
        bytes
    }

    /// Inverse of [`EntryId::to_bytes`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (log, rest) = bytes.split_at(8);
        let (seq, check) = rest.split_at(8);
        let number = |part: &[u8]| part.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mut id = Self { log: LogId(number(log)), seq: number(seq), check: [0; 16] };
        id.check.copy_from_slice(check);
        id
    }

    /// Parses 64 hex digits of either case.
    pub fn from_hex(text: &str) -> Option<Self> {
        Hash::from_hex(text).map(|bytes| Self::from_bytes(&bytes.0))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.to_bytes()))
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({:x}/{})", self.log.0, self.seq)
    }
}

impl<C> Encode<C> for EntryId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for EntryId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes: &[u8; 32] =
            d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("an entry id has 32 bytes"))?;
        Ok(Self::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_base32_of_five_bytes() {
        let mut id = NodeId([0; 32]);
        assert_eq!(id.short(), "aaaaaaaa");
        id.0[..5].copy_from_slice(&[0xff; 5]);
        assert_eq!(id.short(), "77777777");
    }

    #[test]
    fn an_entry_id_survives_bytes_and_hex() {
        let key = LogKey { author: NodeId([7; 32]), log: LogId(0x0102_0304_0506_0708) };
        let id = EntryId::new(key, 9, &Hash([1; 32]), 2);
        assert_eq!(EntryId::from_bytes(&id.to_bytes()), id);
        assert_eq!(EntryId::from_hex(&id.to_string()), Some(id));
        assert!(id.to_string().starts_with("01020304050607080000000000000009"));
        assert_eq!(EntryId::from_hex("12"), None);
    }

    #[test]
    fn a_room_is_its_name_and_its_key() {
        assert_ne!(RoomId::new("a", b"bc"), RoomId::new("ab", b"c"));
        assert_ne!(RoomTag::new("a"), RoomTag::new("b"));
    }
}
