//! Five hosts on a switch: they connect, notice each departure and its kind, recover, and count
//! each member once.

mod announce_to;
mod changing_interfaces;
mod silent_peers;

use std::process::Command;
use std::time::Duration;

use support::hosts::{Host, Network};
use support::lab::Lab;
use support::links::one_link_per_pair;
use support::node::{Launch, Node, together};
use support::second_user::{AS_NOBODY, has_second_user, home_of_nobody};
use support::wait::{LONG_PATIENCE, stays, until, until_within};
use support::{Context, Result, ensure};

/// The port a user gets without asking.
const USUAL_PORT: u16 = 7666;

/// Nodes one to five, one per host, all on the same port.
fn one_each(lab: &Lab, hosts: &[Host]) -> Vec<Launch> {
    (1..).zip(hosts).map(|(number, host)| host.runs(lab.node(&format!("host{number}")))).collect()
}

/// That all of these are linked with each other, once.
async fn whole(nodes: &[&Node]) -> Result<()> {
    for node in nodes {
        let others: Vec<&str> = nodes.iter().map(|other| other.id()).filter(|&id| id != node.id()).collect();
        node.api.sees_exactly(&others).await?;
    }
    one_link_per_pair(nodes)
}

/// That the newest message of all these is the same one.
async fn all_heard(nodes: &[&Node], text: &str) -> Result<()> {
    for node in nodes {
        let newest = node.api.texts().await?.pop();
        ensure!(newest.as_deref() == Some(text), "{} has {newest:?} as newest", node.name());
    }
    Ok(())
}

#[tokio::test]
async fn five_hosts_meet_by_broadcast_and_talk() -> Result<()> {
    let (_network, hosts) = Network::new(5)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let nodes = together(&one_each(&lab, &hosts))?;
    let nodes: Vec<_> = nodes.iter().collect();
    until("five hosts have met, one link per pair", async || whole(&nodes).await).await?;
    stays("the mesh", Duration::from_secs(2), async || whole(&nodes).await).await?;
    for (node, host) in nodes.iter().zip(&hosts) {
        let addresses = node.ready["tcp"].as_array().context("tcp")?;
        let own = format!("{}:{USUAL_PORT}", host.address);
        ensure!(addresses.first().is_some_and(|first| *first == own), "{own} is not first of {addresses:?}");
        let seen = nodes[0].api.member(node.id()).await?;
        ensure!(node.id() == nodes[0].id() || seen["addresses"][0] == host.address.as_str(), "{seen}");
    }
    for node in &nodes {
        let text = format!("hello from {}", node.name());
        node.api.say(&text).await?;
        until(&text, async || all_heard(&nodes, &text).await).await?;
    }
    Ok(())
}

#[tokio::test]
async fn join_goodbye_and_crash_are_seen_by_all() -> Result<()> {
    let (_network, hosts) = Network::new(5)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let launches = one_each(&lab, &hosts);
    let mut four = together(&launches[..4])?;
    until("four hosts have met", async || whole(&four.iter().collect::<Vec<_>>()).await).await?;

    let newcomer = launches[4].start()?;
    let five: Vec<_> = four.iter().chain([&newcomer]).collect();
    until("the newcomer is in", async || whole(&five).await).await?;
    for node in &four {
        until("told of the newcomer", async || told_once(node, "joined", newcomer.id()).await).await?;
    }

    let id = newcomer.id().to_owned();
    newcomer.stop()?;
    for node in &four {
        until("the newcomer left", async || node.api.sees_state(&id, "left").await).await?;
        until("told of the goodbye", async || told_once(node, "left", &id).await).await?;
    }

    let crashing = four.remove(1);
    let id = crashing.id().to_owned();
    crashing.kill()?;
    for node in &four {
        until("the killed one is lost", async || node.api.sees_state(&id, "lost").await).await?;
        until("told of the loss", async || told_once(node, "lost", &id).await).await?;
    }
    until("the others are whole", async || whole(&four.iter().collect::<Vec<_>>()).await).await
}

#[tokio::test]
async fn pulled_cable_is_unsure_then_lost_then_back() -> Result<()> {
    let (network, hosts) = Network::new(3)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let nodes = together(&one_each(&lab, &hosts))?;
    let [first, second, third] = &nodes[..] else { unreachable!("three were started") };
    until("three hosts have met", async || whole(&[first, second, third]).await).await?;

    network.plug(3, false)?;
    let unplugged = third.id();
    for node in [first, second] {
        until_within(LONG_PATIENCE, "unsure", async || node.api.sees_state(unplugged, "unsure").await).await?;
    }
    for node in [first, second] {
        until_within(LONG_PATIENCE, "lost", async || node.api.sees_state(unplugged, "lost").await).await?;
        ensure!(node.api.notice_count("left", unplugged).await? == 0, "nobody said goodbye");
    }
    first.api.say("said here").await?;
    third.api.say("said there").await?;

    network.plug(3, true)?;
    until_within(LONG_PATIENCE, "whole again", async || whole(&[first, second, third]).await).await?;
    let healed = async || {
        for node in [first, second, third] {
            let mut texts = node.api.texts().await?;
            let order = first.api.texts().await?;
            ensure!(texts == order, "{} lists {texts:?}, the first {order:?}", node.name());
            texts.sort_unstable();
            ensure!(texts == ["said here", "said there"], "{} has {texts:?}", node.name());
        }
        Ok(())
    };
    until("both halves know everything", healed).await?;
    until("told of the return", async || told_once(first, "back", unplugged).await).await
}

#[tokio::test]
async fn two_nodes_of_one_host_receive_same_broadcasts() -> Result<()> {
    let (_network, hosts) = Network::new(2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let [shared, other] = &hosts[..] else { unreachable!("two were made") };
    let launches = [shared.runs(lab.node("one")), shared.runs(lab.node("two")), other.runs(lab.node("three"))];
    let nodes = together(&launches)?;
    let nodes: Vec<_> = nodes.iter().collect();
    until("all three have met", async || whole(&nodes).await).await?;
    nodes[2].api.say("to both").await?;
    until("both heard", async || all_heard(&nodes, "to both").await).await
}

#[tokio::test]
async fn two_users_of_one_host_share_the_beacon_port() -> Result<()> {
    let (_network, hosts) = Network::new(2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let [shared, other] = &hosts[..] else { unreachable!("two were made") };
    if !has_second_user()? {
        return Ok(());
    }
    let (program, data_dir) = home_of_nobody(&lab)?;
    let two = lab.node("two").option("--data-dir", &data_dir.display().to_string()).program(&program);
    let launches = [shared.runs(lab.node("one")), shared.runs(two).through(&AS_NOBODY), other.runs(lab.node("three"))];
    let nodes = together(&launches)?;
    let nodes: Vec<_> = nodes.iter().collect();
    until("all three have met", async || whole(&nodes).await).await?;
    nodes[1].api.say("from another user").await?;
    until("all heard", async || all_heard(&nodes, "from another user").await).await
}

#[tokio::test]
async fn hosts_on_two_shared_networks_keep_one_link() -> Result<()> {
    let (mut network, hosts) = Network::new(3)?;
    network.switch(1)?;
    network.cable(1, &hosts[0], 1)?;
    network.cable(1, &hosts[1], 2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let nodes = together(&one_each(&lab, &hosts))?;
    let nodes: Vec<_> = nodes.iter().collect();
    until("three hosts have met, one link per pair", async || whole(&nodes).await).await?;
    stays("the mesh", Duration::from_secs(3), async || whole(&nodes).await).await?;
    for node in &nodes {
        let members = node.api.members().await?;
        ensure!(members.len() == 3, "a node with two addresses is one member: {members:?}");
        let gone = node.api.notices().await?.into_iter().find(|notice| notice["kind"] != "joined");
        ensure!(gone.is_none(), "{} was told {gone:?}", node.name());
    }
    Ok(())
}

#[test]
fn no_namespace_outlives_its_test() -> Result<()> {
    let name = std::sync::Mutex::new(String::new());
    let panicked = std::panic::catch_unwind(|| {
        let (network, _) = Network::new(1).expect("namespaces");
        *name.lock().expect("no panic while it is held") = network.prefix().to_owned();
        panic!("as a failing test would");
    });
    ensure!(panicked.is_err(), "it panicked");
    let name = name.into_inner()?;
    let left = Command::new("ip").args(["netns", "list"]).output()?.stdout;
    let left = String::from_utf8_lossy(&left);
    ensure!(!name.is_empty() && !left.contains(&name), "left behind: {left}");
    Ok(())
}

/// That there is exactly one notice of this kind about this member.
async fn told_once(node: &Node, kind: &str, member: &str) -> Result<()> {
    let count = node.api.notice_count(kind, member).await?;
    ensure!(count == 1, "{} was told {kind} {count} times", node.name());
    Ok(())
}
