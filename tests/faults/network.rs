//! Networks that lose packets, pass them one way only, and peers that stand still: nothing is lost, and nobody else suffers.

use std::process::Command;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rustix::process::Signal;

use crate::common::lab::Lab;
use crate::common::node::{Launch, Node, together};
use crate::common::wait::{LONG_PATIENCE, until, until_within};
use crate::common::{Context, Result, ensure};
use crate::hosts::{Host, Network};
use crate::judge::Record;
use crate::room::all_met;
use crate::seeds::for_each_seed;

/// On hosts of their own every port is free.
const PORT: u16 = 7666;

/// What a node may grow while one of its peers stands still, in KiB: the megabyte that waits on a link, and room for chance.
const GROWTH_KIB_MAX: u64 = 12 * 1024;

/// Messages of 20 kB that two nodes say each before they are measured: far more than what a node keeps at hand.
const WARM: usize = 250;

/// How long a peer stands still: longer than it takes to be given up.
const STILL: Duration = Duration::from_secs(20);

/// Hosts on a switch, one node each.
struct Hosts {
    network: Network,
    lab: Lab,
    launches: Vec<Launch>,
}

impl Hosts {
    fn new(count: u8) -> Result<Self> {
        let (network, hosts) = Network::new(count)?;
        let lab = Lab::with_port(PORT)?;
        let launch = |(number, host): (usize, &Host)| host.runs(lab.node(&format!("node-{}", number + 1)));
        let launches = hosts.iter().enumerate().map(launch).collect();
        Ok(Self { network, lab, launches })
    }

    /// Has the host with this number (from 1) handle packets by these rules from now on.
    fn rule(&self, host: usize, rules: &[String]) -> Result<()> {
        let namespace = format!("{}-h{host}", self.network.prefix());
        let chain = format!("type filter hook input priority 0\n{}", rules.join("\n"));
        let table = format!("table inet faults {{\nchain in {{\n{chain}\n}}\n}}");
        // Made if it is not there, so that it can be thrown away, and made anew.
        let all = format!("table inet faults\ndelete table inet faults\n{table}");
        let done = Command::new("ip").args(["netns", "exec", &namespace, "nft", &all]).output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "nft (the package nftables, which tests/run installs): {said}");
        Ok(())
    }
}

#[tokio::test]
async fn a_network_that_loses_every_fifth_packet_loses_no_message() -> Result<()> {
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
    until_within(2 * LONG_PATIENCE, "all agree in spite of it", async || record.judge(&all).await).await?;
    for host in 1..=3 {
        hosts.rule(host, &[])?;
    }
    until_within(LONG_PATIENCE, "all have met", async || all_met(&all).await).await?;
    until("all agree", async || record.judge(&all).await).await
}

#[tokio::test]
async fn cuts_in_one_direction_between_some_pairs_keep_nothing_from_anybody() -> Result<()> {
    for_each_seed("cuts_in_one_direction_between_some_pairs_keep_nothing_from_anybody", 1, async |mut rng| {
        let hosts = Hosts::new(4)?;
        let nodes = together(&hosts.launches)?;
        let all: Vec<&Node> = nodes.iter().collect();
        until("all have met", async || all_met(&all).await).await?;
        let record = Record::default();
        // 1 hears nothing of 2, and 3 or 4 nothing of 1: a way around is left for everybody.
        let other = rng.random_range(3..=4);
        hosts.rule(1, &["ip saddr 10.77.0.2 drop".to_owned()])?;
        hosts.rule(other, &["ip saddr 10.77.0.1 drop".to_owned()])?;
        for round in 0..5 {
            for node in &all {
                record.say(node, &format!("{} says {round} while it is cut", node.name())).await?;
            }
        }
        until_within(2 * LONG_PATIENCE, "all agree around the cuts", async || record.judge(&all).await).await?;
        hosts.rule(1, &[])?;
        hosts.rule(other, &[])?;
        for node in &all {
            record.say(node, &format!("{} says it is whole again", node.name())).await?;
        }
        until_within(2 * LONG_PATIENCE, "all have met again", async || all_met(&all).await).await?;
        until("all agree", async || record.judge(&all).await).await
    })
    .await
}

#[tokio::test]
async fn a_peer_that_stands_still_disturbs_nobody_and_is_complete_afterwards() -> Result<()> {
    let hosts = Hosts::new(3)?;
    let nodes = together(&hosts.launches)?;
    let [anna, ben, still] = &nodes[..] else { unreachable!("three were started") };
    let all = [anna, ben, still];
    until("all have met", async || all_met(&all).await).await?;
    let record = Record::default();
    // What a life uses anyway, caches above all, is there before it is measured.
    let warm = talk([anna, ben], &record, "warm", (WARM, Duration::ZERO)).await?;
    until("all agree", async || record.judge(&all).await).await?;
    let before = [memory_kib(anna)?, memory_kib(ben)?];

    still.signal(Signal::STOP)?;
    let talked = talk([anna, ben], &record, "alone", (0, STILL)).await?;
    println!("{warm} and {talked} messages of 20 kB each way");
    for (node, before) in [anna, ben].into_iter().zip(before) {
        let grown = memory_kib(node)?.saturating_sub(before);
        println!("{} grew by {grown} KiB", node.name());
        ensure!(grown < GROWTH_KIB_MAX, "{} grew by {grown} KiB from {before} KiB", node.name());
    }
    ensure!(anna.api.sees_exactly(&[ben.id(), still.id()]).await.is_err(), "20 s of silence is noticed");

    still.signal(Signal::CONT)?;
    until_within(LONG_PATIENCE, "complete", async || record.judge(&all).await).await?;
    until_within(LONG_PATIENCE, "all have met again", async || all_met(&all).await).await?;
    drop(hosts.lab);
    Ok(())
}

/// Has two nodes talk, at least so often and so long, and hold what the other says all the while. Returns how much each said.
async fn talk(nodes: [&Node; 2], record: &Record, when: &str, least: (usize, Duration)) -> Result<usize> {
    let begun = Instant::now();
    let mut number = 0;
    while number < least.0 || begun.elapsed() < least.1 {
        for (node, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
            let text = format!("{} says {number} {when} {}", node.name(), "x".repeat(20_000));
            let said = record.say(node, &text).await?;
            let has_it = async || {
                let newest = other.api.get("/api/v1/messages?limit=1").await?;
                ensure!(newest["messages"][0]["id"] == said["id"], "not yet");
                Ok(())
            };
            until("the other has it", has_it).await?;
        }
        number += 1;
    }
    Ok(number)
}

/// The most memory that a node ever used.
fn memory_kib(node: &Node) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
