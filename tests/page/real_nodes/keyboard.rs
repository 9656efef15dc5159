//! Navigation between conversations by keyboard, each restored as it was left.

use thirtyfour::Key;

use crate::{HEIGHT, open, open_in, two};
use support::driver::Browser;
use support::lab::Lab;
use support::node::Node;
use support::page::Page;
use support::wait::{at_rest, until};
use support::{Context, Result, ensure, json};

/// Waits until the heading over the messages names this place.
async fn wait_for_place(page: &Page, name: &str) -> Result<()> {
    until(&format!("{name} is open"), async || {
        let title = page.run("return document.querySelector('main h1').textContent;", vec![]).await?;
        ensure!(title == name, "{title} is open");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn ctrl_k_jumps_and_escape_restores() -> Result<()> {
    go_anywhere(Browser::Chromium).await
}

#[tokio::test]
async fn ctrl_k_does_the_same_in_firefox() -> Result<()> {
    go_anywhere(Browser::Firefox).await
}

async fn go_anywhere(browser: Browser) -> Result<()> {
    let lab = Lab::new()?;
    let [anna, _ben] = two(&lab).await?;
    let page = open_in(browser, &anna).await?;
    let question = "Go to a conversation, a member or a command";
    page.find("textbox", "Message").await?.send_keys("half a sent").await?;

    page.chord(&[Key::Control], "k").await?;
    page.wait_for("dialog", question).await?;
    page.wait_for_focus("combobox", question).await?;
    page.key(Key::Escape).await?;
    page.wait_for_focus("textbox", "Message").await?;
    page.chord(&[], "ence").await?;
    let field = page.find("textbox", "Message").await?;
    ensure!(field.value().await?.as_deref() == Some("half a sentence"), "{:?}", field.value().await?);

    page.chord(&[Key::Control], "k").await?;
    page.wait_for("combobox", question).await?.send_keys("be" + Key::Enter).await?;
    wait_for_place(&page, "ben").await?;
    page.wait_for_focus("textbox", "Message").await?;
    let listed = page.text("navigation", "Conversations").await?;
    ensure!(listed.contains("Draft"), "what was begun elsewhere is marked: {listed}");

    page.chord(&[Key::Control], "k").await?;
    page.wait_for("combobox", question).await?.send_keys("general" + Key::Enter).await?;
    wait_for_place(&page, "# general").await?;
    let field = page.find("textbox", "Message").await?;
    ensure!(field.value().await?.as_deref() == Some("half a sentence"), "{:?}", field.value().await?);
    page.close().await
}

#[tokio::test]
async fn alt_and_arrows_step_through_the_conversations() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let page = open(&anna).await?;
    for channel in ["builds", "lunch"] {
        say_in(&ben, channel, "anybody here?").await?;
    }
    until("both channels are listed", async || {
        let listed = page.text("navigation", "Conversations").await?;
        ensure!(listed.contains("builds") && listed.contains("lunch"), "{listed}");
        Ok(())
    })
    .await?;
    // Those with something new first, the latest of them before the others.
    for place in ["# lunch", "# builds"] {
        page.chord(&[Key::Alt], Key::Down).await?;
        wait_for_place(&page, place).await?;
        until(&format!("{place} is read"), async || {
            let listed = page.text("navigation", "Conversations").await?;
            ensure!(!listed.contains(&format!("{}\n1", &place[2..])), "{listed:?}");
            Ok(())
        })
        .await?;
    }
    for (key, place) in [(Key::Up, "# general"), (Key::Up, "# builds"), (Key::Up, "# lunch"), (Key::Up, "# general")] {
        page.chord(&[Key::Alt], key).await?;
        wait_for_place(&page, place).await?;
    }
    // With Shift, only where there is something new.
    say_in(&ben, "lunch", "soup").await?;
    until("lunch has something new", async || {
        let listed = page.text("navigation", "Conversations").await?;
        ensure!(listed.contains("lunch\n1"), "{listed:?}");
        Ok(())
    })
    .await?;
    page.chord(&[Key::Alt, Key::Shift], Key::Down).await?;
    wait_for_place(&page, "# lunch").await?;
    page.close().await
}

#[tokio::test]
async fn conversation_keeps_its_scroll_position() -> Result<()> {
    const SAID: usize = 60;
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    for number in 0..SAID {
        anna.api.say(&format!("line {number:03}, {}", "as long as it gets ".repeat(number % 7))).await?;
    }
    say_in(&anna, "lunch", "soup").await?;
    let page = Page::open(anna.web()?).await?;
    page.wait_for_row(&[&format!("line {:03}", SAID - 1)]).await?;
    page.wait_for_row(&["line 000"]).await?; // which is drawn when the page is at rest
    page.wheel(-900).await?;
    page.wait_for("button", "Jump to newest").await?;
    let before = at_rest(async || first_visible(&page).await).await?;

    page.chord(&[Key::Alt], Key::Down).await?;
    page.wait_for_row(&["soup"]).await?;
    page.chord(&[Key::Alt], Key::Down).await?;
    page.wait_for_row(&["line 030"]).await?;
    let after = first_visible(&page).await?;
    ensure!(after.0 == before.0 && (after.1 - before.1).abs() <= 2.0, "{before:?} was left, {after:?} was found");

    // The same when the window became another in between.
    page.chord(&[Key::Alt], Key::Down).await?;
    page.wait_for_row(&["soup"]).await?;
    page.resize(480, HEIGHT).await?;
    page.chord(&[Key::Alt], Key::Down).await?;
    page.wait_for_row(&["line 030"]).await?;
    let narrow = first_visible(&page).await?;
    ensure!(narrow.0 == before.0, "{before:?} was left, {narrow:?} was found");
    page.close().await
}

/// The first message in sight, and how far it stands from the upper edge, in pixels.
async fn first_visible(page: &Page) -> Result<(String, f64)> {
    let list = page.find("list", "Messages").await?.to_json()?;
    let script = "const { top } = arguments[0].parentElement.getBoundingClientRect();
        const row = [...arguments[0].children].find((one) => one.textContent.includes('line ') && one.getBoundingClientRect().bottom > top);
        return [row.textContent.match(/line \\d+/)[0], row.getBoundingClientRect().top - top];";
    Ok(serde_json::from_value(page.run(script, vec![list]).await?)?)
}

/// Waits until a node holds so many messages.
async fn wait_for_entries(node: &Node, count: usize) -> Result<()> {
    until("its node has it all", async || {
        let entries = node.api.get("/api/v1/node").await?["history"]["entries"].as_u64();
        ensure!(entries >= Some(count as u64), "{entries:?}");
        Ok(())
    })
    .await
}

async fn say_in(node: &Node, channel: &str, text: &str) -> Result<()> {
    node.api.post("/api/v1/messages", &json!({ "text": text, "channel": channel })).await?.with(201)?;
    Ok(())
}

#[tokio::test]
async fn missed_messages_come_once_without_a_jump() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    for number in 0..150 {
        ben.api.say(&format!("before {number:03} {}", "of some length ".repeat(number % 5))).await?;
    }
    let page = open(&anna).await?;
    page.wait_for_row(&["before 149"]).await?;
    page.find("textbox", "Message").await?.send_keys(Key::Escape + "").await?;
    page.find("textbox", "Message").await?.send_keys("half a thought").await?;
    page.wheel(-2500).await?;
    page.wait_for("button", "Jump to newest").await?;
    let before = at_rest(async || page.first_in_sight("before").await).await?;

    let port = anna.web()?.split([':', '/']).nth(4).context("a port")?.to_owned();
    let line = page.find("status", "Connection").await?.to_json()?;
    let watch = "window.told = []; const [line] = arguments;
        new MutationObserver(() => window.told.push(line.textContent)).observe(line, { childList: true, subtree: true });";
    page.run(watch, vec![line]).await?;
    let launch = anna.stop()?;
    page.wait_for_connection("Your node has stopped").await?;
    for number in 0..5 {
        ben.api.say(&format!("meanwhile {number}")).await?;
    }
    // It hears of them at another port first, or the page would be told in parts.
    let anna = launch.start()?;
    wait_for_entries(&anna, 155).await?;
    let _anna = anna.stop()?.option("--web-port", &port).start()?;
    page.wait_for_connection("in reach").await?;
    page.wait_for("button", "Jump to newest · 5 new").await?;
    let told = page.run("return window.told;", vec![]).await?;
    let told: Vec<String> = serde_json::from_value(told)?;
    ensure!(told.iter().any(|line| line == "Back – 5 new"), "what was missed is not told: {told:?}");
    page.settle().await?;
    let after = page.first_in_sight("before").await?;
    ensure!(after == before, "{before:?} became {after:?}");
    let field = page.find("textbox", "Message").await?;
    ensure!(field.value().await?.as_deref() == Some("half a thought"), "{:?}", field.value().await?);
    ensure!(page.has_focus("textbox", "Message").await?, "the focus is elsewhere");
    page.press("Jump to newest · 5 new").await?;
    page.wait_for_row(&["meanwhile 4"]).await?;
    let rows = page.rows().await?;
    let came: Vec<&str> =
        rows.iter().filter_map(|row| row.split_once("meanwhile ")).map(|(_, rest)| &rest[..1]).collect();
    ensure!(came == ["0", "1", "2", "3", "4"], "{came:?}");
    page.close().await
}

/// More than a tab that comes back is brought up to date with one by one.
const ASLEEP: usize = 5_000;

#[tokio::test]
async fn a_tab_that_slept_catches_up_without_a_reload() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    ben.api.say("before it fell asleep").await?;
    let page = open(&anna).await?;
    page.wait_for_row(&["before it fell asleep"]).await?;
    page.run("window.isTheSame = true;", vec![]).await?;
    let before = at_rest(async || unread(&page).await).await?;

    page.devtools("Page.setWebLifecycleState", json!({ "state": "frozen" })).await?;
    let api = &ben.api;
    for first in (0..ASLEEP).step_by(100) {
        let said = (first..first + 100).map(|number| async move { api.say(&format!("asleep {number:04}")).await });
        futures::future::try_join_all(said).await?;
    }
    wait_for_entries(&anna, ASLEEP + 1).await?;
    page.devtools("Page.setWebLifecycleState", json!({ "state": "active" })).await?;

    until("it counts what it slept through", async || {
        let now = unread(&page).await?;
        ensure!(now == before + ASLEEP, "{now} unread, {before} before");
        Ok(())
    })
    .await?;
    api.say("after it woke").await?;
    page.wait_for_row(&["after it woke"]).await?;
    let rows = page.rows().await?;
    let once: std::collections::BTreeSet<&String> = rows.iter().collect();
    ensure!(once.len() == rows.len() && rows.iter().any(|row| row.contains("asleep 49")), "{rows:?}");
    ensure!(page.run("return window.isTheSame;", vec![]).await? == true, "it was loaded anew");
    page.close().await
}

/// How many unread messages the page's title counts.
async fn unread(page: &Page) -> Result<usize> {
    let title = page.run("return document.title;", vec![]).await?;
    let count = title.as_str().and_then(|title| title.strip_prefix('(')?.split_once(')'));
    Ok(count.map_or(Ok(0), |(count, _)| count.replace(',', "").parse())?)
}
