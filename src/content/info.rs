//! What a node knows of stored content besides its bytes: a small file beside them.

use std::io;
use std::path::Path;

use minicbor::{Decode, Encode};

use super::disk;
use crate::proto::ids::{NodeId, RoomId};

/// The readers for whom content is held: the members of a room, or one other member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct Hold {
    /// The room.
    #[n(0)]
    pub room: RoomId,
    /// The other member of a direct conversation; none: all members.
    #[n(1)]
    pub audience: Option<NodeId>,
}

/// The record of some content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ContentInfo {
    /// The size in bytes.
    #[n(0)]
    pub size: u64,
    /// For whom it is held, or being fetched.
    #[n(1)]
    pub holds: Vec<Hold>,
    /// True if this node's user shared it.
    #[n(2)]
    pub own: bool,
    /// True if the user keeps it.
    #[n(3)]
    pub pinned: bool,
    /// When the user last used it, in milliseconds since 1970.
    #[n(4)]
    pub used_ms: u64,
    /// When it was uploaded, until a message names it.
    #[n(5)]
    pub uploaded_ms: Option<u64>,
    /// True while it is to be fetched.
    #[n(6)]
    pub wanted: bool,
    /// The name under which it was uploaded.
    #[n(7)]
    pub name: Option<String>,
}

impl ContentInfo {
    /// Reads a record. Returns none if there is none, or if it is damaged.
    pub(super) fn read(path: &Path) -> Option<Self> {
        minicbor::decode(&std::fs::read(path).ok()?).ok()
    }

    /// Writes the record, so that a crash leaves the old or the new one.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let bytes = minicbor::to_vec(self).map_err(|_| io::Error::other("a record can't be encoded"))?;
        disk::replace(path, &bytes)
    }

    /// Returns true if the content is held for these readers.
    pub fn is_held_for(&self, hold: Hold) -> bool {
        self.holds.contains(&hold)
    }
}
