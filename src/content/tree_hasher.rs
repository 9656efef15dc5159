//! Hashes content while it streams, and writes the tree of hashes beside it.
//!
//! The tree is in post-order: a pair of hashes is final as soon as its two subtrees are complete,
//! so the size need not be known before the end.

use std::io::{self, Write};

use bao_tree::blake3::hazmat::{ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};
use bao_tree::blake3::{self, Hasher};

use crate::proto::ids::Hash;
use crate::proto::limits::GROUP_BYTES;

/// The length of a unit in memory.
const GROUP_LEN: usize = GROUP_BYTES as usize;

/// A hash under way.
pub(super) struct TreeHasher<W> {
    /// The pairs of hashes go here, 64 bytes each.
    tree: W,
    /// The beginning of the current unit.
    unit: Vec<u8>,
    /// The complete units before it.
    units: u64,
    /// The hashes of complete subtrees, the largest first.
    stack: Vec<ChainingValue>,
}

impl<W: Write> TreeHasher<W> {
    /// Begins with empty content.
    pub(super) fn new(tree: W) -> Self {
        Self { tree, unit: Vec::with_capacity(GROUP_LEN), units: 0, stack: Vec::new() }
    }

    /// The bytes that were hashed so far.
    pub(super) fn size(&self) -> u64 {
        self.units * GROUP_BYTES + self.unit.len() as u64
    }

    /// Counts bytes that were not hashed.
    #[cfg(test)]
    pub(super) fn skip_for_test(&mut self, bytes: u64) {
        self.units += bytes / GROUP_BYTES;
    }

    /// Adds bytes at the end.
    pub(super) fn update(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // A full unit is kept until more follows: the last one may be the root.
            if self.unit.len() == GROUP_LEN {
                self.close_unit()?;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(GROUP_LEN - self.unit.len()));
            self.unit.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    /// Returns the hash and the size of the content, and the writer of the tree.
    pub(super) fn finish(mut self) -> io::Result<(Hash, u64, W)> {
        let size = self.size();
        if self.units == 0 {
            return Ok((Hash(*blake3::hash(&self.unit).as_bytes()), size, self.tree));
        }
        self.close_unit()?;
        while self.stack.len() > 2 {
            self.merge()?;
        }
        let root = match self.stack.as_slice() {
            [left, right] => {
                self.tree.write_all(left)?;
                self.tree.write_all(right)?;
                merge_subtrees_root(left, right, Mode::Hash)
            }
            _ => return Err(io::Error::other("two units or more have two subtrees")),
        };
        Ok((Hash(*root.as_bytes()), size, self.tree))
    }

    /// Closes the current unit. The subtrees of the units before it that it completes are merged
    /// first.
    fn close_unit(&mut self) -> io::Result<()> {
        for _ in 0..self.units.checked_ilog2().map_or(0, |_| self.units.trailing_zeros()) {
            self.merge()?;
        }
        let mut hasher = Hasher::new();
        hasher.set_input_offset(self.units * GROUP_BYTES);
        hasher.update(&self.unit);
        self.stack.push(hasher.finalize_non_root());
        self.units += 1;
        self.unit.clear();
        Ok(())
    }

    /// Merges the two smallest subtrees.
    fn merge(&mut self) -> io::Result<()> {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            self.tree.write_all(&left)?;
            self.tree.write_all(&right)?;
            self.stack.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
        Ok(())
    }
}

/// Returns true for the hash of a file without bytes.
pub fn is_hash_of_nothing(content: &Hash) -> bool {
    content.0 == *blake3::hash(b"").as_bytes()
}

#[cfg(test)]
mod tests {
    use bao_tree::BlockSize;
    use bao_tree::io::outboard::PostOrderMemOutboard;

    use super::*;

    #[test]
    fn streamed_tree_equals_the_tree_at_once() {
        for size in [0, 1, GROUP_LEN - 1, GROUP_LEN, GROUP_LEN + 1, 2 * GROUP_LEN, 3 * GROUP_LEN]
            .into_iter()
            .chain((4..40).map(|units| units * GROUP_LEN - 7))
        {
            let data: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
            let mut hasher = TreeHasher::new(Vec::new());
            for piece in data.chunks(10_007) {
                hasher.update(piece).expect("a Vec takes everything");
            }
            let (hash, hashed, tree) = hasher.finish().expect("a Vec takes everything");
            let expected = PostOrderMemOutboard::create(&data, BlockSize::from_chunk_log(4));
            assert_eq!((hash.0, hashed, &tree), (*expected.root.as_bytes(), size as u64, &expected.data), "{size}");
            assert_eq!(hash.0, *blake3::hash(&data).as_bytes());
        }
    }
}
