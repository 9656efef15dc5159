//! The browsers of the tests, each started by its driver, on a port that the driver chose.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

use crate::wait::PATIENCE;
use crate::{Context, Result};

/// Where tests/run puts a geckodriver that it had to build.
const BUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/bin/geckodriver");

/// What Chromium needs to be alone on a machine without a screen.
const SWITCHES: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,800",
];

/// Which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Chromium.
    Chromium,
    /// Firefox ESR.
    Firefox,
}

/// A driver and its browser: both end with it.
pub struct Driver {
    child: Child,
    port: u16,
    // The last to go: the browser writes into it.
    _profile: TempDir,
}

impl Driver {
    /// Starts a driver and a browser with a profile of its own.
    pub async fn start(browser: Browser) -> Result<(Self, WebDriver)> {
        Self::start_as(browser, None).await
    }

    /// Starts them as the user with this id.
    pub async fn start_as(browser: Browser, user: Option<u32>) -> Result<(Self, WebDriver)> {
        let profile = TempDir::with_prefix("roomful-browser-")?;
        if user.is_some() {
            chown(profile.path(), user, user)?;
        }
        let place = profile.path().display().to_string();
        Ok(match browser {
            Browser::Chromium => {
                let mut command = command("chromedriver", &["--port=0", "--allowed-ips=127.0.0.1"]);
                if let Some(user) = user {
                    command.uid(user).gid(user).env("HOME", profile.path());
                }
                let driver = Self::spawn(command, "successfully on port ", profile)?;
                let mut wanted = DesiredCapabilities::chrome();
                for switch in SWITCHES {
                    wanted.add_arg(switch)?;
                }
                wanted.add_arg(&format!("--user-data-dir={place}"))?;
                wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
                let session = WebDriver::new(driver.address(), wanted).await?;
                (driver, session)
            }
            Browser::Firefox => {
                let program = if Path::new(BUILT).exists() { BUILT } else { "geckodriver" };
                let command = command(program, &["--port=0", "--profile-root", &place]);
                let driver = Self::spawn(command, "Listening on 127.0.0.1:", profile)?;
                let mut wanted = DesiredCapabilities::firefox();
                wanted.set_firefox_binary("firefox-esr")?;
                for switch in ["-headless", "--width=1280", "--height=800"] {
                    wanted.add_arg(switch)?;
                }
                let session = WebDriver::new(driver.address(), wanted).await?;
                (driver, session)
            }
        })
    }

    /// The driver's process, and the group of everything that it started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `sign` stands before the port in what the driver prints.
    fn spawn(mut command: Command, sign: &'static str, profile: TempDir) -> Result<Self> {
        let program = command.get_program().display().to_string();
        let mut child = command.spawn().with_context(|| format!("{program}, which tests/run installs"))?;
        let stdout = child.stdout.take().context("a pipe")?;
        let mut driver = Self { child, port: 0, _profile: profile };
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // The driver continues to write: an unread pipe would block it.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, port)) = line.split_once(sign) {
                    let _ = sender.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        let patience = PATIENCE.max(Duration::from_secs(60));
        let port = receiver.recv_timeout(patience).with_context(|| format!("{program} did not start"))?;
        driver.port = port.trim().parse()?;
        Ok(driver)
    }
}

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    // A group of its own: a driver that is killed alone leaves its browser behind.
    command.args(args).process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
