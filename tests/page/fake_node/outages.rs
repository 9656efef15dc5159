//! What the page says while its node is stopped.

use crate::{notes, open, open_before, three};
use support::fake_node::FakeNode;
use support::fake_node::room::FakeRoom;
use support::{Result, ensure, json};

const COMMAND: &str = "roomful --room 'my attic' --web-port 40123";

fn with_options(room: FakeRoom) -> FakeRoom {
    let mut room = room;
    room.info.command = COMMAND.to_owned();
    room
}

#[tokio::test]
async fn stopped_node_is_started_with_its_own_options() -> Result<()> {
    let node = FakeNode::open(with_options(notes(3))).await?;
    let page = open(&node).await?;
    node.say_goodbye();
    page.wait_for_connection(COMMAND).await?;
    page.wait_for_connection("This page will reconnect").await?;
    page.wait_for("button", "Copy").await?;
    page.close().await
}

#[tokio::test]
async fn stopped_node_replaces_the_empty_room() -> Result<()> {
    let mut room = with_options(three());
    room.members.truncate(1);
    let node = FakeNode::open(room).await?;
    let page = open_before(&node).await?;
    page.wait_for_text("Nobody else is here right now").await?;
    page.wait_for_text("This is how others see you").await?;
    node.say_goodbye();
    page.wait_for_text("Start it again with this command").await?;
    let script = "return document.querySelector('main').innerText;";
    let text = page.run(script, vec![]).await?.to_string();
    ensure!(text.contains("--web-port 40123"), "{text}");
    for gone in ["Nobody else is here", "This is how others see you", "Looking for others"] {
        ensure!(!text.contains(gone), "{gone} in {text}");
    }
    page.close().await
}

#[tokio::test]
async fn ephemeral_node_needs_its_new_link() -> Result<()> {
    let mut room = notes(3);
    room.info.command = "roomful --ephemeral".to_owned();
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    node.say_goodbye();
    page.wait_for_connection("open the link it prints").await?;
    ensure!(
        page.run("return document.querySelector('#copy-command').hidden;", vec![]).await? == json!(false),
        "a button"
    );
    page.close().await
}
