//! Wrong clocks and clocks that jump: one order on every node, no reply above its message, and no
//! member shown as gone.

use std::path::{Path, PathBuf};

use rand::RngExt as _;

use crate::record::{Record, history};
use crate::room::{all_met, launches};
use crate::seeds::for_each_seed;
use support::lab::Lab;
use support::node::{Launch, Node, together};
use support::wait::{until, until_within};
use support::{Context, Result, Value, ensure};

/// What the clocks of the nodes show: the first is right, the last is set while it runs.
const CLOCKS: [&str; 6] = ["+0", "@1970-01-02 00:00:00", "-3d", "+90", "+25h", "+10y"];

/// Tolerance of a measured clock difference, in milliseconds: a busy machine answers late.
const SLACK_MS: i64 = 5_000;

#[tokio::test]
async fn wrong_clocks_change_no_order_and_end_no_link() -> Result<()> {
    for_each_seed("wrong_clocks_change_no_order_and_end_no_link", 1, async |mut rng| {
        let lab = Lab::new()?;
        let jumping = lab.dir().join("clock");
        set(&jumping, "+0")?;
        let mut timed: Vec<Launch> = Vec::new();
        for (launch, clock) in launches(&lab, CLOCKS.len()).into_iter().zip(CLOCKS) {
            timed.push(at(launch, &format!("FAKETIME={clock}"))?);
        }
        let jumper = lab.node("jumper").host("127.0.0.20");
        timed.push(at(jumper, &format!("FAKETIME_TIMESTAMP_FILE={}", jumping.display()))?);
        let nodes = together(&timed)?;
        let all: Vec<&Node> = nodes.iter().collect();
        let patience = support::wait::LONG_PATIENCE;
        until_within(patience, "all have met", async || all_met(&all).await).await?;

        let record = Record::default();
        for (number, jump) in ["+0", "+1h", "-1h", "-1d", "+1d", "@1970-01-01 00:00:10", "+0"].iter().enumerate() {
            set(&jumping, jump)?;
            for turn in 0..all.len() {
                let speaker = if turn == 0 { all[all.len() - 1] } else { all[rng.random_range(0..all.len())] };
                let last = last_of(speaker).await?;
                let text = format!("{} says {number}.{turn} at {jump}", speaker.name());
                let said = match last {
                    Some(last) if rng.random_bool(0.5) => record.reply(speaker, &text, &last).await?,
                    _ => record.say(speaker, &text).await?,
                };
                // A node that has seen all messages writes after all of them, on every node.
                let is_last = async || {
                    for node in &all {
                        let last = last_of(node).await?.context("a message")?;
                        ensure!(last["id"] == said["id"], "{} has {} below {text}", node.name(), last["text"]);
                    }
                    Ok(())
                };
                until("it is the last one everywhere", is_last).await?;
            }
            record.check(&all).await?;
        }
        all_met(&all).await.context("still")?;
        for node in &all {
            let gone = node.api.notices().await?.into_iter().find(|notice| notice["kind"] == "lost");
            ensure!(gone.is_none(), "{} was told {gone:?}", node.name());
        }
        told_of(&all).await?;
        for node in nodes {
            node.stop()?;
        }
        Ok(())
    })
    .await
}

/// That the first node, whose clock is right, knows of every member how wrong its clock is.
async fn told_of(all: &[&Node]) -> Result<()> {
    let expected_ms: [Option<i64>; 6] =
        [None, None, Some(-3 * 86_400_000), Some(90_000), Some(25 * 3_600_000), Some(10 * 365 * 86_400_000)];
    for (node, expected_ms) in all.iter().zip(expected_ms).skip(1) {
        let seen = all[0].api.member(node.id()).await?;
        let error_ms = seen["clock_error_ms"].as_i64().with_context(|| format!("no clock error: {seen}"))?;
        match expected_ms {
            Some(expected_ms) => {
                let near = (error_ms - expected_ms).abs() < SLACK_MS;
                ensure!(near, "{} is off by {error_ms} ms instead of {expected_ms}", node.name());
            }
            None => ensure!(error_ms < -40 * 365 * 86_400_000, "{} is off by {error_ms} ms", node.name()),
        }
    }
    Ok(())
}

async fn last_of(node: &Node) -> Result<Option<Value>> {
    Ok(history(&node.api).await?.pop())
}

/// Sets the clock that reads this file.
pub(crate) fn set(file: &Path, clock: &str) -> Result<()> {
    // Renamed into place: half a file is no time.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{clock}\n"))?;
    Ok(std::fs::rename(new, file)?)
}

/// Starts it with another wall clock. The monotonic one goes on as it is.
pub(crate) fn at(launch: Launch, clock: &str) -> Result<Launch> {
    let library = format!("LD_PRELOAD={}", library()?.display());
    let words = ["env", &library, clock, "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1", "TZ=UTC"];
    Ok(launch.through(&words))
}

/// What the package faketime installs, wherever this system keeps it.
fn library() -> Result<PathBuf> {
    let arches = std::fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    arches
        .into_iter()
        .find(|path| path.exists())
        .context("no libfaketime: install the package faketime, or run tests/run")
}
