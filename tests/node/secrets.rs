//! Secrets: not in `ps`, not in logs of any level, not in a core dump.

use std::process::Command;

use rustix::process::Signal;

use support::command::Finished;
use support::lab::Lab;
use support::node::{Node, PROGRAM};
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, ensure, json};

/// A file of the node's process under `/proc`.
fn proc(node: &Node, name: &str) -> Result<String> {
    let path = format!("/proc/{}/{name}", node.pid());
    Ok(String::from_utf8_lossy(&std::fs::read(&path).context(path)?).into_owned())
}

/// That none of the secrets stands in what `place` says.
fn holds_none(secrets: &[String], place: &str, text: &str) -> Result<()> {
    for secret in secrets {
        let in_hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let at = text.find(secret.as_str()).or_else(|| text.find(&in_hex));
        ensure!(
            at.is_none(),
            "{place} holds a secret: {}…",
            &text[at.unwrap_or(0).saturating_sub(200)..at.unwrap_or(0)]
        );
    }
    Ok(())
}

/// Uses a node in every way that takes a secret, and gives them all.
async fn use_it(node: &Node) -> Result<Vec<String>> {
    let mut secrets = vec![node.api.token().to_owned()];
    let tab = Tab::open(&node.api).await?;
    secrets.push(tab.welcome["bearer"].as_str().context("a bearer")?.to_owned());
    node.api.say("said over HTTP").await?;
    let mut wrong = node.api.request(hyper::Method::GET, "/api/v1/node", None)?;
    let near = format!("{}0", &node.api.token()[..63]);
    wrong.headers_mut().insert("authorization", format!("Bearer {near}").parse()?);
    ensure!(node.api.send(wrong).await?.status == 401 || near == node.api.token(), "a wrong token");
    let refused = Tab::resume(&node.api, "no such run", 1).await?;
    drop((tab, refused));
    let rotated = node.api.post("/api/v1/token/rotate", &json!({})).await?.with(200)?;
    secrets.push(rotated["token"].as_str().context("a token")?.to_owned());
    let key = std::fs::read_to_string(node.data_dir.join("key"))?;
    secrets.push(key.trim().to_owned());
    Ok(secrets)
}

#[tokio::test]
async fn no_log_level_reveals_a_secret() -> Result<()> {
    let lab = Lab::new()?;
    let mut command = Command::new(&*PROGRAM);
    command.arg("key");
    let words = Finished::run(command, "")?.stdout;
    let keyed = lab.dir().join("key");
    std::fs::write(&keyed, &words)?;
    std::fs::set_permissions(&keyed, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let launch = |name| lab.node(name).option("--room-key-file", &keyed.display().to_string());
    let anna = launch("anna").host("127.0.0.1").option("--log", "trace").start()?;
    let through = ["env", "RUST_LOG=trace"];
    let ben = launch("ben").host("127.0.0.2").through(&through).start()?;
    until("they have met", async || super::all_met(&[&anna, &ben]).await).await?;
    for node in [&anna, &ben] {
        let mut secrets = use_it(node).await?;
        secrets.push(words.trim().to_owned());
        holds_none(&secrets, "the command line", &proc(node, "cmdline")?)?;
        holds_none(&secrets, "the environment", &proc(node, "environ")?)?;
        holds_none(&secrets, "run.json", &std::fs::read_to_string(node.data_dir.join("run.json"))?)?;
        node.signal(Signal::TERM)?;
        until("its last word", async || {
            ensure!(!node.data_dir.join("run.json").exists(), "it still runs");
            Ok(())
        })
        .await?;
        let said = node.said();
        ensure!(said.contains("DEBUG"), "nothing was said: {said}");
        holds_none(&secrets, "the log", &said)?;
    }
    Ok(())
}

#[tokio::test]
async fn crash_leaves_no_core_and_files_are_private() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let limits = proc(&anna, "limits")?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("a limit")?;
    ensure!(core.split_whitespace().skip(4).take(2).eq(["0", "0"]), "{core}");
    let status = proc(&anna, "status")?;
    ensure!(status.contains("Umask:\t0077"), "{status}");
    // What others may not trace, the system gives to root.
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(format!("/proc/{}/environ", anna.pid()))?);
    ensure!(owner == 0, "a debugger of the same user could read its memory: {owner}");
    Ok(())
}
