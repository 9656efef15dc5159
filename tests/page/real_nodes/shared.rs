//! A machine with other users: after a restart an open tab explains what happened, and typed text
//! is kept.

use support::lab::{Lab, free_port};
use support::node::{Launch, Node};
use support::page::Page;
use support::socket::Tab;
use support::wait::until;
use support::{Result, ensure, json};

/// What an open page says while the room is empty.
pub(crate) const ALONE: &str = "Nobody else is here right now";

pub(crate) fn anna(lab: &Lab, port: u16, shared: &str) -> Launch {
    lab.node("anna").host("127.0.0.1").option("--web-port", &port.to_string()).option("--shared", shared)
}

#[tokio::test]
async fn old_tab_reports_the_restart_and_keeps_text() -> Result<()> {
    let (lab, port) = (Lab::new()?, free_port()?);
    let node = anna(&lab, port, "yes").start()?;
    let id = node.id().to_owned();
    let tab = Page::open(node.web()?).await?;
    tab.wait_for_text(ALONE).await?;
    tab.find("textbox", "Message").await?.send_keys("begun before the restart").await?;
    saved(&node, "begun before the restart").await?;
    // An unsent message of a tab that is gone.
    let item = json!([{"ref": "r1", "text": "never sent", "key": "c:general", "kind": "say", "at": now_ms()?,
        "status": "failed", "tried": true, "error": "disk_full"}]);
    store(&node, &format!("roomful.outbox.{id}.gone"), &item.to_string()).await?;
    store(&node, "roomful.theme", "dark").await?;

    let launch = node.kill()?;
    tab.wait_for_connection("No connection to your node").await?;
    let node = launch.start()?;
    tab.wait_for_text("Roomful was restarted").await?;
    for words in ["roomful url", "Your unsent messages are saved in your node."] {
        tab.wait_for_text(words).await?;
    }

    tab.open_tab(node.web()?).await?;
    tab.wait_for_row(&["never sent", "Not sent"]).await?;
    let draft = tab.find("textbox", "Message").await?;
    until("the draft is back", async || {
        let text = draft.value().await?;
        ensure!(text.as_deref() == Some("begun before the restart"), "{text:?}");
        Ok(())
    })
    .await?;
    let theme = tab.run("return document.documentElement.dataset.theme;", vec![]).await?;
    ensure!(theme == "dark", "{theme}");
    Ok(())
}

#[tokio::test]
async fn old_tab_shows_unsent_text() -> Result<()> {
    let (lab, port) = (Lab::new()?, free_port()?);
    let node = anna(&lab, port, "yes").start()?;
    let tab = Page::open(node.web()?).await?;
    tab.wait_for_text(ALONE).await?;
    let launch = node.kill()?;
    tab.wait_for_connection("No connection to your node").await?;
    tab.say("sent to nobody").await?;
    tab.wait_for_row(&["sent to nobody", "Waiting for your node"]).await?;
    tab.find("textbox", "Message").await?.send_keys("and begun").await?;
    let _node = launch.start()?;
    tab.wait_for_text("Copy it before you close the tab").await?;
    let left = tab.wait_for("textbox", "Your unsent text").await?.value().await?.unwrap_or_default();
    ensure!(left == "sent to nobody\n\nand begun", "{left:?}");
    Ok(())
}

/// Waits until the node has this text in the storage of its pages.
async fn saved(node: &Node, text: &str) -> Result<()> {
    until("the node has the draft", async || {
        let storage = Tab::open(&node.api).await?.welcome["storage"].to_string();
        ensure!(storage.contains(text), "{storage}");
        Ok(())
    })
    .await
}

async fn store(node: &Node, key: &str, value: &str) -> Result<()> {
    let mut tab = Tab::open(&node.api).await?;
    tab.send(&json!({"type": "storage", "ref": key.chars().take(64).collect::<String>(), "key": key, "value": value}))
        .await?;
    tab.find("its answer", |frame| frame["type"] == "done").await.map(drop)
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?)
}
