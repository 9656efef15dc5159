//! Interfaces that flap, addresses that change, one of two networks that fails: members return
//! within 5 s, once.

use std::time::{Duration, Instant};

use super::USUAL_PORT;
use support::hosts::{Host, Network};
use support::lab::Lab;
use support::links::one_link_per_pair;
use support::node::{Node, together};
use support::wait::{stays, until, until_within};
use support::{Context, Result, ensure};

/// 5 s after the last change are promised, and the time is printed; busy machines get more.
const BACK: Duration = Duration::from_secs(30);

/// One host with one node each, on two switches both.
async fn on_two_networks(lab: &Lab) -> Result<(Network, Vec<Host>, Vec<Node>)> {
    let (mut network, hosts) = Network::new(2)?;
    network.switch(1)?;
    network.cable(1, &hosts[0], 1)?;
    network.cable(1, &hosts[1], 2)?;
    let nodes = together(&[hosts[0].runs(lab.node("one")), hosts[1].runs(lab.node("two"))])?;
    until("two hosts have met", async || met(&nodes).await).await?;
    Ok((network, hosts, nodes))
}

async fn met(nodes: &[Node]) -> Result<()> {
    let [one, two] = nodes else { unreachable!("two were started") };
    one.api.sees_exactly(&[two.id()]).await?;
    two.api.sees_exactly(&[one.id()]).await?;
    one_link_per_pair(&[one, two])
}

/// The address that one node has of the other, the link's.
async fn address_of(other: &Node, by: &Node) -> Result<String> {
    let seen = by.api.member(other.id()).await?;
    Ok(seen["addresses"][0].as_str().context("an address")?.to_owned())
}

/// Makes the links go over the first network, by taking the second away for a while.
async fn over_the_first(hosts: &[Host], nodes: &[Node]) -> Result<()> {
    hosts[0].ip(&["link", "set", "eth1", "down"])?;
    until("the links go over the first network", async || {
        met(nodes).await?;
        on(nodes, "10.77.0.").await
    })
    .await?;
    hosts[0].ip(&["link", "set", "eth1", "up"])?;
    // The second one is known again once it is listed.
    until("the second network is back", async || {
        let node = nodes[0].api.get("/api/v1/node").await?;
        ensure!(node["tcp"].to_string().contains("10.77.1.1"), "{}", node["tcp"]);
        Ok(())
    })
    .await
}

/// Checks that the links use a network. A link-local address does not show which, but only the
/// interface that is up carries it.
async fn on(nodes: &[Node], network: &str) -> Result<()> {
    for (by, other) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
        let address = address_of(other, by).await?;
        ensure!(address.starts_with(network) || address.starts_with("fe80::"), "it is at {address}");
    }
    Ok(())
}

async fn nobody_was_gone_long(nodes: &[Node]) -> Result<()> {
    for node in nodes {
        ensure!(node.api.members().await?.len() == 2, "{} knows somebody twice", node.name());
    }
    Ok(())
}

/// Breaks the first network and checks that all members return over the second.
async fn back_over_the_other(break_it: impl FnOnce(&Network, &[Host]) -> Result<()>) -> Result<()> {
    let lab = Lab::with_port(USUAL_PORT)?;
    let (network, hosts, nodes) = on_two_networks(&lab).await?;
    over_the_first(&hosts, &nodes).await?;
    break_it(&network, &hosts)?;
    let before = Instant::now();
    nodes[0].api.say("where are you").await?;
    let arrived = async || {
        let texts = nodes[1].api.texts().await?;
        ensure!(texts == ["where are you"], "{texts:?}");
        met(&nodes).await
    };
    until_within(BACK, "back over the other network", arrived).await?;
    println!("after {} ms", before.elapsed().as_millis());
    nobody_was_gone_long(&nodes).await
}

#[tokio::test]
async fn an_interface_taken_down_is_replaced_by_the_other() -> Result<()> {
    back_over_the_other(|_, hosts| hosts[0].ip(&["link", "set", "eth0", "down"])).await
}

#[tokio::test]
async fn a_pulled_cable_is_replaced_by_the_other() -> Result<()> {
    back_over_the_other(|network, _| network.plug(1, false)).await
}

#[tokio::test]
async fn an_address_taken_away_is_replaced_by_the_other() -> Result<()> {
    back_over_the_other(|_, hosts| hosts[0].ip(&["addr", "flush", "dev", "eth0"])).await
}

#[tokio::test]
async fn an_address_that_changes_is_found_again() -> Result<()> {
    let (_network, hosts) = Network::new(2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let nodes = together(&[hosts[0].runs(lab.node("one")), hosts[1].runs(lab.node("two"))])?;
    until("two hosts have met", async || met(&nodes).await).await?;
    for round in 0..3 {
        let (old, new) =
            if round % 2 == 0 { ("10.77.0.1/24", "10.77.0.11/24") } else { ("10.77.0.11/24", "10.77.0.1/24") };
        hosts[0].ip(&["addr", "del", old, "dev", "eth0"])?;
        hosts[0].ip(&["addr", "add", new, "brd", "+", "dev", "eth0"])?;
        nodes[0].api.say(&format!("round {round}")).await?;
        let arrived = async || {
            let texts = nodes[1].api.texts().await?;
            ensure!(texts.len() == round + 1, "{texts:?}");
            met(&nodes).await
        };
        until_within(BACK, "found at the new address", arrived).await?;
    }
    nobody_was_gone_long(&nodes).await
}

#[tokio::test]
async fn an_interface_that_flaps_makes_no_storm() -> Result<()> {
    let (_network, hosts) = Network::new(2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let nodes = together(&[hosts[0].runs(lab.node("one")), hosts[1].runs(lab.node("two"))])?;
    until("two hosts have met", async || met(&nodes).await).await?;
    let from_one = "table inet t { chain c { type filter hook input priority 0; \
                    iifname eth0 udp dport 7666 counter; }; }";
    hosts[1].runs_now("nft", &["-f", "/dev/stdin"], from_one)?;

    let begun = Instant::now();
    for _ in 0..20 {
        hosts[0].ip(&["link", "set", "eth0", "down"])?;
        tokio::time::sleep(Duration::from_millis(250)).await;
        hosts[0].ip(&["link", "set", "eth0", "up"])?;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    until_within(BACK, "whole after the last change", async || met(&nodes).await).await?;
    stays("the link", Duration::from_secs(3), async || met(&nodes).await).await?;
    nobody_was_gone_long(&nodes).await?;

    let seconds = begun.elapsed().as_secs_f64();
    let packets = hosts[1].packets()?;
    // At most a burst of three every 2 s, when the addresses are read; each to the subnet, to
    // 255.255.255.255 and to the group.
    let most = 3.0 * (1.5 * seconds + 6.0);
    println!("{packets} packets in {seconds:.1} s");
    ensure!(packets > 0 && (packets as f64) < most, "{packets} packets in {seconds} s are more than {most}");
    Ok(())
}
