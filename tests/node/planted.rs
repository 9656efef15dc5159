//! Files planted by another user in a data directory: the node neither writes through them nor
//! trusts them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::command::Finished;
use support::lab::Lab;
use support::node::PROGRAM;
use support::second_user::{AS_NOBODY, NOBODY, has_second_user, home_of_nobody};
use support::wait::until;
use support::{Context, Result, ensure};

/// What a victim's file holds.
const LETTER: &str = "dear diary\n";

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

/// Puts something of this kind at `path`. Links lead to `victim`.
fn plant(kind: &str, path: &Path, victim: &Path) -> Result<()> {
    match kind {
        "symbolic link" => symlink(victim, path)?,
        "hard link" => fs::hard_link(victim, path)?,
        "directory" => fs::create_dir(path)?,
        "regular file" => {
            let made = Command::new("mkfifo").arg(path).status()?;
            ensure!(made.success(), "no pipe was made");
        }
        _ => fs::write(path, "1\n")?,
    }
    Ok(())
}

/// Ends a process with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn planted_lock_is_refused_and_left_alone() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let victim = lab.dir().join("letter");
    fs::write(&victim, LETTER)?;
    let nobody: u32 = NOBODY.parse()?;
    for (number, kind) in ["symbolic link", "hard link", "directory", "regular file"].into_iter().enumerate() {
        let launch = lab.node(&format!("{number}")).host("127.0.0.1");
        let dir = lab.data_dir(&format!("{number}"));
        fs::create_dir(&dir)?;
        plant(kind, &dir.join("lock"), &victim)?;

        // Where others can write, the lock is not even looked at.
        for mode in [0o777, 0o1777, 0o770] {
            set_mode(&dir, mode)?;
            launch.refused()?.refused_with(1, &format!("chmod 700 {}", dir.display()))?;
        }
        // The user closes the directory, and what was planted is still there.
        set_mode(&dir, 0o700)?;
        launch.refused()?.refused_with(1, kind)?;
        if kind != "hard link" {
            lchown(dir.join("lock"), Some(nobody), Some(nobody))?;
            launch.refused()?.refused_with(1, "belongs to another user")?;
        }
        ensure!(fs::read_to_string(&victim)? == LETTER, "the victim's file was changed through a {kind}");
        if kind == "directory" {
            fs::remove_dir(dir.join("lock"))?;
        } else {
            fs::remove_file(dir.join("lock"))?;
        }
        launch.start()?.stop()?;
    }
    Ok(())
}

#[tokio::test]
async fn foreign_lock_is_no_running_node() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let dir = lab.data_dir("anna");
    fs::create_dir(&dir)?;
    set_mode(&dir, 0o777)?;
    set_mode(lab.dir(), 0o755)?;
    let lock = dir.join("lock");
    let hold = "echo 1 > \"$0\" && exec flock --exclusive --no-fork \"$0\" sh -c 'echo held; exec sleep 600'";
    let mut holder = Command::new(AS_NOBODY[0]);
    holder.args(&AS_NOBODY[1..]).args(["sh", "-c", hold]).arg(&lock).stdout(Stdio::piped());
    let mut holder = Ended(holder.spawn()?);
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.0.stdout.as_mut().context("a pipe")?, &mut held)?;
    for (mode, reason) in [(0o777, "chmod 700"), (0o700, "belongs to another user")] {
        set_mode(&dir, mode)?;
        let refused = lab.node("anna").host("127.0.0.1").refused()?;
        refused.refused_with(1, reason)?;
        ensure!(!refused.stderr.contains("in use"), "{}", refused.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn link_of_another_user_to_the_directory_is_refused() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let other = lab.data_dir("other");
    fs::create_dir(&other)?;
    set_mode(&other, 0o700)?;
    let link = lab.data_dir("anna");
    symlink(&other, &link)?;
    let launch = lab.node("anna").host("127.0.0.1");
    // The user's own link is as good as the directory.
    launch.start()?.stop()?;
    let nobody: u32 = NOBODY.parse()?;
    lchown(&link, Some(nobody), Some(nobody))?;
    launch.refused()?.refused_with(1, "symbolic link of another user")
}

#[tokio::test]
async fn commands_believe_only_files_of_their_user() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let (program, data_dir) = home_of_nobody(&lab)?;
    let eve = lab.node("eve").host("127.0.0.2").program(&program);
    let eve = eve.option("--data-dir", &data_dir.display().to_string()).through(&AS_NOBODY).start()?;
    let mut command = Command::new(&*PROGRAM);
    command.args(["url", "--data-dir"]).arg(&data_dir);
    Finished::run(command, "")?.refused_with(1, "run.json")?;

    // A file of the user's own that leads to another user's socket: the token is not sent there.
    let run = fs::read_to_string(anna.data_dir.join("run.json"))?;
    let socket = |node: &support::node::Node| node.api.socket().display().to_string();
    fs::write(anna.data_dir.join("run.json"), run.replace(&socket(&anna), &socket(&eve)))?;
    anna.run(&["members"])?.refused_with(1, "page.sock")?;
    eve.stop()?;
    // Nor is a link followed, or a pipe waited for.
    fs::rename(anna.data_dir.join("run.json"), lab.dir().join("run.json"))?;
    symlink(lab.dir().join("run.json"), anna.data_dir.join("run.json"))?;
    anna.run(&["members"])?.refused_with(1, "run.json")?;
    fs::remove_file(anna.data_dir.join("run.json"))?;
    plant("regular file", &anna.data_dir.join("run.json"), Path::new(""))?;
    anna.run(&["members"])?.refused_with(1, "run.json")?;
    fs::write(lab.dir().join("run.json"), &run)?;
    fs::rename(lab.dir().join("run.json"), anna.data_dir.join("run.json"))?;
    until("commands work again", async || {
        ensure!(anna.run(&["members"])?.status.success(), "no members");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn socket_that_others_could_replace_is_refused() -> Result<()> {
    let lab = Lab::new()?;
    let open = lab.dir().join("open");
    fs::create_dir(&open)?;
    let socket = open.join("s").display().to_string();
    let launch = lab.node("anna").host("127.0.0.1").option("--web-socket", &socket);
    set_mode(&open, 0o777)?;
    launch.refused()?.refused_with(1, "other users can replace")?;
    // As in /tmp, where each user owns their own entries.
    set_mode(&open, 0o1777)?;
    launch.start()?.stop()?;
    Ok(())
}
