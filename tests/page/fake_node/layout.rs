//! The page around the messages: panes, icon, another build's page, a module that fails to load,
//! and the greeting animation.

use roomful::proto::entries::timeline::{Conversation, MessageKind};
use thirtyfour::Key;

use crate::{notes, open, open_before, prepare, three};
use support::fake_node::FakeNode;
use support::fake_node::room::{FakeRoom, channel};
use support::page::Page;
use support::wait::until;
use support::{Result, ensure, json};

#[tokio::test]
async fn help_opens_where_storage_is_forbidden() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = prepare().await?;
    let forbid = "for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get() { throw new DOMException('forbidden', 'SecurityError'); } }); }";
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": forbid })).await?;
    page.go(&node.link()).await?;
    page.wait_for_row(&["and one of mine"]).await?;
    page.press("Help").await?;
    page.wait_for("dialog", "Help").await?;
    page.close().await
}

#[tokio::test]
async fn hidden_sidebar_is_one_press_away() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    for (width, has_members, has_conversations) in [(1024, true, true), (1023, false, true), (768, false, true)] {
        page.resize(width, 700).await?;
        until(&format!("what there is room for in {width} px"), async || {
            let found = [("complementary", "Members"), ("navigation", "Conversations"), ("main", "")];
            let [members, conversations, main] = found.map(|(role, name)| page.find(role, name));
            let shown = (members.await.is_ok(), conversations.await.is_ok(), main.await.is_ok());
            ensure!(shown == (has_members, has_conversations, true), "{shown:?}");
            Ok(())
        })
        .await?;
    }
    page.resize(767, 700).await?;
    is_gone(&page, "navigation", "Conversations").await?;
    page.resize(800, 700).await?;
    page.wait_for("navigation", "Conversations").await?;
    is_gone(&page, "complementary", "Members").await?;
    page.press("2 in reach").await?;
    page.wait_for_focus("complementary", "Members").await?;
    page.key(Key::Escape).await?;
    is_gone(&page, "complementary", "Members").await?;

    page.resize(480, 800).await?;
    is_gone(&page, "navigation", "Conversations").await?;
    page.press("Back to conversations").await?;
    page.wait_for_focus("navigation", "Conversations").await?;
    is_gone(&page, "textbox", "Message").await?;
    is_gone(&page, "link", "Skip to messages").await?;
    page.key(Key::Enter).await?;
    page.wait_for_focus("textbox", "Message").await?;
    page.close().await
}

#[tokio::test]
async fn empty_room_help_is_reached_by_tab() -> Result<()> {
    let mut room = FakeRoom::empty();
    let info = &mut room.info;
    (info.room, info.udp, info.tcp) = ("attic".to_owned(), 7777, vec!["192.0.2.20:7777".to_owned()]);
    let node = FakeNode::open(room).await?;
    let page = open_before(&node).await?;
    // Run elsewhere as they stand there, both meet this node: beacons are heard on one port alone.
    page.wait_for_text("roomful --name Ben --room attic --port 7777").await?;
    page.wait_for_text("roomful --peer 192.0.2.20:7777 --room attic --port 7777").await?;
    page.say("is anybody there?").await?;
    page.wait_for_row(&["is anybody there?"]).await?;
    page.wait_for("textbox", "Address of another computer").await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Tab).await?;
    page.wait_for_focus("button", "Copy").await?;
    page.key(Key::Tab).await?;
    page.wait_for_focus("textbox", "Address of another computer").await?;
    // Its keys are its own, not those of the messages.
    page.chord(&[], "92.0.2.9" + Key::Home + "1").await?;
    let field = page.find("textbox", "Address of another computer").await?;
    ensure!(field.value().await?.as_deref() == Some("192.0.2.9"), "{:?}", field.value().await?);
    page.key(Key::Tab).await?;
    page.wait_for_focus("button", "Connect").await?;
    page.key(Key::Tab).await?;
    page.wait_for_focus("textbox", "Message").await?;

    // The cable is pulled: the page asks again, and there is no address to name.
    {
        let info = &mut node.room().info;
        info.tcp.clear();
        info.addresses.clear();
    }
    page.wait_for_text("at no network address, TCP 7777").await?;
    page.wait_for_text("roomful --peer ADDRESS --room attic --port 7777").await?;
    page.close().await
}

/// Waits until nothing on the page has this role and name.
async fn is_gone(page: &Page, role: &str, name: &str) -> Result<()> {
    until(&format!("{role} {name:?} is gone"), async || {
        ensure!(page.find(role, name).await.is_err(), "still there");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn icon_shows_unread_and_read() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let icon = async |file: &str| {
        until(&format!("the icon is {file}"), async || {
            let href = page.run("return document.querySelector('link[rel=icon]').href;", vec![]).await?;
            ensure!(href.as_str().is_some_and(|href| href.ends_with(file)), "{href}");
            Ok(())
        })
        .await
    };
    icon("/icon.svg").await?;
    node.hear_in(&channel("lunch"), "ana", "soup?", MessageKind::Say);
    icon("/icon-unread.svg").await?;
    page.chord(&[Key::Alt, Key::Shift], Key::Down).await?;
    icon("/icon.svg").await?;
    node.vanish();
    icon("/icon-cut.svg").await?;
    page.close().await
}

#[tokio::test]
async fn nothing_moves_while_the_page_fills() -> Result<()> {
    const WATCH: &str = "window.moved = [];
        new PerformanceObserver((list) => {
          for (const { value, sources } of list.getEntries()) {
            window.moved.push([value, ...sources.map(({ node, previousRect, currentRect }) =>
              [node?.textContent.trim().slice(0, 40), ...[previousRect, currentRect].flatMap(({ x, y, width, height }) => [x, y, width, height])])]);
          }
        }).observe({ type: 'layout-shift', buffered: true });";
    let mut talk = three();
    talk.say("ben", 60, "good morning");
    talk.read_but(&[]);
    let mut long_ago = three();
    for number in 0..700 {
        long_ago.say("ben", 9_000 - number, &format!("note {number:04}"));
    }
    long_ago.read_but(&[(channel("general"), 400)]);
    let mut elsewhere = notes(120);
    for number in 0..75 {
        elsewhere.say_in(&channel("lunch"), "ana", 25, &format!("soup {number}"));
    }
    elsewhere.read_but(&[]);
    // The final content shows that loading is complete: a new user, an empty room, other members, a
    // lot to read, a full page of messages, and a short one.
    for (room, words) in [
        (FakeRoom::empty(), "Nobody else is here right now"),
        (talk, "good morning"),
        (long_ago, "note 0300"),
        (notes(150), "note 0149"),
        (elsewhere, "note 0060"),
    ] {
        let node = FakeNode::open(room).await?;
        let page = prepare().await?;
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await?;
        page.go(&node.link()).await?;
        page.wait_for_text(words).await?;
        page.wait_for_connection("saved on this computer").await?;
        page.settle().await?;
        let moved = page.run("return window.moved;", vec![]).await?;
        ensure!(moved == json!([]), "with {words:?}: {moved}");
        page.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn other_build_offers_a_reload_without_force() -> Result<()> {
    let mut room = notes(3);
    room.info.page = "/static/0000000000000000".to_owned();
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    let field = page.find("textbox", "Message").await?;
    field.send_keys("half a thought").await?;
    page.press("Updated – reload").await?;
    until("the page was loaded again", async || {
        ensure!(field.is_present().await.is_ok_and(|present| !present), "not yet");
        Ok(())
    })
    .await?;
    page.wait_for_row(&["and one of mine"]).await?;
    let field = page.find("textbox", "Message").await?;
    ensure!(field.prop("value").await?.as_deref() == Some("half a thought"), "{:?}", field.prop("value").await?);
    page.close().await
}

#[tokio::test]
async fn failed_page_offers_to_try_again() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = prepare().await?;
    page.devtools("Network.enable", json!({})).await?;
    page.devtools("Network.setBlockedURLs", json!({ "urls": ["*/js/main.js"] })).await?;
    page.go(&node.link()).await?;
    page.wait_for_text("taking longer than it should").await?;
    page.devtools("Network.setBlockedURLs", json!({ "urls": [] })).await?;
    page.press("Reload").await?;
    page.wait_for_row(&["and one of mine"]).await?;
    ensure!(page.find("button", "Reload").await.is_err(), "it still says so");
    Ok(())
}

#[tokio::test]
async fn hooray_animates_unless_motion_is_reduced() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.run(
        "window.joys = 0;
         new MutationObserver((changes) => {
           for (const { addedNodes } of changes) window.joys += [...addedNodes].filter((one) => one.tagName === 'CANVAS').length;
         }).observe(document.body, { childList: true });",
        vec![],
    )
    .await?;
    let greet = async |text: &str| {
        node.hear_in(&Conversation::general(), "ana", text, MessageKind::Hooray);
        page.wait_for_row(&[text]).await
    };
    let joys = async |count: u64| {
        until(&format!("{count} joys, and none left over"), async || {
            let seen = page.run("return [window.joys, document.querySelectorAll('canvas').length];", vec![]).await?;
            ensure!(seen == json!([count, 0]), "{seen}");
            Ok(())
        })
        .await
    };
    greet("hooray for all").await?;
    joys(1).await?;
    // One at a time, and none for what was said before one looked.
    for text in ["hooray from here", "hooray from there"] {
        node.hear_in(&Conversation::general(), "ana", text, MessageKind::Hooray);
    }
    page.wait_for_row(&["hooray from there"]).await?;
    joys(2).await?;
    page.run("clock.ahead = 60_000;", vec![]).await?;
    greet("hooray, a minute ago").await?;
    page.run("clock.ahead = 0;", vec![]).await?;
    let still = json!({ "media": "", "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
    page.devtools("Emulation.setEmulatedMedia", still).await?;
    greet("hooray without motion").await?;
    page.devtools("Emulation.setEmulatedMedia", json!({ "media": "", "features": [] })).await?;
    page.press("Settings").await?;
    crate::turn(&page, "Confetti when someone uses /hooray").await?;
    page.key(Key::Escape).await?;
    greet("hooray in peace").await?;
    page.settle().await?;
    joys(2).await?;
    page.close().await
}
