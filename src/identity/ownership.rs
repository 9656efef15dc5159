//! Checks who can change a directory and what is in it, before a node writes there.
//!
//! Another user who can write to a directory can plant a link, and the node then writes to the file
//! it names with the rights of its own user. A file that others made also proves nothing: it can
//! name any process and any socket.
//!
//! Directories above the data directory may be writable by others, since many systems give each
//! user a group of their own. There, only links are checked: a directory that others put in place
//! of the data directory belongs to them, and is refused for that.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Write permission for the group or for all.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Only the owner of an entry can remove or rename it, though other users can write to the
/// directory.
const STICKY: u32 = 0o1000;

/// Returns true if the current user owns it.
pub(super) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// Returns true if the current user or the administrator owns it.
fn is_trusted(metadata: &Metadata) -> bool {
    // In a user namespace the system's files belong to an id that stands for all strangers.
    let administrator = fs::metadata("/").map_or(0, |root| root.uid());
    is_own(metadata) || [0, administrator].contains(&metadata.uid())
}

/// Returns true if users other than the owner can write to it.
pub(super) fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & WRITABLE_BY_OTHERS != 0
}

/// Returns true if other users can replace what the current user makes in this directory.
pub(super) fn is_replaceable_in(dir: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(dir)?;
    let is_open = is_writable_by_others(&metadata) && metadata.mode() & STICKY == 0;
    Ok(is_open || !is_trusted(&metadata))
}

/// The first symbolic link on this path that another user made.
pub(super) fn foreign_link(path: &Path) -> Option<PathBuf> {
    let is_foreign =
        |part: &&Path| fs::symlink_metadata(part).is_ok_and(|metadata| metadata.is_symlink() && !is_trusted(&metadata));
    path.ancestors().find(is_foreign).map(Path::to_owned)
}

/// An entry of this directory that another user made.
pub(super) fn foreign_entry(dir: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !is_trusted(&metadata) => return Ok(Some(path)),
            // A node that runs there removes files of its own.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

/// The reason why this is not a file that a node of the current user made for itself alone; none if
/// it is one.
pub(super) fn reason_not_own_file(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        Some("is a symbolic link")
    } else if kind.is_dir() {
        Some("is a directory")
    } else if !kind.is_file() {
        Some("is not a regular file")
    } else if !is_own(metadata) {
        Some("belongs to another user")
    } else if metadata.nlink() > 1 {
        Some("has a second name, as a hard link")
    } else {
        None
    }
}
