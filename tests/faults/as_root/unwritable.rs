//! Unwritable directories and nonsensical environments: the node starts, or explains the problem in
//! a line or two.

use crate::record::Record;
use crate::room::launches;
use support::command::Finished;
use support::lab::Lab;
use support::node::Node;
use support::{Result, ensure};

use super::full_disk::Disk;

/// Starts a node on a disk of its own that holds a message.
async fn node_with_a_message() -> Result<(Lab, Disk, Node, Record)> {
    let lab = Lab::new()?;
    let disk = Disk::new(&lab.data_dir("anna"), "8m")?;
    let anna = launches(&lab, 1).remove(0).start()?;
    let record = Record::default();
    record.say(&anna, "before").await?;
    Ok((lab, disk, anna, record))
}

#[tokio::test]
async fn unwritable_data_directory_is_refused_unchanged() -> Result<()> {
    let (_lab, disk, anna, record) = node_with_a_message().await?;
    let launch = anna.stop()?;
    disk.change("ro")?;
    launch.refused()?.refused_with(1, "--data-dir")?;
    disk.change("rw")?;
    let anna = launch.start()?;
    record.check(&[&anna]).await?;
    anna.stop()?;
    Ok(())
}

#[tokio::test]
async fn read_only_disk_stops_the_node_with_an_error() -> Result<()> {
    let (_lab, disk, anna, record) = node_with_a_message().await?;
    // The system does the same after errors. Open files stay writable here, so the next start
    // fails.
    let launch = anna.kill()?;
    disk.change("ro")?;
    launch.refused()?.refused_with(1, "--data-dir")?;
    disk.change("rw")?;
    record.check(&[&launch.start()?]).await
}

#[tokio::test]
async fn missing_home_is_reported_in_one_line() -> Result<()> {
    let lab = Lab::new()?;
    let mut command = launches(&lab, 1).remove(0).without("--data-dir").command();
    // Not even root can make a directory there.
    command.env("HOME", "/proc/nobody").env_remove("XDG_DATA_HOME");
    Finished::run(command, "")?.refused_with(1, "--data-dir")
}

#[tokio::test]
async fn garbage_environment_does_not_prevent_a_start() -> Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let lab = Lab::new()?;
    let launch = launches(&lab, 1).remove(0).without("--name");
    let nonsense = ["LC_ALL=xx_YY.nothing", "LANG=\u{fffd}", "TZ=Nowhere/Land", "LOGNAME=", "USER=", "HOME=relative"];
    let words: Vec<&str> = ["env"].into_iter().chain(nonsense).collect();
    let anna = launch.clone().through(&words).start()?;
    let record = Record::default();
    record.say(&anna, "it runs").await?;
    ensure!(anna.ready["name"].as_str().is_some_and(|name| !name.is_empty()), "{}", anna.ready);
    let launch_again = anna.stop()?;
    let mut odd = launch_again.command();
    odd.env("USER", OsStr::from_bytes(b"\xff\xfe")).env("LC_ALL", OsStr::from_bytes(b"\xff")).arg("--help");
    let odd = Finished::run(odd, "")?;
    ensure!(odd.status.success(), "{odd:?}");
    Ok(())
}
