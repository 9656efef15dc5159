//! How much room is left on the disk: where it is little, it is kept for what this node's own user says.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::MIB;
use crate::proto::engine::Input;
use crate::proto::limits::{DISK_EVERY_MS, DISK_FREE_MIN};

/// The disk with the data.
#[derive(Clone, Copy, Debug)]
struct Disk {
    /// Bytes that this user may still write.
    free: u64,
    /// All that it has.
    size: u64,
}

impl Disk {
    /// What the system says of it.
    fn of(dir: &std::path::Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(dir).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Self { free: bytes(disk.f_bavail), size: bytes(disk.f_blocks) })
    }

    /// Whether there is little room. Once there is, it takes a tenth more than the least to end it, so that it does not
    /// begin and end with every file that somebody writes.
    fn is_little(self, was_little: bool) -> bool {
        let (bytes, per_cent) = DISK_FREE_MIN;
        let least = bytes.min(self.size / 100 * per_cent);
        self.free < if was_little { least + least / 10 } else { least }
    }
}

/// Free bytes on the disk with the data; none where the system does not say.
pub(super) fn free(dir: &std::path::Path) -> Option<u64> {
    Disk::of(dir).map(|disk| disk.free)
}

/// Looks at the disk now and then until the stop, and tells when the room on it becomes little, or enough again.
pub(super) async fn watch(dir: PathBuf, inputs: mpsc::Sender<Input>, stop: CancellationToken) {
    let mut turns = interval(Duration::from_millis(DISK_EVERY_MS));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_little = false;
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let looked_at = dir.clone();
        // A disk that hangs must not hold up those who move bytes.
        let Ok(Some(disk)) = tokio::task::spawn_blocking(move || Disk::of(&looked_at)).await else { continue };
        if disk.is_little(is_little) == is_little {
            continue;
        }
        is_little = !is_little;
        let free_mib = disk.free / MIB;
        if is_little {
            tracing::warn!(
                "only {free_mib} MiB are free on the disk with the data: nothing of others is taken until there is room"
            );
        } else {
            tracing::warn!("{free_mib} MiB are free on the disk with the data: what others say is taken again");
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
    fn little_is_the_less_of_two() {
        let large = |free| Disk { free, size: 1_000_000 * MIB };
        assert!(large(199 * MIB).is_little(false));
        assert!(!large(200 * MIB).is_little(false));
        assert!(large(210 * MIB).is_little(true), "it does not end at once");
        assert!(!large(220 * MIB).is_little(true));
        let small = |free| Disk { free, size: 100 * MIB };
        assert!(small(5 * MIB - 1).is_little(false));
        assert!(!small(5 * MIB).is_little(false));
    }
}
