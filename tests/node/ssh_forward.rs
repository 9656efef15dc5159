//! The page through `ssh -L`, as on a machine without a screen. A real sshd with its own keys and
//! configuration forwards one port to the node's Unix socket and one to its port; the page works
//! through both.

use std::net::TcpStream as Connection;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use support::lab::{Lab, free_port};
use support::node::Node;
use support::wait::{PATIENCE, until};
use support::{Context, Result, Value, bail, ensure, json};

/// Where sshd is, which is on no ordinary user's path.
const SSHD: &str = "/usr/sbin/sshd";

/// A child that does not outlive the test.
pub(super) struct Kept {
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

/// Returns true if sshd can run as this user. Root in a user namespace may not drop groups, as sshd
/// does.
pub(super) fn can_run_sshd() -> Result<bool> {
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

/// Starts an sshd on loopback that admits the current user with a key made for the test, and gives
/// its sessions this environment.
pub(super) async fn sshd(dir: &Path, environment: &[(&str, &str)]) -> Result<(Kept, u16, PathBuf)> {
    let (host_key, key) = (new_key(dir, "host_key")?, new_key(dir, "user_key")?);
    if rustix::process::geteuid().is_root() {
        // Needed by its unprivileged process. The package creates it when the service starts, which
        // never happens here.
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
    let variables: String = environment.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let config = if variables.is_empty() { config } else { format!("{config}SetEnv{variables}\n") };
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
    command.args(["-N", "-o", "ExitOnForwardFailure=yes", "-L", &format!("127.0.0.1:{port}:{target}")]);
    command.args(client_options(sshd));
    command.arg(format!("{}@127.0.0.1", user.trim()));
    let mut ssh = Kept::start(command, dir.join(format!("ssh-{port}.log")))?;
    ssh.listens(&format!("ssh -L {port}:{target}"), port).await?;
    Ok(ssh)
}

/// Options of a client that knows nothing but this sshd.
pub(super) fn client_options((port, key): (u16, &Path)) -> Vec<String> {
    let options = [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ];
    let options = options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]);
    let own = ["-F", "none", "-p", &port.to_string(), "-i", &key.display().to_string()].map(str::to_owned);
    own.into_iter().chain(options).collect()
}

/// The whole answer to a GET.
async fn get(port: u16, path: &str, more: &str) -> Result<String> {
    let answer = exchange(port, &format!("GET {path}"), more, b"").await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The bytes of the answer to any request.
async fn exchange(port: u16, line: &str, more: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("{line} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("no answer in time")??;
    Ok(answer)
}

/// That a file goes through `port` and comes back.
pub(super) async fn carries_a_file(node: &Node, port: u16) -> Result<()> {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 253) as u8).collect();
    let token = format!("Authorization: Bearer {}\r\n", node.api.token());
    let more = format!("{token}Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", bytes.len());
    let answer = exchange(port, "POST /api/v1/files?name=a.bin", &more, &bytes).await?;
    let answer = String::from_utf8(answer)?;
    ensure!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let file: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).context("a body")?)?;
    let path = format!("GET /api/v1/files/{}", file["content"].as_str().context("a content")?);
    let answer = exchange(port, &path, &token, b"").await?;
    ensure!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&bytes), "{} bytes", answer.len());
    Ok(())
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
pub(super) async fn serves_the_page(node: &Node, port: u16) -> Result<()> {
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
async fn page_works_over_ssh_to_socket_and_port() -> Result<()> {
    if !can_run_sshd()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").start()?;
    let web = node.web()?.split(['/', ':']).nth(4).context("a port")?.to_owned();
    let (_sshd, at, key) = sshd(lab.dir(), &[]).await?;
    for target in [node.api.socket().display().to_string(), format!("127.0.0.1:{web}")] {
        let port = free_port()?;
        let forwarded = forward(lab.dir(), (at, &key), port, &target).await;
        let said = || std::fs::read_to_string(lab.dir().join("sshd.log")).unwrap_or_default();
        let _ssh = forwarded.with_context(said)?;
        serves_the_page(&node, port).await.with_context(|| target.clone())?;
    }
    Ok(())
}
