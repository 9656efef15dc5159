//! `roomful ssh`: opens the page of a node on another machine.
//!
//! The system's ssh forwards a local port to the page's socket there, and runs `roomful tunnel` on
//! the other side, which prints the token. Of what comes from there, only a token of 64 hex digits
//! is used. The link is made here, with an origin of its own for each user, host and SSH port, so
//! the page of one host cannot reach what the page of another keeps in the browser.

mod destination;
mod local_port;
mod process;
pub(super) mod remote;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::open::open_link;
use super::{Error, print};
use destination::Destination;
use local_port::LocalPort;
use process::{SshEnd, SshProcess};

/// Delays before a reconnect, in seconds: the first, and the longest.
const RECONNECT_SECONDS: (u64, u64) = (1, 30);

/// A connection that lasted longer starts the delays anew, in seconds.
const STABLE_SECONDS: u64 = 60;

/// The options of `roomful ssh`.
#[derive(Clone, Debug)]
pub struct SshOptions {
    /// `[USER@]HOST`, as ssh takes it. It does not begin with a dash.
    pub host: String,
    /// The local port; none is the usual one of the page, or the next free one.
    pub port: Option<u16>,
    /// Start a node on the other side if none runs there.
    pub start: bool,
    /// Open the page in the browser.
    pub open: bool,
    /// Further options of ssh.
    pub options: Vec<String>,
}

/// Runs until a signal, or until the other side ends for another reason than a lost connection.
pub async fn ssh(ssh: SshOptions) -> Result<(), Error> {
    let failed = |error| Error::Input(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        ended = connect_again_and_again(&ssh) => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn connect_again_and_again(ssh: &SshOptions) -> Result<(), Error> {
    let destination = Destination::resolve(&ssh.host, &ssh.options).await?;
    let mut port = LocalPort::choose(ssh.port)?;
    let mut page = SignIn { host: destination.origin_host(), shown: None, redirect: None, opens: ssh.open };
    let mut delay = RECONNECT_SECONDS.0;
    loop {
        let begun = Instant::now();
        tracing::debug!("connecting to {destination:?}");
        let mut process = SshProcess::start(ssh, port)?;
        let end = loop {
            match process.next_token().await {
                Ok(token) => {
                    port.check_forward(&ssh.host).await?;
                    page.show(port, &token).await?;
                }
                Err(end) => break end,
            }
        };
        let is_first = page.shown.is_none();
        match end {
            // Another program took the port between the choice and ssh.
            SshEnd::Lost(_) if is_first && ssh.port.is_none() && !port.is_free() => {
                port = LocalPort::choose(None)?;
                continue;
            }
            SshEnd::Lost(reason) if is_first => return Err(Error::NoConnection { host: ssh.host.clone(), reason }),
            SshEnd::Lost(reason) => {
                if begun.elapsed() > Duration::from_secs(STABLE_SECONDS) {
                    delay = RECONNECT_SECONDS.0;
                }
                let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
                let host = print::sanitize(&ssh.host);
                print::note(&format!("the connection to {host} was lost{reason}; reconnecting in {delay} s"));
            }
            SshEnd::Remote(status) => return Err(remote::error(status, &ssh.host)),
        }
        sleep(Duration::from_secs(delay)).await;
        delay = (delay * 2).min(RECONNECT_SECONDS.1);
    }
}

/// The link to the page, and how far the user knows it.
struct SignIn {
    host: String,
    /// The link that was printed last.
    shown: Option<String>,
    /// The file that redirects the browser, removed at the end.
    redirect: Option<RedirectFile>,
    opens: bool,
}

impl SignIn {
    /// Prints the link unless it is known, and opens the browser the first time.
    async fn show(&mut self, port: LocalPort, token: &str) -> Result<(), Error> {
        let link = format!("http://{}:{}/#token={token}", self.host, port.number());
        let is_first = self.shown.is_none();
        if self.shown.as_ref() == Some(&link) {
            print::note("connected again");
            return Ok(());
        }
        print::line(&link)?;
        if is_first {
            print::note("connected; press Ctrl-C to disconnect");
        } else {
            print::note("the node was restarted; open the new link");
        }
        self.shown = Some(link.clone());
        if self.opens && is_first {
            let file = RedirectFile::new()?;
            if let Err(Error::NoBrowser) = open_link(&file.path(), &link).await {
                print::note("no browser could be started; open the link above");
            }
            self.redirect = Some(file);
        }
        Ok(())
    }
}

/// A directory that only the user can read, for the file that the browser opens.
struct RedirectFile(PathBuf);

impl RedirectFile {
    fn new() -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt as _;
        let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let dir = base.join(format!("roomful-{:032x}", rand::random::<u128>()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|source| Error::NoRedirect { path: dir.clone(), source })?;
        Ok(Self(dir))
    }

    fn path(&self) -> PathBuf {
        Path::join(&self.0, "open.html")
    }
}

impl Drop for RedirectFile {
    fn drop(&mut self) {
        // It is in a directory for temporary files, in any case.
        _ = std::fs::remove_dir_all(&self.0);
    }
}
