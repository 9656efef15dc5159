//! `roomful ssh` over a real sshd: the page through its tunnel, lost connections, and errors.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process};
use support::command::{Finished, lines_of};
use support::lab::{Lab, free_port};
use support::node::{Launch, PROGRAM};
use support::wait::{PATIENCE, until};
use support::{Context, Result, bail, ensure};

use super::ssh_forward::{Kept, can_run_sshd, carries_a_file, client_options, serves_the_page, sshd};

/// A machine to log in to, with a home of its own.
struct Remote {
    _sshd: Kept,
    port: u16,
    key: PathBuf,
    data_dir: PathBuf,
}

/// Starts an sshd whose sessions find the program, and nodes that stay on loopback.
async fn remote(lab: &Lab, path: &str) -> Result<Remote> {
    let share = lab.dir().join("share");
    let config = lab.dir().join("config/roomful");
    std::fs::create_dir_all(&config)?;
    let settings = format!(
        "name = \"Far\"\nhost = \"127.0.0.1\"\nport = {}\nroom = \"{}\"\nweb-port = 0\nshared = \"no\"\n",
        lab.port(),
        lab.room()
    );
    std::fs::write(config.join("config.toml"), settings)?;
    let (share_text, config_text) = (share.display().to_string(), lab.dir().join("config").display().to_string());
    // Without a bus, no service of the machine under test can be meant.
    let environment = [
        ("PATH", path),
        ("XDG_DATA_HOME", &share_text),
        ("XDG_CONFIG_HOME", &config_text),
        ("DBUS_SESSION_BUS_ADDRESS", "none"),
    ];
    let (sshd, port, key) = sshd(lab.dir(), &environment).await?;
    Ok(Remote { _sshd: sshd, port, key, data_dir: share.join("roomful") })
}

/// The folder of the program under test, before the usual ones.
fn path() -> Result<String> {
    let folder = PROGRAM.parent().context("a folder")?;
    Ok(format!("{}:/usr/bin:/bin", folder.display()))
}

fn user() -> Result<String> {
    let user = Command::new("id").arg("-un").output()?.stdout;
    Ok(String::from_utf8(user)?.trim().to_owned())
}

impl Remote {
    fn node(&self, lab: &Lab) -> Launch {
        lab.node("far").host("127.0.0.1").option("--data-dir", &self.data_dir.display().to_string())
    }

    fn command(&self, options: &[&str]) -> Result<Command> {
        let mut command = Command::new(&*PROGRAM);
        command.arg("ssh").args(options).arg(format!("{}@127.0.0.1", user()?));
        command.arg("--").args(client_options((self.port, &self.key)));
        Ok(command)
    }
}

/// A running `roomful ssh`. It is killed when it is dropped.
struct Tunnel {
    child: Child,
    lines: Receiver<String>,
    log: Receiver<String>,
    link: String,
}

impl Tunnel {
    fn open(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = lines_of(child.stdout.take().context("a pipe")?);
        let log = lines_of(child.stderr.take().context("a pipe")?);
        let mut tunnel = Self { child, lines, log, link: String::new() };
        tunnel.link = match tunnel.lines.recv_timeout(PATIENCE) {
            Ok(link) => link,
            Err(_) => bail!("no link, but: {:?}", tunnel.log.try_iter().collect::<Vec<_>>()),
        };
        Ok(tunnel)
    }

    fn until_logged(&self, part: &str) -> Result<()> {
        loop {
            let line = self.log.recv_timeout(PATIENCE).with_context(|| format!("waiting for {part:?}"))?;
            if line.contains(part) {
                return Ok(());
            }
        }
    }

    /// The host name and the port of the link, and the token.
    fn parts(&self) -> Result<(&str, u16, &str)> {
        let rest = self.link.strip_prefix("http://").context("a link")?;
        let (origin, token) = rest.split_once("/#token=").context("a token")?;
        let (host, port) = origin.split_once(':').context("a port")?;
        Ok((host, port.parse()?, token))
    }

    /// The process of ssh that it started.
    fn ssh_pid(&self) -> Result<Pid> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let mut found = children.split_whitespace().filter_map(|child| child.parse().ok().and_then(Pid::from_raw));
        found.next_back().with_context(|| format!("ssh is none of {children:?}"))
    }

    fn end(mut self, signal: Signal) -> Result<Option<i32>> {
        kill_process(Pid::from_child(&self.child), signal)?;
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn page_works_through_the_tunnel_and_comes_back() -> Result<()> {
    if !can_run_sshd()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let remote = remote(&lab, &path()?).await?;
    let node = remote.node(&lab).start()?;
    let port = free_port()?;
    let tunnel = Tunnel::open(remote.command(&["--no-open", "--port", &port.to_string()])?)?;
    let (host, at, token) = tunnel.parts()?;
    ensure!(at == port && token == node.api.token(), "{}", tunnel.link);
    let label = host.strip_suffix(".localhost").context("a name of its own")?;
    ensure!(label.len() == 32 && label.bytes().all(|byte| byte.is_ascii_hexdigit()), "{host}");
    serves_the_page(&node, port).await?;
    carries_a_file(&node, port).await?;

    // The port is taken, and another one is free.
    let taken = Finished::run(remote.command(&["--no-open", "--port", &port.to_string()])?, "")?;
    taken.refused_with(1, "is taken")?;
    let browser = lab.dir().join("browser");
    std::fs::write(&browser, "cp \"$1\" \"$0.page\"")?;
    let mut opening = remote.command(&[])?;
    opening.env("BROWSER", format!("sh {}", browser.display()));
    let second = Tunnel::open(opening)?;
    until("the browser gets the link", async || {
        let page = std::fs::read_to_string(browser.with_extension("page"))?;
        ensure!(page.contains(&format!("url={}\"", second.link)), "{page}");
        Ok(())
    })
    .await?;
    ensure!(second.parts()?.0 == host && second.parts()?.1 != port, "the same origin but for the port");
    ensure!(second.end(Signal::INT)? == Some(0), "Ctrl-C is no error");

    kill_process(tunnel.ssh_pid()?, Signal::KILL)?;
    tunnel.until_logged("reconnecting in 1 s")?;
    tunnel.until_logged("connected again")?;
    serves_the_page(&node, port).await?;

    // A restart of the node is none of the tunnel's business, but for the token.
    let again = node.kill()?.start()?;
    until("the restarted node is served", async || serves_the_page(&again, port).await).await?;
    again.run(&["url", "--rotate"])?;
    let link = tunnel.lines.recv_timeout(PATIENCE).context("the new link")?;
    ensure!(link.starts_with(&format!("http://{host}:{port}/#token=")) && link != tunnel.link, "{link}");
    ensure!(tunnel.end(Signal::TERM)? == Some(0), "SIGTERM is no error");
    let left = std::fs::read_dir("/tmp")?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_ours = |path: &PathBuf| {
        let target = std::fs::read_link(path.join("page.sock"));
        target.is_ok_and(|target| target.starts_with(lab.dir()))
    };
    let left: Vec<PathBuf> = left.collect();
    until("nothing is left over", async || {
        let left: Vec<_> = left.iter().filter(|path| is_ours(path)).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn node_is_started_and_stays() -> Result<()> {
    if !can_run_sshd()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let remote = remote(&lab, &path()?).await?;
    Finished::run(remote.command(&["--no-open"])?, "")?.refused_with(1, "no node is running on")?;
    let tunnel = Tunnel::open(remote.command(&["--no-open", "--start"])?)?;
    let token = tunnel.parts()?.2.to_owned();
    ensure!(tunnel.end(Signal::TERM)? == Some(0), "SIGTERM is no error");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&*PROGRAM);
        command.args(arguments).arg("--data-dir").arg(&remote.data_dir);
        Finished::run(command, "")
    };
    let url = run(&["url"])?;
    ensure!(url.stdout.trim().ends_with(&token), "it runs: {url:?}");

    let tunnel = Tunnel::open(remote.command(&["--no-open"])?)?;
    ensure!(run(&["stop"])?.status.success(), "it stops");
    tunnel.until_logged("has stopped")?;
    let mut tunnel = tunnel;
    ensure!(tunnel.child.wait()?.code() == Some(1), "the node is gone");
    Ok(())
}

#[tokio::test]
async fn each_failure_of_ssh_has_its_error() -> Result<()> {
    if !can_run_sshd()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let remote = remote(&lab, "/usr/bin:/bin").await?;
    Finished::run(remote.command(&["--no-open"])?, "")?.refused_with(1, "roomful is not installed on")?;
    let closed = free_port()?;
    let gone = Remote { port: closed, ..remote };
    let refused = Finished::run(gone.command(&["--no-open"])?, "")?;
    refused.refused_with(1, "no connection to")?;
    ensure!(refused.stderr.contains("refused") && refused.stdout.is_empty(), "ssh's reason: {refused:?}");
    let mut without = gone.command(&["--no-open"])?;
    without.env("PATH", Path::new("/nowhere"));
    Finished::run(without, "")?.refused_with(1, "ssh can't be started")?;
    Ok(())
}
