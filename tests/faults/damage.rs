//! Damaged databases: quarantined, salvaged as far as legible, and completed from peers.

use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::record::{Record, history};
use crate::room::{all_met, met};
use crate::seeds::for_each_seed;
use support::lab::Lab;
use support::node::Node;
use support::wait::until;
use support::{Context, Result, ensure};

/// Messages in the history that is damaged: more than a page of anything.
const MESSAGES: usize = 150;

/// How many ways of damage are tried unless the environment says otherwise.
const SEEDS: u64 = 4;

#[tokio::test]
async fn damaged_database_is_recovered_from_peers() -> Result<()> {
    let test = "damaged_database_is_recovered_from_peers";
    for_each_seed(test, SEEDS, async |mut rng| {
        let lab = Lab::new()?;
        let [anna, ben] = met::<2>(&lab).await?;
        let (id, record) = (anna.id().to_owned(), Record::default());
        talk(&record, &[&anna, &ben]).await?;
        let directory = anna.data_dir.clone();
        let launch = if rng.random_bool(0.5) { anna.stop()? } else { anna.kill()? };
        let damage = damage(&directory, &mut rng)?;
        let anna = launch.start().with_context(|| damage.clone())?;
        ensure!(anna.id() == id, "the key is no part of the database");
        let told = mended(&anna).await?.unwrap_or_default();
        ensure!(!anna.said().contains("was damaged") || told.contains("was damaged"), "{damage}: {told}");
        // From before the others are met: what is listed is right, if not complete.
        let said = anna.said();
        ensure!(said.lines().count() <= 3, "{damage}: {said}");
        until("both agree", async || record.check(&[&anna, &ben]).await).await.with_context(|| damage.clone())?;
        record.say(&anna, "after the damage").await?;
        until("they agree again", async || record.check(&[&anna, &ben]).await).await.with_context(|| damage.clone())?;
        // A second start finds nothing to mend.
        let before = said.matches("damaged").count();
        let anna = anna.stop()?.start()?;
        ensure!(anna.said().matches("damaged").count() == before, "{damage}: mended twice: {}", anna.said());
        until("and again", async || record.check(&[&anna, &ben]).await).await
    })
    .await
}

#[tokio::test]
async fn repair_is_reported_after_the_next_start_too() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    anna.api.say("before the damage").await?;
    let database = database(&anna.data_dir)?;
    ensure!(mended(&anna).await?.is_none(), "nothing to mend yet");

    // The disk changes a message, which is detected when it is read.
    let launch = anna.stop()?;
    rusqlite::Connection::open(&database)?.execute("UPDATE batch SET bytes = zeroblob(length(bytes))", [])?;
    let anna = launch.start()?;
    until("it is told that the disk changed a message", async || {
        ensure!(anna.api.texts().await?.is_empty(), "it is not shown");
        let told = mended(&anna).await?.unwrap_or_default();
        ensure!(told.matches("A saved message was damaged").count() == 1, "{told}");
        Ok(())
    })
    .await?;

    let launch = anna.stop()?;
    std::fs::write(&database, "no database")?;
    let anna = launch.start()?;
    let told = mended(&anna).await?.context("it says so")?;
    ensure!(told.contains("This room’s history was damaged") && told.contains("was kept as"), "{told}");

    let anna = anna.stop()?.start()?;
    ensure!(mended(&anna).await?.as_ref() == Some(&told), "told until its user had time to read it");
    let doctor = anna.run(&["doctor"])?.stdout;
    ensure!(doctor.contains(&format!("Repaired: {told}")), "{doctor}");
    Ok(())
}

#[tokio::test]
async fn a_newer_database_is_refused_and_not_touched() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = met::<2>(&lab).await?;
    let record = Record::default();
    record.say(&anna, "before").await?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await?;
    let directory = anna.data_dir.clone();
    let launch = anna.stop()?;
    let database = database(&directory)?;
    let version: i64 = rusqlite::Connection::open(&database)?.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    rusqlite::Connection::open(&database)?.execute_batch("PRAGMA user_version = 99")?;
    let files = || -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_file() {
                files.push((path.clone(), std::fs::read(path)?));
            }
        }
        files.sort();
        Ok(files)
    };
    let before = files()?;
    launch.refused()?.refused_with(1, "version 99")?;
    let after = files()?;
    let differ = before.iter().zip(&after).find(|(before, after)| before != after).map(|(before, _)| &before.0);
    ensure!(before.len() == after.len() && differ.is_none(), "touched: {differ:?}");
    rusqlite::Connection::open(&database)?.execute_batch(&format!("PRAGMA user_version = {version}"))?;
    let anna = launch.start()?;
    until("both agree", async || record.check(&[&anna, &ben]).await).await
}

/// What a node says had to be repaired lately.
async fn mended(node: &Node) -> Result<Option<String>> {
    let node = node.api.get("/api/v1/node").await?;
    Ok(node["mended"].as_str().map(str::to_owned))
}

/// Has each say a part of the history, and waits until all hold it.
async fn talk(record: &Record, nodes: &[&Node]) -> Result<()> {
    for number in 0..MESSAGES {
        let node = nodes[number % nodes.len()];
        record.say(node, &format!("{} says {number} {}", node.name(), "x".repeat(number * 20))).await?;
    }
    until("all agree", async || record.check(nodes).await).await?;
    until("all have met", async || all_met(nodes).await).await?;
    ensure!(history(&nodes[0].api).await?.len() == MESSAGES, "no more and no less");
    Ok(())
}

/// Damages the database in a random way, and says how.
fn damage(directory: &Path, rng: &mut StdRng) -> Result<String> {
    let database = database(directory)?;
    let log = database.with_extension("db-wal");
    let mut bytes = std::fs::read(&database)?;
    let done = match rng.random_range(0..7) {
        6 => return flip_in_messages(&database, rng),
        0 => {
            for _ in 0..rng.random_range(1..20) {
                // Where a page says what it is: there SQLite sees it.
                let at = rng.random_range(1..bytes.len() / 4096) * 4096 + rng.random_range(0..8);
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
            "bits of some pages' headers flipped".to_owned()
        }
        1 => {
            let pages = rng.random_range(1..5);
            for _ in 0..pages {
                let at = rng.random_range(0..bytes.len() / 4096) * 4096;
                bytes[at..at + 4096].fill(rng.random());
            }
            format!("{pages} pages overwritten")
        }
        2 => {
            bytes.truncate(rng.random_range(0..bytes.len()));
            format!("cut to {} bytes", bytes.len())
        }
        3 => {
            bytes.clear();
            "emptied".to_owned()
        }
        4 if log.exists() => {
            std::fs::remove_file(&log)?;
            "without its log".to_owned()
        }
        5 if log.metadata().is_ok_and(|log| log.len() > 0) => {
            let mut log_bytes = std::fs::read(&log)?;
            let at = rng.random_range(0..log_bytes.len());
            log_bytes[at] ^= 0x40;
            std::fs::write(&log, log_bytes)?;
            format!("a bit of byte {at} of its log flipped")
        }
        _ => {
            std::fs::remove_file(&database)?;
            return Ok("removed".to_owned());
        }
    };
    std::fs::write(&database, bytes)?;
    println!("damage: {done}");
    Ok(done)
}

/// Flips bits inside of some messages, where only their signatures show it.
fn flip_in_messages(database: &Path, rng: &mut StdRng) -> Result<String> {
    let db = rusqlite::Connection::open(database)?;
    let count: i64 = db.query_row("SELECT count(*) FROM batch", [], |row| row.get(0))?;
    let many = rng.random_range(1..10);
    for _ in 0..many {
        let which = rng.random_range(0..count);
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
        let (batch, mut bytes) =
            db.query_row("SELECT batch, bytes FROM batch ORDER BY batch LIMIT 1 OFFSET ?1", [which], read)?;
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        db.execute("UPDATE batch SET bytes = ?2 WHERE batch = ?1", rusqlite::params![batch, bytes])?;
    }
    println!("damage: a bit of {many} messages flipped");
    Ok(format!("a bit of {many} messages flipped"))
}

/// The file that holds the history of the room.
fn database(directory: &Path) -> Result<PathBuf> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            return Ok(path);
        }
    }
    anyhow::bail!("no database in {}", directory.display())
}
