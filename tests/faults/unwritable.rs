//! Places where nothing can be kept, and environments that say nonsense: started, or explained in a line or two.

use crate::common::command::Finished;
use crate::common::lab::Lab;
use crate::common::{Result, ensure};
use crate::judge::Record;
use crate::room::launches;

use super::full_disk::Disk;

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_refused_and_left_as_it_was() -> Result<()> {
    let lab = Lab::new()?;
    let disk = Disk::new(&lab.data_dir("anna"), "8m")?;
    let launch = launches(&lab, 1).remove(0);
    let anna = launch.start()?;
    let record = Record::default();
    record.say(&anna, "before").await?;
    anna.stop()?;
    disk.change("ro")?;
    launch.refused()?.refused_with(1, "--data-dir")?;
    disk.change("rw")?;
    let anna = launch.start()?;
    record.judge(&[&anna]).await?;
    anna.stop()?;
    Ok(())
}

#[tokio::test]
async fn a_disk_that_turns_read_only_stops_the_node_with_a_word() -> Result<()> {
    let lab = Lab::new()?;
    let disk = Disk::new(&lab.data_dir("anna"), "8m")?;
    let launch = launches(&lab, 1).remove(0);
    let anna = launch.start()?;
    let record = Record::default();
    record.say(&anna, "before").await?;
    // As the system does by itself after errors. What is open stays writable here, so the next start meets it.
    let anna = anna.kill()?;
    disk.change("ro")?;
    anna.refused()?.refused_with(1, "--data-dir")?;
    disk.change("rw")?;
    record.judge(&[&launch.start()?]).await
}

#[tokio::test]
async fn without_a_home_the_start_is_refused_in_a_line() -> Result<()> {
    let lab = Lab::new()?;
    let mut command = launches(&lab, 1).remove(0).without("--data-dir").command();
    // Not even root can make a directory there.
    command.env("HOME", "/proc/nobody").env_remove("XDG_DATA_HOME");
    Finished::run(command, "")?.refused_with(1, "--data-dir")
}

#[tokio::test]
async fn an_environment_of_nonsense_is_no_obstacle() -> Result<()> {
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
