//! The clocks of this machine, as the engine takes them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::proto::clock::Now;

/// Reads both clocks. The monotonic one goes on while the machine sleeps, so that a sleep is
/// noticed.
pub(super) fn now() -> Now {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let mono_ms = since_boot.tv_sec.unsigned_abs() * 1_000 + since_boot.tv_nsec.unsigned_abs() / 1_000_000;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono_ms, wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
}
