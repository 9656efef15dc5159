//! Identity: equal names, many members, and a name that another member takes.

use thirtyfour::Key;

use crate::{notes, open, three, wait_for_focused_text};
use roomful::proto::entries::timeline::{MessageKind, NoticeKind};
use roomful::proto::members::member::Presence;
use support::fake_node::FakeNode;
use support::fake_node::room::{channel, direct, id_of};
use support::wait::until;
use support::{Result, ensure, json};

#[tokio::test]
async fn namesakes_are_told_apart_everywhere() -> Result<()> {
    let mut room = three();
    // In capitals and wide letters it is the same name to a reader.
    room.member("other", "ＡＮＡ", |_| {});
    room.say("kai", 500, "and one of mine");
    room.say("ana", 400, "I am the first");
    room.say("other", 390, "and I the second");
    room.notice("other", 380, NoticeKind::Conflict);
    room.say_in(&direct("other"), "other", 300, "just us");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    let (ana, other) = (id_of("ana").short(), id_of("other").short());
    page.wait_for_row(&["I am the first", &ana]).await?;
    page.wait_for_row(&["and I the second", &other]).await?;
    page.wait_for_row(&["A different", &ana, &other]).await?;
    let members = page.text("complementary", "Members").await?;
    ensure!(members.contains(&ana) && members.contains(&other), "{members}");
    let listed = page.text("navigation", "Conversations").await?;
    ensure!(listed.contains(&other), "{listed}");

    let question = "Go to a conversation, a member or a command";
    page.chord(&[Key::Control], "k").await?;
    page.wait_for("combobox", question).await?.send_keys("ana").await?;
    until("both are offered", async || {
        let offered = page.text("dialog", question).await?;
        ensure!(offered.contains(&ana) && offered.contains(&other), "{offered}");
        Ok(())
    })
    .await?;
    page.key(Key::Escape).await?;
    page.say("/msg ana hello").await?;
    page.wait_for_row(&["Who do you mean?", &ana, &other]).await?;
    node.hear("other", "heard by ear");
    until("it is told apart by ear too", async || {
        let heard = page.text_content("log", "New messages").await?;
        ensure!(heard.contains(&format!("{other}: heard by ear")), "{heard}");
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn member_list_is_filtered_and_one_tab_stop() -> Result<()> {
    let mut room = notes(3);
    for number in 0..14 {
        room.member(&format!("guest {number}"), &format!("Guest {number:02}"), |_| {});
    }
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    page.wait_for("searchbox", "Filter members").await?.send_keys("ana").await?;
    let shown = async || page.text("complementary", "Members").await;
    until("only Ana is left", async || {
        let shown = shown().await?;
        ensure!(shown.contains("Ana") && !shown.contains("Guest"), "{shown}");
        Ok(())
    })
    .await?;
    page.key(Key::Tab).await?;
    wait_for_focused_text(&page, "Ana").await?;
    page.find("searchbox", "Filter members").await?.send_keys(Key::Control + "a").await?;
    page.key(Key::Backspace).await?;
    until("all are there again", async || {
        ensure!(shown().await?.contains("Guest 13"), "{}", shown().await?);
        Ok(())
    })
    .await?;
    page.key(Key::Tab).await?;
    page.key(Key::End).await?;
    wait_for_focused_text(&page, "Guest 13").await?;
    page.key(Key::Up).await?;
    wait_for_focused_text(&page, "Guest 12").await?;
    page.close().await
}

#[tokio::test]
async fn three_tabs_notify_of_a_message_once() -> Result<()> {
    // The browser's own notices can't be seen from a test: each tab writes down what it would show.
    const NOTE: &str = "window.Notification = class {
        static permission = 'granted';
        constructor(title, { body, tag }) { localStorage.setItem(`told ${Math.random()}`, JSON.stringify([title, body, tag])); }
    };";
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.run(NOTE, vec![]).await?;
    let link = node.link().split('#').next().unwrap_or_default().to_owned();
    for _ in 0..2 {
        page.open_tab("about:blank").await?;
        crate::set_clock(&page).await?;
        page.go(&link).await?;
        page.wait_for_connection("saved on this computer").await?;
        page.run(NOTE, vec![]).await?;
    }
    let told = async || {
        let script =
            "return Object.entries(localStorage).filter(([key]) => key.startsWith('told ')).map(([, text]) => text);";
        let told: Vec<String> = serde_json::from_value(page.run(script, vec![]).await?)?;
        anyhow::Ok(told)
    };
    // What is said to all is no notice unless one wants it.
    node.hear("ana", "to everybody");
    node.hear_in(&direct("ana"), "ana", "only for you", MessageKind::Say);
    until("it is told", async || {
        ensure!(!told().await?.is_empty(), "not yet");
        Ok(())
    })
    .await?;
    page.wait_for_text("to everybody").await?;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let told = told().await?;
    ensure!(told.len() == 1 && told[0].contains("Ana") && told[0].contains("only for you"), "{told:?}");
    page.close().await
}

#[tokio::test]
async fn first_visit_shows_the_own_name() -> Result<()> {
    let mut room = three();
    room.member("gwen", "Gwen", |gwen| gwen.state = Presence::Lost);
    room.say("ben", 60, "good morning");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = crate::open_before(&node).await?;
    let name = page.wait_for("textbox", "Your name").await?;
    page.wait_for_text("lost connection · last seen ").await?;
    ensure!(name.prop("value").await?.as_deref() == Some("Kai"), "{:?}", name.prop("value").await?);
    // Keeping the name needs no further step.
    page.key(Key::Enter).await?;
    page.wait_for_focus("textbox", "Message").await?;
    ensure!(page.find("textbox", "Your name").await.is_err(), "it is still there");
    page.run("localStorage.clear();", vec![]).await?;
    page.reload().await?;
    page.wait_for("textbox", "Your name").await?.send_keys(Key::Enter + "").await?;
    page.wait_for_focus("textbox", "Message").await?;
    ensure!(page.find("textbox", "Your name").await.is_err(), "it is still there");
    page.reload().await?;
    page.wait_for_row(&["good morning"]).await?;
    page.settle().await?;
    ensure!(page.find("textbox", "Your name").await.is_err(), "it came again");
    page.close().await
}

#[tokio::test]
async fn shared_name_is_never_truncated() -> Result<()> {
    let called = "A rather long name of many words";
    let mut room = three();
    room.member("one", called, |_| {});
    room.member("other", called, |_| {});
    room.say("kai", 90, "and one of mine");
    room.say_in(&direct("one"), "one", 60, "hello");
    room.say_in(&channel("busy"), "ben", 50, "much is said here");
    room.read_but(&[(channel("busy"), 1200)]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    let name = format!("{called} {}", id_of("one").short());
    page.find("link", &name).await?.click().await?;
    page.resize(320, 640).await?;
    let check_that_nothing_is_cut = async || {
        let cut = "return [...document.querySelectorAll('main h1, #back, nav a, nav a > span')].filter((part) =>
            part.checkVisibility() && part.scrollWidth > part.clientWidth).map((part) => part.textContent);";
        let found = page.run(cut, vec![]).await?;
        ensure!(found == json!([]), "cut: {found}");
        Ok(())
    };
    until("the whole name stands above what is said", async || {
        let shown = page.run("return document.querySelector('main h1').innerText;", vec![]).await?;
        ensure!(shown == name.as_str(), "{shown}");
        check_that_nothing_is_cut().await
    })
    .await?;
    page.press("Back to conversations 1,200 unread").await?;
    page.wait_for("link", &name).await?;
    check_that_nothing_is_cut().await?;
    page.close().await
}

#[tokio::test]
async fn button_shows_only_what_the_node_confirmed() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.find_like("button", "Ana").await?.click().await?;
    page.press("Mute").await?;
    page.press("Unmute").await?;
    page.wait_for_text("Ana is no longer muted.").await?;
    node.vanish();
    page.press("Mute").await?;
    page.wait_for_text("Your node didn’t accept that.").await?;
    page.wait_for("button", "Mute").await?;
    ensure!(page.find("button", "Unmute").await.is_err(), "it says what is not so");
    page.close().await
}
