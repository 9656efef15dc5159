//! Speed of a chat between real processes, compared with plain TCP on the same machine with the
//! same bytes. The numbers are for comparison; nothing fails for being slow. `cargo bench`, or
//! `cargo bench -- --quick`.

mod floor;

use std::time::{Duration, Instant};

use support::api::Api;
use support::lab::Lab;
use support::node::{Node, together};
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, Value, ensure, json};

/// How many nodes hear what one says.
const LISTENERS: usize = 4;

/// Simultaneous requests. What accumulates meanwhile is signed and committed together.
const AT_ONCE: usize = 64;

/// A line as people type it, in bytes.
const TEXT_BYTES: usize = 64;

/// How much is measured.
struct Effort {
    fan_out: usize,
    round_trips: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let effort = if is_quick {
        Effort { fan_out: 2_000, round_trips: 200 }
    } else {
        Effort { fan_out: 50_000, round_trips: 2_000 }
    };
    let lab = Lab::new()?;
    let launches: Vec<_> = (0..=LISTENERS)
        .map(|number| lab.node(&format!("node{number}")).host(&format!("127.0.0.{}", number + 1)))
        .collect();
    let nodes = together(&launches)?;
    let met = async || {
        for node in &nodes {
            let others: Vec<&str> = nodes.iter().map(Node::id).filter(|&id| id != node.id()).collect();
            node.api.sees_exactly(&others).await?;
        }
        Ok(())
    };
    until("all have met", met).await?;

    let fan_out = fan_out(&nodes, effort.fan_out).await?;
    let fan_out_floor = floor::fan_out(LISTENERS, effort.fan_out, TEXT_BYTES)?;
    let trips = round_trips(&nodes[0].api, &nodes[1].api, effort.round_trips).await?;
    let trips_floor = floor::ping_pong(effort.round_trips, TEXT_BYTES)?;
    for node in nodes {
        node.stop()?;
    }
    print_table(&effort, fan_out, fan_out_floor, trips, trips_floor);
    Ok(())
}

/// Measures how long all listeners take to commit what one node received over HTTP, many requests
/// at a time.
async fn fan_out(nodes: &[Node], count: usize) -> Result<Duration> {
    let mut tabs = Vec::new();
    for node in &nodes[1..] {
        tabs.push(Tab::open(&node.api).await?);
    }
    let begun = Instant::now();
    let listening: Vec<_> = tabs.into_iter().map(|tab| tokio::spawn(hear(tab, count))).collect();
    let per_connection = count / AT_ONCE;
    let speaking: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(say_many(nodes[0].api.clone(), per_connection))).collect();
    for task in speaking {
        task.await??;
    }
    say_many(nodes[0].api.clone(), count - per_connection * AT_ONCE).await?;
    for task in listening {
        task.await??;
    }
    Ok(begun.elapsed())
}

async fn say_many(api: Api, count: usize) -> Result<()> {
    let mut connection = api.connect().await?;
    for _ in 0..count {
        let request = api.request(hyper::Method::POST, "/api/v1/messages", Some(&line()))?;
        connection.send(request).await?.with(201)?;
    }
    Ok(())
}

async fn hear(mut tab: Tab, count: usize) -> Result<()> {
    for heard in 0..count {
        // Receipts, members and beats in between are not counted.
        while tab.next().await.with_context(|| format!("after {heard} of {count}"))?["type"] != "message" {}
    }
    Ok(())
}

/// How long each took from the request at one node to the frame at another.
async fn round_trips(from: &Api, to: &Api, count: usize) -> Result<Vec<Duration>> {
    let mut tab = Tab::open(to).await?;
    let mut connection = from.connect().await?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let request = from.request(hyper::Method::POST, "/api/v1/messages", Some(&line()))?;
        let begun = Instant::now();
        let (answer, heard) = tokio::join!(connection.send(request), hear_one(&mut tab));
        took.push(heard?.duration_since(begun));
        answer?.with(201)?;
    }
    ensure!(took.len() == count, "each is counted");
    Ok(took)
}

async fn hear_one(tab: &mut Tab) -> Result<Instant> {
    while tab.next().await?["type"] != "message" {}
    Ok(Instant::now())
}

fn line() -> Value {
    json!({ "text": "x".repeat(TEXT_BYTES) })
}

fn print_table(
    effort: &Effort,
    fan_out: Duration,
    floor: Duration,
    mut trips: Vec<Duration>,
    mut floors: Vec<Duration>,
) {
    let rate = |took: Duration| effort.fan_out as f64 / took.as_secs_f64();
    trips.sort_unstable();
    floors.sort_unstable();
    let micros = |sorted: &[Duration], percent: usize| sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    println!();
    println!("{:46} {:>12} {:>12} {:>8}", "", "roomful", "raw TCP", "ratio");
    let row = |what: &str, ours: f64, raw: f64, ratio: f64| println!("{what:46} {ours:12.0} {raw:12.0} {ratio:8.1}");
    let (ours, raw) = (rate(fan_out), rate(floor));
    row(&format!("{} messages committed by {LISTENERS}, a second", effort.fan_out), ours, raw, raw / ours);
    for (name, percent) in [("median", 50), ("95th percentile", 95)] {
        let (ours, raw) = (micros(&trips, percent), micros(&floors, percent));
        row(&format!("POST to frame at another node, {name}, us"), ours, raw, ours / raw);
    }
}
