//! Unusual networks: IPv6 only, and two subnets joined by `--announce-to` or `--peer`.

use std::time::Duration;

use support::hosts::Network;
use support::lab::Lab;
use support::links::one_link_per_pair;
use support::node::{Launch, Node, together};
use support::wait::{stays, until};
use support::{Context, Result, ensure};

const USUAL_PORT: u16 = 7666;

/// Checks that these two are linked once, and know no other node.
async fn met(nodes: &[Node]) -> Result<()> {
    let [one, two] = nodes else { unreachable!("two were started") };
    one.api.sees_exactly(&[two.id()]).await?;
    two.api.sees_exactly(&[one.id()]).await?;
    one_link_per_pair(&[one, two])
}

fn on_the_socket_only(launch: Launch) -> Launch {
    launch.option("--web-port", "none")
}

#[tokio::test]
async fn hosts_without_any_ipv4_address_meet() -> Result<()> {
    let (network, hosts) = Network::new(2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    for host in &hosts {
        network.without_ipv4(host)?;
    }
    let launches: Vec<_> =
        ["one", "two"].iter().zip(&hosts).map(|(name, host)| on_the_socket_only(host.runs(lab.node(name)))).collect();
    let nodes = together(&launches)?;
    until("two hosts have met by multicast", async || met(&nodes).await).await?;
    stays("the link", Duration::from_secs(2), async || met(&nodes).await).await?;
    let node = nodes[0].api.get("/api/v1/node").await?;
    let listed: Vec<&str> = node["tcp"].as_array().context("tcp")?.iter().filter_map(|text| text.as_str()).collect();
    ensure!(listed.first().is_some_and(|first| first.starts_with("[fe80::")), "{listed:?}");
    ensure!(listed.iter().any(|text| text.ends_with("%eth0]:7666")), "{listed:?}");
    let sent = node["discovery"].as_array().context("discovery")?;
    ensure!(sent.iter().any(|row| row["interface"] == "eth0" && row["error"].is_null()), "{sent:?}");
    nodes[0].api.say("over IPv6").await?;
    until("heard", async || {
        ensure!(nodes[1].api.texts().await? == ["over IPv6"], "not yet");
        Ok(())
    })
    .await
}

/// That one host, told so by `option`, meets another on a subnet behind a router.
async fn meet_across_a_router(option: &str, value: &str) -> Result<()> {
    let (_network, [near, far]) = Network::two_subnets()?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let launches = [
        near.runs(lab.node("near")).switch("--announce-to=nobody.invalid").option(option, value),
        far.runs(lab.node("far")),
    ];
    let nodes = together(&launches)?;
    until("two subnets have met", async || met(&nodes).await).await?;
    let seen = nodes[1].api.member(nodes[0].id()).await?;
    ensure!(seen["addresses"][0] == near.address.as_str(), "{seen}");
    Ok(())
}

#[tokio::test]
async fn an_announcement_to_another_subnet_joins_it() -> Result<()> {
    meet_across_a_router("--announce-to", "10.77.1.255").await
}

#[tokio::test]
async fn announcement_to_one_machine_joins_its_subnet() -> Result<()> {
    meet_across_a_router("--announce-to", "10.77.1.2:7666").await
}

#[tokio::test]
async fn one_peer_alone_joins_two_subnets() -> Result<()> {
    meet_across_a_router("--peer", "10.77.1.2").await
}

#[tokio::test]
async fn unjoined_subnets_stay_apart() -> Result<()> {
    let (_network, [near, far]) = Network::two_subnets()?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let nodes = together(&[near.runs(lab.node("near")), far.runs(lab.node("far"))])?;
    stays("two rooms of one", Duration::from_secs(3), async || nodes[0].api.sees_exactly(&[]).await).await
}
