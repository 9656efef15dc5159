//! Other users of the machine: they cannot use the page's port, and a port that they took over
//! gives them nothing.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::lab::Lab;
use support::node::Node;
use support::second_user::{AS_NOBODY, NOBODY, has_second_user, home_of_nobody};
use support::wait::until;
use support::{Context, Result, ensure};

/// Requests `/healthz` from `$0` at port `$1` with the host name `$2`, and prints the whole answer.
const ASK: &str = r#"exec 3<>"/dev/tcp/$0/$1" && printf 'GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" >&3 && cat <&3"#;

/// The addresses at which a browser connects to the page, and IPv4 as written by programs that know
/// only IPv6.
const ADDRESSES: [&str; 3] = ["127.0.0.1", "::ffff:127.0.0.1", "::1"];

/// How often two threads of another user connect in the test of a flood.
const FLOOD: usize = 3_000;

/// The name and the port of a node's page.
fn host_and_port(node: &Node) -> Result<(&str, &str)> {
    let link = node.web()?.strip_prefix("http://").context("a link")?;
    link.split_once('/').and_then(|(host, _)| host.split_once(':')).context("a port")
}

/// What a user is answered who asks a node at `address`.
fn ask(as_user: &[&str], node: &Node, address: &str) -> Result<String> {
    let (host, port) = host_and_port(node)?;
    let words = [as_user, &["bash", "-c", ASK, address, port, host]].concat();
    let output = Command::new(words[0]).args(&words[1..]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A number in `/proc/PID/status`.
fn status(node: &Node, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("a line")?;
    Ok(line.trim_start_matches(':').trim_end_matches("kB").trim().parse()?)
}

#[tokio::test]
async fn connections_of_other_users_are_closed_if_shared() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").option("--shared", "yes").start()?;
    for address in ADDRESSES {
        let ours = ask(&[], &node, address)?;
        ensure!(ours.ends_with("ok"), "our own at {address}: {ours:?}");
        let theirs = ask(&AS_NOBODY, &node, address)?;
        ensure!(theirs.is_empty(), "another user's at {address}: {theirs:?}");
    }
    // On a machine that is not shared no user is kept out, and nothing is looked up.
    let node = node.stop()?.option("--shared", "no").start()?;
    let theirs = ask(&AS_NOBODY, &node, "127.0.0.1")?;
    ensure!(theirs.ends_with("ok"), "{theirs:?}");
    Ok(())
}

#[tokio::test]
async fn other_users_stay_out_without_descriptors() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").option("--shared", "yes").start()?;
    // One descriptor is left: the connection itself takes it, and no file can be opened to check
    // its owner.
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.pid()))?.flatten();
    let open: BTreeSet<u32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let second_free = (0..).filter(|number| !open.contains(number)).nth(1).context("a number")?;
    let limit = format!("--nofile={second_free}");
    let limited = Command::new("prlimit").args(["--pid", &node.pid().to_string(), &limit]).status()?;
    ensure!(limited.success(), "prlimit: {limited}");
    for _ in 0..3 {
        let theirs = ask(&AS_NOBODY, &node, "127.0.0.1")?;
        ensure!(theirs.is_empty(), "another user's: {theirs:?}");
    }
    until("our own is answered", async || {
        let ours = ask(&[], &node, "127.0.0.1")?;
        ensure!(ours.ends_with("ok"), "our own: {ours:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn floods_of_connections_cost_no_threads_or_memory() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").option("--shared", "yes").start()?;
    let port: u16 = host_and_port(&node)?.1.parse()?;
    node.api.get("/api/v1/node").await?;
    let (threads, kib) = (status(&node, "Threads")?, status(&node, "VmRSS")?);

    let attackers: Vec<_> = (0..2).map(|_| std::thread::spawn(move || flood(port))).collect();
    let (mut threads_max, mut kib_max) = (threads, kib);
    while attackers.iter().any(|attacker| !attacker.is_finished()) {
        // Commands and the chat go on meanwhile.
        node.api.get("/api/v1/node").await?;
        threads_max = threads_max.max(status(&node, "Threads")?);
        kib_max = kib_max.max(status(&node, "VmRSS")?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for attacker in attackers {
        attacker.join().map_err(|_| anyhow::anyhow!("an attacker panicked"))??;
    }
    println!("threads {threads} to {threads_max}, memory {kib} to {kib_max} KiB");
    ensure!(threads_max < threads + 16, "{threads} threads became {threads_max}");
    ensure!(kib_max < kib + 32 * 1024, "{kib} KiB became {kib_max}");
    let ours = ask(&[], &node, "127.0.0.1")?;
    ensure!(ours.ends_with("ok"), "our own: {ours:?}");
    Ok(())
}

/// Connects repeatedly as another user. Each connection leaves a row in the kernel's socket table.
fn flood(port: u16) -> Result<()> {
    let nobody = rustix::thread::Uid::from_raw(NOBODY.parse()?);
    rustix::thread::set_thread_res_uid(None, nobody, None)?;
    for _ in 0..FLOOD {
        // A full queue refuses some.
        drop(std::net::TcpStream::connect(("127.0.0.1", port)));
    }
    Ok(())
}

#[tokio::test]
async fn hijacked_port_invalidates_old_links() -> Result<()> {
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
    // A start that insists on the port fails, and the old link is invalid all the same.
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

/// A person whom no file lists.
const UNLISTED: &str = "1234";

/// Starts `$@` on a machine of its own, whose list of users is `$0`.
const WITH_PASSWD: &str = r#"mount --bind "$0" /etc/passwd && exec "$@""#;

/// The same as [`WITH_PASSWD`], for an unprivileged user who cannot see processes of others.
const WITH_HIDEPID: &str = r#"mount --bind "$0" /etc/passwd && mount -t proc -o hidepid=2 proc /proc &&
    exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@""#;

/// A list of users in which root is alone.
fn passwd(lab: &Lab) -> Result<String> {
    let path = lab.dir().join("passwd");
    std::fs::write(&path, "root:x:0:0:root:/root:/bin/bash\n")?;
    Ok(path.display().to_string())
}

/// A process of [`UNLISTED`], which ends with the test.
struct Visitor(Child);

impl Visitor {
    fn start() -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", UNLISTED, "--regid", UNLISTED, "--clear-groups", "cat"]);
        let mut visitor = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        // Once it answers, it has become the other user.
        visitor.0.stdin.as_mut().context("a pipe")?.write_all(b"here")?;
        visitor.0.stdout.as_mut().context("a pipe")?.read_exact(&mut [0; 4])?;
        Ok(visitor)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn processes_of_others_make_a_machine_shared() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let words = ["unshare", "--mount", "sh", "-c", WITH_PASSWD, &passwd(&lab)?];
    let launch = lab.node("anna").host("127.0.0.1").option("--shared", "auto").through(&words);
    let _visitor = Visitor::start()?;
    let node = launch.start()?;
    ensure!(host_and_port(&node)?.0.ends_with(".localhost"), "{}", node.web()?);
    Ok(())
}

#[tokio::test]
async fn hidden_processes_make_a_machine_shared() -> Result<()> {
    if !has_second_user()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let (program, data_dir) = home_of_nobody(&lab)?;
    let words = ["unshare", "--mount", "sh", "-c", WITH_HIDEPID, &passwd(&lab)?];
    let launch = lab.node("eve").host("127.0.0.1").option("--shared", "auto").program(&program);
    let node = launch.option("--data-dir", &data_dir.display().to_string()).through(&words).start()?;
    ensure!(host_and_port(&node)?.0.ends_with(".localhost"), "{}", node.web()?);
    Ok(())
}
