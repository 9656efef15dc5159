//! A crowd of invented identities that occupies as many links and descriptors as possible.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_body_util::Full;
use hyper::Method;
use roomful::proto::limits::WEB_CONNECTIONS_MAX;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};

use crate::siege::{PATIENCE, Siege};
use crate::speaker::Speaker;
use support::node::Node;
use support::wait::{until, until_within};
use support::{Result, Value, ensure};

/// File descriptors of a node in the crowd.
const DESCRIPTORS: usize = 256;

/// The addresses of the crowd, and how many identities come from each.
const ADDRESSES: u16 = 5;
const IDENTITIES: u16 = 12;

/// Connections at a time that never say anything.
const SILENT: usize = 100;

/// Connections to the page: the rest of its reserve is for the tests' own questions.
const TABS: usize = WEB_CONNECTIONS_MAX - 8;

#[tokio::test]
async fn crowd_blocks_neither_page_nor_other_members() -> Result<()> {
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    let mut siege = Siege::with(|launch| launch.through(&["prlimit", &limit])).await?;
    for number in 0..ADDRESSES {
        siege.attacker.ip(&["addr", "add", &format!("10.77.0.{}/24", 100 + number), "dev", "eth0"])?;
    }
    let (room, ana) = (siege.lab.room().to_owned(), siege.ana());
    let (all_in, (end, ended)) = (Arc::new(Notify::new()), watch::channel(false));
    let told = all_in.clone();
    let attack = siege.attacker.does(move || crowd(room, ana, told, ended));
    all_in.notified().await;

    // A member who was never here before, from an address of his own.
    let carl = siege.fourth.runs(siege.lab.node("carl")).start()?;
    until_within(PATIENCE, "a newcomer is in", async || {
        carl.api.sees_exactly(&[siege.nodes[0].id(), siege.nodes[1].id()]).await
    })
    .await?;
    let node = &siege.nodes[0];
    page_opens(node).await?;
    let found = until("the doctor tells of the crowd", async || {
        let found = node.api.get("/api/v1/doctor").await?;
        ensure!(found["links"]["is_full"] == true && found["links"]["open"] == found["links"]["most"], "{found}");
        Ok(found)
    })
    .await?;
    let likely = found["likely"].as_str().unwrap_or_default();
    ensure!(likely.contains("connections are in use") && likely.contains("10.77.0.10"), "{likely}");
    ensure!(!likely.contains("TCP port"), "{likely}");
    let links = found["links"]["open"].as_u64().unwrap_or(0);
    ensure!(found["links"]["most"].as_u64() >= Some(links) && links > 20, "{}", found["links"]);
    for member in [siege.nodes[1].id(), carl.id()] {
        ensure!(
            node.api.notice_count("lost", member).await? == 0,
            "a member lost its link: {:?}",
            node.api.notices().await?
        );
    }
    end.send(true)?;
    println!("{} of the crowd were in at the end", attack.await??);
    siege.they_stand("after a crowd").await
}

/// That all of the page's connections are served at the same time.
async fn page_opens(node: &Node) -> Result<()> {
    let mut tabs = Vec::new();
    for _ in 0..TABS {
        tabs.push(node.api.connect().await?);
    }
    for tab in &mut tabs {
        let request: hyper::Request<Full<bytes::Bytes>> = node.api.request(Method::GET, "/api/v1/node", None)?;
        let answer: Value = tab.send(request).await?.with(200)?;
        ensure!(answer["id"] == node.id(), "{answer}");
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.pid()))?.count();
    println!("{open} descriptors with {TABS} tabs");
    ensure!(open <= DESCRIPTORS - 8, "{open} of {DESCRIPTORS} descriptors");
    Ok(())
}

/// Joins under many ids and keeps silent connections open until the end. Returns how many were
/// linked then.
async fn crowd(room: String, ana: SocketAddr, all_in: Arc<Notify>, ended: watch::Receiver<bool>) -> Result<usize> {
    let mut links = Vec::new();
    for number in 0..ADDRESSES * IDENTITIES {
        let mut speaker = Speaker::new(number, &room);
        speaker.source = Some(source(number));
        // Those that are too many are turned away.
        let Ok(mut line) = speaker.join(ana).await else { continue };
        links.push(tokio::spawn(async move { line.until_closed().await }));
    }
    let mut silent = std::collections::VecDeque::new();
    let mut number = 0;
    while !*ended.borrow() {
        silent.extend(connect(source(number), ana).await);
        number += 1;
        if silent.len() > SILENT {
            silent.pop_front();
        }
        if usize::from(number) == SILENT {
            all_in.notify_one();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let left = links.iter().filter(|link| !link.is_finished()).count();
    links.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(left)
}

fn source(number: u16) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 100 + u8::try_from(number % ADDRESSES).unwrap_or(0))
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(tokio::time::timeout(PATIENCE, socket.connect(to)).await??)
}
