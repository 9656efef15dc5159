//! Copied data directories: run on two machines at once, or restored from a backup.

use std::path::Path;

use crate::record::Record;
use crate::room::{all_met, launches, met};
use support::lab::Lab;
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, ensure};

#[tokio::test]
async fn duplicate_key_is_reported_and_loses_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = met::<2>(&lab).await?;
    let record = Record::default();
    record.say(&anna, "before the copy").await?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    let directory = anna.data_dir.clone();
    let launch = anna.stop()?;
    copy(&directory, &lab.data_dir("copy"))?;

    let anna = launch.start()?;
    let twin = lab.node("copy").host("127.0.0.9").option("--name", "anna").start()?;
    ensure!(anna.id() == twin.id(), "the same key");
    for node in [&anna, &twin] {
        let told = async || {
            ensure!(node.said().contains("in use on two computers"), "told nothing yet: {:?}", node.said());
            Ok(())
        };
        until("told that the key is in use twice", told).await?;
        record.say(node, &format!("said on {}", node.data_dir.display())).await?;
    }
    for node in [&anna, &twin, &ben] {
        let count = node.said().matches("two computers").count();
        ensure!(count <= 1, "told again within a minute: {}", node.said());
    }

    // In turn: each copy exchanges messages with ben while it is alone with him.
    let twin = twin.stop()?;
    until("anna and ben are linked", async || all_met(&[&anna, &ben]).await).await?;
    let anna = anna.stop()?;
    let twin = twin.start()?;
    until("the twin has brought its part to ben", async || record.check(&[&twin, &ben]).await).await?;
    twin.stop()?;
    let anna = anna.start()?;
    until("and anna has it from ben", async || record.check(&[&anna, &ben]).await).await?;
    let member = ben.api.member(anna.id()).await?;
    ensure!(member["forked"] == false, "a copy is no cheat: {member}");
    Ok(())
}

#[tokio::test]
async fn restored_backup_recovers_and_tabs_reload() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = met::<2>(&lab).await?;
    let record = Record::default();
    for number in 0..20 {
        record.say(&anna, &format!("before the backup {number}")).await?;
    }
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    let directory = anna.data_dir.clone();
    let launch = anna.stop()?;
    let backup = lab.dir().join("backup");
    copy(&directory, &backup)?;

    let anna = launch.start()?;
    for number in 0..20 {
        record.say(&anna, &format!("after the backup {number}")).await?;
    }
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    let tab = Tab::open(&anna.api).await?;
    let run = tab.welcome["run"].as_str().context("a run")?.to_owned();
    let arrival = tab.welcome["arrival"].as_i64().context("an arrival number")?;
    drop(tab);

    let launch = anna.kill()?;
    std::fs::remove_dir_all(&directory)?;
    copy(&backup, &directory)?;
    let anna = launch.start()?;
    let tab = Tab::resume(&anna.api, &run, arrival).await?;
    ensure!(tab.welcome["reset"] == true, "what the tab shows is not known here: {}", tab.welcome["reset"]);
    record.say(&anna, "said before anything was fetched").await?;
    until("what was lost is back", async || record.check(&[&anna, &ben]).await).await?;
    record.say(&anna, "said after it").await?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    let member = ben.api.member(anna.id()).await?;
    ensure!(member["forked"] == false, "a backup is no cheat: {member}");

    // A third one that comes later gets it all from either.
    let cleo = launches(&lab, 3).remove(2).start()?;
    until("all three agree", async || record.check(&[&anna, &ben, &cleo]).await).await
}

/// What `cp -r` does, without what belongs to a run.
fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
