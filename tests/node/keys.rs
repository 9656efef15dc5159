//! Rooms with a key: holders join, other nodes learn nothing, and both users are told.

use std::process::Command;
use std::time::Duration;

use super::{THREE, all_met};
use support::lab::Lab;
use support::node::{Launch, Node, PROGRAM, together};
use support::wait::{stays, until};
use support::{Result, ensure};

/// The log message of a node that meets another key.
const TOLD: &str = "has a different room key";

/// A new key, as the program makes it.
fn new_key() -> Result<String> {
    let made = Command::new(&*PROGRAM).arg("key").output()?;
    ensure!(made.status.success(), "{made:?}");
    Ok(String::from_utf8(made.stdout)?.trim_end().to_owned())
}

fn with_file(launch: Launch, path: &str) -> Launch {
    launch.option("--room-key-file", path)
}

/// One of the three on its own address.
fn one(lab: &Lab, number: usize) -> Launch {
    lab.node(THREE[number].0).host(THREE[number].1)
}

#[tokio::test]
async fn only_key_holders_join_and_learn_names() -> Result<()> {
    let lab = Lab::new()?;
    let (key, other) = (new_key()?, new_key()?);
    ensure!(key != other && key.split(' ').count() == 12, "not 12 random words");
    let file = lab.key_file("key", &key, 0o600)?;
    let in_environment = format!("ROOMFUL_ROOM_KEY={key}");
    let launches = [
        with_file(one(&lab, 0), &file),
        one(&lab, 1).through(&["env", &in_environment]),
        with_file(one(&lab, 2), &lab.key_file("other", &other, 0o400)?),
        lab.node("dora").host("127.0.0.4"),
    ];
    let nodes = together(&launches)?;
    let [anna, ben, cleo, dora] = &nodes[..] else { unreachable!("four were started") };
    let apart = async || {
        all_met(&[anna, ben]).await?;
        for outside in [cleo, dora] {
            let members = outside.api.members().await?;
            ensure!(members.len() == 1, "{} knows {members:?}", outside.name());
        }
        Ok(())
    };
    until("holders of one key have met, the others nobody", apart).await?;
    anna.api.say("among us").await?;
    until("everybody was told why", async || {
        let silent = nodes.iter().find(|node| !node.said().contains(TOLD));
        ensure!(silent.is_none(), "{} was not told", silent.map_or("", Node::name));
        Ok(())
    })
    .await?;
    stays("the rooms", Duration::from_secs(4), apart).await?;
    ensure!(ben.api.texts().await? == ["among us"], "what was said among holders");
    for node in &nodes {
        ensure!(node.said().matches(TOLD).count() == 1, "{} was told more than once a minute", node.name());
        let leaked = [&key, &other].into_iter().find(|key| node.said().contains(key.as_str()));
        ensure!(leaked.is_none(), "a key stands in the log");
    }
    Ok(())
}

#[tokio::test]
async fn each_key_has_a_history_of_its_own() -> Result<()> {
    let lab = Lab::new()?;
    let file = lab.key_file("key", &new_key()?, 0o600)?;
    let open = one(&lab, 0);
    let keyed = with_file(open.clone(), &file);
    for (launch, text) in [(&keyed, "with a key"), (&open, "without"), (&keyed, "again"), (&open, "again")] {
        let node = launch.start()?;
        node.api.say(text).await?;
        node.stop()?;
    }
    for (launch, texts) in [(keyed, ["with a key", "again"]), (open, ["without", "again"])] {
        let held = launch.start()?.api.texts().await?;
        ensure!(held == texts, "{held:?}");
    }
    Ok(())
}

#[tokio::test]
async fn invalid_or_exposed_room_key_is_refused() -> Result<()> {
    let lab = Lab::new()?;
    let key = new_key()?;
    let files = [
        (lab.key_file("readable", &key, 0o644)?, "chmod 600"),
        (lab.key_file("made-up", "correct horse battery staple", 0o600)?, "12 words, not 4"),
        (lab.key_file("twice", &format!("{key} {key}"), 0o600)?, "12 words, not 24"),
        (lab.dir().join("missing").display().to_string(), "`roomful key`"),
    ];
    for (file, word) in files {
        let refused = with_file(one(&lab, 0), &file).refused()?;
        refused.refused_with(1, word)?;
        ensure!(!refused.stderr.contains("horse"), "{}", refused.stderr);
    }
    let swapped = key.split(' ').rev().collect::<Vec<_>>().join(" ");
    let refused = one(&lab, 0).through(&["env", &format!("ROOMFUL_ROOM_KEY={swapped} x")]).refused()?;
    refused.refused_with(2, "`roomful key`")
}
