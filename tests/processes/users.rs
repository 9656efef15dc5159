//! Other users of the same machine: the port of the page is not for them, and one that they took over opens nothing.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use super::common::lab::Lab;
use super::common::node::PROGRAM;
use super::common::{Context, Result, ensure};

/// The user that owns nothing.
const NOBODY: &str = "65534";

/// What makes a program run as that user.
const AS_NOBODY: [&str; 6] = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];

/// Asks whether the node is there, and gives the whole answer.
const ASK: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$0" && printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3 && cat <&3"#;

/// Whether there is a second user to be had; where there is none, that is said.
fn has_second_user() -> Result<bool> {
    let can_become = Command::new(AS_NOBODY[0]).args(&AS_NOBODY[1..]).arg("true").status()?.success();
    if !can_become {
        ensure!(std::env::var_os("CI").is_none(), "no second user can be had here, which CI must have");
        println!("NOT TESTED: another user, since this one cannot become another");
    }
    Ok(can_become)
}

/// A directory of the second user's in the lab, and a copy of the program that it can start.
fn home_of_nobody(lab: &Lab) -> Result<(PathBuf, PathBuf)> {
    let theirs = lab.dir().join("theirs");
    std::fs::create_dir(&theirs)?;
    for directory in [lab.dir(), &theirs] {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755))?;
    }
    let program = theirs.join("roomful");
    std::fs::copy(PROGRAM, &program)?;
    let data_dir = theirs.join("data");
    std::fs::create_dir(&data_dir)?;
    let id: u32 = NOBODY.parse()?;
    chown(&data_dir, Some(id), Some(id))?;
    Ok((program, data_dir))
}

#[tokio::test]
async fn connections_of_other_users_to_the_page_are_closed() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").start()?;
    let web = node.web()?;
    let port = web.split(['/', ':']).nth(4).context("a port")?;
    let ours = Command::new("bash").args(["-c", ASK, port]).output()?;
    ensure!(String::from_utf8_lossy(&ours.stdout).ends_with("ok"), "our own: {ours:?}");
    let theirs = Command::new(AS_NOBODY[0]).args(&AS_NOBODY[1..]).args(["bash", "-c", ASK, port]).output()?;
    ensure!(theirs.stdout.is_empty(), "another user's: {theirs:?}");
    Ok(())
}

#[tokio::test]
async fn a_port_that_another_user_took_over_makes_old_links_worthless() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let port = anna.web()?.split(['/', ':']).nth(4).context("a port")?.to_owned();
    let token = anna.api.token().to_owned();
    let launch = anna.stop()?.option("--web-port", &port);

    // By itself a restart changes nothing.
    let anna = launch.start()?;
    ensure!(anna.api.token() == token, "a restart made a new token");
    let launch = anna.stop()?;

    let (program, data_dir) = home_of_nobody(&lab)?;
    let squatter = lab.node("eve").host("127.0.0.9").option("--web-port", &port).program(&program);
    let squatter = squatter.option("--data-dir", &data_dir.display().to_string()).through(&AS_NOBODY).start()?;
    // Whoever insists on the port is refused, and the old link is worthless all the same.
    let refused = launch.refused()?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    let kept = std::fs::read_to_string(lab.data_dir("anna").join("token"))?;
    ensure!(kept.trim() != token, "the token that the port's old links carry still opens the page");

    let anna = launch.clone().option("--web-port", "0").start()?;
    ensure!(anna.api.token() != token && !anna.web()?.contains(&token), "{}", anna.web()?);
    ensure!(!anna.web()?.contains(&format!(":{port}/")), "{}", anna.web()?);
    let said = anna.said();
    ensure!(said.contains(&format!("port {port}")) && said.contains(&format!("user {NOBODY}")), "{said}");
    // The new port is the one that counts from now on.
    let token = anna.api.token().to_owned();
    let anna = anna.stop()?.start()?;
    ensure!(anna.api.token() == token, "a port that is ours no more was looked at again");
    anna.stop()?;
    squatter.stop()?;
    Ok(())
}
