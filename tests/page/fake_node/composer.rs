//! The composer: keys, drafts, commands, and own messages shown at once.

use roomful::proto::entries::timeline::Conversation;
use roomful::web::requests::RequestError;
use thirtyfour::Key;

use crate::{notes, open, open_before, three, turn, wait_for_focused_text};
use support::fake_node::FakeNode;
use support::page::Page;
use support::wait::until;
use support::{Result, ensure, json};

/// Waits until the composer holds exactly this.
async fn wait_for_field(page: &Page, text: &str) -> Result<()> {
    until(&format!("the field says {text:?}"), async || {
        let value = page.find("textbox", "Message").await?.prop("value").await?;
        ensure!(value.as_deref() == Some(text), "{value:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn draft_survives_tab_and_session() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.find("textbox", "Message").await?.send_keys("begun in one tab").await?;
    page.reload().await?;
    page.wait_for_connection("saved on this computer").await?;
    wait_for_field(&page, "begun in one tab").await?;

    // A second tab beside it has its own, and neither takes the other's.
    let link = node.link().split('#').next().unwrap_or_default().to_owned();
    let first = page.open_tab(&link).await?;
    page.wait_for_connection("saved on this computer").await?;
    wait_for_field(&page, "").await?;
    page.find("textbox", "Message").await?.send_keys("begun in the other").await?;
    until("it is kept", async || {
        let kept = page.run("return JSON.stringify(localStorage);", vec![]).await?.to_string();
        ensure!(kept.contains("begun in one tab") && kept.contains("begun in the other"), "{kept}");
        Ok(())
    })
    .await?;
    page.close_tab(first.clone()).await?;
    wait_for_field(&page, "begun in one tab").await?;
    page.run("document.querySelector('textarea').value = '';", vec![]).await?;
    page.find("textbox", "Message").await?.send_keys("x" + Key::Backspace).await?;
    wait_for_field(&page, "").await?;

    // What the closed one had begun comes to the next that opens.
    page.open_tab(&link).await?;
    page.wait_for_connection("saved on this computer").await?;
    wait_for_field(&page, "begun in the other").await?;
    page.close().await
}

#[tokio::test]
async fn typing_in_the_messages_fills_the_composer() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.run("document.activeElement.blur();", vec![]).await?;
    page.chord(&[], "hey").await?;
    wait_for_field(&page, "hey").await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    wait_for_focused_text(&page, "and one of mine").await?;
    page.key(Key::Up).await?;
    page.chord(&[], "!").await?;
    wait_for_field(&page, "hey!").await?;
    let search = page.find("button", "Search messages").await?.to_json()?;
    page.run("arguments[0].focus();", vec![search]).await?;
    page.chord(&[], "no").await?;
    page.run("document.activeElement.blur();", vec![]).await?;
    page.chord(&[Key::Alt], "n").await?;
    page.settle().await?;
    wait_for_field(&page, "hey!").await?;
    page.close().await
}

#[tokio::test]
async fn enter_sends_unless_set_to_begin_a_line() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let field = page.find("textbox", "Message").await?;
    field.send_keys("one").await?;
    page.chord(&[Key::Shift], Key::Enter).await?;
    page.chord(&[], "two").await?;
    wait_for_field(&page, "one\ntwo").await?;
    page.key(Key::Enter).await?;
    page.wait_for_row(&["one two"]).await?;

    page.press("Settings").await?;
    let setting = "Enter sends, Shift+Enter starts a new line";
    crate::turn(&page, setting).await?;
    page.key(Key::Escape).await?;
    field.send_keys("three").await?;
    page.key(Key::Enter).await?;
    page.chord(&[], "four").await?;
    wait_for_field(&page, "three\nfour").await?;
    page.chord(&[Key::Control], Key::Enter).await?;
    page.wait_for_row(&["three four"]).await?;
    wait_for_field(&page, "").await?;
    page.close().await
}

#[tokio::test]
async fn the_field_grows_to_eight_lines_and_then_scrolls() -> Result<()> {
    let node = FakeNode::open(notes(40)).await?;
    let page = open(&node).await?;
    let field = page.find("textbox", "Message").await?;
    // Its height in lines, and whether more is in it than one sees.
    let lines = async || {
        let script = "const [field] = arguments, style = getComputedStyle(field);
            const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
            return [(field.clientHeight - padding) / parseFloat(style.lineHeight), field.scrollHeight > field.clientHeight + 1];";
        let (lines, is_more): (f64, bool) = serde_json::from_value(page.run(script, vec![field.to_json()?]).await?)?;
        anyhow::Ok((lines.round(), is_more))
    };
    for (more, expected) in [(0, (1.0, false)), (4, (5.0, false)), (3, (8.0, false)), (4, (8.0, true))] {
        for _ in 0..more {
            page.chord(&[Key::Shift], Key::Enter).await?;
        }
        if more == 0 {
            field.send_keys("x").await?;
        }
        until(&format!("{expected:?}"), async || {
            let found = lines().await?;
            ensure!(found == expected, "{found:?}");
            Ok(())
        })
        .await?;
        ensure!(crate::gap(&page).await? <= 1.0, "{} px from the end", crate::gap(&page).await?);
    }
    page.key(Key::Enter).await?;
    until("one line again", async || {
        let found = lines().await?;
        ensure!(found == (1.0, false), "{found:?}");
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn commands_are_completed_and_typos_corrected() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let field = page.find("textbox", "Message").await?;
    field.send_keys("/me").await?;
    let list = page.wait_for("listbox", "Suggestions").await?;
    ensure!(list.text().await?.contains("/members"), "{}", list.text().await?);
    let meant = "const field = arguments[0]; return document.getElementById(field.getAttribute('aria-activedescendant')).textContent;";
    let meant = page.run(meant, vec![field.to_json()?]).await?;
    ensure!(meant.as_str().is_some_and(|text| text.contains("/members")), "{meant}");
    page.key(Key::Tab).await?;
    wait_for_field(&page, "/members").await?;
    page.key(Key::Escape).await?;
    field.clear().await?;
    page.say("/hlep me").await?;
    page.wait_for_row(&["There is no command /hlep", "Only you can see this"]).await?;
    page.press("Use /help").await?;
    wait_for_field(&page, "/help me").await?;
    ensure!(node.room().messages.len() == 4, "something was sent");
    page.close().await
}

#[tokio::test]
async fn own_message_is_one_row_up_to_the_last_receipt() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let watch = "const list = document.querySelector('[aria-label=Messages]');
        window.made = [];
        new MutationObserver((changes) => {
          for (const { addedNodes } of changes) window.made.push(...[...addedNodes].filter((one) => one.textContent.includes('as soon as')));
        }).observe(list, { childList: true });";
    page.run(watch, vec![]).await?;
    page.say("as soon as it is typed").await?;
    page.wait_for_row(&["as soon as it is typed", "Received"]).await?;
    let made = page.run("return [window.made.length, window.made[0].isConnected];", vec![]).await?;
    ensure!(made == serde_json::json!([1, true]), "{made}");
    page.close().await
}

#[tokio::test]
async fn refused_message_can_be_resent_or_discarded() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    node.room().refuses = Some(RequestError::DiskFull);
    page.say("worth a second try").await?;
    page.wait_for_row(&["worth a second try", "Not sent: The disk is full"]).await?;
    node.room().refuses = None;
    page.press("Retry").await?;
    page.wait_for_row(&["worth a second try", "Received"]).await?;
    node.room().refuses = Some(RequestError::DiskFull);
    page.say("better not said").await?;
    page.wait_for_row(&["better not said", "Not sent"]).await?;
    page.press("Delete").await?;
    page.wait_for_focus("textbox", "Message").await?;
    page.shows("better not said", 0).await?;
    page.reload().await?;
    page.wait_for_row(&["worth a second try"]).await?;
    page.shows("better not said", 0).await?;
    page.close().await
}

#[tokio::test]
async fn typing_is_shown_and_sent_unless_turned_off() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let general = Conversation::general();
    let height = "return document.querySelector('#list').getBoundingClientRect().bottom;";
    let before = page.run(height, vec![]).await?;
    node.types("ben", &general);
    page.wait_for_text("Ben is typing").await?;
    node.types("ana", &general);
    page.wait_for_text("Ben and Ana are typing").await?;
    ensure!(page.run(height, vec![]).await? == before, "the messages moved");
    node.hear("ben", "there it is");
    page.wait_for_text("Ana is typing").await?;
    page.run("clock.ahead += 6_000;", vec![]).await?;
    node.types("ben", &general);
    page.wait_for_text("Ben is typing").await?;

    page.find("textbox", "Message").await?.send_keys("hello").await?;
    until("the node is told once", async || {
        let typed = node.room().typed.clone();
        ensure!(typed == [Conversation::general()], "{typed:?}");
        Ok(())
    })
    .await?;
    page.press("Settings").await?;
    turn(&page, "Show who is typing, and show others that you are").await?;
    page.key(Key::Escape).await?;
    until("it is gone", async || {
        let shown = page.run("return document.querySelector('#typing').textContent;", vec![]).await?;
        ensure!(shown == json!(""), "{shown}");
        Ok(())
    })
    .await?;
    page.run("clock.ahead += 6_000;", vec![]).await?;
    page.find("textbox", "Message").await?.send_keys(" there").await?;
    wait_for_field(&page, "hello there").await?;
    ensure!(node.room().typed.len() == 1, "told although it is turned off");
    page.close().await
}

#[tokio::test]
async fn empty_history_says_so() -> Result<()> {
    let node = FakeNode::open(three()).await?;
    let page = open_before(&node).await?;
    page.wait_for_row(&["No messages yet"]).await?;
    page.say("/history").await?;
    page.wait_for_row(&["There are no messages yet", "Only you can see this"]).await?;
    // What fits into the window has no other end to jump to.
    node.hear("ana", "good morning");
    page.wait_for_row(&["good morning"]).await?;
    page.shows("No messages yet", 0).await?;
    page.say("/history").await?;
    wait_for_focused_text(&page, "Beginning of this conversation").await?;
    ensure!(page.find("button", "Jump to newest").await.is_err(), "it leads nowhere");
    page.close().await
}

#[tokio::test]
async fn chosen_emoji_goes_where_the_caret_is() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let field = page.find("textbox", "Message").await?;
    field.send_keys("good  morning").await?;
    page.run("document.getElementById('field').setSelectionRange(5, 5);", vec![]).await?;
    page.press("Add emoji").await?;
    let finder = page.wait_for("combobox", "Choose an emoji").await?;
    finder.send_keys("tada").await?;
    until("it is found", async || {
        let first = page.run("return document.querySelector('#emoji-list > li')?.textContent;", vec![]).await?;
        ensure!(first == json!("🎉tada"), "{first}");
        Ok(())
    })
    .await?;
    finder.send_keys(Key::Enter + "").await?;
    page.wait_for_focus("textbox", "Message").await?;
    ensure!(field.value().await?.as_deref() == Some("good 🎉 morning"), "{:?}", field.value().await?);
    page.close().await
}

#[tokio::test]
async fn emoji_without_a_picture_are_not_offered() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    let script = "CanvasRenderingContext2D.prototype.measureText = (text) => ({ width: text === '😃' ? 12 : 25 });";
    page.run(script, vec![]).await?;
    page.press("Add emoji").await?;
    until("all others are offered", async || {
        let script =
            "return [...document.querySelectorAll('#emoji-list > li')].slice(0, 3).map((one) => one.textContent);";
        let first = page.run(script, vec![]).await?;
        ensure!(first == json!(["😀grinning", "😄smile", "😁grin"]), "{first}");
        Ok(())
    })
    .await?;
    page.close().await
}
