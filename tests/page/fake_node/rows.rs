//! Rows that change while the reader uses them.

use thirtyfour::Key;

use crate::{open, three, wait_for_focused_text};
use support::fake_node::FakeNode;
use support::page::Page;
use support::{Result, ensure, json};

/// A room whose newest own message has a link and no receipt yet.
async fn linked() -> Result<(FakeNode, Page)> {
    let mut room = three();
    room.say("ben", 60, "good morning");
    room.say("kai", 30, "and one of mine http://one.test/ as well");
    room.held(0, 2);
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    page.wait_for_row(&["and one of mine", "Saved on this computer"]).await?;
    Ok((node, page))
}

#[tokio::test]
async fn a_receipt_keeps_selected_text() -> Result<()> {
    let (node, page) = linked().await?;
    let select =
        "const row = [...document.querySelectorAll('#list > .row')].find((row) => row.textContent.includes('mine'));
                  const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
                  while (!walker.nextNode().data.includes('and one'));
                  getSelection().setBaseAndExtent(walker.currentNode, 4, walker.currentNode, 11);";
    page.run(select, vec![]).await?;
    node.receipt(1, 2);
    page.wait_for_row(&["and one of mine", "Received by 1 of 2"]).await?;
    let selected = page.run("return getSelection().toString();", vec![]).await?;
    ensure!(selected == json!("one of "), "{selected}");
    page.close().await
}

#[tokio::test]
async fn a_receipt_keeps_the_focus_on_a_link() -> Result<()> {
    let (node, page) = linked().await?;
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Up).await?;
    wait_for_focused_text(&page, "and one of mine").await?;
    page.key(Key::Right).await?;
    wait_for_focused_text(&page, "http://one.test/").await?;
    node.receipt(2, 2);
    page.wait_for_row(&["and one of mine", "Received by all"]).await?;
    let focused = page.run("return document.activeElement.tagName;", vec![]).await?;
    ensure!(focused == json!("A"), "{focused} has the focus");
    page.close().await
}

#[tokio::test]
async fn a_receipt_keeps_the_open_menu() -> Result<()> {
    let (node, page) = linked().await?;
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Up).await?;
    page.key(Key::Enter).await?;
    page.wait_for("menu", "Actions for this message").await?;
    page.key(Key::Down).await?;
    wait_for_focused_text(&page, "Reply").await?;
    node.receipt(1, 2);
    page.wait_for_row(&["and one of mine", "Received by 1 of 2"]).await?;
    wait_for_focused_text(&page, "Reply").await?;
    page.key(Key::End).await?;
    wait_for_focused_text(&page, "Delete").await?;
    page.key(Key::Up).await?;
    page.key(Key::Enter).await?;
    page.wait_for("dialog", "Who has this message").await?;
    page.close().await
}
