//! `roomful doctor`: its report without problems, with a refused peer, and without peers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use support::lab::Lab;
use support::node::Node;
use support::wait::until;
use support::{Context, Result, Value, ensure};

async fn doctor(node: &Node) -> Result<Value> {
    node.api.get("/api/v1/doctor").await
}

/// How often this was refused so far.
async fn refused(node: &Node, cause: &str) -> Result<u64> {
    Ok(doctor(node).await?["refused"][cause].as_u64().unwrap_or(0))
}

#[tokio::test]
async fn doctor_is_content_with_a_linked_pair() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("the two have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let found = until("anna has heard of ben by beacon", async || {
        let found = doctor(&anna).await?;
        ensure!(found["heard_by"][0]["id"] == ben.id() && found["heard_by"][0]["of_me"] == true, "{found}");
        Ok(found)
    });
    let found = found.await?;
    ensure!(found["likely"].as_str().is_some_and(|likely| likely.contains("Everything works: 1 other")), "{found}");
    let loopback = &found["interfaces"][0];
    ensure!(loopback["name"] == "lo" && loopback["addresses"][0] == "127.0.0.1", "{found}");
    ensure!(loopback["sent"].as_u64() > Some(0) && loopback["heard"].as_u64() > Some(0), "{found}");
    ensure!(found["ports"]["udp"] == lab.port() && found["ports"]["tcp"].is_u64(), "{found}");
    ensure!(found["clock_error_ms"].as_i64().is_some_and(|error_ms| error_ms.abs() < 60_000), "{found}");
    ensure!(found["files"]["open"].as_u64() > Some(3) && found["disk_free"].is_u64(), "{found}");

    let printed = anna.run(&["doctor", "--json"])?.json_lines()?;
    ensure!(printed.len() == 1 && printed[0]["ports"] == found["ports"], "{printed:?}");
    let told = anna.run(&["doctor"])?;
    ensure!(told.status.success() && told.stdout.starts_with("Everything works"), "{told:?}");
    for part in ["INTERFACE", "lo", "127.0.0.1", "127.255.255.255", "ben", "KNOWS THIS NODE", "CLOCK OF"] {
        ensure!(told.stdout.contains(part), "no {part} in {}", told.stdout);
    }
    anna.api.say("held by both").await?;
    let told = anna.run(&["doctor"])?.stdout;
    ensure!(told.contains("History: ") && told.contains(" back to ") && told.contains(", 0 missing\n"), "{told}");
    let web = anna.run(&["doctor"])?.stdout;
    ensure!(!web.contains(anna.api.token()), "the token is nobody's business");
    Ok(())
}

#[tokio::test]
async fn doctor_blames_nothing_for_an_ended_node() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("the two have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let id = ben.id().to_owned();
    ben.kill()?;
    until("ben is lost", async || {
        let member = anna.api.member(&id).await?;
        ensure!(member["state"] == "lost", "{member}");
        Ok(())
    })
    .await?;
    let found = doctor(&anna).await?;
    let likely = found["likely"].as_str().context("a diagnosis")?;
    ensure!(!likely.contains("announces itself"), "{likely}");
    Ok(())
}

#[tokio::test]
async fn doctor_reports_drops_and_unreached_members() -> Result<()> {
    let lab = Lab::new()?;
    let closed = support::lab::free_port()?;
    let peer = format!("127.0.0.9:{closed}");
    let anna = lab.node("anna").host("127.0.0.1").option("--peer", &peer).start()?;
    let found = doctor(&anna).await?;
    ensure!(found["likely"].as_str().is_some_and(|likely| likely.contains("this computer")), "{found}");
    until("the peer that is not there is told", async || {
        let found = doctor(&anna).await?;
        ensure!(found["dials"][0]["address"] == peer && found["dials"][0]["error"].is_string(), "{found}");
        Ok(())
    })
    .await?;

    let tcp = anna.ready["tcp"][0].as_str().context("an address")?.to_owned();
    let mut stranger = TcpStream::connect(tcp).await?;
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    // Closed or reset, both are an end.
    let _ = stranger.read_to_end(&mut Vec::new()).await;
    let socket = UdpSocket::bind("127.0.0.7:0").await?;
    socket.set_broadcast(true)?;
    socket.send_to(b"no beacon", ("127.255.255.255", lab.port())).await?;
    until("both were counted", async || {
        ensure!(
            refused(&anna, "not_ours").await? == 1 && refused(&anna, "no_beacon").await? == 1,
            "{}",
            doctor(&anna).await?
        );
        Ok(())
    })
    .await?;
    let told = anna.run(&["doctor"])?.stdout;
    ensure!(told.contains("not_ours") && told.contains(&peer), "{told}");

    let key = anna.run(&["key"])?.stdout;
    let _other = lab.node("other").host("127.0.0.2").option("--room", "attic").start()?;
    let keyed = lab.key_file("key", &key, 0o600)?;
    let ben = lab.node("ben").host("127.0.0.3").option("--room-key-file", &keyed).start()?;
    for node in [&anna, &ben] {
        until("another key, and another room", async || {
            let found = doctor(node).await?;
            ensure!(refused(node, "wrong_key").await? > 0 && refused(node, "beacon_room").await? > 0, "{found}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
