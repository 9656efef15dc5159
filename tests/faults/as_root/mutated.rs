//! A man in the middle that alters the traffic of two honest nodes: it flips bits, and drops,
//! repeats, swaps, adds and cuts data. It can only end connections: no process panics, nothing
//! false is shown, and the nodes agree once it stops.
//!
//! Runs for a few seconds; `ROOMFUL_MUTATED_SECONDS=600` for ten minutes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::middle::Middle;
use super::network::{Hosts, PORT};
use crate::record::Record;
use crate::room::all_met;
use crate::seeds::for_each_seed;
use support::node::{Node, together};
use support::wait::{LONG_PATIENCE, PATIENCE, until_within};
use support::{Context, Result, ensure};

/// The default duration in seconds.
const SECONDS: u64 = 8;

/// So many pieces pass before one is changed: about what a greeting takes, and much more.
const WHOLE_PIECES: std::ops::Range<usize> = 2..60;

/// The interval between messages.
const PACE: Duration = Duration::from_millis(20);

/// State and statistics of the mutations.
#[derive(Default)]
struct Work {
    seed: u64,
    over: AtomicBool,
    connections: AtomicUsize,
    changed: AtomicUsize,
    is_recording: AtomicBool,
    /// All that the dialler said on the first connection, as it was meant to come.
    recorded: Mutex<Vec<u8>>,
}

#[tokio::test]
async fn altered_traffic_only_ends_connections() -> Result<()> {
    let name = "altered_traffic_only_ends_connections";
    for_each_seed(name, 1, async |mut rng| {
        let mut hosts = Hosts::new(3)?;
        let middle = Middle::between(&mut hosts, 3)?;
        let work = Arc::new(Work { seed: rng.next_u64(), ..Work::default() });
        let works = work.clone();
        middle.passes_on(move |from, to| change_both_ways(works.clone(), from, to)).await?;
        let nodes = together(&middle.launches)?;
        let all: Vec<&Node> = nodes.iter().collect();
        let record = Record::default();
        talk(&all, &record).await?;

        work.over.store(true, Ordering::Relaxed);
        until_within(2 * LONG_PATIENCE, "all have met", async || all_met(&all).await).await?;
        until_within(LONG_PATIENCE, "all agree", async || record.check(&all).await).await?;
        let [connections, changed] = [&work.connections, &work.changed].map(|count| count.load(Ordering::Relaxed));
        println!("{changed} pieces of {connections} connections were changed, {} messages said", record.count());
        ensure!(changed > 20, "it was changed {changed} times");

        // Replaying recorded bytes opens no connection and shows no message again.
        let recorded = std::mem::take(&mut *work.recorded.lock().unwrap_or_else(PoisonError::into_inner));
        ensure!(recorded.len() > 1_000, "{} bytes were recorded", recorded.len());
        let answered = middle.host.does(move || async move { send_again(&recorded).await });
        let answered = answered.await??;
        ensure!(answered < 4_000, "whoever sends again what was recorded was told {answered} bytes");
        record.check(&all).await
    })
    .await
}

/// Has all of them talk for as long as it lasts.
async fn talk(all: &[&Node], record: &Record) -> Result<()> {
    let seconds = std::env::var("ROOMFUL_MUTATED_SECONDS").ok().map_or(Ok(SECONDS), |seconds| seconds.parse());
    let length = Duration::from_secs(seconds.context("ROOMFUL_MUTATED_SECONDS is a number")?);
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < length {
        let node = all[number % all.len()];
        record.say(node, &format!("{} says {number} {}", node.name(), "x".repeat(number * 37 % 3_000))).await?;
        number += 1;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

/// Passes on what comes on a connection, in both directions, until one of them ends.
async fn change_both_ways(work: Arc<Work>, from: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let number = work.connections.fetch_add(1, Ordering::Relaxed) as u64;
    let rng = |side: u64| StdRng::seed_from_u64(work.seed ^ (number << 1 | side));
    let (read_from, write_from) = from.into_split();
    let (read_to, write_to) = TcpStream::connect(to).await?.into_split();
    let is_recorded = !work.is_recording.swap(true, Ordering::Relaxed);
    tokio::select! {
        ended = change(&work, rng(0), is_recorded, read_from, write_to) => ended,
        ended = change(&work, rng(1), false, read_to, write_from) => ended,
    }
}

/// Passes on one direction, and after some pieces something else.
async fn change(
    work: &Work,
    mut rng: StdRng,
    is_recorded: bool,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut whole = rng.random_range(WHOLE_PIECES);
    let mut kept: Option<Vec<u8>> = None;
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let mut piece = buffer[..length].to_vec();
        if is_recorded {
            work.recorded.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece);
        }
        if let Some(kept) = kept.take() {
            // Swapped with the one before.
            piece.extend(kept);
        }
        if whole > 0 || work.over.load(Ordering::Relaxed) {
            whole = whole.saturating_sub(1);
            to.write_all(&piece).await?;
            continue;
        }
        work.changed.fetch_add(1, Ordering::Relaxed);
        whole = rng.random_range(WHOLE_PIECES);
        match rng.random_range(0..7) {
            0 | 1 => piece[rng.random_range(0..length)] ^= 1 << rng.random_range(0..8),
            2 => piece.truncate(rng.random_range(0..length)),
            3 => piece.extend_from_within(..),
            4 => kept = Some(std::mem::take(&mut piece)),
            5 => piece.extend((0..rng.random_range(1..100)).map(|_| rng.random::<u8>())),
            _ => return Ok(()),
        }
        to.write_all(&piece).await?;
    }
}

/// Dials the first node and replays recorded bytes. Returns how many bytes came back before it hung
/// up.
async fn send_again(recorded: &[u8]) -> Result<usize> {
    let mut answered = 0;
    for host in 1..=3 {
        let mut stream = TcpStream::connect(SocketAddr::from(([10, 77, 0, host], PORT))).await?;
        // It may have hung up before all was sent.
        let _ = stream.write_all(recorded).await;
        let mut answer = Vec::new();
        // Closed or reset, both are an end.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("it does not hang up")?;
        answered = answered.max(answer.len());
    }
    Ok(answered)
}
