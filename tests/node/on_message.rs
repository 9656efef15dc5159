//! The user's program for new messages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use support::lab::Lab;
use support::wait::until;
use support::{Context, Result, Value, ensure, json};

fn program(dir: &Path, text: &str) -> Result<PathBuf> {
    let path = dir.join("bot");
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

fn messages(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

#[tokio::test]
async fn program_runs_for_new_messages_of_others() -> Result<()> {
    let lab = Lab::new()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    ben.api.say("history").await?;
    let bot = program(lab.dir(), "cat >> \"$0.messages\"; env > \"$0.env\"; echo \"$#\" > \"$0.count\"; echo noise")?;
    let launch = lab.node("anna").host("127.0.0.1").option("--on-message", &bot.display().to_string());
    let anna = launch.through(&["env", "ROOMFUL_QUOTA=99"]).start()?;
    until("both have met", async || super::all_met(&[&anna, &ben]).await).await?;
    until("anna has the history", async || {
        ensure!(anna.api.texts().await? == ["history"], "not yet");
        Ok(())
    })
    .await?;
    anna.api.say("own").await?;
    let said = ben.api.say("one\n\"two\"").await?;
    let direct = ben.api.post("/api/v1/messages", &json!({"text": "psst", "to": anna.id()})).await?.with(201)?;
    let path = bot.with_extension("messages");
    until("the bot got both", async || {
        let got = messages(&path)?;
        ensure!(got.len() == 2 && got[0]["id"] == said["id"] && got[1]["id"] == direct["id"], "{got:?}");
        ensure!(got[0]["text"] == "one\n\"two\"" && got[0]["name"] == "ben", "{got:?}");
        Ok(())
    })
    .await?;
    until("the bot wrote all", async || {
        ensure!(fs::read_to_string(bot.with_extension("count"))? == "0\n", "no arguments");
        let environment = fs::read_to_string(bot.with_extension("env"))?;
        ensure!(environment.contains("HOME=") && !environment.contains("ROOMFUL_"), "{environment}");
        Ok(())
    })
    .await?;

    let mark = format!("/api/v1/members/{}/mark", ben.id());
    anna.api.post(&mark, &json!({"muted": true})).await?.with(200)?;
    ben.api.say("muted").await?;
    until("anna has it", async || {
        ensure!(anna.api.texts().await?.contains(&"muted".to_owned()), "not yet");
        Ok(())
    })
    .await?;
    anna.api.post(&mark, &json!({"muted": false})).await?.with(200)?;
    ben.api.say("heard").await?;
    until("the bot got the next", async || {
        let got = messages(&path)?;
        ensure!(got.len() == 3 && got[2]["text"] == "heard", "{got:?}");
        Ok(())
    })
    .await?;
    let stopped = anna.stop_by(rustix::process::Signal::TERM)?;
    ensure!(stopped.lines == ["{\"event\":\"stopped\"}"], "standard output is the node's: {stopped:?}");
    Ok(())
}

#[tokio::test]
async fn hanging_program_is_ended_with_its_group() -> Result<()> {
    let lab = Lab::new()?;
    let bot = program(lab.dir(), "sleep 1000 & echo $! >> \"$0.pids\"; wait")?;
    let launch = lab.node("anna").host("127.0.0.1").option("--on-message", &bot.display().to_string());
    let anna = launch.start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("both have met", async || super::all_met(&[&anna, &ben]).await).await?;
    ben.api.say("one").await?;
    ben.api.say("two").await?;
    let pids = || fs::read_to_string(bot.with_extension("pids")).unwrap_or_default();
    until("the second runs, and the first with its child is gone", async || {
        let pids: Vec<String> = pids().lines().map(str::to_owned).collect();
        ensure!(pids.len() == 2, "{pids:?}");
        ensure!(!Path::new("/proc").join(&pids[0]).exists(), "{pids:?}");
        Ok(())
    })
    .await?;
    ensure!(anna.said().contains("it took over 10 s"), "{}", anna.said());
    let last = pids().lines().last().context("a process")?.to_owned();
    anna.stop()?;
    until("it ends with the node", async || {
        ensure!(!Path::new("/proc").join(&last).exists(), "{last}");
        Ok(())
    })
    .await
}
