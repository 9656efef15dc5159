//! Behaviour of the page that is hard to produce with real nodes: a fake node, a real Chromium, and
//! a clock set by the test.

mod composer;
mod formatting;
mod layout;
mod notifications;
mod outages;
mod people;
mod pointing;
mod printing;
mod reading;
mod routing;
mod rows;
mod shapes;

use support::driver::Browser;
use support::fake_node::FakeNode;
use support::fake_node::room::FakeRoom;
use support::fake_node::samples::NOW_MS;
use support::page::Page;
use support::wait::until;
use support::{Result, Value, ensure, json};

/// Kai, whose node it is, Ana and Ben, and one message by Kai, so that the page does not ask for a
/// name.
fn three() -> FakeRoom {
    let mut room = FakeRoom::empty();
    room.member("ana", "Ana", |_| {});
    room.member("ben", "Ben", |_| {});
    room
}

/// The same with `count` notes by Ben, a minute apart, the last one a minute old, all of them read.
fn notes(count: u64) -> FakeRoom {
    let mut room = three();
    for number in 0..count {
        room.say(
            "ben",
            (count - number) * 60,
            &format!("note {number:04} {}", "of some length ".repeat(number as usize % 5)),
        );
    }
    room.say("kai", 30, "and one of mine");
    room.read_but(&[]);
    room
}

/// The page of the invented node, once it shows what was said.
async fn open(node: &FakeNode) -> Result<Page> {
    let page = open_before(node).await?;
    page.wait_for_row(&["and one of mine"]).await?;
    Ok(page)
}

/// The same as soon as it is connected. Its clock begins at [`NOW_MS`] and can be moved:
/// `clock.ahead` is in milliseconds.
async fn open_before(node: &FakeNode) -> Result<Page> {
    let page = prepare().await?;
    page.go(&node.link()).await?;
    page.wait_for_connection("saved on this computer").await?;
    Ok(page)
}

/// A browser under that clock, with nothing in it yet.
async fn prepare() -> Result<Page> {
    let page = Page::start(Browser::Chromium).await?;
    set_clock(&page).await?;
    page.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": "UTC" })).await?;
    page.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
    page.resize(1280, 800).await?;
    Ok(page)
}

/// Sets the clock of what is loaded next in the tab that is open.
async fn set_clock(page: &Page) -> Result<()> {
    let clock = format!(
        "{{ const begun = performance.now(), Real = Date;
            globalThis.clock = {{ ahead: 0 }};
            const now = () => Math.round({NOW_MS} + clock.ahead + performance.now() - begun);
            globalThis.Date = class extends Real {{
              constructor(...args) {{ if (args.length === 0) super(now()); else super(...args); }}
              static now() {{ return now(); }} }}; }}"
    );
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": clock })).await.map(drop)
}

/// Turns a setting on or off, by its keys.
async fn turn(page: &Page, setting: &str) -> Result<()> {
    let setting = page.wait_for("checkbox", setting).await?.to_json()?;
    page.run("arguments[0].focus();", vec![setting]).await?;
    page.chord(&[], " ").await
}

/// How far the messages are from their end, in pixels.
async fn gap(page: &Page) -> Result<f64> {
    let list = page.find("list", "Messages").await?.to_json()?;
    let script = "const one = arguments[0].parentElement; return one.scrollHeight - one.clientHeight - one.scrollTop;";
    number(page.run(script, vec![list]).await?)
}

fn number(value: Value) -> Result<f64> {
    Ok(serde_json::from_value(value)?)
}

/// Waits until the window's title says this.
async fn wait_for_title(page: &Page, fits: impl Fn(&str) -> bool) -> Result<()> {
    until("the title", async || {
        let title = page.run("return document.title;", vec![]).await?;
        ensure!(title.as_str().is_some_and(&fits), "{title}");
        Ok(())
    })
    .await
}

/// What has the focus says this.
async fn wait_for_focused_text(page: &Page, words: &str) -> Result<()> {
    until(&format!("the focus is on {words:?}"), async || {
        let text = page.run("return document.activeElement.textContent;", vec![]).await?;
        ensure!(text.as_str().is_some_and(|text| text.contains(words)), "{text}");
        Ok(())
    })
    .await
}
