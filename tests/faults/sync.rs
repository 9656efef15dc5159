//! Acknowledged means on disk: checks the order of a node's system calls for every message.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::record::{Record, history};
use crate::room::{all_met, launches};
use crate::trace::{Call, Trace};
use support::lab::Lab;
use support::wait::until;
use support::{Context, Result, ensure};

/// How many messages are followed.
const MESSAGES: usize = 12;

/// Long enough that on an encrypted link nothing else is like it, in bytes.
const TEXT_BYTES: usize = 12_000;

/// The calls by which a message comes, is kept, and leaves.
const CALLS: &str = "read,recvfrom,pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg";

#[tokio::test]
async fn sync_precedes_answer_and_push_of_a_message() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::new(&lab, "anna");
    let launches = launches(&lab, 2);
    let ben = launches[1].start()?;
    let anna = trace.of(launches[0].clone(), CALLS, &[]).start()?;
    until("they have met", async || all_met(&[&anna, &ben]).await).await?;
    let record = Record::default();
    for number in 0..MESSAGES {
        record.say(&anna, &long(number)).await?;
        until("ben has it", async || record.check(&[&anna, &ben]).await).await?;
    }
    anna.stop()?;
    let calls = trace.calls().await?;
    let answers: Vec<&Call> = calls.iter().filter(|call| call.args.contains("HTTP/1.1 201")).collect();
    let requests: Vec<&Call> = calls.iter().filter(|call| call.args.contains("POST /api/v1/messages")).collect();
    let counts = (requests.len(), answers.len());
    ensure!(counts == (MESSAGES, MESSAGES), "{counts:?} requests and answers");
    for (number, answer) in answers.iter().enumerate() {
        let synced = on_disk(&calls, &mark(number))?.ended;
        ensure!(synced < answer.begun, "message {number} was answered at {} and on the disk at {synced}", answer.begun);
        let asked = requests[number].ended;
        let pushed = calls.iter().find(|call| call.begun > asked && is_push(call)).context("it was pushed")?;
        ensure!(synced < pushed.begun, "message {number} left at {} and was on the disk at {synced}", pushed.begun);
    }
    Ok(())
}

#[tokio::test]
async fn receipt_follows_the_sync() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::new(&lab, "ben");
    let launches = launches(&lab, 2);
    let anna = launches[0].start()?;
    // His disk takes 300 ms for each sync: long enough to be overtaken by his word.
    let slow = "fsync,fdatasync:delay_enter=300000";
    let ben = trace.of(launches[1].clone(), "pwrite64,fsync,fdatasync", &[slow]).start()?;
    until("they have met", async || all_met(&[&anna, &ben]).await).await?;
    let record = Record::default();
    let mut told_s = Vec::new();
    for number in 0..4 {
        record.say(&anna, &long(number)).await?;
        let held = async || {
            let message = history(&anna.api).await?.pop().context("a message")?;
            ensure!(message["held_by"] == 1, "not held yet: {}", message["held_by"]);
            Ok(())
        };
        until("ben says that he holds it", held).await?;
        told_s.push(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64());
    }
    ben.stop()?;
    let calls = trace.calls().await?;
    for (number, told_s) in told_s.into_iter().enumerate() {
        let synced_s = on_disk(&calls, &mark(number))?.ended_s;
        ensure!(synced_s < told_s, "message {number}: ben said so at {told_s}, and it was on his disk at {synced_s}");
    }
    Ok(())
}

/// The first sync of the write-ahead log after the last page with this mark.
fn on_disk<'a>(calls: &'a [Call], mark: &str) -> Result<&'a Call> {
    let page = |call: &&Call| call.name == "pwrite64" && call.is_on_log() && call.args.contains(mark);
    let written = calls.iter().rfind(page).with_context(|| format!("{mark:?} was never written"))?;
    let sync = |call: &&Call| call.is_sync() && call.is_on_log() && call.begun > written.begun && call.succeeded();
    calls.iter().find(sync).with_context(|| format!("{mark:?} was never synced"))
}

/// Whether this can be nothing but a message on its way to a peer.
fn is_push(call: &Call) -> bool {
    let sent: usize = call.result.parse().unwrap_or(0);
    call.args.contains("TCP") && sent > TEXT_BYTES / 2
}

/// A text in which the mark stands on every page of the database that it fills.
fn long(number: usize) -> String {
    mark(number).repeat(TEXT_BYTES / mark(number).len())
}

fn mark(number: usize) -> String {
    format!("[message {number:04}]")
}
