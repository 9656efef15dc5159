//! Other users of the same machine: the port of the page is not for them.

use std::process::Command;

use super::common::lab::Lab;
use super::common::{Context, Result, ensure};

/// The user that owns nothing.
const NOBODY: &str = "65534";

/// Asks whether the node is there, and gives the whole answer.
const ASK: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$0" && printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3 && cat <&3"#;

#[tokio::test]
async fn connections_of_other_users_to_the_page_are_closed() -> Result<()> {
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").start()?;
    let web = node.web()?;
    let port = web.split(['/', ':']).nth(4).context("a port")?;
    let as_nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    if !Command::new(as_nobody[0]).args(&as_nobody[1..]).arg("true").status()?.success() {
        ensure!(std::env::var_os("CI").is_none(), "no second user can be had here, which CI must have");
        println!("NOT TESTED: another user, since this one cannot become another");
        return Ok(());
    }
    let ours = Command::new("bash").args(["-c", ASK, port]).output()?;
    ensure!(String::from_utf8_lossy(&ours.stdout).ends_with("ok"), "our own: {ours:?}");
    let theirs = Command::new(as_nobody[0]).args(&as_nobody[1..]).args(["bash", "-c", ASK, port]).output()?;
    ensure!(theirs.stdout.is_empty(), "another user's: {theirs:?}");
    Ok(())
}
