//! Two honest hosts and an attacker's on one switch, with the checks during and after an attack:
//! the two exchange messages, their memory stays bounded, no process panics, and their logs stay
//! short.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use roomful::proto::links::room_key::RoomKey;

use crate::speaker::Speaker;
use support::hosts::{Host, Network};
use support::lab::Lab;
use support::node::{Launch, Node, together};
use support::wait::until_within;
use support::{Context, Result, ensure, json};

/// The port of all nodes.
pub(crate) const PORT: u16 = 7666;

/// Timeout of each step. 2 s are promised; busy machines get more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often the honest look whether they hear each other.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where they talk, so that a flood elsewhere does not push it off a page.
const CHANNEL: &str = "honest";

/// Largest growth of a node's memory above its idle size, in KiB. The tables and queues of
/// `src/proto/limits` need less; the rest is the allocator's, in a program built for tests.
const MEMORY_GROWTH_KIB_MAX: u64 = 96 * 1024;

/// Limit of a node's writable memory, in bytes: that of a small machine. A program that ignores its
/// own limits fails here.
const MEMORY: &str = "--data=134217728";

/// Most lines that a node may have written about it all.
const LOG_LINES_MAX: usize = 120;

/// The field.
pub(crate) struct Siege {
    /// Ana and Ben, who have met.
    pub(crate) nodes: Vec<Node>,
    /// Their machines.
    pub(crate) honest: Vec<Host>,
    /// Whose machine the attack comes from.
    pub(crate) attacker: Host,
    /// A host for a node that joins later.
    pub(crate) fourth: Host,
    pub(crate) lab: Lab,
    rest_kib: Vec<u64>,
    said: u32,
    _network: Network,
}

impl Siege {
    pub(crate) async fn new() -> Result<Self> {
        Self::with(|launch| launch).await
    }

    /// In a room with a key.
    pub(crate) async fn keyed() -> Result<Self> {
        let lab = Lab::with_port(PORT)?;
        let file = key_file(&lab)?;
        Self::started(lab, |launch| launch.option("--room-key-file", &file)).await
    }

    /// The file with that key.
    pub(crate) fn key_file(&self) -> Result<String> {
        key_file(&self.lab)
    }

    /// Starts the two as `change` has it, and waits until they have met.
    pub(crate) async fn with(change: impl Fn(Launch) -> Launch) -> Result<Self> {
        Self::started(Lab::with_port(PORT)?, change).await
    }

    async fn started(lab: Lab, change: impl Fn(Launch) -> Launch) -> Result<Self> {
        let (network, mut hosts) = Network::new(4)?;
        let launches: Vec<_> =
            ["ana", "ben"].iter().zip(&hosts).map(|(name, host)| change(cramped(host.runs(lab.node(name))))).collect();
        let nodes = together(&launches)?;
        let (fourth, attacker) = (hosts.pop().context("four")?, hosts.pop().context("three")?);
        let mut siege =
            Self { nodes, honest: hosts, attacker, fourth, lab, rest_kib: Vec::new(), said: 0, _network: network };
        until_within(PATIENCE, "two have met", async || siege.are_linked().await).await?;
        siege.they_talk("before").await?;
        siege.rest_kib = siege.nodes.iter().map(high_water_kib).collect::<Result<_>>()?;
        Ok(siege)
    }

    /// A peer with a key of its own, derived from `seed`.
    pub(crate) fn speaker(&self, seed: u16) -> Speaker {
        Speaker::new(seed, self.lab.room())
    }

    /// Where Ana listens.
    pub(crate) fn ana(&self) -> SocketAddr {
        SocketAddr::from(([10, 77, 0, 1], PORT))
    }

    /// Where Ben listens.
    pub(crate) fn ben(&self) -> SocketAddr {
        SocketAddr::from(([10, 77, 0, 2], PORT))
    }

    /// That the two are linked with each other.
    pub(crate) async fn are_linked(&self) -> Result<()> {
        for (node, other) in [(0, 1), (1, 0)] {
            let other = self.nodes[node].api.member(self.nodes[other].id()).await?;
            ensure!(other["state"] == "online" && other["direct"] == true, "{other}");
        }
        Ok(())
    }

    /// That each hears what the other says; returns how long the slower of the two took.
    pub(crate) async fn they_talk(&mut self, when: &str) -> Result<Duration> {
        let mut slowest = Duration::ZERO;
        for (from, to) in [(0, 1), (1, 0)] {
            self.said += 1;
            let text = format!("honest {}", self.said);
            let begun = Instant::now();
            let body = json!({ "text": text, "channel": CHANNEL });
            self.nodes[from].api.post("/api/v1/messages", &body).await?.with(201)?;
            loop {
                let page = self.nodes[to].api.get(&format!("/api/v1/messages?channel={CHANNEL}&limit=5")).await?;
                let heard = page["messages"].as_array().context("messages")?;
                if heard.iter().any(|message| message["text"] == text) {
                    break;
                }
                ensure!(begun.elapsed() < PATIENCE, "{when}: {text} is not there after {} s", PATIENCE.as_secs());
                tokio::time::sleep(LOOK_EVERY).await;
            }
            slowest = slowest.max(begun.elapsed());
        }
        Ok(slowest)
    }

    /// What must hold when it is over.
    pub(crate) async fn they_stand(&mut self, when: &str) -> Result<()> {
        let took = self.they_talk(when).await?;
        println!("{when}: each hears the other within {} ms", took.as_millis());
        self.are_linked().await?;
        for (node, rest_kib) in self.nodes.iter().zip(&self.rest_kib) {
            let grown_kib = high_water_kib(node)?.saturating_sub(*rest_kib);
            println!("{when}: the memory of {} grew by {} MiB", node.name(), grown_kib / 1024);
            ensure!(grown_kib <= MEMORY_GROWTH_KIB_MAX, "{} grew by {grown_kib} KiB", node.name());
            let said = node.said();
            ensure!(said.lines().count() <= LOG_LINES_MAX, "{} wrote {} lines", node.name(), said.lines().count());
            ensure!(!said.contains("panicked"), "{said}");
            ensure!(!said.contains('\x1b'), "an escape in a log: {said:?}");
        }
        Ok(())
    }

    /// What Ana and Ben show, without what they said to each other here.
    pub(crate) async fn others_said(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for node in &self.nodes {
            all.extend(node.api.texts().await?.into_iter().filter(|text| !text.starts_with("honest ")));
        }
        Ok(all)
    }
}

/// The same with little memory.
fn cramped(launch: Launch) -> Launch {
    launch.through(&["prlimit", MEMORY])
}

fn key_file(lab: &Lab) -> Result<String> {
    lab.key_file("key", &RoomKey::from_bytes([7; 16]).words(), 0o600)
}

/// The most memory that a node ever had.
fn high_water_kib(node: &Node) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("VmHWM")?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
}

/// The processor time that a node has used.
pub(crate) fn processor_time(node: &Node) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid()))?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("a process")?.1.split_whitespace().collect();
    // In hundredths of a second: what the process spent itself, and what the system spent for it.
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}
