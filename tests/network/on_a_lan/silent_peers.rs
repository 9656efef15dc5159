//! A host that drops packets: dials to it must be few and short.

use std::net::UdpSocket;

use roomful::proto::ids::{Instance, NodeId, RoomTag};
use roomful::proto::limits::DIAL_FAILURES_PER_ADDRESS;
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::Beacon;
use roomful::wire;

use super::USUAL_PORT;
use support::hosts::Network;
use support::lab::Lab;
use support::wait::until;
use support::{Context, Result, ensure};

#[tokio::test]
async fn dial_into_dropped_packets_sends_two_syns() -> Result<()> {
    let (_network, hosts) = Network::new(2)?;
    let lab = Lab::with_port(USUAL_PORT)?;
    let node = hosts[0].runs(lab.node("one")).start()?;
    let drops = "table inet t { chain c { type filter hook input priority 0; tcp flags syn counter drop; }; }";
    hosts[1].runs_now("nft", &["-f", "/dev/stdin"], drops)?;

    let room = RoomTag::new(lab.room());
    let sent = hosts[1].does(move || async move {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for number in 1..=u8::try_from(DIAL_FAILURES_PER_ADDRESS)? {
            let name = Name::from_lossy("dropper", "?");
            let (id, instance) = (NodeId([number; 32]), Instance(number.into()));
            let beacon = Beacon { room, id, instance, port: 20_000 + u16::from(number), name };
            socket.send_to(&wire::beacon::encode(&beacon), ("10.77.0.1", USUAL_PORT))?;
        }
        Ok(())
    });
    sent.await??;
    until("all dials have failed", async || {
        let found = node.api.get("/api/v1/doctor").await?;
        let failed = found["dials"].as_array().context("dials")?.len() as u64;
        ensure!(failed == DIAL_FAILURES_PER_ADDRESS, "{failed} failed");
        Ok(())
    })
    .await?;
    let syns = hosts[1].packets()?;
    ensure!(syns == 2 * DIAL_FAILURES_PER_ADDRESS, "{syns} SYNs for {DIAL_FAILURES_PER_ADDRESS} dials");
    Ok(())
}
