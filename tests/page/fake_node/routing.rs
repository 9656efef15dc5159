//! Addresses of conversations and messages, and navigation between them.

use crate::{gap, notes, open, wait_for_focused_text};
use roomful::proto::entries::timeline::NoticeKind;
use support::fake_node::FakeNode;
use support::fake_node::room::channel;
use support::page::Page;
use support::wait::until;
use support::{Context, Result, ensure, json};
use thirtyfour::Key;

#[tokio::test]
async fn message_address_opens_it_from_anywhere() -> Result<()> {
    let room = notes(300);
    let line = room.messages.iter().find(|line| line.text.contains("note 0040")).context("a note")?;
    let place = format!("#/channel/general/{}", line.id);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;

    // As if it was pasted into the address.
    page.run(&format!("location.hash = '{place}';"), vec![]).await?;
    wait_for_focused_text(&page, "note 0040").await?;
    is_in_the_middle(&page).await?;
    page.run("history.back();", vec![]).await?;
    until("the end again", async || {
        ensure!(gap(&page).await? <= 1.0, "{} px from the end", gap(&page).await?);
        Ok(())
    })
    .await?;
    page.run("history.forward();", vec![]).await?;
    wait_for_focused_text(&page, "note 0040").await?;
    page.reload().await?;
    wait_for_focused_text(&page, "note 0040").await?;
    is_in_the_middle(&page).await?;
    page.press("Jump to newest").await?;
    page.wait_for_row(&["and one of mine"]).await?;
    until("the address is that of the conversation", async || {
        let address = page.address().await?;
        ensure!(address.ends_with("/#/channel/general"), "{address}");
        Ok(())
    })
    .await?;
    // One that is not here is said in words.
    page.run(&format!("location.hash = '#/channel/general/{}';", "0".repeat(64)), vec![]).await?;
    page.wait_for_row(&["Couldn’t open the message: This message isn’t here, or hasn’t arrived yet."]).await?;
    page.close().await
}

/// That what has the focus stands about in the middle of the messages.
async fn is_in_the_middle(page: &Page) -> Result<()> {
    let script = "const list = document.querySelector('[aria-label=Messages]').parentElement.getBoundingClientRect();
        const row = document.activeElement.getBoundingClientRect();
        return (row.top + row.bottom) / 2 - (list.top + list.bottom) / 2;";
    until("it is in the middle", async || {
        let off = crate::number(page.run(script, vec![]).await?)?;
        ensure!(off.abs() < 60.0, "{off} px off");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn message_menu_works_by_keyboard() -> Result<()> {
    let node = FakeNode::open(notes(5)).await?;
    let page = open(&node).await?;
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Up).await?;
    wait_for_focused_text(&page, "and one of mine").await?;
    page.key(Key::Up).await?;
    wait_for_focused_text(&page, "note 0004").await?;
    page.key(Key::Enter).await?;
    page.wait_for("menu", "Actions for this message").await?;
    wait_for_focused_text(&page, "Add reaction").await?;
    page.key(Key::Down).await?;
    wait_for_focused_text(&page, "Reply").await?;
    page.key(Key::Up).await?;
    page.key(Key::Up).await?;
    wait_for_focused_text(&page, "Profile of Ben").await?;
    page.key(Key::Escape).await?;
    wait_for_focused_text(&page, "note 0004").await?;
    page.key(Key::Enter).await?;
    page.key(Key::End).await?;
    page.key(Key::Enter).await?;
    page.wait_for("dialog", "Ben").await?;
    page.key(Key::Escape).await?;
    wait_for_focused_text(&page, "note 0004").await?;
    page.key(Key::Tab).await?;
    page.wait_for_focus("textbox", "Message").await?;

    // A user who continues before the browser has reported that a dialog is closed keeps the focus.
    let field = page.find("textbox", "Message").await?.to_json()?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Up).await?;
    page.key(Key::Up).await?;
    page.key(Key::Enter).await?;
    wait_for_focused_text(&page, "Add reaction").await?;
    page.key(Key::End).await?;
    page.key(Key::Enter).await?;
    let dialog = page.wait_for("dialog", "Ben").await?.to_json()?;
    let at_once = "arguments[0].close(); arguments[1].focus();
        return new Promise((done) => arguments[0].addEventListener('close', () => done(document.activeElement === arguments[1])));";
    ensure!(page.run(at_once, vec![dialog, field]).await? == true, "the focus was fetched back");
    page.chord(&[Key::Control], "/").await?;
    let dialog = page.wait_for("dialog", "Help").await?.to_json()?;
    let at_once = "arguments[0].close();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }));";
    page.run(at_once, vec![dialog]).await?;
    page.wait_for("dialog", "Go to a conversation, a member or a command").await?;
    page.close().await
}

#[tokio::test]
async fn lost_scroll_position_is_the_end() -> Result<()> {
    let node = FakeNode::open(notes(150)).await?;
    let page = open(&node).await?;
    until("the beginning is in sight", async || {
        page.wheel(-4000).await?;
        let (first, _) = page.first_in_sight("note").await?;
        ensure!(first == "note 0000", "{first}");
        Ok(())
    })
    .await?;
    // So many that little is kept of the first.
    for number in 0..11 {
        page.run(&format!("location.hash = '#/channel/other {number}';"), vec![]).await?;
        until("it is open", async || {
            let title = page.run("return document.querySelector('main h1').textContent;", vec![]).await?;
            ensure!(title == format!("# other {number}").as_str(), "{title}");
            Ok(())
        })
        .await?;
    }
    page.run("location.hash = '';", vec![]).await?;
    page.wait_for_row(&["and one of mine"]).await?;
    until("the end is in sight", async || {
        ensure!(gap(&page).await? <= 1.0, "{} px from it", gap(&page).await?);
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn conversation_address_announces_nothing() -> Result<()> {
    let mut room = notes(5);
    room.say_in(&channel("lunch"), "ana", 40, "soup?");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    page.chord(&[Key::Alt], Key::Down).await?;
    page.wait_for_row(&["soup?"]).await?;
    page.reload().await?;
    page.wait_for_row(&["soup?"]).await?;
    page.run("history.back();", vec![]).await?;
    page.wait_for_row(&["and one of mine"]).await?;
    page.run("history.forward();", vec![]).await?;
    page.wait_for_row(&["soup?"]).await?;
    page.shows("and one of mine", 0).await?;
    let heard = page.text_content("log", "New messages").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    page.close().await
}

#[tokio::test]
async fn keys_move_through_messages_and_regions() -> Result<()> {
    let mut room = notes(60);
    room.notice("ana", 20, NoticeKind::Left);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    // The last line changes while it is being read.
    page.wait_for_row(&["Ana left"]).await?;
    node.notice("ana", NoticeKind::Joined);
    page.wait_for_row(&["Ana left and came back"]).await?;
    let skip = page.find("link", "Skip to messages").await?.to_json()?;
    page.run("arguments[0].focus();", vec![skip]).await?;
    page.key(Key::Enter).await?;
    page.key(Key::Home).await?;
    wait_for_focused_text(&page, "Beginning of this conversation").await?;
    page.key(Key::PageDown).await?;
    wait_for_focused_text(&page, "note 00").await?;
    let page_down = page.run("return document.activeElement.textContent;", vec![]).await?;
    page.key(Key::PageDown).await?;
    page.key(Key::PageUp).await?;
    wait_for_focused_text(&page, page_down.as_str().context("a text")?).await?;
    // The last one is no message but what came to pass in between, told in one line that opens.
    page.key(Key::End).await?;
    wait_for_focused_text(&page, "Ana left and came back").await?;
    page.key(Key::Enter).await?;
    page.wait_for_row(&["Ana left and came back", "Ana joined"]).await?;
    page.key(Key::Escape).await?;
    page.wait_for_focus("textbox", "Message").await?;

    let parts = [
        ("complementary", "Members"),
        ("navigation", "Conversations"),
        ("list", "Messages"),
        ("textbox", "Message"),
        ("complementary", "Members"),
    ];
    for (role, name) in parts {
        page.chord(&[Key::Control], Key::F6).await?;
        if role == "list" {
            // The part that scrolls has it, and the keys lead into the list.
            page.key(Key::Up).await?;
        }
        page.wait_for_focus(role, name).await?;
    }
    page.close().await
}

#[tokio::test]
async fn several_messages_are_copied_as_a_transcript() -> Result<()> {
    let node = FakeNode::open(notes(5)).await?;
    let page = open(&node).await?;
    let list = page.find("list", "Messages").await?.to_json()?;
    let script = "document.getSelection().selectAllChildren(arguments[0]);
        const data = new DataTransfer();
        arguments[0].dispatchEvent(new ClipboardEvent('copy', { clipboardData: data, bubbles: true, cancelable: true }));
        return data.getData('text/plain');";
    let copied = page.run(script, vec![list]).await?;
    let lines: Vec<&str> = copied.as_str().context("a text")?.lines().collect();
    ensure!(lines.len() == 6 && lines.iter().all(|line| line.starts_with('[')), "{lines:#?}");
    ensure!(lines[0].contains("] Ben: note 0000") && lines[5].ends_with("] Kai: and one of mine"), "{lines:#?}");
    page.close().await
}

#[tokio::test]
async fn composer_is_one_tab_from_a_message_with_links() -> Result<()> {
    let mut room = notes(3);
    room.say("ben", 5, "see http://one.test/ and http://two.test/");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    page.find("textbox", "Message").await?.click().await?;
    for arrows in [2, 1, 0] {
        page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
        page.key(Key::Up).await?;
        wait_for_focused_text(&page, "see http://one.test/").await?;
        for goal in ["http://one.test/", "http://two.test/"].iter().take(arrows) {
            page.key(Key::Right).await?;
            until(&format!("{goal} has the focus"), async || {
                let focused =
                    page.run("return [document.activeElement.href, document.activeElement.rel];", vec![]).await?;
                ensure!(focused == json!([goal, "noopener noreferrer"]), "{focused}");
                Ok(())
            })
            .await?;
        }
        page.key(Key::Tab).await?;
        page.wait_for_focus("textbox", "Message").await?;
    }
    page.close().await
}
