//! Impersonation: claimed identities in beacons, a man in the middle, and beacons that make nodes
//! dial third parties.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use roomful::proto::ids::{Instance, NodeId};
use roomful::proto::replication::frame::{Beacon, CloseReason};
use roomful::wire;
use roomful::wire::frame::LENGTH_BYTES;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::siege::{PATIENCE, PORT, Siege};
use crate::speaker::Speaker;
use support::wait::until_within;
use support::{Context, Result, ensure};

/// Dials that unknown ids of one address may cost at once, and the time until one more; see
/// `src/proto/limits`.
const DIALS_AT_ONCE: u64 = 16;
const ONE_MORE_AFTER: Duration = Duration::from_secs(5);

/// Ports that belong to a machine's own services, and what is heard there.
const LOW_PORTS: [u16; 2] = [22, 80];

/// The port on which the man in the middle listens.
const BETWEEN: u16 = 9999;

#[tokio::test]
async fn claimed_identity_is_dialled_and_told_nothing() -> Result<()> {
    let mut siege = Siege::new().await?;
    let mallory = siege.speaker(1);
    let carl = siege.speaker(2).id();
    let (ana, ben) = (siege.nodes[0].id().to_owned(), siege.nodes[1].id().to_owned());
    let knocked: Arc<Mutex<BTreeMap<u16, u64>>> = Arc::default();
    let seen = knocked.clone();
    let attack = siege.attacker.does(move || async move {
        for port in LOW_PORTS {
            let listener = TcpListener::bind(("0.0.0.0", port)).await?;
            tokio::spawn(count(listener, port, seen.clone()));
        }
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        let udp = UdpSocket::bind(("10.77.0.3", 0)).await?;
        udp.set_broadcast(true)?;
        for beacon in false_beacons(&mallory, &ana, &ben)? {
            announce(&udp, &beacon).await?;
        }
        announce_from_nowhere(&mallory)?;
        // Carl is not linked with either: both dial to find out, and see whose key it really is.
        let mut told = Vec::new();
        let mut dialled_by = std::collections::BTreeSet::new();
        while dialled_by.len() < 2 {
            announce(&udp, &Beacon { id: carl, ..mallory.beacon(PORT) }).await?;
            let accepted = tokio::time::timeout(Duration::from_millis(500), listener.accept()).await;
            let Ok(Ok((stream, from))) = accepted else { continue };
            dialled_by.insert(from.ip());
            told.extend(what_is_told(&mallory, stream).await);
        }
        Ok(told)
    });
    siege.they_talk("while somebody poses as others").await?;
    let told = attack.await??;
    ensure!(told.is_empty(), "whoever is somebody else was told {told:?}");
    for node in &siege.nodes {
        let members = node.api.members().await?;
        ensure!(members.len() == 2, "only the two are members: {members:?}");
    }
    for node in &siege.nodes {
        let refused = node.api.get("/api/v1/doctor").await?["refused"].clone();
        // A beacon may not name a low port, and the node that answered for Carl had another id.
        let [none, somebody_else] = ["no_beacon", "wrong_id"].map(|cause| refused[cause].as_u64().unwrap_or(0));
        ensure!(none >= 4 && somebody_else > 0, "{refused}");
        ensure!(node.said().is_empty(), "it is counted, and no line each: {}", node.said());
    }
    let knocked = knocked.lock().expect("no panic while it is held").clone();
    ensure!(knocked.is_empty(), "a beacon made somebody knock at {knocked:?}");
    siege.they_stand("after somebody posed as others").await
}

/// Counts connections.
async fn count(listener: TcpListener, port: u16, seen: Arc<Mutex<BTreeMap<u16, u64>>>) {
    while listener.accept().await.is_ok() {
        *seen.lock().expect("no panic while it is held").entry(port).or_default() += 1;
    }
}

/// Returns the first frame of a peer that dialled, if it sends one.
async fn what_is_told(mallory: &Speaker, stream: TcpStream) -> Option<bytes::Bytes> {
    let mut line = mallory.answer(stream).await.ok()?;
    line.receive().await.ok()
}

async fn announce(udp: &UdpSocket, beacon: &Beacon) -> Result<()> {
    udp.send_to(&wire::beacon::encode(beacon), ("10.77.0.255", PORT)).await?;
    Ok(())
}

/// Beacons that must cause no dial: low ports, linked members, and the receivers themselves.
fn false_beacons(mallory: &Speaker, ana: &str, ben: &str) -> Result<Vec<Beacon>> {
    let id = |hex: &str| NodeId::from_hex(hex).context("an id");
    let mut beacons = Vec::new();
    for port in [0, 22, 80, 1023] {
        beacons.push(mallory.beacon(port));
    }
    for id in [id(ana)?, id(ben)?] {
        beacons.push(Beacon { id, instance: Instance(0), ..mallory.beacon(22) });
    }
    Ok(beacons)
}

/// Sends packets with impossible sources: multicast, broadcast, unspecified.
fn announce_from_nowhere(mallory: &Speaker) -> Result<()> {
    use socket2::{Domain, Protocol, Socket, Type};
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?;
    raw.set_header_included_v4(true)?;
    raw.set_broadcast(true)?;
    let target = SocketAddr::from(([10, 77, 0, 255], PORT));
    for source in [[224, 0, 0, 1], [255; 4], [10, 77, 0, 255], [127, 0, 0, 1]] {
        let payload = wire::beacon::encode(&mallory.beacon(PORT));
        let udp_length = u16::try_from(8 + payload.len())?;
        let mut packet = vec![0x45, 0];
        packet.extend((20 + udp_length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        packet.extend(source);
        packet.extend([10, 77, 0, 255]);
        packet.extend(PORT.to_be_bytes());
        packet.extend(PORT.to_be_bytes());
        packet.extend(udp_length.to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(payload);
        // The system may refuse to send some of them, as it should.
        let _ = raw.send_to(&packet, &target.into());
    }
    Ok(())
}

#[tokio::test]
async fn unknown_ids_from_one_address_cost_few_dials() -> Result<()> {
    let mut siege = Siege::new().await?;
    // From another subnet, as over a VPN: accepted like any other.
    let away = "192.0.2.66";
    siege.attacker.ip(&["addr", "add", &format!("{away}/32"), "dev", "eth0"])?;
    for host in [&siege.honest[0], &siege.honest[1]] {
        host.ip(&["route", "add", &format!("{away}/32"), "via", "10.77.0.3"])?;
    }
    let mallory = siege.speaker(3);
    let begun = Instant::now();
    let attack = siege.attacker.does(move || async move {
        let listener = TcpListener::bind((away, PORT)).await?;
        let dialled: Arc<Mutex<BTreeMap<IpAddr, u64>>> = Arc::default();
        let counted = dialled.clone();
        tokio::spawn(async move {
            while let Ok((_, from)) = listener.accept().await {
                *counted.lock().expect("no panic while it is held").entry(from.ip()).or_default() += 1;
            }
        });
        let udp = UdpSocket::bind((away, 0)).await?;
        for number in 0..600_u64 {
            let id = NodeId(*blake3_of(number).first_chunk().context("32 bytes")?);
            let packet = wire::beacon::encode(&Beacon { id, ..mallory.beacon(PORT) });
            udp.send_to(&packet, ("10.77.0.1", PORT)).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let dialled = dialled.lock().expect("no panic while it is held").clone();
        Ok(dialled)
    });
    siege.they_talk("while unknown ids are announced").await?;
    let dialled = attack.await??;
    let most = DIALS_AT_ONCE + u64::try_from(begun.elapsed().as_millis() / ONE_MORE_AFTER.as_millis())? + 1;
    println!("dialled by: {dialled:?}, at most {most}");
    let by_ana = dialled.get(&IpAddr::from([10, 77, 0, 1])).copied().unwrap_or(0);
    ensure!(by_ana > 0, "a beacon from another subnet is heard");
    ensure!(dialled.values().all(|count| *count <= most), "{dialled:?} dials, at most {most}");
    siege.they_stand("after unknown ids were announced").await
}

/// 32 bytes that differ with the number.
fn blake3_of(number: u64) -> [u8; 32] {
    *blake3::hash(&number.to_be_bytes()).as_bytes()
}

#[tokio::test]
async fn man_in_the_middle_learns_and_proves_nothing() -> Result<()> {
    let mut siege = Siege::keyed().await?;
    let mallory = siege.speaker(4);
    let ana = siege.ana();
    let attack = siege.attacker.does(move || async move {
        let listener = TcpListener::bind(("0.0.0.0", BETWEEN)).await?;
        let (stream, _) = listener.accept().await?;
        let mut to_carl = mallory.answer(stream).await?;
        let mut to_ana = mallory.connect(ana).await?;
        // Frames are forwarded unchanged as long as both sides go along: Carl's hello, then Ana's
        // hello and proof.
        let hello = to_carl.receive().await?;
        to_ana.pass_on(&hello).await?;
        for _ in 0..2 {
            let frame = to_ana.receive().await?;
            to_carl.pass_on(&frame).await?;
        }
        to_carl.receive().await
    });
    // Carl has the key too, and believes that a member listens where the attacker does.
    let carl = siege.fourth.runs(siege.lab.node("carl")).option("--room-key-file", &siege.key_file()?);
    let carl = carl.option("--peer", &format!("10.77.0.3:{BETWEEN}")).start()?;
    let said = attack.await??;
    let closed = wire::frame::encode_close(CloseReason::Room);
    ensure!(said == closed[LENGTH_BYTES..], "whoever stands between was told {said:?} instead of no");
    until_within(PATIENCE, "Carl finds the others", async || {
        carl.api.sees_exactly(&[siege.nodes[0].id(), siege.nodes[1].id()]).await
    })
    .await?;
    siege.they_stand("after somebody stood between").await
}
