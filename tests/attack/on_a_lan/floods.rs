//! Floods of beacons, connections and messages. The honest nodes keep exchanging messages, and
//! their memory stays bounded.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use roomful::proto::ids::NodeId;
use roomful::proto::replication::frame::{Beacon, CloseReason, Frame};
use roomful::wire;

use crate::siege::{PATIENCE, PORT, Siege, processor_time};
use crate::speaker::Speaker;
use crate::writer::{Writer, push};
use support::wait::until_within;
use support::{Context, Result, ensure};

/// The default duration of a flood in seconds.
const SECONDS: u64 = 3;

/// What a flood aims at, a second.
const BEACONS: u64 = 50_000;
const CONNECTIONS: u64 = 1_000;
const MESSAGES: u64 = 5_000;

/// File descriptors of a node that is flooded with connections.
const DESCRIPTORS: &str = "--nofile=256:256";

fn length() -> Result<Duration> {
    let seconds = std::env::var("ROOMFUL_FLOOD_SECONDS").ok().map_or(Ok(SECONDS), |seconds| seconds.parse());
    Ok(Duration::from_secs(seconds.context("ROOMFUL_FLOOD_SECONDS is a number")?))
}

/// Does something at a steady pace for as long as a flood lasts; returns how often.
fn flood(a_second: u64, mut one: impl FnMut(u64) -> Result<()>) -> Result<u64> {
    let (begun, length) = (Instant::now(), length()?);
    let mut done = 0;
    while begun.elapsed() < length {
        let due = u64::try_from(begun.elapsed().as_micros())? * a_second / 1_000_000;
        while done < due && begun.elapsed() < length {
            one(done)?;
            done += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(done)
}

/// What the honest see during a flood: each hears the other, again and again, until `over`.
async fn talk_during(siege: &mut Siege, what: &str, over: &AtomicBool) -> Result<()> {
    let begun = Instant::now();
    let used: Vec<Duration> = siege.nodes.iter().map(processor_time).collect::<Result<_>>()?;
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        times.push(siege.they_talk(what).await?);
    }
    times.sort_unstable();
    ensure!(!times.is_empty(), "nothing was said during {what}");
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_millis();
    println!("{what}: {} exchanges, median {} ms, 99th of a hundred {} ms", times.len(), at(50), at(99));
    for (node, used) in siege.nodes.iter().zip(used) {
        let share = (processor_time(node)? - used).as_millis() * 100 / begun.elapsed().as_millis().max(1);
        println!("{what}: {} used {share} % of one processor", node.name());
    }
    Ok(())
}

/// Runs a flood on the attacker's host beside what the honest do, and returns how much it was.
async fn under(siege: &mut Siege, what: &str, attack: impl FnOnce() -> Result<u64> + Send + 'static) -> Result<()> {
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    let attack = siege.attacker.does(move || async move {
        let done = attack();
        end.store(true, Ordering::Relaxed);
        done
    });
    talk_during(siege, what, &over).await?;
    println!("{what}: {} in all", attack.await??);
    siege.they_stand(what).await
}

#[tokio::test]
async fn a_flood_of_beacons() -> Result<()> {
    let mut siege = Siege::new().await?;
    for number in 0..50 {
        siege.attacker.ip(&["addr", "add", &format!("10.77.0.{}/24", 100 + number), "dev", "eth0"])?;
    }
    let mallory = siege.speaker(1);
    let attack = move || {
        let sockets = (0..50).map(|number| {
            let socket = UdpSocket::bind((IpAddr::from([10, 77, 0, 100 + number]), 0))?;
            socket.set_broadcast(true)?;
            Ok(socket)
        });
        let sockets = sockets.collect::<Result<Vec<_>>>()?;
        flood(BEACONS, |number| {
            let hash = *blake3::hash(&number.to_be_bytes()).as_bytes();
            // Every other one is none.
            let packet = if number % 2 == 0 {
                wire::beacon::encode(&Beacon { id: NodeId(hash), ..mallory.beacon(PORT) })
            } else {
                hash.to_vec()
            };
            // A network that takes no more drops it, as networks do.
            let _ = sockets[usize::from(hash[0]) % sockets.len()].send_to(&packet, ("10.77.0.255", PORT));
            Ok(())
        })
    };
    under(&mut siege, "a flood of beacons", attack).await
}

#[tokio::test]
async fn a_flood_of_connections() -> Result<()> {
    let mut siege = Siege::with(|launch| launch.through(&["prlimit", DESCRIPTORS])).await?;
    for number in 0..50 {
        siege.attacker.ip(&["addr", "add", &format!("10.77.0.{}/24", 100 + number), "dev", "eth0"])?;
    }
    let ana = siege.ana();
    let attack = move || {
        let mut open = std::collections::VecDeque::new();
        flood(CONNECTIONS, |number| {
            // First all from one address, then from fifty.
            let from = if number % 2 == 0 { 100 } else { 100 + u8::try_from(number % 50)? };
            open.extend(connect(from, ana));
            if open.len() > 800 {
                open.pop_front();
            }
            Ok(())
        })
    };
    under(&mut siege, "a flood of connections", attack).await?;
    // A new member still gets a connection.
    let carl = siege.fourth.runs(siege.lab.node("carl")).start()?;
    until_within(PATIENCE, "a newcomer is in", async || {
        carl.api.sees_exactly(&[siege.nodes[0].id(), siege.nodes[1].id()]).await
    })
    .await
}

/// A connection that is on its way, without waiting for it.
fn connect(from: u8, to: SocketAddr) -> Option<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.bind(&SocketAddr::from(([10, 77, 0, from], 0)).into()).ok()?;
    // It never succeeds at once.
    let _ = socket.connect(&to.into());
    Some(socket)
}

#[tokio::test]
async fn a_flood_of_messages_by_a_member() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mallory, ana, ben) = (siege.speaker(1), siege.ana(), SocketAddr::from(([10, 77, 0, 2], PORT)));
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    let attack = siege.attacker.does(move || async move {
        let done = say_without_end(mallory, [ana, ben]).await;
        end.store(true, Ordering::Relaxed);
        done
    });
    talk_during(&mut siege, "a flood of messages", &over).await?;
    println!("a flood of messages: {} in all", attack.await??);
    siege.they_stand("a flood of messages").await
}

/// Sends as many messages as allowed to both nodes, without waiting for receipts.
async fn say_without_end(mallory: Speaker, to: [SocketAddr; 2]) -> Result<u64> {
    let mut lines = Vec::new();
    for to in to {
        lines.push(mallory.join(to).await?);
    }
    let mut writer = Writer::new(&mallory, 1);
    let (begun, length) = (Instant::now(), length()?);
    let mut said = 0;
    while begun.elapsed() < length {
        let due = u64::try_from(begun.elapsed().as_millis())? * MESSAGES / 1_000;
        if due < said + 50 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        let texts: Vec<String> = (0..50).map(|number| format!("flood {} {}", said + number, "x".repeat(100))).collect();
        let batch = writer.says(&texts);
        said += 50;
        for line in &mut lines {
            line.send(&push(&[batch.bytes()])).await?;
            line.drain().await?;
        }
    }
    for line in &mut lines {
        line.say(&Frame::Close(CloseReason::Stopping)).await?;
    }
    Ok(said)
}
