//! Watches the free space on the disk. When it is low, the rest is kept for the own user's
//! messages.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::MIB;
use crate::proto::engine::Input;
use crate::proto::limits::{DISK_EVERY_MS, DISK_FREE_MIN, FreeSpaceMin};

/// The disk with the data.
#[derive(Clone, Copy, Debug)]
struct FreeSpace {
    /// Bytes that this user may still write.
    free: u64,
    /// Its size in bytes.
    size: u64,
}

impl FreeSpace {
    /// Reads it from the system.
    fn of(dir: &std::path::Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(dir).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Self { free: bytes(disk.f_bavail), size: bytes(disk.f_blocks) })
    }

    /// Returns true if the free space is low. Once it is, a tenth more than the least is needed to
    /// end that, so that it does not begin and end with every file that is written.
    fn is_low(self, was_little: bool) -> bool {
        let FreeSpaceMin { bytes, percent } = DISK_FREE_MIN;
        let least = bytes.min(self.size / 100 * percent);
        self.free < if was_little { least + least / 10 } else { least }
    }
}

/// Returns true if `bytes` more fit on the disk with `dir`, and the reserve stays.
pub(super) fn has_room(dir: &std::path::Path, bytes: u64) -> bool {
    let after = |disk: FreeSpace| FreeSpace { free: disk.free.saturating_sub(bytes), ..disk };
    FreeSpace::of(dir).is_none_or(|disk| !after(disk).is_low(false))
}

/// The free bytes on the disk with the data. None if the system does not say.
pub(super) fn free_bytes(dir: &std::path::Path) -> Option<u64> {
    FreeSpace::of(dir).map(|disk| disk.free)
}

/// Polls the disk until the stop, and tells the engine when its free space becomes low, or
/// sufficient again.
pub(super) async fn watch(dir: PathBuf, inputs: mpsc::Sender<Input>, stop: CancellationToken) {
    let mut turns = interval(Duration::from_millis(DISK_EVERY_MS));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_little = false;
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let looked_at = dir.clone();
        // A disk that hangs must not block the tasks that move bytes.
        let Ok(Some(disk)) = tokio::task::spawn_blocking(move || FreeSpace::of(&looked_at)).await else { continue };
        if disk.is_low(is_little) == is_little {
            continue;
        }
        is_little = !is_little;
        let free_mib = disk.free / MIB;
        if is_little {
            tracing::warn!(
                "only {free_mib} MiB of disk space are free: messages from others aren't saved until you free up space"
            );
        } else {
            tracing::warn!("{free_mib} MiB of disk space are free: messages from others are saved again");
        }
        if inputs.send(Input::LittleDisk(is_little)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_is_low_below_the_lesser_of_two_limits() {
        let large = |free| FreeSpace { free, size: 1_000_000 * MIB };
        assert!(large(199 * MIB).is_low(false));
        assert!(!large(200 * MIB).is_low(false));
        assert!(large(210 * MIB).is_low(true), "it does not end at once");
        assert!(!large(220 * MIB).is_low(true));
        let small = |free| FreeSpace { free, size: 100 * MIB };
        assert!(small(5 * MIB - 1).is_low(false));
        assert!(!small(5 * MIB).is_low(false));
    }
}
