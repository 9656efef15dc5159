//! Members that fill disk and memory of others: more data than the quota, more logs, or invented
//! authors. They are stopped, other members continue, and the doctor names them.

use roomful::proto::limits::{LOGS_PER_AUTHOR_MAX, UNMET_AUTHORS_MAX};
use roomful::proto::replication::frame::Frame;

use crate::siege::{PATIENCE, Siege};
use crate::speaker::Line;
use crate::writer::{Writer, push};
use support::api::Api;
use support::wait::until_within;
use support::{Result, ensure};

/// What one member may take on the nodes here, in bytes.
const QUOTA: u64 = 1024 * 1024;

/// Waits until everything that was sent before has been heard: frames are answered in their order.
async fn answered(line: &mut Line) -> Result<()> {
    line.say(&Frame::Ping { wall_ms: 1 }).await?;
    while !matches!(line.hear().await?, Frame::Pong { .. }) {}
    Ok(())
}

/// Counts the messages of the usual channel, page by page: a page ends at its bytes.
async fn count_messages(api: &Api) -> Result<usize> {
    let (mut count, mut query) = (0, String::new());
    loop {
        let page = api.get(&format!("/api/v1/messages?channel=general&limit=500{query}")).await?;
        count += page["messages"].as_array().map_or(0, Vec::len);
        match page["before"].as_str() {
            Some(before) => query = format!("&before={before}"),
            None => return Ok(count),
        }
    }
}

/// That both nodes say of a member that nothing more is taken, and why.
async fn are_told(siege: &Siege, id: &str, why: &str) -> Result<()> {
    for node in &siege.nodes {
        until_within(PATIENCE, "it is told", async || {
            let member = node.api.member(id).await?;
            ensure!(member["closed"] == why, "{member}");
            ensure!(member["bytes"].as_u64().is_some_and(|bytes| bytes <= QUOTA), "{member}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn endless_writer_is_stopped_by_the_quota() -> Result<()> {
    let mut siege = Siege::with(|launch| launch.option("--quota", "1")).await?;
    let (mallory, ana, ben) = (siege.speaker(1), siege.ana(), siege.ben());
    let id = mallory.id().to_string();
    let attack = siege.attacker.does(move || async move {
        // To both: what one of them takes no further it does not pass on either.
        let mut lines = [mallory.join(ana).await?, mallory.join(ben).await?];
        // Three times as much as is kept, in two logs.
        let mut logs = [Writer::new(&mallory, 1), Writer::new(&mallory, 2)];
        for number in 0..108 {
            let batch = logs[number % 2].says(&[format!("much {number} {}", "x".repeat(30_000))]);
            for line in &mut lines {
                line.send(&push(&[batch.bytes()])).await?;
            }
        }
        for line in &mut lines {
            answered(line).await?;
        }
        Ok(())
    });
    siege.they_talk("while somebody fills the disk").await?;
    attack.await??;
    are_told(&siege, &id, "quota").await?;
    siege.they_talk("after somebody was stopped").await?;
    for node in &siege.nodes {
        let kept = count_messages(&node.api).await?;
        ensure!((20..=34).contains(&kept), "{} keeps {kept} of 108", node.name());
        let members = node.run(&["members"])?.stdout;
        ensure!(members.contains("(storage limit reached: 1 MiB)"), "{members}");
        let doctor = node.run(&["doctor"])?.stdout;
        ensure!(doctor.contains("mallory 1 has reached the storage limit of 1 MiB"), "{doctor}");
        let told = node.said().lines().filter(|line| line.contains("has reached the storage limit of 1 MiB")).count();
        ensure!(told == 1, "said {told} times: {}", node.said());
    }
    let refused = siege.nodes[0].api.get("/api/v1/doctor").await?["refused"]["quota"].as_u64();
    ensure!(refused.is_some_and(|count| count >= 70), "{refused:?} batches were counted");
    siege.they_stand("after somebody was stopped by the quota").await
}

#[tokio::test]
async fn endless_logs_are_stopped_by_their_number() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mallory, ana) = (siege.speaker(1), siege.ana());
    let id = mallory.id().to_string();
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        for first in (0..LOGS_PER_AUTHOR_MAX as u64 + 100).step_by(50) {
            let batches: Vec<_> = (first..first + 50).map(|log| Writer::new(&mallory, log).says(&[])).collect();
            let bytes: Vec<&[u8]> = batches.iter().map(|batch| batch.bytes().as_ref()).collect();
            line.send(&push(&bytes)).await?;
        }
        answered(&mut line).await
    });
    siege.they_talk("while somebody begins logs").await?;
    attack.await??;
    until_within(PATIENCE, "Ana takes no more", async || {
        let member = siege.nodes[0].api.member(&id).await?;
        ensure!(member["closed"] == "logs", "{member}");
        Ok(())
    })
    .await?;
    let said = siege.nodes[0].said();
    ensure!(said.contains("has restarted too many times") && !said.contains("storage limit"), "{said}");
    siege.they_stand("after somebody began logs without end").await
}

/// How many more than are kept.
const TOO_MANY: usize = 150;

#[tokio::test]
async fn invented_authors_fill_no_list_and_block_no_member() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mallory, ana) = (siege.speaker(1), siege.ana());
    let made_up: Vec<_> =
        (0..UNMET_AUTHORS_MAX + TOO_MANY).map(|number| siege.speaker(1_000 + number as u16)).collect();
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        for some in made_up.chunks(50) {
            let batches: Vec<_> = some.iter().map(|author| Writer::new(author, 1).says(&["made up".into()])).collect();
            let bytes: Vec<&[u8]> = batches.iter().map(|batch| batch.bytes().as_ref()).collect();
            line.send(&push(&bytes)).await?;
        }
        answered(&mut line).await
    });
    siege.they_talk("while somebody makes up authors").await?;
    attack.await??;
    let doctor = siege.nodes[0].api.get("/api/v1/doctor").await?;
    ensure!(doctor["refused"]["unmet"].as_u64() == Some(TOO_MANY as u64), "{}", doctor["refused"]);
    ensure!(
        doctor["likely"].as_str().is_some_and(|likely| likely.contains("never connected to")),
        "{}",
        doctor["likely"]
    );

    // Who comes after that is heard, also by those who know of them only through others.
    let (late, ana) = (siege.speaker(2), siege.ana());
    let id = late.id().to_string();
    let coming = siege.attacker.does(move || async move {
        let mut line = late.join(ana).await?;
        line.send(&push(&[Writer::new(&late, 1).says(&["late".into()]).bytes()])).await?;
        line.until_closed().await;
        Ok(())
    });
    for node in &siege.nodes {
        // Ben may be fetching what was made up, one author after the other, before he looks again.
        until_within(3 * PATIENCE, "who comes late is heard", async || {
            let said = node.api.texts().await?;
            ensure!(said.iter().any(|text| text == "late"), "not by {}", node.name());
            Ok(())
        })
        .await?;
        let member = node.api.member(&id).await?;
        ensure!(member["closed"].is_null(), "{member}");
        let members = node.api.get("/api/v1/members").await?["members"].as_array().map_or(0, Vec::len);
        // Ana, Ben, Mallory and the one who came late.
        ensure!(members <= UNMET_AUTHORS_MAX + 4, "{} lists {members}", node.name());
    }
    drop(coming);
    siege.they_stand("after somebody made up authors").await
}
