//! Measurements of one node.

use std::time::{Duration, Instant};

use support::lab::Lab;
use support::node::Node;
use support::wait::at_rest;
use support::{Context, Result, ensure};

use crate::COMMON_WORD;

/// Returns how long a node takes from its start until it is ready, with a data directory of its own
/// that exists.
pub(crate) fn starts(lab: &Lab, count: usize) -> Result<Vec<Duration>> {
    let launch = lab.node("starter").host("127.0.0.9");
    launch.start()?.stop()?;
    let mut took = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let node = launch.start()?;
        took.push(begun.elapsed());
        node.stop()?;
    }
    Ok(took)
}

/// Returns how long a node takes to find the newest messages with a word that is in all of them.
pub(crate) async fn searches(node: &Node, count: usize) -> Result<Vec<Duration>> {
    // Its index is filled in the background.
    at_rest(async || cpu_ticks(node)).await?;
    let mut took = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let found = node.api.get(&format!("/api/v1/search?q={COMMON_WORD}&limit=50")).await?;
        took.push(begun.elapsed());
        ensure!(found["hits"].as_array().is_some_and(|hits| hits.len() == 50), "{found}");
    }
    Ok(took)
}

/// Returns the CPU time that a node has used, in ticks of the system, usually of 10 ms.
fn cpu_ticks(node: &Node) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.pid()))?;
    // The name of the program stands in parentheses and may contain spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().context("a state")?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).context("too few fields")?.parse::<u64>().context("no number");
    Ok(ticks(11)? + ticks(12)?)
}
