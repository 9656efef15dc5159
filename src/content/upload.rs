//! An upload: bytes that are hashed while they stream into a file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use super::tree_hasher::TreeHasher;
use super::{ContentStore, disk};
use crate::proto::ids::Hash;
use crate::proto::limits::FILE_BYTES_MAX;

/// The beginning of the names of files that are being uploaded.
pub(super) const PREFIX: &str = "upload-";

/// An upload under way. Dropped, it is undone.
pub struct Upload {
    store: ContentStore,
    data: File,
    hasher: Option<TreeHasher<BufWriter<File>>>,
    data_path: PathBuf,
    tree_path: PathBuf,
    /// True after a write that failed: it may have left some of its bytes.
    has_failed: bool,
}

impl Upload {
    /// Begins an upload under a number that no other upload has.
    pub fn begin(store: &ContentStore, number: u64) -> io::Result<Self> {
        let data_path = store.dir().join(format!("{PREFIX}{number:016x}"));
        let tree_path = store.dir().join(format!("{PREFIX}{number:016x}.bao"));
        let data = disk::create(&data_path)?;
        let hasher = Some(TreeHasher::new(BufWriter::new(disk::create(&tree_path)?)));
        Ok(Self { store: store.clone(), data, hasher, data_path, tree_path, has_failed: false })
    }

    /// The bytes that were written so far.
    pub fn size(&self) -> u64 {
        self.hasher.as_ref().map_or(0, TreeHasher::size)
    }

    /// Counts bytes that were not written.
    #[cfg(test)]
    pub(super) fn skip_for_test(&mut self, bytes: u64) {
        if let Some(hasher) = &mut self.hasher {
            hasher.skip_for_test(bytes);
        }
    }

    /// Makes all writes fail.
    #[cfg(test)]
    pub(crate) fn break_for_test(&mut self) -> io::Result<()> {
        self.data = File::options().write(true).open("/dev/full")?;
        Ok(())
    }

    /// Returns true if a write failed. Then the upload can't be continued.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Appends bytes. Fails if the content gets too long.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(hasher) = self.hasher.as_mut().filter(|_| !self.has_failed) else {
            return Err(io::Error::other("the upload has ended"));
        };
        if hasher.size() + bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.data.write_all(bytes).and_then(|()| hasher.update(bytes));
        self.has_failed = written.is_err();
        written
    }

    /// Syncs the bytes and stores them under their hash. Returns hash and size.
    pub fn finish(mut self) -> io::Result<(Hash, u64)> {
        let Some(hasher) = self.hasher.take().filter(|_| !self.has_failed) else {
            return Err(io::Error::other("the upload has ended"));
        };
        let (content, size, tree) = hasher.finish()?;
        tree.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        self.data.sync_all()?;
        self.store.adopt(&content, size, &self.data_path, &self.tree_path)?;
        Ok((content, size))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After `finish` the names are gone. What stays is removed at the next start.
        let _ = disk::remove(&self.data_path);
        let _ = disk::remove(&self.tree_path);
    }
}
