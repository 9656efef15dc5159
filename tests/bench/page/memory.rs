//! Memory of the process that renders the page.

use std::fs;

use support::{Context, Result};

/// The share of the largest renderer among the processes that this driver started, in megabytes.
pub(crate) fn renderer_mb(driver: u32) -> Result<f64> {
    let mut largest = None;
    for entry in fs::read_dir("/proc")? {
        let place = entry?.path();
        // Processes go while they are looked at.
        let (Ok(stat), Ok(line)) = (fs::read_to_string(place.join("stat")), fs::read(place.join("cmdline"))) else {
            continue;
        };
        // PID (NAME) STATE PARENT GROUP…
        let group = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(2));
        if group != Some(driver.to_string().as_str()) || !String::from_utf8_lossy(&line).contains("--type=renderer") {
            continue;
        }
        let Ok(rollup) = fs::read_to_string(place.join("smaps_rollup")) else { continue };
        let share = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("a share of memory")?;
        let kib: f64 = share.trim().trim_end_matches(" kB").parse()?;
        largest = largest.max(Some((kib * 1.024) as u64));
    }
    let kilobytes = largest.context("no renderer was found")?;
    Ok(kilobytes as f64 / 1000.0)
}
