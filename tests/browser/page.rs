//! A real Chromium with one page open. Things are found as a person with a screen reader finds them, by role and accessible name
//! as the browser computed them; never by class or id, so the page may be built anew without touching a test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use hyper::Method;
use tempfile::TempDir;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::prelude::*;
use thirtyfour::{LoggingPrefsLogLevel, RequestData, SessionId};

use crate::common::wait::{PATIENCE, until};
use crate::common::{Context, Result, Value, ensure, json};

/// Which elements may have a role at all; which of them do, the browser says.
const CANDIDATES: &[(&str, &str)] = &[
    ("button", "button, [role=button]"),
    ("complementary", "aside, [role=complementary]"),
    ("dialog", "dialog, [role=dialog]"),
    ("list", "ol, ul, [role=list]"),
    ("log", "[role=log]"),
    ("main", "main, [role=main]"),
    ("navigation", "nav, [role=navigation]"),
    ("status", "output, [role=status]"),
    ("textbox", "textarea, input, [role=textbox], [contenteditable]"),
];

/// What a browser needs to be alone on a machine without a screen.
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

/// What the browser says when the page did something that its own policy forbids, or a script failed.
const COMPLAINTS: &[&str] = &["Content Security Policy", "TrustedHTML", "TrustedScript", "Uncaught"];

/// One page in a browser of its own, with a profile of its own.
pub(crate) struct Page {
    driver: WebDriver,
    complaints: Vec<String>,
    // After the session, so that it ends first: a driver that is killed leaves its browser behind.
    _chromedriver: Chromedriver,
    _profile: TempDir,
}

impl Page {
    /// Starts a browser and opens `link`.
    pub(crate) async fn open(link: &str) -> Result<Self> {
        let profile = TempDir::with_prefix("roomful-browser-")?;
        let chromedriver = Chromedriver::start()?;
        let mut wanted = DesiredCapabilities::chrome();
        for switch in SWITCHES {
            wanted.add_arg(switch)?;
        }
        wanted.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", chromedriver.port), wanted).await?;
        driver.goto(link).await?;
        Ok(Self { driver, complaints: Vec::new(), _chromedriver: chromedriver, _profile: profile })
    }

    /// Ends the browser; an error if the page ever broke its own policy, or a script failed.
    pub(crate) async fn close(mut self) -> Result<()> {
        let complaints = self.complaints().await?.to_vec();
        self.driver.quit().await?;
        ensure!(complaints.is_empty(), "the browser complained: {complaints:#?}");
        Ok(())
    }

    /// What the browser held against the page so far.
    pub(crate) async fn complaints(&mut self) -> Result<&[String]> {
        let entries = self.driver.browser_log().await?.into_iter().map(|entry| entry.message);
        self.complaints.extend(entries.filter(|text| COMPLAINTS.iter().any(|complaint| text.contains(complaint))));
        Ok(&self.complaints)
    }

    /// Loads the page again, as it stands in the address.
    pub(crate) async fn reload(&self) -> Result<()> {
        Ok(self.driver.refresh().await?)
    }

    /// The address without what a script put there later.
    pub(crate) async fn address(&self) -> Result<String> {
        Ok(self.driver.current_url().await?.to_string())
    }

    /// The one element that has this role and exactly this name now.
    pub(crate) async fn find(&self, role: &str, name: &str) -> Result<WebElement> {
        let (_, css) = CANDIDATES.iter().find(|(known, _)| *known == role).context("a role without candidates")?;
        let mut found = Vec::new();
        let mut seen = Vec::new();
        for element in self.driver.find_all(By::Css(*css)).await? {
            // An element may go while it is looked at: then it is not the one.
            let Ok(computed) = self.computed(&element).await else { continue };
            if computed == (role.to_owned(), name.to_owned()) {
                found.push(element);
            } else if computed.0 == role {
                seen.push(computed.1);
            }
        }
        ensure!(found.len() == 1, "{} {role} {name:?}; others: {seen:?}", found.len());
        found.pop().context("counted above")
    }

    /// As [`Page::find`], once it is there.
    pub(crate) async fn wait_for(&self, role: &str, name: &str) -> Result<WebElement> {
        until(&format!("{role} {name:?}"), async || self.find(role, name).await).await
    }

    /// Presses the button with this name.
    pub(crate) async fn press(&self, name: &str) -> Result<()> {
        Ok(self.wait_for("button", name).await?.click().await?)
    }

    /// Types a line into the composer, and Enter.
    pub(crate) async fn say(&self, text: &str) -> Result<()> {
        let field = self.wait_for("textbox", "Message").await?;
        Ok(field.send_keys(text.to_owned() + Key::Enter).await?)
    }

    /// The rows of the timeline: what each says, with its hidden words.
    pub(crate) async fn rows(&self) -> Result<Vec<String>> {
        let list = self.find("list", "Messages").await?.to_json()?;
        let script = "return [...arguments[0].querySelectorAll(':scope > [role=listitem], :scope > li')]
            .map((row) => row.textContent.replace(/\\s+/g, ' ').trim());";
        Ok(self.driver.execute(script, vec![list]).await?.convert()?)
    }

    /// That exactly this many rows contain `text`.
    pub(crate) async fn shows(&self, text: &str, times: usize) -> Result<()> {
        let rows = self.rows().await?;
        let count = rows.iter().filter(|row| row.contains(text)).count();
        ensure!(count == times, "{text:?} stands in {count} rows instead of {times}: {rows:#?}");
        Ok(())
    }

    /// Waits until exactly one row contains all these words.
    pub(crate) async fn wait_for_row(&self, words: &[&str]) -> Result<()> {
        let one = async || {
            let rows = self.rows().await?;
            let count = rows.iter().filter(|row| words.iter().all(|word| row.contains(word))).count();
            ensure!(count == 1, "{count} rows with {words:?}: {rows:#?}");
            Ok(())
        };
        until(&format!("a row with {words:?}"), one).await
    }

    /// Waits until the line about the connection contains these words.
    pub(crate) async fn wait_for_connection(&self, words: &str) -> Result<()> {
        let says = async || {
            let line = self.find("status", "Connection").await?.text().await?;
            ensure!(line.contains(words), "it says {line:?}");
            Ok(())
        };
        until(&format!("the connection says {words:?}"), says).await
    }

    /// What an element says to a person.
    pub(crate) async fn text(&self, role: &str, name: &str) -> Result<String> {
        Ok(self.find(role, name).await?.text().await?)
    }

    /// Whether the focus is inside this element.
    pub(crate) async fn has_focus(&self, role: &str, name: &str) -> Result<bool> {
        let element = self.find(role, name).await?.to_json()?;
        Ok(self.run("return arguments[0].contains(document.activeElement);", vec![element]).await? == true)
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn key(&self, key: Key) -> Result<()> {
        Ok(self.driver.action_chain().send_keys(key).perform().await?)
    }

    /// Makes the window's inside this large.
    pub(crate) async fn resize(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = Endpoint::Devtools("Emulation.setDeviceMetricsOverride", size);
        self.driver.cmd(command).await?;
        Ok(())
    }

    /// Runs a script in the page.
    pub(crate) async fn run(&self, script: &str, args: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute(script, args).await?.json().clone())
    }

    async fn computed(&self, element: &WebElement) -> Result<(String, String)> {
        let id = element.element_id().to_string();
        let role: String = self.driver.cmd(Endpoint::Role(id.clone())).await?.value()?;
        let name: String = self.driver.cmd(Endpoint::Label(id)).await?.value()?;
        Ok((role, name))
    }
}

/// Parts of WebDriver and of Chromium's driver for which the library has no words.
#[derive(Debug)]
enum Endpoint {
    Role(String),
    Label(String),
    Devtools(&'static str, Value),
}

impl FormatRequestData for Endpoint {
    fn format_request(&self, session: &SessionId) -> RequestData {
        match self {
            Self::Role(id) => RequestData::new(Method::GET, format!("session/{session}/element/{id}/computedrole")),
            Self::Label(id) => RequestData::new(Method::GET, format!("session/{session}/element/{id}/computedlabel")),
            Self::Devtools(command, params) => {
                RequestData::new(Method::POST, format!("session/{session}/goog/cdp/execute"))
                    .add_body(json!({ "cmd": command, "params": params }))
            }
        }
    }
}

/// Chromium's driver, on a port that it chose itself.
struct Chromedriver {
    child: Child,
    port: u16,
}

impl Chromedriver {
    fn start() -> Result<Self> {
        let mut child = Command::new("chromedriver")
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver, which tests/run installs")?;
        let stdout = child.stdout.take().context("a pipe")?;
        let mut driver = Self { child, port: 0 };
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // It goes on writing: a pipe that nobody reads would block it.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    let _ = sender.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        let port = receiver.recv_timeout(PATIENCE).context("chromedriver did not start")?;
        driver.port = port.parse()?;
        Ok(driver)
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
