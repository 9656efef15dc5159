//! Slow networks: 200 ms of delay with 150 ms of jitter, or a narrow link.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::middle::{self, Middle};
use super::network::{Hosts, newest_is};
use crate::record::{Record, history};
use crate::room::all_met;
use support::node::{Node, together};
use support::wait::until;
use support::{Result, ensure};

/// How late it comes, in milliseconds.
const DELAY_MS: std::ops::RangeInclusive<u64> = 50..=350;

/// Pieces that wait at once in one direction of one connection: then nothing more is read.
const WAITING_MAX: usize = 64;

/// Messages of the history that a newcomer fetches over a slow link: more than a minute's transfer.
const OLD: usize = 300;
const OLD_BYTES: usize = 2_000;

/// Most of them that may arrive before a new message: three seconds' transfer that is in flight at
/// first, and some slack for a busy machine.
const OLD_AHEAD_MAX: usize = 24;

#[tokio::test]
async fn jitter_of_150_ms_loses_no_member_or_message() -> Result<()> {
    let mut hosts = Hosts::new(3)?;
    let middle = Middle::between(&mut hosts, 3)?;
    middle.passes_on(late_both_ways).await?;
    let nodes = together(&middle.launches)?;
    let all: Vec<&Node> = nodes.iter().collect();
    until("all have met", async || all_met(&all).await).await?;
    let record = Record::default();
    let talk = all.iter().map(|node| {
        let record = &record;
        async move {
            for number in 0..60 {
                record.say(node, &format!("{} says {number} {}", node.name(), "x".repeat(number * 40))).await?;
            }
            anyhow::Ok(())
        }
    });
    futures::future::try_join_all(talk).await?;
    until("all agree", async || record.check(&all).await).await?;

    let mut slowest = Duration::ZERO;
    for number in 0..15 {
        let begun = Instant::now();
        record.say(all[number % all.len()], &format!("and now {number}")).await?;
        until("all have it", async || record.check(&all).await).await?;
        slowest = slowest.max(begun.elapsed());
    }
    println!("the slowest of all was everywhere after {slowest:?}");
    all_met(&all).await?;
    for node in &all {
        let gone = node.api.notices().await?.into_iter().find(|notice| notice["kind"] == "lost");
        ensure!(gone.is_none(), "{} was told {gone:?}", node.name());
        // Every link goes through the one in the middle.
        for other in &all {
            let seen = node.api.member(other.id()).await?;
            ensure!(
                seen["self"] == true || seen["addresses"][0] == middle::address().to_string(),
                "a way around: {seen}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn new_message_overtakes_history_on_a_slow_link() -> Result<()> {
    let hosts = Hosts::new(2)?;
    let anna = hosts.launches[0].start()?;
    let record = Record::default();
    for number in 0..OLD {
        record.say(&anna, &format!("{number} {}", "x".repeat(OLD_BYTES))).await?;
    }
    [1, 2].into_iter().try_for_each(|host| hosts.slow(host, true))?;
    let ben = hosts.launches[1].start()?;
    let all = [&anna, &ben];
    until("all have met", async || all_met(&all).await).await?;
    let held = async || anyhow::Ok(history(&ben.api).await?.len());
    let moves = async || {
        ensure!(held().await? > 0, "nothing came");
        Ok(())
    };
    until("the history moves", moves).await?;
    let (mut slowest, mut most) = (Duration::ZERO, 0);
    for number in 0..20 {
        let before = held().await?;
        let (speaker, listener) = if number % 2 == 0 { (&anna, &ben) } else { (&ben, &anna) };
        let begun = Instant::now();
        let said = record.say(speaker, &format!("new {number}")).await?;
        until("the new one came", async || newest_is(listener, &said).await).await?;
        slowest = slowest.max(begun.elapsed());
        most = most.max(held().await? - before);
    }
    let held = held().await?;
    println!("{held} messages came meanwhile, {most} before one new one, the slowest of which came after {slowest:?}");
    ensure!(held < OLD && most < OLD_AHEAD_MAX, "{most} old ones came before a new one");
    [1, 2].into_iter().try_for_each(|host| hosts.slow(host, false))?;
    until("all agree", async || record.check(&all).await).await
}

/// Passes on what comes on a connection, in both directions, until one of them ends.
async fn late_both_ways(from: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let (read_from, write_from) = from.into_split();
    let (read_to, write_to) = TcpStream::connect(to).await?.into_split();
    tokio::select! {
        ended = late(read_from, write_to) => ended,
        ended = late(read_to, write_from) => ended,
    }
}

/// Passes on one direction, in order, every piece late by a time of its own.
async fn late(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(WAITING_MAX);
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let delay = Duration::from_millis(rand::rng().random_range(DELAY_MS));
            let piece = (tokio::time::Instant::now() + delay, buffer[..length].to_vec());
            if length == 0 || sender.send(piece).await.is_err() {
                return std::io::Result::Ok(());
            }
        }
    };
    let write = async {
        while let Some((at, piece)) = receiver.recv().await {
            tokio::time::sleep_until(at).await;
            to.write_all(&piece).await?;
        }
        std::io::Result::Ok(())
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
    }
}
