//! The page through `ssh -L`, as on a machine without a screen: a real sshd, with keys and a config of its own, forwards
//! one port to the node's Unix socket and one to its port, and the page works through both under a third port number.

use std::net::TcpStream as Connection;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::common::lab::{Lab, free_port};
use super::common::node::Node;
use super::common::wait::{PATIENCE, until};
use super::common::{Context, Result, Value, bail, ensure, json};

/// Where sshd is, which is on no ordinary user's path.
const SSHD: &str = "/usr/sbin/sshd";

/// A child that does not outlive the test.
struct Kept {
    child: Child,
    log: PathBuf,
}

impl Kept {
    fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let said = std::fs::File::create(&log)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?;
        Ok(Self { child, log })
    }

    /// That something listens on `port` of loopback, or why it never will.
    async fn listens(&mut self, what: &str, port: u16) -> Result<()> {
        let (child, log) = (&mut self.child, &self.log);
        let listening = until(what, async || match child.try_wait()? {
            // Not asked again and again: nothing will come of it any more.
            Some(status) => Ok(Err(format!("{what} ended with {status}:\n{}", std::fs::read_to_string(log)?))),
            None => Ok(Ok(Connection::connect(("127.0.0.1", port)).map(drop)?)),
        });
        listening.await?.map_err(anyhow::Error::msg)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- {} ---\n{}", self.log.display(), std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// Whether sshd can run as who this is. Root of a user namespace of its own is told to give up groups that it may not.
fn can_run_sshd() -> Result<bool> {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_root = rustix::process::geteuid().is_root();
    let fits = !is_root || map.split_whitespace().eq(["0", "0", "4294967295"]);
    if !fits {
        ensure!(std::env::var_os("CI").is_none(), "sshd can't run here, which CI must have");
        println!("NOT TESTED: ssh -L, since sshd can't run as root of a user namespace");
    }
    Ok(fits)
}

fn new_key(dir: &Path, name: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).output()?;
    ensure!(made.status.success(), "{made:?}");
    Ok(path)
}

/// An sshd on loopback that lets in whoever runs the test, with the key that is made for it.
async fn sshd(dir: &Path) -> Result<(Kept, u16, PathBuf)> {
    let (host_key, key) = (new_key(dir, "host_key")?, new_key(dir, "user_key")?);
    if rustix::process::geteuid().is_root() {
        // Where its unprivileged half lives; the package makes it when the service starts, which it never does here.
        std::fs::create_dir_all("/run/sshd")?;
    }
    let port = free_port()?;
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nAllowTcpForwarding yes\n\
         AllowStreamLocalForwarding yes\n",
        host_key.display(),
        key.with_extension("pub").display(),
    );
    let file = dir.join("sshd_config");
    std::fs::write(&file, config)?;
    let mut command = Command::new(SSHD);
    command.args(["-D", "-e", "-f"]).arg(file);
    let mut sshd = Kept::start(command, dir.join("sshd.log"))?;
    sshd.listens("sshd", port).await?;
    Ok((sshd, port, key))
}

/// Forwards `port` of loopback to `target`, as the user's own machine would.
async fn forward(dir: &Path, sshd: (u16, &Path), port: u16, target: &str) -> Result<Kept> {
    let user = Command::new("id").arg("-un").output()?.stdout;
    let user = String::from_utf8(user)?;
    let mut command = Command::new("ssh");
    command.args([
        "-N",
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "ExitOnForwardFailure=yes",
    ]);
    command.args([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "GlobalKnownHostsFile=/dev/null",
    ]);
    command.arg("-i").arg(sshd.1).args(["-p", &sshd.0.to_string(), "-L", &format!("127.0.0.1:{port}:{target}")]);
    command.arg(format!("{}@127.0.0.1", user.trim()));
    let mut ssh = Kept::start(command, dir.join(format!("ssh-{port}.log")))?;
    ssh.listens(&format!("ssh -L {port}:{target}"), port).await?;
    Ok(ssh)
}

/// The whole answer to a GET.
async fn get(port: u16, path: &str, more: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("no answer in time")??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The first frame that a page is sent after its hello, when it was opened at `port`.
async fn welcome(port: u16, token: &str) -> Result<Value> {
    let mut request = format!("ws://127.0.0.1:{port}/ws").into_client_request()?;
    request.headers_mut().insert("origin", format!("http://127.0.0.1:{port}").parse()?);
    let upgrade = client_async(request, TcpStream::connect(("127.0.0.1", port)).await?);
    let (mut socket, _) = tokio::time::timeout(PATIENCE, upgrade).await.context("no upgrade in time")??;
    socket.send(Message::text(json!({ "type": "hello", "token": token }).to_string())).await?;
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.context("no frame in time")?;
    match frame.context("the socket ended")?? {
        Message::Text(text) => Ok(serde_json::from_str(&text)?),
        other => bail!("no welcome: {other:?}"),
    }
}

/// That everything a page needs works through `port`.
async fn serves_the_page(node: &Node, port: u16) -> Result<()> {
    let shell = get(port, "/", "").await?;
    ensure!(shell.starts_with("HTTP/1.1 200 ") && shell.contains("<html"), "{shell}");
    ensure!(shell.contains(&format!("connect-src 'self' ws://localhost:{port};")), "{shell}");
    let part = shell.split('"').find(|text| text.starts_with("/static/")).context("a part of the page")?;
    ensure!(get(port, part, "").await?.starts_with("HTTP/1.1 200 "), "{part}");
    ensure!(get(port, "/api/v1/node", "").await?.starts_with("HTTP/1.1 401 "), "data without the token");
    let welcome = welcome(port, node.api.token()).await?;
    ensure!(welcome["type"] == "welcome" && welcome["node"]["id"] == node.id(), "{welcome}");
    let bearer = format!("Authorization: Bearer {}\r\n", welcome["bearer"].as_str().context("a bearer")?);
    ensure!(get(port, "/api/v1/members", &bearer).await?.contains(node.id()), "data with the page's bearer");
    let link = node.run(&["url", "--port", &port.to_string()])?.stdout;
    ensure!(link == format!("http://127.0.0.1:{port}/#token={}\n", node.api.token()), "{link}");
    Ok(())
}

#[tokio::test]
async fn the_page_works_through_ssh_to_the_socket_and_to_the_port() -> Result<()> {
    if !can_run_sshd()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").start()?;
    let web = node.web()?.split(['/', ':']).nth(4).context("a port")?.to_owned();
    let (_sshd, at, key) = sshd(lab.dir()).await?;
    for target in [node.api.socket().display().to_string(), format!("127.0.0.1:{web}")] {
        let port = free_port()?;
        let forwarded = forward(lab.dir(), (at, &key), port, &target).await;
        let said = || std::fs::read_to_string(lab.dir().join("sshd.log")).unwrap_or_default();
        let _ssh = forwarded.with_context(said)?;
        serves_the_page(&node, port).await.with_context(|| target.clone())?;
    }
    Ok(())
}
