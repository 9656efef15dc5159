//! Start and stop: obstacles are reported in a line, and a stop is clean.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use rustix::process::Signal;

use super::three_met;
use support::lab::Lab;
use support::node::{Node, Stopped};
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, ensure, json};

/// A stop is promised within 3 s; a busy machine gets more.
const STOP_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn signal_stops_cleanly_with_peers_and_tabs() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    let mut tab = Tab::open(&anna.api).await?;
    for (node, signal) in [(anna, Signal::TERM), (ben, Signal::INT)] {
        let running = node.data_dir.join("run.json");
        ensure!(running.exists(), "commands find a running node by it");
        stopped_cleanly(&node.stop_by(signal)?)?;
        ensure!(!running.exists(), "{} is left behind", running.display());
    }
    tab.find("word of the stop", |frame| frame["type"] == "stopping").await?;
    let closed = tab.next().await.err().context("a closed socket")?.to_string();
    ensure!(closed.contains("1001") || closed.contains("Away"), "closed as going away: {closed}");
    Ok(())
}

#[tokio::test]
async fn stop_command_returns_after_the_process_ended() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let stop = anna.run(&["stop"])?;
    ensure!(stop.status.success(), "{stop:?}");
    let state = std::fs::read_to_string(format!("/proc/{}/stat", anna.pid())).unwrap_or_default();
    ensure!(state.is_empty() || state.contains(") Z "), "it still runs: {state}");
    stopped_cleanly(&anna.stopped()?)
}

#[tokio::test]
async fn the_exit_command_of_a_page_stops_the_node() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let mut tab = Tab::open(&anna.api).await?;
    tab.send(&json!({ "type": "command", "ref": "x1", "name": "exit" })).await?;
    stopped_cleanly(&anna.stopped()?)
}

#[tokio::test]
async fn second_node_names_the_first() -> Result<()> {
    let lab = Lab::new()?;
    let launch = lab.node("anna").host("127.0.0.1");
    let anna = launch.start()?;
    launch.refused()?.refused_with(1, &anna.pid().to_string())?;
    anna.api.say("the first is undisturbed").await?;
    anna.kill()?;
    launch.start().context("a lock of the dead is no obstacle")?;
    Ok(())
}

#[tokio::test]
async fn requested_web_port_in_use_is_an_error() -> Result<()> {
    let lab = Lab::new()?;
    let squatter = TcpListener::bind("127.0.0.1:0")?;
    let port = squatter.local_addr()?.port().to_string();
    let launch = lab.node("anna").host("127.0.0.1").option("--web-port", &port);
    launch
        .refused()?
        .refused_with(1, &format!("port {port} of 127.0.0.1 is taken by process {}", std::process::id()))?;
    drop(squatter);
    let anna = launch.start()?;
    ensure!(anna.web()?.starts_with(&format!("http://127.0.0.1:{port}/#token=")), "{}", anna.web()?);
    Ok(())
}

#[tokio::test]
async fn exclusive_beacon_port_names_its_owner() -> Result<()> {
    let lab = Lab::new()?;
    let _selfish = UdpSocket::bind(("0.0.0.0", lab.port()))?;
    let refused = lab.node("anna").host("127.0.0.1").refused()?;
    refused.refused_with(1, &format!("UDP port {} is taken by process {}", lab.port(), std::process::id()))
}

#[tokio::test]
async fn without_a_web_port_there_is_only_the_socket() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").option("--web-port", "none").start()?;
    ensure!(anna.ready["web"].is_null(), "{}", anna.ready);
    anna.api.get("/api/v1/node").await?;
    Ok(())
}

#[tokio::test]
async fn an_ephemeral_node_leaves_nothing_behind() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").without("--data-dir").switch("--ephemeral").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("both have met", async || super::all_met(&[&anna, &ben]).await).await?;
    anna.api.say("written in water").await?;
    until("ben has it", async || super::all_hold(&[&anna, &ben], 1).await).await?;
    let directory = anna.data_dir.clone();
    ensure!(directory.exists() && !directory.starts_with(lab.dir().join("home")), "{}", directory.display());
    let kept: Vec<_> = std::fs::read_dir(&directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    ensure!(kept.iter().flatten().all(|name| !name.to_string_lossy().contains("key")), "{kept:?}");
    anna.stop()?;
    ensure!(!directory.exists(), "{} is left behind", directory.display());
    ensure!(!lab.dir().join("home/share").exists(), "the usual data directory was touched");
    Ok(())
}

#[tokio::test]
async fn usage_and_runtime_errors_differ_in_status() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1");
    for (option, value) in [("--no-such-option", "x"), ("--port", "80"), ("--port", "x"), ("--name", " \u{200b} ")] {
        let refused = anna.clone().option(option, value).refused()?;
        ensure!(refused.status.code() == Some(2), "{option} {value:?}: {refused:?}");
        ensure!(!refused.stderr.contains("panicked"), "{refused:?}");
    }
    let too_long = "x".repeat(65);
    let refused = anna.clone().option("--name", &too_long).refused()?;
    ensure!(refused.status.code() == Some(2), "{refused:?}");
    anna.clone().option("--host", "203.0.113.9").refused()?.refused_with(1, "203.0.113.9")?;
    let in_a_file = lab.dir().join("file");
    std::fs::write(&in_a_file, "not a directory")?;
    let in_a_file = in_a_file.display().to_string();
    anna.clone().option("--data-dir", &in_a_file).refused()?.refused_with(1, &in_a_file)
}

#[tokio::test]
async fn files_of_the_node_are_private() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    anna.api.say("private").await?;
    let mode = |path: &std::path::Path| anyhow::Ok(std::fs::metadata(path)?.permissions().mode() & 0o777);
    ensure!(mode(&anna.data_dir)? == 0o700, "{:o}", mode(&anna.data_dir)?);
    for entry in std::fs::read_dir(&anna.data_dir)? {
        let path = entry?.path();
        ensure!(mode(&path)? & 0o077 == 0, "{} is open to others: {:o}", path.display(), mode(&path)?);
    }
    Ok(())
}

/// That it ended with status 0 in time, and said so in its last line.
fn stopped_cleanly(stopped: &Stopped) -> Result<()> {
    println!("stopped after {} ms", stopped.took.as_millis());
    ensure!(stopped.status.success() && stopped.took < STOP_WITHIN, "{stopped:?}");
    let last = stopped.lines.last().context("a last line")?;
    ensure!(serde_json::from_str::<support::Value>(last)? == json!({ "event": "stopped" }), "{last}");
    Ok(())
}

#[tokio::test]
async fn commands_without_a_node_say_so() -> Result<()> {
    let lab = Lab::new()?;
    let anna: Node = lab.node("anna").host("127.0.0.1").start()?;
    let directory = anna.data_dir.clone();
    anna.stop()?;
    for command in ["members", "tail", "stop", "url"] {
        let mut program = std::process::Command::new(&*support::node::PROGRAM);
        program.arg(command).arg("--data-dir").arg(&directory);
        support::command::Finished::run(program, "")?.refused_with(1, "")?;
    }
    Ok(())
}
