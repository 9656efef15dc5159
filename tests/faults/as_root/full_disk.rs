//! A disk that fills up while the node runs: a small file system of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::record::Record;
use crate::room::{all_met, launches};
use support::lab::Lab;
use support::node::Node;
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, ensure, json};

/// A file system in memory, unmounted with the value.
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// One with so much room, mounted at a new directory.
    pub(crate) fn new(at: &Path, room: &str) -> Result<Self> {
        std::fs::create_dir(at)?;
        let options = format!("size={room},mode=0700");
        let at = at.to_owned();
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs", &at.display().to_string()])?;
        Ok(Self { at })
    }

    /// Mounts it again in another way: `size=20m`, `ro`.
    pub(crate) fn change(&self, options: &str) -> Result<()> {
        mount(&["-o", &format!("remount,{options}"), &self.at.display().to_string()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a node that a failing test left may still be on it.
        let unmounted = Command::new("umount").arg("-l").arg(&self.at).status();
        if !unmounted.as_ref().is_ok_and(std::process::ExitStatus::success) {
            println!("left mounted: {} ({unmounted:?})", self.at.display());
        }
    }
}

fn mount(args: &[&str]) -> Result<()> {
    let done = Command::new("mount").args(args).output().context("the program `mount`")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "cannot mount: {said}run the tests with tests/run, as root or where `unshare -rmn` works"
    );
    Ok(())
}

/// How much is said at once, in bytes.
const TEXT_BYTES: usize = 20_000;

#[tokio::test]
async fn full_disk_pauses_sending_and_receiving() -> Result<()> {
    let lab = Lab::new()?;
    let disk = Disk::new(&lab.data_dir("anna"), "2m")?;
    let launches = launches(&lab, 2);
    let (anna, ben) = (launches[0].start()?, launches[1].start()?);
    until("they have met", async || all_met(&[&anna, &ben]).await).await?;
    let record = Record::default();

    fill(&anna, &record).await?;
    let refused = anna.run(&["send", &long("by command")])?;
    refused.refused_with(1, "disk")?;
    let mut tab = Tab::open(&anna.api).await?;
    tab.send(&json!({ "type": "say", "ref": "full", "text": long("by page") })).await?;
    let answer = tab.find("the answer", |frame| frame["ref"] == "full").await?;
    ensure!(answer["error"] == "disk_full" && answer["message"].is_string(), "{answer}");

    // Ben's words wait with ben.
    let waiting: Vec<_> = (0..4).map(|number| long(&format!("ben says {number}"))).collect();
    for text in &waiting {
        record.say(&ben, text).await?;
    }
    let ben_holds_all = async || record.check(&[&ben]).await;
    until("ben has what anna acknowledged", ben_holds_all).await?;
    record.own_are_on(&anna).await?;
    let texts = anna.api.texts().await?;
    ensure!(waiting.iter().any(|text| !texts.contains(text)), "the disk was not full enough for this test");
    anna.api.sees_exactly(&[ben.id()]).await?;

    disk.change("size=20m")?;
    until("anna has received what waited", async || record.check(&[&anna, &ben]).await).await?;
    record.say(&anna, &long("there is room again")).await?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    let said = anna.said();
    ensure!(said.matches("disk is full").count() == 1, "told once: {said}");

    // And again, ended in the middle of it.
    disk.change("size=4m")?;
    fill(&anna, &record).await.context("the second time")?;
    let launch = anna.kill()?;
    disk.change("size=20m")?;
    let anna = launch.start()?;
    record.own_are_on(&anna).await?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await
}

#[tokio::test]
async fn start_on_a_full_disk_fails_until_there_is_room() -> Result<()> {
    let lab = Lab::new()?;
    let disk = Disk::new(&lab.data_dir("anna"), "2m")?;
    let launch = launches(&lab, 1).remove(0);
    let anna = launch.start()?;
    let record = Record::default();
    record.say(&anna, "before").await?;
    let directory = anna.data_dir.clone();
    anna.stop()?;
    let filler = directory.join("filler");
    // Writes until nothing more goes in, which is an error.
    let filled = std::fs::write(&filler, vec![1; 4 << 20]);
    ensure!(filled.is_err(), "it is not small");
    launch.refused()?.refused_with(1, "room")?;
    std::fs::remove_file(&filler)?;
    let anna = launch.start()?;
    record.check(&[&anna]).await?;
    drop(anna);
    drop(disk);
    Ok(())
}

#[tokio::test]
async fn last_free_space_is_kept_for_the_own_user() -> Result<()> {
    let lab = Lab::new()?;
    let disk = Disk::new(&lab.data_dir("anna"), "64m")?;
    let launches = launches(&lab, 2);
    let (anna, ben) = (launches[0].start()?, launches[1].start()?);
    until("they have met", async || all_met(&[&anna, &ben]).await).await?;
    // Less than a twentieth is left, and more than enough to write on.
    let filler = anna.data_dir.join("filler");
    let mut filled = Vec::new();
    while anna.api.get("/api/v1/doctor").await?["disk_free"].as_u64().context("free bytes")? > 2_500_000 {
        filled.resize(filled.len() + 500_000, 1);
        std::fs::write(&filler, &filled)?;
    }
    let closed = async || Ok::<_, anyhow::Error>(anna.api.member(ben.id()).await?["closed"].clone());
    until("anna takes nothing more", async || {
        let closed = closed().await?;
        ensure!(closed == "disk", "{closed}");
        Ok(())
    })
    .await?;
    let record = Record::default();
    record.say(&ben, "waits with ben").await?;
    record.say(&anna, "anna says on").await?;
    until("ben has heard it", async || {
        let texts = ben.api.texts().await?;
        ensure!(texts.contains(&"anna says on".to_owned()), "{texts:?}");
        Ok(())
    })
    .await?;
    let texts = anna.api.texts().await?;
    ensure!(texts == ["anna says on"], "{texts:?}");
    ensure!(anna.run(&["doctor"])?.stdout.contains("almost full"), "the doctor does not know");

    std::fs::remove_file(&filler)?;
    until("anna has what waited", async || record.check(&[&anna, &ben]).await).await?;
    let closed = closed().await?;
    ensure!(closed.is_null(), "{closed}");
    let said = anna.said();
    ensure!(said.matches("messages from others aren't saved").count() == 1, "told once: {said}");
    drop((anna, ben, disk));
    Ok(())
}

/// Has a node say things until it has no room for them.
async fn fill(node: &Node, record: &Record) -> Result<()> {
    for number in 0..2_000 {
        let answer =
            record.try_say(node, &long(&format!("{} says {number} of {}", node.name(), record.count()))).await?;
        if answer.status == 507 {
            ensure!(answer.json()?["error"] == "disk_full", "{answer:?}");
            ensure!(record.count() > 0, "nothing could be said at all");
            return Ok(());
        }
        ensure!(answer.status == 201, "{answer:?}");
    }
    anyhow::bail!("the disk was never full")
}

fn long(text: &str) -> String {
    format!("{text} {}", "x".repeat(TEXT_BYTES))
}
