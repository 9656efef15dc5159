//! Rows that change while the reader uses them.

use thirtyfour::Key;

use crate::{open, three, wait_for_focused_text};
use support::fake_node::World;
use support::page::Page;
use support::{Result, ensure, json};

/// A room whose newest own message has a link and no receipt yet.
async fn linked() -> Result<(World, Page)> {
    let mut stage = three();
    stage.say("ben", 60, "good morning");
    stage.say("kai", 30, "and one of mine http://one.test/ as well");
    stage.held(0, 2);
    stage.read_but(&[]);
    let world = World::open(stage).await?;
    let page = open(&world).await?;
    page.wait_for_row(&["and one of mine", "Saved on this computer"]).await?;
    Ok((world, page))
}

#[tokio::test]
async fn a_receipt_keeps_selected_text() -> Result<()> {
    let (world, page) = linked().await?;
    let select =
        "const row = [...document.querySelectorAll('#list > .row')].find((row) => row.textContent.includes('mine'));
                  const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
                  while (!walker.nextNode().data.includes('and one'));
                  getSelection().setBaseAndExtent(walker.currentNode, 4, walker.currentNode, 11);";
    page.run(select, vec![]).await?;
    world.receipt(1, 2);
    page.wait_for_row(&["and one of mine", "Received by 1 of 2"]).await?;
    let selected = page.run("return getSelection().toString();", vec![]).await?;
    ensure!(selected == json!("one of "), "{selected}");
    page.close().await
}

#[tokio::test]
async fn a_receipt_keeps_the_focus_on_a_link() -> Result<()> {
    let (world, page) = linked().await?;
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Up).await?;
    wait_for_focused_text(&page, "and one of mine").await?;
    page.key(Key::Right).await?;
    wait_for_focused_text(&page, "http://one.test/").await?;
    world.receipt(2, 2);
    page.wait_for_row(&["and one of mine", "Received by all"]).await?;
    let focused = page.run("return document.activeElement.tagName;", vec![]).await?;
    ensure!(focused == json!("A"), "{focused} has the focus");
    page.close().await
}

#[tokio::test]
async fn a_receipt_keeps_the_open_menu() -> Result<()> {
    let (world, page) = linked().await?;
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Up).await?;
    page.key(Key::Enter).await?;
    page.wait_for("menu", "Actions for this message").await?;
    page.key(Key::Down).await?;
    wait_for_focused_text(&page, "Reply").await?;
    world.receipt(1, 2);
    page.wait_for_row(&["and one of mine", "Received by 1 of 2"]).await?;
    wait_for_focused_text(&page, "Reply").await?;
    page.key(Key::End).await?;
    wait_for_focused_text(&page, "Delete").await?;
    page.key(Key::Up).await?;
    page.key(Key::Enter).await?;
    page.wait_for("dialog", "Who has this message").await?;
    page.close().await
}
