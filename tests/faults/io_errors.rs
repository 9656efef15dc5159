//! A failing disk, simulated by strace. Acknowledged messages survive the next start. Nothing is
//! acknowledged after a failed sync, and the failed sync is not retried.

use rand::RngExt as _;

use crate::record::{Record, history};
use crate::room::launches;
use crate::seeds::for_each_seed;
use crate::trace::{Call, Trace};
use support::command::Finished;
use support::lab::Lab;
use support::node::Node;
use support::wait::until;
use support::{Context as _, Result, ensure};

/// How many failing disks are tried of each kind unless the environment says otherwise.
const SEEDS: u64 = 4;

/// Messages of this size are said until something fails, in bytes.
const TEXT_BYTES: usize = 6_000;

/// How many are said at most.
const MESSAGES: usize = 60;

/// What is recorded beside the calls that fail.
const CALLS: &str = "pwrite64,fsync,fdatasync,ftruncate,write,writev,sendto,sendmsg";

/// What came of a run on a failing disk.
struct Ended {
    lab: Lab,
    record: Record,
    calls: Vec<Call>,
    /// The node's output and its exit status. `None`: it ran until it was stopped.
    said: String,
    status: Option<i32>,
}

#[tokio::test]
async fn failed_sync_stops_the_node_unacknowledged() -> Result<()> {
    for_each_seed("failed_sync_stops_the_node_unacknowledged", SEEDS, async |mut rng| {
        let nth = rng.random_range(1..40);
        let ended = on_a_disk(&format!("fsync,fdatasync:error=EIO:when={nth}")).await?;
        stopped_in_time(&ended)?;
        everything_is_back(ended).await
    })
    .await
}

#[tokio::test]
async fn failed_write_stops_the_node_unacknowledged() -> Result<()> {
    for_each_seed("failed_write_stops_the_node_unacknowledged", SEEDS, async |mut rng| {
        let nth = rng.random_range(1..120);
        let ended = on_a_disk(&format!("pwrite64:error=EIO:when={nth}")).await?;
        stopped_in_time(&ended)?;
        everything_is_back(ended).await
    })
    .await
}

#[tokio::test]
async fn disk_full_at_any_write_keeps_messages() -> Result<()> {
    for_each_seed("disk_full_at_any_write_keeps_messages", SEEDS, async |mut rng| {
        let nth = rng.random_range(1..120);
        let ended = on_a_disk(&format!("pwrite64:error=ENOSPC:when={nth}+")).await?;
        if let Some(status) = ended.status {
            ensure!(ended.record.count() == 0, "a node that runs lives on: {}", ended.said);
            ensure!(status == 1 && ended.said.lines().count() <= 2, "{status}: {}", ended.said);
        }
        everything_is_back(ended).await
    })
    .await
}

/// Runs a node with a fault, and has it say things until it fails or all are said.
async fn on_a_disk(fault: &str) -> Result<Ended> {
    println!("the disk: {fault}");
    let (lab, record) = (Lab::new()?, Record::default());
    let trace = Trace::new(&lab, "anna");
    let launch = trace.of(launches(&lab, 1).remove(0), CALLS, &[fault]);
    let (said, status) = match launch.spawn()?.ready_or_ended()? {
        Err(Finished { status, stderr, .. }) => (stderr, status.code()),
        Ok(node) => until_it_fails(node, &record).await?,
    };
    let calls = trace.calls().await?;
    Ok(Ended { lab, record, calls, said, status })
}

async fn until_it_fails(node: Node, record: &Record) -> Result<(String, Option<i32>)> {
    let mut refused = false;
    for number in 0..MESSAGES {
        let text = format!("message {number} {}", "x".repeat(TEXT_BYTES));
        match record.try_say(&node, &text).await {
            Ok(answer) if answer.status == 201 => ensure!(!refused, "a full disk took {number}"),
            Ok(answer) if answer.status == 507 => {
                ensure!(answer.json()?["error"] == "disk_full", "{answer:?}");
                refused = true;
            }
            // The node stops: it says so, or says nothing any more.
            Ok(answer) => {
                ensure!(answer.status == 503, "{answer:?}");
                break;
            }
            Err(_) => break,
        }
    }
    // One that lives is still good for reading, and stops as it should.
    let lives = history(&node.api).await.is_ok();
    let stopped = if lives { node.stop_by(rustix::process::Signal::TERM)? } else { node.stopped()? };
    let status = stopped.status.code();
    Ok((stopped.said, status.filter(|&status| status != 0)))
}

/// Checks that the fault, if it occurred, ended the node with one clear message, and that nothing
/// was acknowledged after it.
fn stopped_in_time(ended: &Ended) -> Result<()> {
    let Some(failed) = ended.calls.iter().find(|call| call.is_injected() && call.is_on_database()) else {
        return Ok(());
    };
    ensure!(ended.status == Some(1), "it went on after {failed:?}: {:?}, {}", ended.status, ended.said);
    let word = ended.said.lines().any(|line| line.starts_with("roomful: ") && line.contains("disk"));
    ensure!(word && ended.said.lines().count() <= 2, "not a clear word: {}", ended.said);
    let later = |call: &&Call| call.begun > failed.ended;
    let is_answer = |call: &&Call| call.args.contains("HTTP/1.1 201");
    // One answer may still be in flight, if what it acknowledges was synced before: messages are
    // sent one at a time.
    let answered =
        ended.calls.iter().filter(|call| call.ended < failed.begun).rfind(is_answer).map_or(0, |call| call.ended);
    let synced = |call: &Call| call.is_sync() && answered < call.begun && call.ended < failed.begun;
    let under_way = usize::from(ended.calls.iter().any(synced));
    let answers: Vec<&Call> = ended.calls.iter().filter(later).filter(is_answer).collect();
    ensure!(answers.len() <= under_way, "acknowledged after {failed:?}: {answers:?}");
    // A journal is only ever synced to be thrown away.
    let file = failed.args.split(',').next().filter(|file| !file.ends_with("-journal>"));
    let Some(file) = file.filter(|_| failed.is_sync()) else { return Ok(()) };
    let again = ended.calls.iter().filter(later).find(|call| call.is_sync() && call.args.starts_with(file));
    ensure!(again.is_none(), "tried again: {failed:?}, then {again:?}");
    Ok(())
}

/// That a start on a sound disk finds all that was acknowledged, and goes on.
async fn everything_is_back(ended: Ended) -> Result<()> {
    let launches = launches(&ended.lab, 2);
    let anna = launches[0].start().with_context(|| format!("after {}", ended.said))?;
    ended.record.check(&[&anna]).await?;
    ended.record.say(&anna, "the disk is well again").await?;
    let ben = launches[1].start()?;
    until("ben has all", async || ended.record.check(&[&anna, &ben]).await).await
}
