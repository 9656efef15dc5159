//! One node to a directory: an advisory lock that the system lets go of when the process ends, however it ends.
//!
//! The file is written only after it was checked to be the user's own: what another user put there could lead to any
//! file, and what it says of a running node could be a lie.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::ownership::not_ours;

/// Longest text that is read as a process number.
const PID_BYTES_MAX: u64 = 32;

/// Held for as long as it lives. The file stays behind, empty: removing it would let two nodes lock two files of one name.
#[derive(Debug)]
pub(super) struct Lock(File);

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum Unlocked {
    /// Another process holds it; which, if it has already said so.
    Held(Option<u32>),
    /// The file is none that a node of this user made; for this reason.
    NotOurs(&'static str),
    /// The file cannot be made or locked.
    Failed(io::Error),
}

impl Lock {
    /// Takes the lock at `path` and writes this process's number into it, or says at once who holds it.
    pub(super) fn take(path: &Path) -> Result<Self, Unlocked> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // Without blocking: a pipe of that name must not hang the start.
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let mut file = options.open(path).map_err(|error| {
            // The system's own words for a link or a foreign file are about something else.
            let reason = fs::symlink_metadata(path).ok().and_then(|metadata| not_ours(&metadata));
            reason.map_or(Unlocked::Failed(error), Unlocked::NotOurs)
        })?;
        let metadata = file.metadata().map_err(Unlocked::Failed)?;
        if let Some(reason) = not_ours(&metadata) {
            return Err(Unlocked::NotOurs(reason));
        }
        let is_private = metadata.permissions().mode() & 0o077 == 0;
        if !is_private {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(Unlocked::Failed)?;
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Unlocked::Held(holder(&file).filter(|_| is_private))),
            Err(TryLockError::Error(error)) => return Err(Unlocked::Failed(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(Unlocked::Failed)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process number that means nobody any more would only mislead.
        _ = self.0.set_len(0);
    }
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
