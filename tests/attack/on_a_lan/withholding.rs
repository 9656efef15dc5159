//! Free identities at one address that claim to hold everything and send nothing of it: a newcomer
//! gets the history from the one honest holder all the same.

use std::net::SocketAddr;

use roomful::proto::ids::{Hash, LogId, NodeId};
use roomful::proto::replication::frame::{Frame, HeldRange, LogHoldings};
use tokio::sync::{mpsc, watch};

use crate::siege::{PATIENCE, PORT, Siege};
use crate::speaker::{Line, Speaker};
use crate::writer::{Writer, push};
use support::wait::until_within;
use support::{Result, ensure};

/// Authors who are away, and how much each of them said.
const AUTHORS: u16 = 5;
const BATCHES: u16 = 5;
const TEXTS: u16 = 40;

/// Strangers: about as many as a node accepts at once from one address.
const STRANGERS: u16 = 60;

#[tokio::test]
async fn strangers_withhold_no_history_from_a_newcomer() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (ana, carl) = (siege.ana(), SocketAddr::from(([10, 77, 0, 4], PORT)));
    let authors: Vec<Speaker> = (1..=AUTHORS).map(|seed| siege.speaker(seed)).collect();
    let away: Vec<NodeId> = authors.iter().map(Speaker::id).collect();
    siege.attacker.does(move || speak_and_leave(authors, ana)).await??;
    let all = usize::from(AUTHORS * BATCHES * TEXTS);
    until_within(PATIENCE, "Ana holds the history", async || {
        let entries = siege.nodes[0].api.get("/api/v1/node").await?["history"]["entries"].clone();
        ensure!(entries.as_u64() >= Some(all as u64), "{entries}");
        Ok(())
    })
    .await?;
    siege.nodes.remove(1).stop()?;

    // Carl does not reach Ana until all strangers are linked with him.
    let route = ["blackhole", "10.77.0.1/32"];
    siege.fourth.ip(&["-6", "addr", "flush", "dev", "eth0"])?;
    siege.fourth.ip(&["route", "add", route[0], route[1]])?;
    let node = siege.fourth.runs(siege.lab.node("carl")).start()?;
    let (linked, mut links) = mpsc::unbounded_channel();
    let (end, ended) = watch::channel(false);
    let strangers: Vec<Speaker> = (0..STRANGERS).map(|number| siege.speaker(100 + number)).collect();
    let attack = siege.attacker.does(move || surround(strangers, away, carl, linked, ended));
    for _ in 0..STRANGERS {
        ensure!(links.recv().await.is_some(), "a stranger was not linked");
    }
    siege.fourth.ip(&["route", "del", route[0], route[1]])?;
    until_within(PATIENCE, "Carl is linked with Ana", async || {
        let member = node.api.member(siege.nodes[0].id()).await?;
        ensure!(member["state"] == "online" && member["direct"] == true, "{member}");
        Ok(())
    })
    .await?;
    until_within(PATIENCE, "Carl has the history", async || {
        let entries = node.api.get("/api/v1/node").await?["history"]["entries"].clone();
        ensure!(entries.as_u64() >= Some(all as u64), "{entries}");
        Ok(())
    })
    .await?;
    end.send(true)?;
    let left = attack.await??;
    ensure!(left > usize::from(STRANGERS) / 2, "only {left} strangers were still linked");
    Ok(())
}

/// Has each author write its log, hand it to Ana, and leave.
async fn speak_and_leave(authors: Vec<Speaker>, ana: SocketAddr) -> Result<()> {
    for author in &authors {
        let (mut line, mut log) = (author.join(ana).await?, Writer::new(author, 1));
        for batch in 0..BATCHES {
            let texts: Vec<String> = (0..TEXTS).map(|text| format!("old {batch}.{text}")).collect();
            line.send(&push(&[log.says(&texts).bytes()])).await?;
        }
        while !matches!(line.hear().await?, Frame::Receipt(_)) {}
    }
    Ok(())
}

/// Links all strangers with a node, and has them claim everything until the end. Returns how many
/// were still linked then.
async fn surround(
    strangers: Vec<Speaker>,
    away: Vec<NodeId>,
    node: SocketAddr,
    linked: mpsc::UnboundedSender<()>,
    mut ended: watch::Receiver<bool>,
) -> Result<usize> {
    let mut links = Vec::new();
    for stranger in strangers {
        let mut line = stranger.join(node).await?;
        linked.send(())?;
        let away = away.clone();
        links.push(tokio::spawn(async move { while claim(&mut line, &away).await.is_ok() {} }));
    }
    ended.wait_for(|is_over| *is_over).await?;
    let left = links.iter().filter(|link| !link.is_finished()).count();
    links.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(left)
}

/// Answers the next frame as a holder of everything would, but sends nothing that is asked for.
async fn claim(line: &mut Line, away: &[NodeId]) -> Result<()> {
    match line.hear().await? {
        Frame::Ping { wall_ms } => line.say(&Frame::Pong { wall_ms }).await,
        Frame::Compare { .. } => {
            let authors = away.iter().map(|author| (*author, Hash([9; 32]))).collect();
            line.say(&Frame::Authors { same: false, authors, more: false, linked: Vec::new() }).await
        }
        Frame::AskLogs { author, .. } => {
            let ranges = vec![HeldRange { first: 1, last: 5_000, head: Hash([9; 32]) }];
            let logs = vec![LogHoldings { log: LogId(1), audience: None, ranges, fork: None }];
            line.say(&Frame::Logs { author, logs, more: false }).await
        }
        _ => Ok(()),
    }
}
