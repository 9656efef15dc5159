//! The configuration file of a running node, what SIGHUP changes, and what systemd is told.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::process::Signal;
use support::command::Finished;
use support::lab::Lab;
use support::node::{Launch, Node};
use support::wait::{PATIENCE, until};
use support::{Context, Result, ensure};

/// A node whose settings are in a file, except those that the lab gives as options.
fn with_file(lab: &Lab, text: &str) -> Result<Launch> {
    let path = lab.dir().join("config.toml");
    fs::write(&path, text)?;
    let launch = lab.node("anna").without("--name").without("--web-port").host("127.0.0.1");
    Ok(launch.option("--config", &path.display().to_string()))
}

fn setting(node: &Node, name: &str) -> Result<(String, String)> {
    let settings = node.run(&["config", "--json"])?.json_lines()?;
    let found = settings.into_iter().find(|setting| setting["name"] == name).context("no such setting")?;
    Ok((support::api::text_of(&found, "value"), support::api::text_of(&found, "source")))
}

#[tokio::test]
async fn hangup_changes_name_peers_and_log_level() -> Result<()> {
    let lab = Lab::new()?;
    let launch = with_file(&lab, "name = \"Ana\"\nweb-port = \"none\"\nlog = \"error\"\n")?;
    let anna = launch.start()?;
    ensure!(anna.ready["name"] == "Ana" && anna.ready["web"].is_null(), "{}", anna.ready);
    ensure!(setting(&anna, "name")? == ("Ana".into(), "file".into()), "{:?}", setting(&anna, "name")?);
    ensure!(setting(&anna, "port")?.1 == "option" && setting(&anna, "room")?.1 == "option", "given by the lab");
    ensure!(setting(&anna, "quota")? == ("256".into(), "default".into()), "a default");
    let lines = anna.run(&["config"])?.stdout;
    ensure!(lines.lines().any(|line| line.split_whitespace().eq(["web-port", "none", "file"])), "{lines}");

    // On a port of its own, so that only `peer` leads to it.
    let far = Lab::new()?;
    let ben = far.node("ben").option("--room", lab.room()).host("127.0.0.2").start()?;
    let text = format!("name = \"Bea\"\nweb-port = 0\nlog = \"debug\"\npeer = [\"127.0.0.2:{}\"]\n", far.port());
    fs::write(lab.dir().join("config.toml"), text)?;
    anna.signal(Signal::HUP)?;
    until("the peer is linked under the new name", async || {
        ensure!(ben.api.member(anna.id()).await?["name"] == "Bea", "not yet");
        Ok(())
    })
    .await?;
    ensure!(setting(&anna, "name")? == ("Bea".into(), "file".into()), "{:?}", setting(&anna, "name")?);
    ensure!(setting(&anna, "web-port")?.0 == "none", "in force until a restart");
    until("requests are logged", async || {
        anna.api.members().await?;
        ensure!(anna.said().contains("DEBUG"), "the log level: {}", anna.said());
        Ok(())
    })
    .await?;

    let path = lab.dir().join("config.toml");
    let log = fs::read_to_string(&path)?.replace("\"debug\"", "\"warn\"").replace("web-port = 0", "web-port = 9");
    fs::write(&path, log.clone() + "nmae = \"x\"\n")?;
    anna.signal(Signal::HUP)?;
    until("the wrong file is reported", async || {
        ensure!(anna.said().contains("there is no setting 'nmae'"), "{}", anna.said());
        Ok(())
    })
    .await?;
    fs::write(&path, log)?;
    anna.signal(Signal::HUP)?;
    until("what needs a restart is named", async || {
        ensure!(anna.said().contains("changed settings need a restart: web-port"), "{}", anna.said());
        Ok(())
    })
    .await?;
    anna.stop()?;
    Ok(())
}

#[tokio::test]
async fn systemd_is_told_and_gets_no_times() -> Result<()> {
    let lab = Lab::new()?;
    let path = lab.dir().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let next = || -> Result<String> {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    };
    let launch = with_file(&lab, "log = \"debug\"")?;
    let launch = launch.through(&["env", &format!("NOTIFY_SOCKET={}", path.display())]);
    let anna = launch.start()?;
    ensure!(next()?.trim() == "READY=1", "ready");
    anna.signal(Signal::HUP)?;
    let reloading = next()?;
    ensure!(reloading.starts_with("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    ensure!(next()?.trim() == "READY=1", "ready again");
    anna.api.members().await?;
    let said = anna.said();
    anna.stop()?;
    ensure!(next()?.trim() == "STOPPING=1", "stopping");
    let first = said.lines().next().context("a line of the log")?;
    ensure!(first.trim_start().starts_with("DEBUG") && !said.contains('\u{1b}'), "{said}");
    Ok(())
}

#[test]
fn wrong_file_is_wrong_usage() -> Result<()> {
    let lab = Lab::new()?;
    let launch = with_file(&lab, "\nprot = 7000")?;
    let refused = launch.refused()?;
    refused.refused_with(2, "config.toml, line 2")?;
    let mut command = launch.option("--config", "/nowhere").command();
    command.env("XDG_CONFIG_HOME", Path::new("/nowhere"));
    Finished::run(command, "")?.refused_with(1, "/nowhere")?;
    Ok(())
}
