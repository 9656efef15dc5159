//! The other side of `roomful ssh`: `roomful tunnel`, which ssh runs on the machine of the node.
//!
//! It links a path that the local side chose to the page's socket, prints the token, and removes
//! the path when its standard input ends. While it runs it watches the node: a new token is printed
//! again, and without a node it ends.

use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::client::{Error, NodeClient, print};

/// Exit statuses, by which the local side knows what happened.
const NO_ROOMFUL: i32 = 87;
const NO_NODE: i32 = 88;
const NOT_STARTED: i32 = 89;
const NODE_GONE: i32 = 90;

/// The status of a shell that finds no program.
const NOT_FOUND: i32 = 127;

/// Time for a node to start, or to restart, in seconds.
const START_SECONDS_MAX: u64 = 15;

/// Interval of the checks whether the node runs, in milliseconds.
const CHECK_MS: u64 = 1_000;

/// Returns the path of the socket for a random `name` of 32 hex digits.
pub(super) fn socket_path(name: &str) -> PathBuf {
    PathBuf::from(format!("/tmp/roomful-{name}/page.sock"))
}

/// Returns the command line for the other side's login shell, whichever that is. It looks where
/// programs of a user usually are, since a shell of ssh reads no profile.
pub(super) fn command(name: &str, start: bool) -> String {
    let start = if start { " --start" } else { "" };
    format!(
        "exec sh -c 'PATH=$PATH:$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin; command -v roomful >/dev/null 2>&1 || \
         exit {NO_ROOMFUL}; exec roomful tunnel {name}{start}'"
    )
}

/// Returns the error for the status with which the other side ended.
pub(super) fn error(status: i32, host: &str) -> Error {
    let host = host.to_owned();
    match status {
        NO_ROOMFUL | NOT_FOUND => Error::NoRoomfulThere(host),
        NO_NODE => Error::NoNodeThere(host),
        NOT_STARTED => Error::NotStartedThere(host),
        NODE_GONE => Error::NodeGoneThere(host),
        _ => Error::OddThere { host, status },
    }
}

/// Serves the local side until standard input ends. Returns the exit status.
pub async fn tunnel(data_dir: Option<&Path>, name: &str, start: bool) -> Result<u8, Error> {
    let status = serve(data_dir, name, start).await?;
    Ok(u8::try_from(status).unwrap_or(1))
}

async fn serve(data_dir: Option<&Path>, name: &str, start: bool) -> Result<i32, Error> {
    let node = match running(data_dir).await {
        Some(node) => node,
        None if !start => return Ok(NO_NODE),
        None => {
            if start_node(data_dir).is_err() {
                return Ok(NOT_STARTED);
            }
            let Some(node) = running_within(data_dir, START_SECONDS_MAX).await else { return Ok(NOT_STARTED) };
            node
        }
    };
    let link = SocketLink::new(name, &node.run.socket).map_err(Error::Input)?;
    print::line(&node.token)?;
    tokio::select! {
        status = watch(data_dir, node, &link) => status,
        () = input_end() => Ok(0),
    }
}

/// Waits until the node is gone. A restarted node goes on with the same link; its token is printed
/// if it is another one.
async fn watch(data_dir: Option<&Path>, mut node: NodeClient, link: &SocketLink) -> Result<i32, Error> {
    loop {
        sleep(Duration::from_millis(CHECK_MS)).await;
        let Some(now) = running_within(data_dir, START_SECONDS_MAX).await else { return Ok(NODE_GONE) };
        if now.run.socket != node.run.socket {
            link.set(&now.run.socket).map_err(Error::Input)?;
        }
        if *now.token != *node.token {
            print::line(&now.token)?;
        }
        node = now;
    }
}

async fn running(data_dir: Option<&Path>) -> Option<NodeClient> {
    let node = NodeClient::find(data_dir).ok()?;
    node.connect().await.ok()?;
    Some(node)
}

async fn running_within(data_dir: Option<&Path>, seconds: u64) -> Option<NodeClient> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match running(data_dir).await {
            None if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
            found => return found,
        }
    }
}

/// Starts a node that stays when the connection ends: as the service if there is one, else as a
/// process of its own.
fn start_node(data_dir: Option<&Path>) -> io::Result<()> {
    let quiet = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    };
    if data_dir == crate::config::default_data_dir().as_deref() {
        let mut service = Command::new("systemctl");
        quiet(service.args(["--user", "start", "roomful"]));
        if service.status().is_ok_and(|status| status.success()) {
            return Ok(());
        }
    }
    let mut node = Command::new(std::env::current_exe()?);
    if let Some(dir) = data_dir {
        node.arg("--data-dir").arg(dir);
    }
    quiet(node.process_group(0).current_dir("/"));
    node.spawn().map(drop)
}

/// Waits until standard input ends, which is the end of the connection.
async fn input_end() {
    let (sender, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = [0; 64];
        while matches!(io::stdin().lock().read(&mut rest), Ok(1..)) {}
        _ = sender.send(());
    });
    _ = ended.await;
}

/// The path that the local side forwards to. It is removed when it is dropped.
struct SocketLink(PathBuf);

impl SocketLink {
    /// Links the path called `name` to `socket`. Another user can't have made the directory, since
    /// the name is random and new.
    fn new(name: &str, socket: &Path) -> io::Result<Self> {
        let path = socket_path(name);
        let dir = path.parent().map(Path::to_owned).unwrap_or_default();
        std::fs::DirBuilder::new().mode(0o700).create(dir)?;
        let link = Self(path);
        link.set(socket)?;
        Ok(link)
    }

    fn set(&self, socket: &Path) -> io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink(socket, &self.0),
        }
    }
}

impl Drop for SocketLink {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
        if let Some(dir) = self.0.parent() {
            _ = std::fs::remove_dir(dir);
        }
    }
}
