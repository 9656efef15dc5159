//! Speed of a chat between real processes, beside two programs measured in the same run with the
//! same messages: the floor is plain TCP with a write for each message (`floor`), the ceiling only
//! encrypts, signs, verifies and commits (`ceiling`). It gathers messages, so it may be faster than
//! the floor.
//!
//! Nothing fails for being slow. `cargo bench --bench chat`, or `-- --quick` for a short run whose
//! numbers are not compared with the goals.

mod ceiling;
mod floor;
mod mesh;
mod solo;
mod table;

use std::time::Duration;

use support::Result;
use support::lab::Lab;
use table::{Goal, Row, Table};

/// The nodes that receive what one sends.
const RECEIVERS: usize = 4;

/// The length of a message, in bytes.
const TEXT_BYTES: usize = 100;

/// The word that all messages contain.
const COMMON_WORD: &str = "common";

/// How much is measured.
struct Effort {
    messages: usize,
    round_trips: usize,
    starts: usize,
    searches: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let effort = if is_quick {
        Effort { messages: 2_000, round_trips: 200, starts: 3, searches: 20 }
    } else {
        Effort { messages: 50_000, round_trips: 2_000, starts: 11, searches: 100 }
    };
    let lab = Lab::new()?;
    let mut table = Table::new(!is_quick);

    let nodes = mesh::start(&lab).await?;
    fan_out(&mut table, &nodes, effort.messages).await?;
    latency(&mut table, &nodes, effort.round_trips).await?;
    let entries = mesh::stored_entries(&nodes[0].api).await?;
    let took = solo::searches(&nodes[0], effort.searches).await?;
    table.push(Row {
        what: format!("search, a word in all of {entries} entries, p95"),
        unit: "ms",
        ours: millis(percentile(took, 95)),
        goal: Some(Goal::AtMost(50.0)),
        ..Row::default()
    });
    for node in nodes {
        node.stop()?;
    }

    let took = solo::starts(&lab, effort.starts)?;
    let ours = millis(percentile(took, 50));
    table.push(Row {
        what: "start to ready, p50".to_owned(),
        unit: "ms",
        ours,
        goal: Some(Goal::AtMost(20.0)),
        ..Row::default()
    });
    table.print();
    Ok(())
}

/// Commits of all receivers a second, of what one node is given.
async fn fan_out(table: &mut Table, nodes: &[support::node::Node], messages: usize) -> Result<()> {
    let rate = |took: Duration| (messages * RECEIVERS) as f64 / took.as_secs_f64();
    let streamed = mesh::fan_out_by_stream(nodes, messages).await?;
    let posted = mesh::fan_out_by_posts(nodes, messages).await?;
    let (floor, ceiling) = tokio::task::spawn_blocking(move || {
        anyhow::Ok((floor::fan_out(RECEIVERS, messages, TEXT_BYTES)?, ceiling::fan_out(RECEIVERS, messages)?))
    })
    .await??;
    for (how, took, goal) in [("NDJSON", streamed, Some(Goal::ShareOfCeiling(0.6))), ("single POSTs", posted, None)] {
        table.push(Row {
            what: format!("{messages} messages by {how}, commits at {RECEIVERS} receivers"),
            unit: "1/s",
            ours: rate(took),
            floor: Some(rate(floor)),
            ceiling: Some(rate(ceiling)),
            goal,
        });
    }
    Ok(())
}

/// The time from a message at one node to its frame at another one.
async fn latency(table: &mut Table, nodes: &[support::node::Node], count: usize) -> Result<()> {
    let ours = mesh::round_trips(&nodes[0].api, &nodes[1].api, count).await?;
    let (floor, ceiling) = tokio::task::spawn_blocking(move || {
        anyhow::Ok((floor::ping_pong(count, TEXT_BYTES)?, ceiling::latency(RECEIVERS, count)?))
    })
    .await??;
    for (percent, goal) in [(50, Some(Goal::TimesCeiling(1.5))), (95, None)] {
        table.push(Row {
            what: format!("send to frame at one of {RECEIVERS} receivers, p{percent}"),
            unit: "ms",
            ours: millis(percentile(ours.clone(), percent)),
            floor: Some(millis(percentile(floor.clone(), percent))),
            ceiling: Some(millis(percentile(ceiling.clone(), percent))),
            goal,
        });
    }
    Ok(())
}

/// The text of a message.
fn text(number: usize) -> String {
    let mut text = format!("{number} {COMMON_WORD} ");
    while text.len() < TEXT_BYTES {
        text.push_str("words ");
    }
    text.truncate(TEXT_BYTES);
    text
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn percentile(mut took: Vec<Duration>, percent: usize) -> Duration {
    took.sort_unstable();
    took[(took.len() - 1) * percent / 100]
}
