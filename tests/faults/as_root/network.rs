//! Networks with packet loss and one-way cuts, and frozen peers: nothing is lost, and other peers
//! are not affected.

use std::process::Command;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rustix::process::Signal;
use tokio::time::interval;

use crate::clocks::{at, set};
use crate::record::Record;
use crate::room::all_met;
use crate::seeds::for_each_seed;
use support::hosts::{Host, Network};
use support::lab::Lab;
use support::node::{Launch, Node, together};
use support::wait::{LONG_PATIENCE, until, until_within};
use support::{Context, Result, Value, ensure};

/// On hosts of their own every port is free.
pub(crate) const PORT: u16 = 7666;

/// Largest growth of a node while a peer is frozen, in KiB: one link's send window, and some slack.
const GROWTH_KIB_MAX: u64 = 6 * 1024;

/// How two nodes talk.
#[derive(Clone, Copy)]
struct Talk {
    when: &'static str,
    /// In how many rounds at least, and for how long.
    times: usize,
    lasts: Duration,
    /// The shortest time between two rounds.
    pace: Duration,
    bytes: usize,
    /// How many at once.
    at_once: usize,
}

/// Before they are measured: far more than what a node keeps at hand.
const WARM: Talk =
    Talk { when: "warm", times: 20, lasts: Duration::ZERO, pace: Duration::from_millis(1), bytes: 30_000, at_once: 8 };

/// While a third stands still, and is not given up yet: as much as can be said.
const STILL: Talk = Talk { when: "still", times: 0, lasts: Duration::from_secs(12), ..WARM };

/// For the rest of a minute.
const ALONE: Talk = Talk {
    when: "alone",
    times: 0,
    lasts: Duration::from_secs(48),
    pace: Duration::from_millis(500),
    bytes: 10,
    at_once: 1,
};

/// Hosts on a switch, one node each.
pub(crate) struct Hosts {
    pub(crate) network: Network,
    lab: Lab,
    pub(crate) launches: Vec<Launch>,
}

impl Hosts {
    pub(crate) fn new(count: u8) -> Result<Self> {
        let (network, hosts) = Network::new(count)?;
        let lab = Lab::with_port(PORT)?;
        let launch = |(number, host): (usize, &Host)| host.runs(lab.node(&format!("node-{}", number + 1)));
        let launches = hosts.iter().enumerate().map(launch).collect();
        Ok(Self { network, lab, launches })
    }

    /// Has the host with this number (from 1) handle packets by these rules from now on.
    pub(crate) fn rule(&self, host: usize, rules: &[String]) -> Result<()> {
        let chain = format!("type filter hook input priority 0\n{}", rules.join("\n"));
        let table = format!("table inet faults {{\nchain in {{\n{chain}\n}}\n}}");
        // Made if it is not there, so that it can be thrown away, and made anew.
        let all = format!("table inet faults\ndelete table inet faults\n{table}");
        self.runs(host, &["nft", &all]).context("nft (the package nftables, which tests/run installs)")
    }

    /// Limits the outgoing traffic of a host (numbered from 1) to 64 kbit/s, or lifts the limit.
    pub(crate) fn slow(&self, host: usize, is_slow: bool) -> Result<()> {
        let slow = ["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "64kbit", "burst", "16kb"];
        match is_slow {
            true => self.runs(host, &[&slow[..], &["latency", "400ms"]].concat()),
            false => self.runs(host, &["tc", "qdisc", "del", "dev", "eth0", "root"]),
        }
    }

    fn runs(&self, host: usize, words: &[&str]) -> Result<()> {
        let namespace = format!("{}-h{host}", self.network.prefix());
        let done = Command::new("ip").args(["netns", "exec", &namespace]).args(words).output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

#[tokio::test]
async fn packet_loss_of_20_percent_loses_no_message() -> Result<()> {
    let hosts = Hosts::new(3)?;
    let nodes = together(&hosts.launches)?;
    let all: Vec<&Node> = nodes.iter().collect();
    for host in 1..=3 {
        hosts.rule(host, &["numgen random mod 100 < 20 drop".to_owned()])?;
    }
    let record = Record::default();
    let talk = all.iter().map(|node| {
        let record = &record;
        async move {
            for number in 0..40 {
                record.say(node, &format!("{} says {number} {}", node.name(), "x".repeat(number * 50))).await?;
            }
            anyhow::Ok(())
        }
    });
    futures::future::try_join_all(talk).await?;
    until_within(2 * LONG_PATIENCE, "all agree in spite of it", async || record.check(&all).await).await?;
    for host in 1..=3 {
        hosts.rule(host, &[])?;
    }
    until_within(LONG_PATIENCE, "all have met", async || all_met(&all).await).await?;
    until("all agree", async || record.check(&all).await).await
}

#[tokio::test]
async fn one_way_cuts_lose_no_message() -> Result<()> {
    for_each_seed("one_way_cuts_lose_no_message", 1, async |mut rng| {
        let hosts = Hosts::new(4)?;
        let nodes = together(&hosts.launches)?;
        let all: Vec<&Node> = nodes.iter().collect();
        until("all have met", async || all_met(&all).await).await?;
        let record = Record::default();
        // 1 receives nothing from 2, and 3 or 4 nothing from 1: every pair still has a path.
        let other = rng.random_range(3..=4);
        hosts.rule(1, &["ip saddr 10.77.0.2 drop".to_owned()])?;
        hosts.rule(other, &["ip saddr 10.77.0.1 drop".to_owned()])?;
        for round in 0..5 {
            for node in &all {
                record.say(node, &format!("{} says {round} while it is cut", node.name())).await?;
            }
        }
        until_within(2 * LONG_PATIENCE, "all agree around the cuts", async || record.check(&all).await).await?;
        hosts.rule(1, &[])?;
        hosts.rule(other, &[])?;
        for node in &all {
            record.say(node, &format!("{} says it is whole again", node.name())).await?;
        }
        until_within(2 * LONG_PATIENCE, "all have met again", async || all_met(&all).await).await?;
        until("all agree", async || record.check(&all).await).await
    })
    .await
}

#[tokio::test]
async fn suspended_machine_catches_up_without_notices() -> Result<()> {
    let mut hosts = Hosts::new(3)?;
    let clock = hosts.lab.dir().join("clock");
    set(&clock, "+0")?;
    let sleeper = hosts.launches.remove(2);
    hosts.launches.push(at(sleeper, &format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()))?);
    let nodes = together(&hosts.launches)?;
    let [anna, ben, still] = &nodes[..] else { unreachable!("three were started") };
    let all = [anna, ben, still];
    until("all have met", async || all_met(&all).await).await?;
    let record = Record::default();
    // What a life uses anyway, caches above all, is there before it is measured.
    let warm = talk([anna, ben], &record, WARM).await?;
    until("all agree", async || record.check(&all).await).await?;
    let before = [memory_from_now_kib(anna)?, memory_from_now_kib(ben)?];

    still.signal(Signal::STOP)?;
    set(&clock, "+10m")?;
    let long = talk([anna, ben], &record, STILL).await?;
    let short = talk([anna, ben], &record, ALONE).await?;
    println!("{warm} and {long} rounds of long messages, and {short} of short ones");
    for (node, before) in [anna, ben].into_iter().zip(before) {
        let grown = memory_kib(node)?.saturating_sub(before);
        println!("{} grew by {grown} KiB", node.name());
        ensure!(grown < GROWTH_KIB_MAX, "{} grew by {grown} KiB from {before} KiB", node.name());
    }
    for node in [anna, ben] {
        node.api.sees_state(still.id(), "lost").await.context("a minute of silence is noticed")?;
    }

    still.signal(Signal::CONT)?;
    until_within(LONG_PATIENCE, "all have met again", async || all_met(&all).await).await?;
    // Its clock ran too far meanwhile. That is reported, and no member joins or leaves because of
    // it.
    let said = record.say(still, "good morning").await?;
    until("anna has it", async || newest_is(anna, &said).await).await?;
    record.reply(anna, "at last", &said).await?;
    until_within(LONG_PATIENCE, "it is complete, and all agree", async || record.check(&all).await).await?;
    for node in [anna, ben] {
        let error_ms = node.api.member(still.id()).await?["clock_error_ms"].as_i64().context("a clock error")?;
        ensure!(error_ms > 9 * 60_000, "{} takes it to be off by {error_ms} ms", node.name());
        for kind in ["lost", "back"] {
            let count = node.api.notice_count(kind, still.id()).await?;
            ensure!(count == 1, "{} was told {count} times that it is {kind}", node.name());
        }
    }
    drop(hosts.lab);
    Ok(())
}

/// Has two nodes talk, and hold what the other says all the while. Returns in how many rounds.
async fn talk(nodes: [&Node; 2], record: &Record, how: Talk) -> Result<usize> {
    let begun = Instant::now();
    let mut number = 0;
    let mut pace = interval(how.pace);
    while number < how.times || begun.elapsed() < how.lasts {
        pace.tick().await;
        for (node, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
            let texts: Vec<String> = (0..how.at_once)
                .map(|one| format!("{} says {number}.{one} {} {}", node.name(), how.when, "x".repeat(how.bytes)))
                .collect();
            let said = futures::future::try_join_all(texts.iter().map(|text| record.say(node, text))).await?;
            let last = said.iter().max_by_key(|said| said["order"].as_str()).context("it said something")?;
            until("the other has it", async || newest_is(other, last).await).await?;
        }
        number += 1;
    }
    Ok(number)
}

/// That this message is the last one on a node.
pub(crate) async fn newest_is(node: &Node, said: &Value) -> Result<()> {
    let newest = node.api.get("/api/v1/messages?limit=1").await?;
    ensure!(newest["messages"][0]["id"] == said["id"], "{} does not have it", node.name());
    Ok(())
}

/// What memory a node uses now; from here on the most of it is counted anew.
fn memory_from_now_kib(node: &Node) -> Result<u64> {
    std::fs::write(format!("/proc/{}/clear_refs", node.pid()), "5")?;
    memory_kib(node)
}

/// The most memory that a node used since.
fn memory_kib(node: &Node) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
