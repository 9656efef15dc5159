//! Locks the data directory for one node, with an advisory lock that the system releases when the
//! process ends.
//!
//! The file is written only after a check that it belongs to this user. A file of another user
//! could be a link to any file, and could lie about a running node.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::ownership::reason_not_own_file;

/// Longest text of a process id, in bytes.
const PID_BYTES_MAX: u64 = 32;

/// The lock, held until this is dropped. The file stays behind, empty: if it were removed, two
/// nodes could lock two files of one name.
#[derive(Debug)]
pub(super) struct Lock(File);

/// The reason for which there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process holds it. Contains its process id, if it was written already.
    Held(Option<u32>),
    /// No node of this user made the file, for this reason.
    NotOurs(&'static str),
    /// The file cannot be created or locked.
    Failed(io::Error),
}

impl Lock {
    /// Takes the lock at `path` and writes this process's id into it, or fails at once with that of
    /// the holder.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // Without blocking: a pipe of that name must not hang the start.
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let mut file = options.open(path).map_err(|error| {
            // The system's error for a link or a foreign file would mislead.
            let reason = fs::symlink_metadata(path).ok().and_then(|metadata| reason_not_own_file(&metadata));
            reason.map_or(LockError::Failed(error), LockError::NotOurs)
        })?;
        let metadata = file.metadata().map_err(LockError::Failed)?;
        if let Some(reason) = reason_not_own_file(&metadata) {
            return Err(LockError::NotOurs(reason));
        }
        let is_private = metadata.permissions().mode() & 0o077 == 0;
        if !is_private {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(LockError::Failed)?;
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&file).filter(|_| is_private))),
            Err(TryLockError::Error(error)) => return Err(LockError::Failed(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(LockError::Failed)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A stale process id would mislead.
        _ = self.0.set_len(0);
    }
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
