//! A member that signs two batches for one position and sends one to each of two honest nodes.

use roomful::proto::replication::frame::Frame;

use crate::siege::{PATIENCE, Siege};
use crate::speaker::Line;
use crate::writer::{Writer, push};
use support::wait::until_within;
use support::{Context, Result, ensure};

#[tokio::test]
async fn fork_ends_the_log_alike_on_both_nodes() -> Result<()> {
    let mut siege = Siege::new().await?;
    let mallory = siege.speaker(1);
    let addresses = [siege.ana(), siege.ben()];
    let mut trunk = Writer::new(&mallory, 1);
    let first = trunk.says(&["both".to_owned()]);
    let mut told = trunk.clone();
    let one: Vec<_> = (1..=3).map(|number| trunk.says(&[format!("one {number}")])).collect();
    let other: Vec<_> = (1..=5).map(|number| told.says(&[format!("other {number}")])).collect();
    let stays = if one[0].hash() < other[0].hash() { "one 1" } else { "other 1" };
    let id = mallory.id().to_string();
    let attack = siege.attacker.does(move || async move {
        let mut lines: Vec<Line> = Vec::new();
        for (address, branch) in addresses.into_iter().zip([one, other]) {
            let mut line = mallory.join(address).await?;
            line.send(&push(&[first.bytes()])).await?;
            for batch in branch {
                line.send(&push(&[batch.bytes()])).await?;
            }
            lines.push(line);
        }
        // It stays until both have heard everything.
        for line in &mut lines {
            line.say(&Frame::Ping { wall_ms: 0 }).await?;
            while !matches!(line.hear().await?, Frame::Pong { .. }) {}
        }
        Ok(())
    });
    attack.await??;
    for node in 0..2 {
        until_within(PATIENCE, "the same end of the log", async || {
            let mut texts = siege.nodes[node].api.texts().await?;
            texts.retain(|text| !text.starts_with("honest "));
            ensure!(texts == ["both", stays], "node {node} shows {texts:?}");
            let members = siege.nodes[node].api.get("/api/v1/members").await?;
            let members = members["members"].as_array().context("members")?.clone();
            let mallory = members.iter().find(|member| member["id"] == id).context("the forker")?;
            ensure!(mallory["forked"] == true, "{mallory}");
            let notices = siege.nodes[node].api.notices().await?;
            let forked = notices.iter().filter(|notice| notice["kind"] == "forked").count();
            ensure!(forked == 1, "told {forked} times: {notices:?}");
            Ok(())
        })
        .await?;
        let printed = siege.nodes[node].run(&["members"])?;
        ensure!(printed.stdout.contains("(forked)"), "{}", printed.stdout);
    }
    siege.they_stand("after two things for one place").await
}
