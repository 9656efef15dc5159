//! Small private files: read only if no other user could have accessed them, and written
//! atomically.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::Error;
use super::ownership::{is_own, is_replaceable_in};

/// Longest file, in bytes: more than any of these files has.
const BYTES_MAX: u64 = 4096;

/// The reason for which a file cannot be used.
#[derive(Debug)]
pub(super) enum ReadError {
    Missing,
    /// Another user owns it, or may read or write it.
    OpenToOthers,
    /// It is a link, a directory, a pipe or a device.
    NotAFile,
    /// It is longer than a node writes.
    TooLong,
    /// The system refused.
    Failed(io::Error),
}

/// Reads a private file that a node wrote. Links are not followed, since the node makes none. The
/// memory is cleared on drop.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let file = open(path, OFlags::NOFOLLOW).map_err(|unread| match unread {
        // Checked first, because the system's error for a link would mislead.
        ReadError::Failed(_) if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) => {
            ReadError::NotAFile
        }
        other => other,
    })?;
    if !file.metadata().map_err(ReadError::Failed)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    read_private(file)
}

/// Reads a private file that the user named, which may be a link.
pub(super) fn read_named(path: &Path) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    read_private(open(path, OFlags::empty())?)
}

fn open(path: &Path, flags: OFlags) -> Result<File, ReadError> {
    // Without blocking: a pipe in place of a key must not hang the start.
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Failed(error),
    })
}

fn read_private(file: File) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let metadata = file.metadata().map_err(ReadError::Failed)?;
    if metadata.mode() & 0o077 != 0 || !is_own(&metadata) {
        return Err(ReadError::OpenToOthers);
    }
    // Allocated once: a vector that grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize + 1));
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(ReadError::Failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(ReadError::TooLong);
    }
    Ok(bytes)
}

/// Writes `dir/name` with mode 0600, atomically: after a crash it has the old or the new content.
///
/// The caller holds the directory's lock, so half-written files of a crash can be removed.
pub(super) fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = dir.join(format!("{name}.part"));
    remove(&part)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&part, dir.join(name)));
    if let Err(error) = written {
        _ = fs::remove_file(&part);
        return Err(error);
    }
    File::open(dir)?.sync_all()
}

/// Removes a file that may be missing.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a directory with mode 0700 in the first of `parents` that allows it, and in which other
/// users cannot replace it.
pub(super) fn create_private_dir(parents: impl IntoIterator<Item = PathBuf>) -> Result<PathBuf, Error> {
    let mut refused = Error::NoPlace;
    for parent in parents {
        let dir = parent.join(format!("roomful-{:016x}", rand::random::<u64>()));
        match is_replaceable_in(&parent) {
            Ok(false) => {}
            Ok(true) => {
                let source = io::Error::other("other users can replace what is in it");
                refused = Error::Unusable { dir: parent, source };
                continue;
            }
            Err(source) => {
                refused = Error::Unusable { dir: parent, source };
                continue;
            }
        }
        // Not recursive: it must fail if another user created the directory first.
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(source) => refused = Error::Unusable { dir: parent, source },
        }
    }
    Err(refused)
}
