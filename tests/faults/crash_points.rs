//! Crash points: a run is recorded once, then repeated and killed at one of its writes or syncs. A
//! seeded sample by default; `ALL=1` tries every one.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rustix::process::Signal;

use crate::record::Record;
use crate::room::{all_met, launches};
use crate::seeds::{all, for_each_seed};
use crate::trace::{Call, Trace};
use support::lab::Lab;
use support::node::Node;
use support::wait::until;
use support::{Context, Result, ensure};

/// The calls that change what a start finds.
const CALLS: [&str; 5] = ["pwrite64", "fsync", "fdatasync", "ftruncate", "unlink"];

/// Points that are tried unless all are.
const POINTS: usize = 10;

/// What anna and ben say each.
const MESSAGES: usize = 8;

#[tokio::test]
async fn node_killed_at_any_write_keeps_messages() -> Result<()> {
    for_each_seed("node_killed_at_any_write_keeps_messages", 1, async |mut rng| {
        let mut points = points(&live(None).await?);
        println!("{} points at which a run may end", points.len());
        while !all() && points.len() > POINTS {
            points.swap_remove(rng.random_range(0..points.len()));
        }
        for (call, nth) in points {
            let fault = format!("{call}:error=EIO:signal=SIGKILL:when={nth}");
            live(Some(&fault)).await.with_context(|| format!("killed at {call} number {nth}"))?;
        }
        Ok(())
    })
    .await
}

/// For each call, how often one thread of a run made it at most: strace counts for each thread.
fn points(calls: &[Call]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    for call in calls {
        *counts.entry((&call.name, call.thread)).or_default() += 1;
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ((name, _), count) in counts {
        let most = most.entry(name).or_default();
        *most = count.max(*most);
    }
    most.into_iter().flat_map(|(name, most)| (1..=most).map(|nth| (name.to_owned(), nth))).collect()
}

/// A short run of two nodes, from the first start of one, which may be killed, to its end and next
/// start.
async fn live(fault: Option<&str>) -> Result<Vec<Call>> {
    let (lab, record) = (Lab::new()?, Record::default());
    let trace = Trace::new(&lab, "anna");
    let launches = launches(&lab, 2);
    let ben = launches[1].start()?;
    let recorded = trace.of(launches[0].clone(), &CALLS.join(","), fault.as_slice());
    match recorded.spawn()?.ready_or_ended()? {
        Ok(anna) => talk(anna, &ben, &record).await?,
        Err(ended) => ensure!(fault.is_some() && ended.stderr.is_empty(), "{}", ended.stderr),
    }
    let calls = if fault.is_none() { trace.calls().await? } else { Vec::new() };
    let anna = launches[0].start()?;
    record.own_are_on(&anna).await?;
    ensure!(!anna.said().contains("damaged"), "a kill damages no database: {}", anna.said());
    record.say(&anna, "here again").await?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    Ok(calls)
}

/// Both talk, then anna stops; she may end at any moment.
async fn talk(anna: Node, ben: &Node, record: &Record) -> Result<()> {
    let lives = async || anna.api.get("/api/v1/node").await.is_ok();
    let met = async || if lives().await { all_met(&[&anna, ben]).await } else { Ok(()) };
    until("they have met", met).await?;
    for number in 0..MESSAGES {
        // What comes of it is checked later.
        let _ = record.try_say(&anna, &format!("anna says {number} {}", "x".repeat(number * 1_000))).await;
        record.say(ben, &format!("ben says {number}")).await?;
    }
    let agree = async || if lives().await { record.check(&[&anna, ben]).await } else { Ok(()) };
    until("both agree", agree).await?;
    // It may have ended already.
    let _ = anna.signal(Signal::TERM);
    anna.stopped()?;
    Ok(())
}
