//! Notifications and sounds for a user who looks elsewhere.

use roomful::proto::entries::timeline::MessageKind;
use thirtyfour::Key;

use crate::{notes, open, wait_for_focused_text};
use support::fake_node::FakeNode;
use support::fake_node::room::{channel, direct};
use support::page::Page;
use support::wait::until;
use support::{Result, Value, ensure, json};

/// Replaces the browser's notifications and sounds, which a test cannot observe: `told` has each
/// notification as `[title, body, tag]`, `asked` counts the permission requests, `rang` the sounds.
/// Each sound has two tones.
const STAND_IN: &str = "window.told = []; window.shown = []; window.asked = 0; window.rang = 0;
    window.Notification = class {
      static permission = 'default';
      static async requestPermission() { window.asked += 1; return (this.permission = 'granted'); }
      constructor(title, { body, tag }) { window.told.push([title, body, tag]); window.shown.push(this); }
      close() {}
    };
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...at) { window.rang += 0.5; return start.apply(this, at); };";

async fn seen(page: &Page) -> Result<Value> {
    page.run("return [window.told.map(([title, body]) => [title, body]), window.rang];", vec![]).await
}

async fn wait_for(page: &Page, told: Value, rang: u64) -> Result<()> {
    until(&format!("{told} is told, with {rang} sounds"), async || {
        let seen = seen(page).await?;
        ensure!(seen[0] == told && seen[1].as_f64() == Some(rang as f64), "{seen}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn notification_opens_its_message() -> Result<()> {
    let node = FakeNode::open(notes(60)).await?;
    let page = open(&node).await?;
    page.run(STAND_IN, vec![]).await?;
    let ana = direct("ana");

    // Without the user's consent nothing is shown, and no permission is requested.
    node.hear_in(&ana, "ana", "are you there?", MessageKind::Say);
    page.wait_for_text("1 unread").await?;
    page.settle().await?;
    ensure!(page.run("return [window.told.length, window.asked];", vec![]).await? == json!([0, 0]), "told or asked");

    page.press("Settings").await?;
    let button = page.wait_for("button", "Turn on").await?.to_json()?;
    page.run("arguments[0].focus();", vec![button]).await?;
    page.key(Key::Enter).await?;
    page.wait_for_text("Notifications are on.").await?;
    ensure!(page.run("return window.asked;", vec![]).await? == json!(1), "asked more than once");
    page.key(Key::Escape).await?;
    node.hear_in(&channel("general"), "ben", "to everybody", MessageKind::Say);
    node.hear_in(&ana, "ana", "come down, please", MessageKind::Say);
    let told = json!([["Ana", "come down, please"]]);
    until("it is told", async || {
        let seen = seen(&page).await?;
        ensure!(seen[0] == told, "{seen}");
        Ok(())
    })
    .await?;
    page.run("window.shown[0].onclick();", vec![]).await?;
    wait_for_focused_text(&page, "come down, please").await?;

    // What is in sight is no notice, and without its text one says only who.
    node.hear_in(&ana, "ana", "in sight", MessageKind::Say);
    page.wait_for_row(&["in sight"]).await?;
    page.press("Settings").await?;
    crate::turn(&page, "Show message text in notifications").await?;
    page.key(Key::Escape).await?;
    page.chord(&[Key::Alt], Key::Up).await?;
    page.wait_for_row(&["and one of mine"]).await?;
    node.hear_in(&ana, "ana", "a secret", MessageKind::Say);
    until("only who is told", async || {
        let seen = seen(&page).await?;
        ensure!(seen[0] == json!([["Ana", "come down, please"], ["Ana", ""]]), "{seen}");
        Ok(())
    })
    .await?;
    // The second takes the place of the first.
    let tags = page.run("return new Set(window.told.map(([, , tag]) => tag)).size;", vec![]).await?;
    ensure!(tags == json!(1), "{tags} notices for one conversation");
    page.close().await
}

#[tokio::test]
async fn sound_plays_for_messages_to_the_user_only() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.run(STAND_IN, vec![]).await?;
    let ana = direct("ana");

    // Not before a first gesture: browsers would complain.
    node.hear_in(&ana, "ana", "before anything", MessageKind::Say);
    page.wait_for_text("1 unread").await?;
    page.settle().await?;
    wait_for(&page, json!([]), 0).await?;

    page.find("textbox", "Message").await?.click().await?;
    node.hear("ben", "to everybody");
    page.wait_for_row(&["to everybody"]).await?;
    for number in 0..5 {
        node.hear_in(&ana, "ana", &format!("knock {number}"), MessageKind::Say);
    }
    page.wait_for_text("6 unread").await?;
    wait_for(&page, json!([]), 1).await?;
    page.settle().await?;
    wait_for(&page, json!([]), 1).await?;

    // After a while there may be another; the first one that comes is the one.
    until("another sound", async || {
        node.hear_in(&ana, "ana", "and again", MessageKind::Say);
        let seen = seen(&page).await?;
        ensure!(seen[1] == json!(2), "{seen}");
        Ok(())
    })
    .await?;
    page.close().await
}
