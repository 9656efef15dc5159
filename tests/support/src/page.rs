//! A real browser with one page open. Elements are found as a screen reader finds them, by role and
//! accessible name as the browser computed them. Classes and ids are never used, so the page can be
//! restructured without changing tests.

use hyper::Method;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::prelude::*;
use thirtyfour::{RequestData, SessionId, WindowHandle};

use crate::driver::{Browser, Driver};
use crate::wait::until;
use crate::{Context, Result, Value, bail, ensure, json};

/// Which elements may have a role at all; which of them do, the browser says.
const CANDIDATES: &[(&str, &str)] = &[
    ("button", "button, [role=button]"),
    ("checkbox", "[type=checkbox]"),
    ("combobox", "[role=combobox]"),
    ("complementary", "aside, [role=complementary]"),
    ("dialog", "dialog, [role=dialog]"),
    ("list", "ol, ul, [role=list]"),
    ("image", "[role=img]"),
    ("link", "a[href]"),
    ("listbox", "[role=listbox]"),
    ("log", "[role=log]"),
    ("main", "main, [role=main]"),
    ("menu", "[role=menu]"),
    ("menuitem", "[role=menuitem]"),
    ("navigation", "nav, [role=navigation]"),
    ("searchbox", "[type=search]"),
    ("status", "output, [role=status]"),
    ("textbox", "textarea, input, [role=textbox], [contenteditable]"),
];

/// Browser messages about violations of the page's own policy, or about failed scripts.
const COMPLAINTS: &[&str] = &["Content Security Policy", "TrustedHTML", "TrustedScript", "Uncaught"];

/// The same where the browser keeps no log for us: the page is asked to take note itself.
const TAKE_NOTE: &str = "window.complaints = [];
    addEventListener('securitypolicyviolation', (event) => complaints.push(`${event.violatedDirective} ${event.blockedURI}`));
    addEventListener('error', (event) => complaints.push(event.message));
    addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)));";

/// One page in a browser of its own, with a profile of its own.
pub struct Page {
    driver: WebDriver,
    complaints: Vec<String>,
    browser: Browser,
    process: Driver,
}

impl Page {
    /// Starts Chromium and opens `link`.
    pub async fn open(link: &str) -> Result<Self> {
        Self::open_in(Browser::Chromium, link).await
    }

    /// Starts a browser and opens `link`.
    pub async fn open_in(browser: Browser, link: &str) -> Result<Self> {
        let page = Self::start(browser).await?;
        page.go(link).await?;
        Ok(page)
    }

    /// Starts a browser, with nothing in it yet.
    pub async fn start(browser: Browser) -> Result<Self> {
        let (process, driver) = Driver::start(browser).await?;
        Ok(Self { driver, complaints: Vec::new(), browser, process })
    }

    /// Starts Chromium as the user with this id.
    pub async fn start_as(user: u32) -> Result<Self> {
        let browser = Browser::Chromium;
        let (process, driver) = Driver::start_as(browser, Some(user)).await?;
        Ok(Self { driver, complaints: Vec::new(), browser, process })
    }

    /// The process group of the browser.
    pub fn driver_pid(&self) -> u32 {
        self.process.pid()
    }

    /// Opens `link`.
    pub async fn go(&self, link: &str) -> Result<()> {
        self.driver.goto(link).await?;
        self.take_note().await
    }

    /// Ends the browser; an error if the page ever broke its own policy, or a script failed.
    pub async fn close(mut self) -> Result<()> {
        let complaints = self.complaints().await?.to_vec();
        self.driver.clone().quit().await?;
        ensure!(complaints.is_empty(), "the browser complained: {complaints:#?}");
        Ok(())
    }

    /// What the browser held against the page so far.
    pub async fn complaints(&mut self) -> Result<&[String]> {
        let found: Vec<String> = match self.browser {
            Browser::Chromium => {
                let entries = self.driver.browser_log().await?.into_iter().map(|entry| entry.message);
                entries.filter(|text| COMPLAINTS.iter().any(|complaint| text.contains(complaint))).collect()
            }
            Browser::Firefox => serde_json::from_value(self.run("return window.complaints.splice(0);", vec![]).await?)?,
        };
        self.complaints.extend(found);
        Ok(&self.complaints)
    }

    async fn take_note(&self) -> Result<()> {
        if self.browser == Browser::Firefox {
            self.run(TAKE_NOTE, vec![]).await?;
        }
        Ok(())
    }

    /// Loads the page again, as it stands in the address.
    pub async fn reload(&self) -> Result<()> {
        self.driver.refresh().await?;
        self.take_note().await
    }

    /// The address without what a script put there later.
    pub async fn address(&self) -> Result<String> {
        Ok(self.driver.current_url().await?.to_string())
    }

    /// The one element that has this role and exactly this name now.
    pub async fn find(&self, role: &str, name: &str) -> Result<WebElement> {
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

    /// The one element that has this role and a name that begins so.
    pub async fn find_like(&self, role: &str, begin: &str) -> Result<WebElement> {
        let (_, css) = CANDIDATES.iter().find(|(known, _)| *known == role).context("a role without candidates")?;
        for element in self.driver.find_all(By::Css(*css)).await? {
            let Ok(computed) = self.computed(&element).await else { continue };
            if computed.0 == role && computed.1.starts_with(begin) {
                return Ok(element);
            }
        }
        bail!("no {role} {begin:?}…")
    }

    /// As [`Page::find`], once it is there.
    pub async fn wait_for(&self, role: &str, name: &str) -> Result<WebElement> {
        until(&format!("{role} {name:?}"), async || self.find(role, name).await).await
    }

    /// As [`Page::find_like`], once it is there.
    pub async fn wait_for_like(&self, role: &str, begin: &str) -> Result<WebElement> {
        until(&format!("{role} {begin:?}…"), async || self.find_like(role, begin).await).await
    }

    /// Presses the button with this name.
    pub async fn press(&self, name: &str) -> Result<()> {
        Ok(self.wait_for("button", name).await?.click().await?)
    }

    /// Types a line into the composer, and Enter.
    pub async fn say(&self, text: &str) -> Result<()> {
        let field = self.wait_for("textbox", "Message").await?;
        Ok(field.send_keys(text.to_owned() + Key::Enter).await?)
    }

    /// Turns the wheel over the messages, as a hand does: `dy` pixels towards the newest.
    pub async fn wheel(&self, dy: i32) -> Result<()> {
        let turn = json!({ "type": "mouseWheel", "x": 640, "y": 400, "deltaX": 0, "deltaY": dy });
        self.devtools("Input.dispatchMouseEvent", turn).await.map(drop)
    }

    /// The first message containing `word` that is entirely below the upper edge of the list: that
    /// word and the next, and its distance from the edge in pixels.
    pub async fn first_in_sight(&self, word: &str) -> Result<(String, f64)> {
        let list = self.find("list", "Messages").await?.to_json()?;
        let script = "const [list, word] = arguments;
            const { top } = list.parentElement.getBoundingClientRect();
            const row = [...list.children].find((one) => one.textContent.includes(word) && one.getBoundingClientRect().top >= top);
            return [row.textContent.match(new RegExp(`${word} \\\\w+`))[0], row.getBoundingClientRect().top - top];";
        Ok(serde_json::from_value(self.run(script, vec![list, word.into()]).await?)?)
    }

    /// The rows of the timeline: what each says, with its hidden words.
    pub async fn rows(&self) -> Result<Vec<String>> {
        let list = self.find("list", "Messages").await?.to_json()?;
        let script = "return [...arguments[0].querySelectorAll(':scope > [role=listitem], :scope > li')]
            .map((row) => row.textContent.replace(/\\s+/g, ' ').trim());";
        Ok(self.driver.execute(script, vec![list]).await?.convert()?)
    }

    /// That exactly this many rows contain `text`.
    pub async fn shows(&self, text: &str, times: usize) -> Result<()> {
        let rows = self.rows().await?;
        let count = rows.iter().filter(|row| row.contains(text)).count();
        ensure!(count == times, "{text:?} stands in {count} rows instead of {times}: {rows:#?}");
        Ok(())
    }

    /// Waits until exactly one row contains all these words.
    pub async fn wait_for_row(&self, words: &[&str]) -> Result<()> {
        let one = async || {
            let rows = self.rows().await?;
            let count = rows.iter().filter(|row| words.iter().all(|word| row.contains(word))).count();
            ensure!(count == 1, "{count} rows with {words:?}: {rows:#?}");
            Ok(())
        };
        until(&format!("a row with {words:?}"), one).await
    }

    /// Waits until the line about the connection contains these words.
    pub async fn wait_for_connection(&self, words: &str) -> Result<()> {
        let says = async || {
            let line = self.find("status", "Connection").await?.text().await?;
            ensure!(line.contains(words), "it says {line:?}");
            Ok(())
        };
        until(&format!("the connection says {words:?}"), says).await
    }

    /// What an element says to a person.
    pub async fn text(&self, role: &str, name: &str) -> Result<String> {
        Ok(self.find(role, name).await?.text().await?)
    }

    /// What an element says, also where only those hear it who do not see the page.
    pub async fn text_content(&self, role: &str, name: &str) -> Result<String> {
        let element = self.find(role, name).await?.to_json()?;
        let text = self.run("return arguments[0].textContent.trim();", vec![element]).await?;
        Ok(text.as_str().context("a text")?.to_owned())
    }

    /// Opens `link` in a new tab and goes there. Answers where one was.
    pub async fn open_tab(&self, link: &str) -> Result<WindowHandle> {
        let before = self.driver.window().await?;
        let tab = self.driver.new_tab().await?;
        self.driver.switch_to_window(tab).await?;
        self.go(link).await?;
        Ok(before)
    }

    /// Closes the tab that is open, and goes back to another.
    pub async fn close_tab(&self, other: WindowHandle) -> Result<()> {
        self.driver.close_window().await?;
        Ok(self.driver.switch_to_window(other).await?)
    }

    /// Waits until a page has opened another one, and goes there. Answers where one was.
    pub async fn enter_other_tab(&self) -> Result<WindowHandle> {
        let here = self.driver.window().await?;
        let there = until("another tab is open", async || {
            let tabs = self.driver.windows().await?;
            tabs.into_iter().find(|tab| *tab != here).context("only this one")
        })
        .await?;
        self.driver.switch_to_window(there).await?;
        Ok(here)
    }

    /// Goes to a tab.
    pub async fn enter_tab(&self, tab: WindowHandle) -> Result<()> {
        Ok(self.driver.switch_to_window(tab).await?)
    }

    /// Runs a script in one of the frames of this page.
    pub async fn in_frame(&self, number: u16, script: &str) -> Result<Value> {
        self.driver.enter_frame(number).await?;
        let told = self.run(script, vec![]).await;
        self.driver.enter_default_frame().await?;
        told
    }

    /// Whether the focus is inside this element.
    pub async fn has_focus(&self, role: &str, name: &str) -> Result<bool> {
        let element = self.find(role, name).await?.to_json()?;
        Ok(self.run("return arguments[0].contains(document.activeElement);", vec![element]).await? == true)
    }

    /// Waits until the focus is inside this element.
    pub async fn wait_for_focus(&self, role: &str, name: &str) -> Result<()> {
        let focused = async || {
            let elsewhere = self.run("return document.activeElement.outerHTML.slice(0, 120);", vec![]).await?;
            ensure!(self.has_focus(role, name).await?, "it is on {elsewhere}");
            Ok(())
        };
        until(&format!("the focus is in {role} {name:?}"), focused).await
    }

    /// Presses a key, wherever the focus is.
    pub async fn key(&self, key: Key) -> Result<()> {
        Ok(self.driver.action_chain().send_keys(key).perform().await?)
    }

    /// Holds `held` down while pressing `key`, wherever the focus is.
    pub async fn chord(&self, held: &[Key], key: impl Into<TypingData>) -> Result<()> {
        let pressed = held.iter().fold(self.driver.action_chain(), |chain, key| chain.key_down(key.clone()));
        let typed = pressed.send_keys(key);
        Ok(held.iter().rev().fold(typed, |chain, key| chain.key_up(key.clone())).perform().await?)
    }

    /// Makes the window's inside this large.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// Waits until these words stand anywhere on the page.
    pub async fn wait_for_text(&self, words: &str) -> Result<()> {
        let stands = async || {
            let text = self.run("return document.body.innerText;", vec![]).await?;
            ensure!(text.as_str().is_some_and(|text| text.contains(words)), "{text}");
            Ok(())
        };
        until(&format!("{words:?} stands there"), stands).await
    }

    /// Waits until everything that was asked for is drawn, and nothing moves any more.
    pub async fn settle(&self) -> Result<()> {
        let script = "return (async () => {
            await document.fonts.ready;
            const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            for (let i = 0; i < 3; i += 1) await frame();
            await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})));
        })();";
        self.run(script, vec![]).await.map(drop)
    }

    /// Has Chromium do something for which WebDriver has no words.
    pub async fn devtools(&self, command: &'static str, params: Value) -> Result<Value> {
        Ok(self.driver.cmd(Endpoint::Devtools(command, params)).await?.value()?)
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str, args: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute(script, args).await?.json().clone())
    }

    async fn computed(&self, element: &WebElement) -> Result<(String, String)> {
        let id = element.element_id().to_string();
        let role: String = self.driver.cmd(Endpoint::Role(id.clone())).await?.value()?;
        let name: String = self.driver.cmd(Endpoint::Label(id)).await?.value()?;
        Ok((role, name))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The library would ask the driver to end the browser and wait two minutes for an answer;
        // this code ends both.
        let _ = self.driver.clone().leak();
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
