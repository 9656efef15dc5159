//! Reads and writes units of content that are verified against its hash.

use std::fs::File;
use std::io;

use bao_tree::io::outboard::PostOrderOutboard;
use bao_tree::io::sync::{decode_ranges, encode_ranges_validated};
use bao_tree::io::{DecodeError, EncodeError};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges, blake3};

use crate::proto::ids::Hash;
use crate::proto::limits::GROUP_BYTES;

/// The binary logarithm of the chunks of 1 KiB in a unit.
const CHUNKS_LOG: u8 = 4;

/// The chunks of 1 KiB in a unit.
const CHUNKS: u64 = GROUP_BYTES / 1024;

/// Why units were not read or written.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The bytes do not match the hash.
    #[error("the bytes don’t match the hash")]
    Mismatch,
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The open files of some content.
pub(super) struct VerifiedFile {
    pub(super) data: File,
    pub(super) tree: File,
    content: Hash,
    size: u64,
}

impl VerifiedFile {
    pub(super) fn new(data: File, tree: File, content: Hash, size: u64) -> Self {
        Self { data, tree, content, size }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns `count` units from `first` on with the hashes that prove them. Fails if they do not
    /// match the content's hash.
    pub(super) fn encode(&self, first: u64, count: u64) -> Result<Vec<u8>, VerifyError> {
        let mut bytes = Vec::new();
        encode_ranges_validated(&self.data, self.outboard(), &ranges(first, count), &mut bytes)?;
        Ok(bytes)
    }

    /// Returns true if `count` units from `first` on match the content's hash.
    pub(super) fn verify(&self, first: u64, count: u64) -> io::Result<bool> {
        match encode_ranges_validated(&self.data, self.outboard(), &ranges(first, count), io::sink()) {
            Ok(()) => Ok(true),
            Err(error) => match VerifyError::from(error) {
                VerifyError::Mismatch => Ok(false),
                VerifyError::Io(error) => Err(error),
            },
        }
    }

    /// Verifies and writes what [`VerifiedFile::encode`] returned.
    pub(super) fn decode(&mut self, first: u64, count: u64, mut bytes: &[u8]) -> Result<(), VerifyError> {
        let (tree, root) = (self.outboard().tree, self.outboard().root);
        let outboard = PostOrderOutboard { root, tree, data: &mut self.tree };
        decode_ranges(&mut bytes, &ranges(first, count), &mut self.data, outboard)?;
        if bytes.is_empty() { Ok(()) } else { Err(VerifyError::Mismatch) }
    }

    fn outboard(&self) -> PostOrderOutboard<&File> {
        let tree = BaoTree::new(self.size, BlockSize::from_chunk_log(CHUNKS_LOG));
        PostOrderOutboard { root: blake3::Hash::from_bytes(self.content.0), tree, data: &self.tree }
    }
}

fn ranges(first: u64, count: u64) -> ChunkRanges {
    let chunk = |group: u64| ChunkNum(group.saturating_mul(CHUNKS));
    ChunkRanges::from(chunk(first)..chunk(first.saturating_add(count)))
}

impl From<EncodeError> for VerifyError {
    fn from(error: EncodeError) -> Self {
        match error {
            // A part that was never written is shorter than the content.
            EncodeError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Mismatch,
            EncodeError::Io(error) => Self::Io(error),
            _ => Self::Mismatch,
        }
    }
}

impl From<DecodeError> for VerifyError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Mismatch,
            DecodeError::Io(error) => Self::Io(error),
            _ => Self::Mismatch,
        }
    }
}
