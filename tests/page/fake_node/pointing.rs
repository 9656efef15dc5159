//! What stands over the messages while one is pointed at, with a mouse and with a finger, and while
//! the theme changes.

use crate::{open, three};
use support::fake_node::FakeNode;
use support::page::Page;
use support::wait::until;
use support::{Result, ensure, json};

/// A page on which Kai, whose page it is, has said two short words.
async fn two_words() -> Result<(FakeNode, Page)> {
    let mut room = three();
    room.say("ben", 60, "of Ben");
    room.say("kai", 50, "one");
    room.say("kai", 40, "two");
    room.say("kai", 30, "and one of mine");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    Ok((node, page))
}

const ROW: &str = "const row = [...document.querySelectorAll('.message')].find((row) => row.textContent.includes('two'));
    row.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
    const boxOf = (selector) => row.querySelector(selector).getBoundingClientRect();
    const meet = (a, b) => a.width * b.width > 0 && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const range = document.createRange();
    range.selectNodeContents(row.querySelector('.message__body'));
    const text = range.getBoundingClientRect();";

#[tokio::test]
async fn delivery_stands_beside_the_toolbar() -> Result<()> {
    let (_world, page) = two_words().await?;
    let script = "const [bar, chip] = [boxOf('.message__toolbar'), boxOf('.message__status--quiet')];
        return [meet(bar, chip), Math.abs(bar.top - chip.top) < 1, Math.abs(bar.height - chip.height) < 2];";
    let found = page.run(&format!("{ROW} {script}"), vec![]).await?;
    ensure!(found == json!([false, true, true]), "meet, same top, same height: {found}");
    page.close().await
}

#[tokio::test]
async fn nothing_covers_a_message_under_a_finger() -> Result<()> {
    let (_world, page) = two_words().await?;
    let size = json!({ "width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": true });
    page.devtools("Emulation.setDeviceMetricsOverride", size).await?;
    page.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": true })).await?;
    ensure!(page.run("return matchMedia('(pointer: coarse)').matches;", vec![]).await? == json!(true), "a finger");
    let script = "const bar = boxOf('.message__toolbar');
        row.querySelector('.message__open-menu').click();
        const menu = document.querySelector('.menu').getBoundingClientRect();
        const items = [...document.querySelectorAll('.menu [role=menuitem]')].map((item) => item.offsetHeight);
        return [meet(bar, text), bar.width >= 44 && bar.height >= 44, Math.round(innerHeight - menu.bottom), menu.width,
          Math.min(...items) >= 44, document.querySelector('.menu').innerText.includes('2026')];";
    let found = page.run(&format!("{ROW} {script}"), vec![]).await?;
    ensure!(found == json!([false, true, 0, 390, true, true]), "{found}");
    page.close().await
}

#[tokio::test]
async fn colors_of_a_theme_change_at_once() -> Result<()> {
    let (_world, page) = two_words().await?;
    let script = "dispatchEvent(new CustomEvent('roomful-theme', { detail: 'dark' }));
        document.body.offsetHeight;
        return document.getAnimations().length;";
    let found = page.run(script, vec![]).await?;
    ensure!(found == json!(0), "{found} transitions run");
    page.close().await
}

#[tokio::test]
async fn copying_a_text_says_copied() -> Result<()> {
    let (_world, page) = two_words().await?;
    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; };", vec![]).await?;
    let is_shown = "const toast = document.getElementById('toast'); return toast.checkVisibility() && toast.innerText;";
    ensure!(page.run(is_shown, vec![]).await? == json!(false), "before");
    page.run(&format!("{ROW} row.querySelector('.message__open-menu').click();"), vec![]).await?;
    let choose =
        "[...document.querySelectorAll('.menu [role=menuitem]')].find((one) => one.innerText === 'Copy text').click();";
    page.run(choose, vec![]).await?;
    until("it is said", async || {
        let shown = page.run(is_shown, vec![]).await?;
        ensure!(shown == json!("Copied"), "{shown}");
        Ok(())
    })
    .await?;
    ensure!(page.run("return window.copied;", vec![]).await? == json!("two"), "another text");
    until("it goes away", async || {
        let shown = page.run(is_shown, vec![]).await?;
        ensure!(shown == json!(false), "{shown}");
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn own_messages_are_marked_as_yours() -> Result<()> {
    let (_world, page) = two_words().await?;
    let script = "return [...document.querySelectorAll('.message__author')].map((name) => name.innerText);";
    let names = page.run(script, vec![]).await?;
    ensure!(names == json!(["Ben", "Kai you"]), "{names}");
    page.close().await
}

#[tokio::test]
async fn menu_ends_with_what_cannot_be_undone() -> Result<()> {
    let (_world, page) = two_words().await?;
    page.run(&format!("{ROW} row.querySelector('.message__open-menu').click();"), vec![]).await?;
    let script =
        "return [...document.querySelector('.menu').children].slice(-2).map((one) => one.textContent || one.tagName);";
    let last = page.run(script, vec![]).await?;
    ensure!(last == json!(["HR", "Delete"]), "{last}");
    page.close().await
}
