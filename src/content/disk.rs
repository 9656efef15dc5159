//! Names and operations of files in the content directory.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::proto::ids::Hash;

/// A file of some content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of the bytes.
    Complete,
    /// Some of the bytes.
    Partial,
    /// The tree of hashes.
    Tree,
    /// Which units of the partial file were verified.
    Groups,
    /// The record.
    Info,
}

/// All kinds, with their endings.
pub(super) const KINDS: [(Kind, &str); 5] = [
    (Kind::Complete, ""),
    (Kind::Partial, ".part"),
    (Kind::Tree, ".bao"),
    (Kind::Groups, ".groups"),
    (Kind::Info, ".info"),
];

/// The ending of files that are being written.
pub(super) const TEMPORARY: &str = ".tmp";

/// Returns the path of a file of some content.
pub(super) fn path(dir: &Path, content: &Hash, kind: Kind) -> PathBuf {
    let ending = KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, ending)| ending);
    dir.join(format!("{content}{ending}"))
}

/// Creates the directory, readable by this user alone.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens a file for reading and writing, and creates it if it is missing.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Creates an empty file.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Replaces a file, so that a crash leaves the old or the new bytes.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    let mut file = create(Path::new(&name))?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&name, path)
}

/// Removes a file. A missing file is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs a directory, so that the names in it are on the disk.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
