//! Peers that occupy slots and time: silent or slow connections, wrong proofs, endless requests and
//! endless answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use roomful::proto::ids::{Hash, LogId, LogKey, NodeId};
use roomful::proto::limits::{FRAME_AUTHORS_MAX, WRONG_KEYS_MAX};
use roomful::proto::replication::frame::{CloseReason, Fetch, Frame, HeldRange, LogHoldings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::siege::{PATIENCE, Siege};
use crate::speaker::Speaker;
use support::wait::until_within;
use support::{Context, Result, ensure};

/// Connections that are opened and kept: far more than a node lets wait.
const CONNECTIONS: usize = 300;

#[tokio::test]
async fn idle_slow_and_garbage_connections_end() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mallory, ana) = (siege.speaker(1), siege.ana());
    let attack = siege.attacker.does(move || async move {
        // One peer completes TLS and then sends its hello one byte a second; another sends a hello
        // as long as a whole frame.
        let mut slow = mallory.connect(ana).await?;
        let mut long = mallory.connect(ana).await?;
        let _ = long.send(&[0, 4, 0, 0]).await;
        let refused = long.receive().await?;
        ensure!(refused == roomful::wire::frame::encode_close(CloseReason::Protocol)[4..], "too long: {refused:?}");
        long.garble().await?;
        let mut silent = Vec::new();
        for number in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(ana).await?;
            // Some may have made room for others already.
            let _ = match number % 4 {
                0 => Ok(()),
                // The beginning of a TLS handshake.
                1 => stream.write_all(&[0x16, 3, 1, 0xff]).await,
                2 => stream.write_all(b"GET / HTTP/1.1\r\nHost: roomful\r\n\r\n").await,
                _ => stream.write_all(&[0; 64]).await,
            };
            silent.push(stream);
        }
        let begun = Instant::now();
        while slow.send(&[0]).await.is_ok() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        ensure!(begun.elapsed() < PATIENCE, "a slow hello is waited for too long");
        for mut stream in silent {
            let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1024])).await;
            ensure!(ended.is_ok(), "a connection that said nothing is still open");
        }
        Ok(begun.elapsed())
    });
    siege.they_talk("while connections say nothing").await?;
    // A new member still gets a connection.
    let carl = siege.fourth.runs(siege.lab.node("carl")).start()?;
    until_within(PATIENCE, "a newcomer is in", async || {
        carl.api.sees_exactly(&[siege.nodes[0].id(), siege.nodes[1].id()]).await
    })
    .await?;
    let took = attack.await??;
    println!("the last of {CONNECTIONS} senseless connections was ended after {} ms", took.as_millis());
    siege.they_stand("after connections that said nothing").await
}

/// How many wrong keys are tried.
const GUESSES: u16 = 1_000;

/// What became of an attempt to join with a wrong key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attempt {
    /// The proof was looked at, and found wrong.
    LookedAt,
    /// The port did not accept the connection.
    TurnedAway,
}

#[tokio::test]
async fn wrong_keys_are_checked_five_times_a_minute() -> Result<()> {
    let mut siege = Siege::keyed().await?;
    let (room, ana) = (siege.lab.room().to_owned(), siege.ana());
    let begun = Instant::now();
    let attack = siege.attacker.does(move || async move {
        let mut attempts = Vec::new();
        for seed in 0..GUESSES {
            let mut mallory = Speaker::new(seed, &room);
            mallory.secret = seed.to_be_bytes().repeat(8);
            attempts.push(attempt(&mallory, ana).await);
        }
        Ok(attempts)
    });
    siege.they_talk("while wrong keys are tried").await?;
    let attempts = attack.await??;
    let looked_at = attempts.iter().filter(|attempt| **attempt == Attempt::LookedAt).count();
    println!("{looked_at} of {} wrong keys were looked at within {} ms", attempts.len(), begun.elapsed().as_millis());
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60)?;
    ensure!(looked_at > 0 && looked_at <= WRONG_KEYS_MAX * (1 + minutes), "{attempts:?}");
    let warned = siege.nodes[0].said().lines().filter(|line| line.contains("a different room key")).count();
    ensure!((1..=1 + minutes).contains(&warned), "said {warned} times: {}", siege.nodes[0].said());
    // A holder of the key joins from another address.
    let carl = siege.fourth.runs(siege.lab.node("carl")).option("--room-key-file", &siege.key_file()?).start()?;
    until_within(PATIENCE, "who has the key is in", async || {
        carl.api.sees_exactly(&[siege.nodes[0].id(), siege.nodes[1].id()]).await
    })
    .await?;
    siege.they_stand("after wrong keys").await
}

async fn attempt(mallory: &Speaker, ana: SocketAddr) -> Attempt {
    let Ok(mut line) = mallory.connect(ana).await else { return Attempt::TurnedAway };
    match mallory.greet(&mut line).await {
        // A member would see an Intro here. Only a Close with the reason *room* shows that the
        // proof was checked.
        Err(error) if error.to_string().contains("Room") => Attempt::LookedAt,
        Ok(()) | Err(_) => Attempt::TurnedAway,
    }
}

#[tokio::test]
async fn endless_requests_delay_no_other_peer() -> Result<()> {
    let mut siege = Siege::new().await?;
    for number in 0..40 {
        siege.nodes[1].api.say(&format!("history {number} {}", "x".repeat(1_000))).await?;
    }
    let ana = siege.ana();
    let authors: Vec<NodeId> =
        [0, 1].iter().filter_map(|node: &usize| NodeId::from_hex(siege.nodes[*node].id())).collect();
    let speakers = [siege.speaker(1), siege.speaker(2)];
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let attack = siege.attacker.does(move || async move {
        let [asker, teller] = speakers;
        let asked = ask_without_end(asker, ana, authors, stopped.clone());
        let told = tell_without_end(teller, ana, stopped);
        let (asked, told) = tokio::join!(asked, told);
        Ok((asked?, told?))
    });
    siege.they_talk("while everything is asked for").await?;
    // Meanwhile a new member gets all of the history, from Ana as well, which takes comparisons.
    let carl = siege.fourth.runs(siege.lab.node("carl")).start()?;
    carl.api.say("from the newcomer").await?;
    until_within(PATIENCE, "a newcomer has the whole history", async || {
        let many = carl.api.texts().await?.iter().filter(|text| text.starts_with("history")).count();
        ensure!(many == 40, "{many} of 40");
        ensure!(
            siege.nodes[0].api.texts().await?.contains(&"from the newcomer".to_owned()),
            "Ana lacks the newcomer's"
        );
        Ok(())
    })
    .await?;
    siege.they_talk("still, while everything is asked for").await?;
    stop.send(true)?;
    let (asked, told) = attack.await??;
    println!("{asked} questions were asked, {told} answers given that lead to the next");
    siege.they_stand("after questions without end").await
}

/// Asks for the whole history, over and over, as fast as it is answered.
async fn ask_without_end(
    asker: Speaker,
    ana: SocketAddr,
    authors: Vec<NodeId>,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> Result<u64> {
    let mut line = asker.join(ana).await?;
    let mut asked = 0;
    while !*stopped.borrow() {
        line.say(&Frame::Compare { hash: Hash([1; 32]), from: None, linked: Vec::new() }).await?;
        for author in &authors {
            line.say(&Frame::AskLogs { author: *author, from: None }).await?;
            let key = LogKey { author: *author, log: LogId(asked) };
            line.say(&Frame::Fetch(Fetch { key, first: 1, last: u64::MAX, bytes: u64::MAX })).await?;
            asked += 2;
        }
        // So that the answers are read, and the link is not ended for being full.
        line.say(&Frame::Ping { wall_ms: 1 }).await?;
        while !matches!(line.hear().await?, Frame::Pong { .. }) {}
    }
    Ok(asked)
}

/// Claims to hold entries that do not exist, and more of them at each request.
async fn tell_without_end(
    teller: Speaker,
    ana: SocketAddr,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> Result<u64> {
    let mut line = teller.join(ana).await?;
    line.say(&Frame::Compare { hash: Hash([2; 32]), from: None, linked: Vec::new() }).await?;
    let mut told = 0_u64;
    loop {
        let frame = tokio::select! {
            _ = stopped.changed() => return Ok(told),
            frame = line.hear() => frame.context("the link of whoever tells without end")?,
        };
        told += 1;
        match frame {
            Frame::Ping { wall_ms } => line.say(&Frame::Pong { wall_ms }).await?,
            Frame::Compare { .. } => {
                let id = |number: usize| NodeId(*blake3::hash(&(told << 16 | number as u64).to_be_bytes()).as_bytes());
                let mut authors: Vec<_> =
                    (0..FRAME_AUTHORS_MAX / 2).map(|number| (id(number), Hash([3; 32]))).collect();
                authors.sort_unstable();
                line.say(&Frame::Authors { same: false, authors, more: true, linked: Vec::new() }).await?;
            }
            Frame::AskLogs { author, from } => {
                let log = LogId(from.map_or(0, |from| from.0.wrapping_add(1)));
                let ranges = vec![HeldRange { first: 1, last: u64::MAX >> 1, head: Hash([4; 32]) }];
                line.say(&Frame::Logs {
                    author,
                    logs: vec![LogHoldings { log, audience: None, ranges, fork: None }],
                    more: true,
                })
                .await?;
            }
            Frame::Fetch(fetch) => line.say(&Frame::Page { key: fetch.key, batches: Vec::new(), busy: true }).await?,
            _ => {}
        }
    }
}
