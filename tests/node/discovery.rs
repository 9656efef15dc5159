//! Discovery, and that two nodes never keep more than one link.

use std::time::Duration;

use super::{THREE, all_met, three, three_met};
use support::lab::Lab;
use support::links::one_link_per_pair;
use support::node::{Launch, together};
use support::wait::{stays, until};
use support::{Context, Result, Value, ensure, json};

/// How long a settled mesh is watched for a second connection.
const WATCH: Duration = Duration::from_secs(2);

/// How long nothing has to happen for a mesh to have come to rest.
const SETTLED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn three_nodes_that_start_one_after_another_meet() -> Result<()> {
    let lab = Lab::new()?;
    let mut nodes = Vec::new();
    for launch in three(&lab) {
        nodes.push(launch.start()?);
        let started: Vec<_> = nodes.iter().collect();
        until("all see the newest", async || all_met(&started).await).await?;
    }
    let nodes: Vec<_> = nodes.iter().collect();
    until("one link per pair", async || one_link_per_pair(&nodes)).await?;
    let whole = async || {
        one_link_per_pair(&nodes)?;
        all_met(&nodes).await
    };
    stays("the mesh", WATCH, whole).await
}

#[tokio::test]
async fn simultaneous_dials_keep_one_link_unnoticed() -> Result<()> {
    for round in 0..4 {
        println!("round {round}");
        let lab = Lab::new()?;
        // Each node is told the addresses of the others, so no beacon is needed and every two dial
        // each other.
        let told = |(launch, own): (Launch, usize)| {
            let others = THREE.iter().enumerate().filter(|(other, _)| *other != own);
            others.fold(launch, |launch, (_, (_, host))| launch.also("--peer", host))
        };
        let launches: Vec<_> = three(&lab).into_iter().zip(0..).map(told).collect();
        let nodes = together(&launches)?;
        let nodes: Vec<_> = nodes.iter().collect();
        until("the three have met", async || all_met(&nodes).await).await?;
        // A dial in flight when the link came up may still arrive and is refused, so the mesh has
        // to settle.
        let settled = async || stays("the mesh", SETTLED, async || one_link_per_pair(&nodes)).await;
        until("one link per pair, for a while", settled).await?;
        for node in &nodes {
            let notices = node.api.notices().await?;
            let gone = notices.iter().find(|notice| notice["kind"] != "joined");
            ensure!(gone.is_none(), "{} was told {gone:?}", node.name());
        }
    }
    Ok(())
}

#[tokio::test]
async fn newcomer_is_announced_once() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let dora = lab.node("dora").host("127.0.0.4").start()?;
    let everybody = [&anna, &ben, &cleo, &dora];
    until("all see dora", async || all_met(&everybody).await).await?;
    for node in [&anna, &ben, &cleo] {
        let told = async || {
            let count = node.api.notice_count("joined", dora.id()).await?;
            ensure!(count == 1, "{} told {count} times", node.name());
            Ok(())
        };
        until("told that dora joined", told).await?;
        stays("the one notice", Duration::from_secs(1), told).await?;
        let member = node.api.member(dora.id()).await?;
        ensure!(member["name"] == "dora" && member["addresses"][0] == "127.0.0.4", "{member}");
    }
    for older in [&anna, &ben, &cleo] {
        let count = dora.api.notice_count("joined", older.id()).await?;
        ensure!(count == 0, "dora was told that {} joined, who was there before", older.name());
    }
    Ok(())
}

#[tokio::test]
async fn another_room_on_the_same_port_is_another_world() -> Result<()> {
    let lab = Lab::new()?;
    let kitchen = [lab.node("anna").host("127.0.0.1"), lab.node("ben").host("127.0.0.2")];
    let garden = [("cleo", "127.0.0.3"), ("dora", "127.0.0.4")]
        .map(|(name, host)| lab.node(name).host(host).option("--room", "garden"));
    let nodes = together(&[kitchen, garden].concat())?;
    let [anna, ben, cleo, dora] = &nodes[..] else { unreachable!("four were started") };
    until("those of one room have met", async || all_met(&[anna, ben]).await).await?;
    until("those of the other have met", async || all_met(&[cleo, dora]).await).await?;
    let apart = async || {
        all_met(&[anna, ben]).await?;
        all_met(&[cleo, dora]).await
    };
    stays("the rooms apart", WATCH, apart).await
}

#[tokio::test]
async fn nodes_on_one_address_need_own_directories_only() -> Result<()> {
    let lab = Lab::new()?;
    let nodes = together(&[lab.node("anna").host("127.0.0.1"), lab.node("ben").host("127.0.0.1")])?;
    let nodes: Vec<_> = nodes.iter().collect();
    until("both have met", async || all_met(&nodes).await).await?;
    until("one link per pair", async || one_link_per_pair(&nodes)).await?;
    ensure!(nodes[0].ready["udp"] == nodes[1].ready["udp"], "one port for the beacons");
    ensure!(nodes[0].ready["tcp"] != nodes[1].ready["tcp"], "each a port for the mesh");
    Ok(())
}

#[tokio::test]
async fn a_peer_that_no_beacon_reaches_can_be_named() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let address = anna.ready["tcp"][0].as_str().context("an address to dial")?;
    let elsewhere = support::lab::free_port()?.to_string();
    let ben = lab.node("ben").host("127.0.0.2").option("--port", &elsewhere).option("--peer", address).start()?;
    until("both have met", async || all_met(&[&anna, &ben]).await).await?;
    until("one link", async || one_link_per_pair(&[&anna, &ben])).await
}

#[tokio::test]
async fn a_peer_can_be_named_while_the_node_runs() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let address = anna.ready["tcp"][0].as_str().context("an address to dial")?;
    let elsewhere = support::lab::free_port()?.to_string();
    let ben = lab.node("ben").host("127.0.0.2").option("--port", &elsewhere).start()?;
    let named = async |body: Value| ben.api.post("/api/v1/peers", &body).await;
    for wrong in [json!({}), json!({ "address": 7 }), json!({ "address": "no such:port" })] {
        let refused = named(wrong.clone()).await?.with(400)?;
        ensure!(refused["error"] == "bad_request", "{wrong}: {refused}");
    }
    named(json!({ "address": format!(" {address} ") })).await?.with(200)?;
    until("both have met", async || all_met(&[&anna, &ben]).await).await
}

#[tokio::test]
async fn equal_names_are_two_members() -> Result<()> {
    let lab = Lab::new()?;
    let one = lab.node("one").option("--name", "Alex").host("127.0.0.1");
    let two = lab.node("two").option("--name", "Alex").host("127.0.0.2");
    let nodes = together(&[one, two])?;
    let nodes: Vec<_> = nodes.iter().collect();
    until("both have met", async || all_met(&nodes).await).await?;
    let members = nodes[0].api.members().await?;
    ensure!(members.len() == 2 && members.iter().all(|member| member["name"] == "Alex"), "{members:?}");
    ensure!(members[0]["short"] != members[1]["short"], "told apart by their short ids: {members:?}");
    for (node, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
        until("each is told of the other's name", async || {
            let count = node.api.notice_count("conflict", other.id()).await?;
            ensure!(count == 1, "{count} conflicts: {:?}", node.api.notices().await?);
            Ok(())
        })
        .await?;
    }
    Ok(())
}
