//! Reading: the view stays in place when messages arrive, and new messages are announced, counted,
//! and read only when seen.

use thirtyfour::Key;

use crate::{gap, notes, number, open, three, wait_for_focused_text, wait_for_title};
use support::fake_node::FakeNode;
use support::fake_node::room::{FakeRoom, channel};
use support::page::Page;
use support::wait::{at_rest, until};
use support::{Context, Result, ensure, json};

/// An invisible move, in pixels.
const UNSEEN: f64 = 1.0;

#[tokio::test]
async fn late_history_moves_nothing_and_counts_as_unread() -> Result<()> {
    let node = FakeNode::open(notes(120)).await?;
    let page = open(&node).await?;
    page.wheel(-1500).await?;
    page.wait_for("button", "Jump to newest").await?;
    let before = at_rest(async || page.first_in_sight("note").await).await?;

    // Between the fourth and the fifth note, far above what is in sight.
    for number in 0..3 {
        node.hear_late("ana", 116 * 60 + 30 - number, &format!("this took a detour {number}"));
    }
    page.wait_for("button", "3 earlier messages arrived").await?;
    let after = page.first_in_sight("note").await?;
    ensure!(after.0 == before.0 && (after.1 - before.1).abs() <= UNSEEN, "{before:?} became {after:?}");
    wait_for_title(&page, |title| title.starts_with("(3) ")).await?;
    page.find("button", "Jump to newest").await?; // where nothing is new
    node.hear("ana", "and this did not");
    page.wait_for("button", "Jump to newest · 1 new").await?;

    page.press("3 earlier messages arrived").await?;
    wait_for_focused_text(&page, "this took a detour 0").await?;
    wait_for_title(&page, |title| title.starts_with("(1) ")).await?;
    page.press("Back to where I was").await?;
    // The one at the edge may be seen by half.
    wait_for_focused_text(&page, &before.0[..7]).await?;
    let after = at_rest(async || page.first_in_sight("note").await).await?;
    ensure!(after.0 == before.0 && (after.1 - before.1).abs() <= UNSEEN, "{before:?} became {after:?} on the way back");
    page.close().await
}

#[tokio::test]
async fn view_stays_at_the_end_until_scrolled() -> Result<()> {
    let node = FakeNode::open(notes(60)).await?;
    let page = open(&node).await?;
    // The largest distance from the end with which any frame was painted. Observers are told of a
    // change of size right before the paint, the page's own first. A timer may run after the change
    // and before its frame.
    page.run(
        "const list = document.querySelector('[aria-label=Messages]'), scroller = list.parentElement;
         window.worst = 0;
         const sizes = new ResizeObserver(() => {
           const gap = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
           window.worst = Math.max(window.worst, gap);
         });
         sizes.observe(scroller);
         sizes.observe(list);",
        vec![],
    )
    .await?;
    for number in 0..50 {
        node.hear("ana", &format!("one more {number}. {}", "and much of it ".repeat(number % 9)));
    }
    page.wait_for_row(&["one more 49."]).await?;
    let field = page.find("textbox", "Message").await?;
    for _ in 0..6 {
        field.send_keys(Key::Shift + Key::Enter).await?;
    }
    page.resize(700, 500).await?;
    page.run("document.documentElement.style.setProperty('font-size', '150%');", vec![]).await?;
    page.settle().await?;
    let worst = number(page.run("return window.worst;", vec![]).await?)?;
    ensure!(worst <= UNSEEN, "once it was {worst} px from the end");
    page.run("document.documentElement.style.removeProperty('font-size');", vec![]).await?;
    page.resize(1280, 800).await?;

    // A move that no hand made.
    page.run("document.querySelector('[aria-label=Messages]').parentElement.scrollTop -= 200;", vec![]).await?;
    page.settle().await?;
    node.hear("ana", "after a move by nobody");
    page.wait_for_row(&["after a move by nobody"]).await?;
    ensure!(gap(&page).await? <= UNSEEN, "{} px from the end", gap(&page).await?);

    page.wheel(-600).await?;
    page.wait_for("button", "Jump to newest").await?;
    let before = at_rest(async || page.first_in_sight("one more").await).await?;
    for number in 0..3 {
        node.hear("ana", &format!("below, {number}"));
    }
    page.wait_for("button", "Jump to newest · 3 new").await?;
    let after = page.first_in_sight("one more").await?;
    ensure!(after.0 == before.0 && (after.1 - before.1).abs() <= UNSEEN, "{before:?} became {after:?}");
    page.press("Jump to newest · 3 new").await?;
    until("the end again", async || {
        ensure!(gap(&page).await? <= UNSEEN, "not there");
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn unread_line_stays_until_marked_read() -> Result<()> {
    let mut room = three();
    room.say("kai", 9_000, "and one of mine");
    for number in 0..8_u64 {
        room.say("ben", 8_000 - number, &format!("read before {number}"));
    }
    for number in 0..40_u64 {
        room.say("ana", 3_000 - number, &format!("not read yet {number}. {}", "with more to it ".repeat(4)));
    }
    room.read_but(&[(channel("general"), 40)]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    until("the line stands before the first", async || line_is_before(&page, "not read yet 0.").await).await?;
    page.wait_for("button", "Jump to newest").await?;
    node.hear("ben", "while one reads");
    page.wait_for_row(&["while one reads"]).await?;
    line_is_before(&page, "not read yet 0.").await?;
    // The rows in sight are read after half a second, the others wait.
    wait_for_title(&page, |title| title.starts_with('(') && !title.starts_with("(41)")).await?;

    page.find("textbox", "Message").await?.send_keys(Key::Escape + "").await?;
    until("the line is gone", async || {
        let rows = page.rows().await?;
        ensure!(!rows.iter().any(|row| row == "New"), "{rows:?}");
        Ok(())
    })
    .await?;
    wait_for_title(&page, |title| !title.starts_with('(')).await?;
    page.close().await
}

/// That the line of the unread stands right before the row with these words.
async fn line_is_before(page: &Page, words: &str) -> Result<()> {
    let rows = page.rows().await?;
    let line = rows.iter().position(|row| row == "New");
    ensure!(line.is_some_and(|at| rows[at + 1].contains(words)), "{line:?} in {rows:#?}");
    Ok(())
}

/// More that was not read yet than fits into the window, below one message of one's own.
fn ninety_unread() -> FakeRoom {
    let mut room = three();
    room.say("kai", 9_000, "and one of mine");
    for number in 0..90_u64 {
        room.say("ana", 3_000 - number, &format!("not read yet {number}. {}", "with more to it ".repeat(4)));
    }
    room.read_but(&[(channel("general"), 90)]);
    room
}

#[tokio::test]
async fn pill_counts_unread_above_and_jumps_to_it() -> Result<()> {
    let node = FakeNode::open(ninety_unread()).await?;
    let page = open(&node).await?;
    until("the line stands before the first", async || line_is_before(&page, "not read yet 0.").await).await?;
    page.wheel(1500).await?;
    // Some of them are in sight for half a second meanwhile, most are not.
    let pill = "const pill = [...document.querySelectorAll('button')].find((one) => /^\\d+ unread$/.test(one.textContent) && one.checkVisibility());
        return pill ? [parseInt(pill.textContent), pill] : null;";
    let left = until("a pill for those above", async || {
        let found = page.run(pill, vec![]).await?;
        found[0].as_u64().context("there is none")
    })
    .await?;
    ensure!((1..=90).contains(&left), "{left}");
    // After the messages, before the composer.
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Tab).await?;
    wait_for_focused_text(&page, "unread").await?;
    page.key(Key::Enter).await?;
    wait_for_focused_text(&page, "New").await?;
    until("the line is in sight, and the pill is gone", async || {
        line_is_before(&page, "not read yet 0.").await?;
        ensure!(page.run(pill, vec![]).await?.is_null(), "still there");
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn pills_are_one_tab_stop() -> Result<()> {
    let node = FakeNode::open(ninety_unread()).await?;
    let page = open(&node).await?;
    until("the line stands before the first", async || line_is_before(&page, "not read yet 0.").await).await?;
    page.wheel(1500).await?;
    node.hear_late("ben", 8_000, "this took a detour");
    page.wait_for("button", "1 earlier message arrived").await?;
    page.wait_for_like("button", "Jump to newest").await?;
    page.wait_for_text(" unread").await?;
    page.find("textbox", "Message").await?.click().await?;
    page.chord(&[Key::Control, Key::Shift], Key::F6).await?;
    page.key(Key::Tab).await?;
    wait_for_focused_text(&page, "1 earlier message arrived").await?;
    page.key(Key::Tab).await?;
    page.wait_for_focus("textbox", "Message").await?;
    page.chord(&[Key::Shift], Key::Tab).await?;
    wait_for_focused_text(&page, "Jump to newest").await?;
    for (key, pill) in [
        (Key::Left, " unread"),
        (Key::Left, "1 earlier message arrived"),
        (Key::Left, "Jump to newest"),
        (Key::Right, "1 earlier message arrived"),
        (Key::Left, "Jump to newest"),
    ] {
        page.key(key).await?;
        wait_for_focused_text(&page, pill).await?;
    }
    // The pill is gone once it was pressed; who pressed it is among the messages.
    page.key(Key::Enter).await?;
    until("the messages have the focus", async || {
        let script = "return document.activeElement === document.querySelector('[aria-label=Messages]').parentElement;";
        ensure!(page.run(script, vec![]).await? == true, "it is elsewhere");
        Ok(())
    })
    .await?;
    ensure!(gap(&page).await? <= UNSEEN, "{} px from the end", gap(&page).await?);
    page.close().await
}

#[tokio::test]
async fn the_line_waits_for_a_slow_page_instead_of_moving() -> Result<()> {
    let mut room = notes(120);
    for number in 0..250_u64 {
        room.say_in(&channel("lunch"), "ana", 3_000 - number, &format!("soup {number}."));
    }
    room.read_but(&[(channel("lunch"), 230)]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    // Before which messages the line has ever stood.
    page.run(
        "const list = document.querySelector('[aria-label=Messages]');
         window.stood = new Set();
         new MutationObserver(() => {
           const at = [...list.children].find((row) => row.textContent.trim() === 'New');
           if (at) window.stood.add(at.nextElementSibling.textContent.match(/soup \\d+\\./)[0]);
         }).observe(list, { childList: true });",
        vec![],
    )
    .await?;
    page.devtools("Network.enable", json!({})).await?;
    let slow = json!({ "offline": false, "latency": 2500, "downloadThroughput": -1, "uploadThroughput": -1 });
    page.devtools("Network.emulateNetworkConditions", slow).await?;
    page.chord(&[Key::Alt], Key::Down).await?;
    // What is there already is shown meanwhile.
    page.wait_for_row(&["soup 249."]).await?;
    page.shows("soup 20.", 0).await?;
    until("the line stands where reading stopped", async || line_is_before(&page, "soup 20.").await).await?;
    let stood = page.run("return [...window.stood];", vec![]).await?;
    ensure!(stood == json!(["soup 20."]), "{stood}");
    page.close().await
}

#[tokio::test]
async fn messages_behind_a_dialog_stay_unread() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.press("Help").await?;
    page.wait_for("dialog", "Help").await?;
    node.hear("ana", "said behind the dialog");
    wait_for_title(&page, |title| title.starts_with("(1) ")).await?;
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    wait_for_title(&page, |title| title.starts_with("(1) ")).await?;
    page.key(Key::Escape).await?;
    wait_for_title(&page, |title| !title.starts_with('(')).await?;

    // Messages at the end of an unfocused window are not read either.
    page.run("document.hasFocus = () => false;", vec![]).await?;
    node.hear("ana", "said to a window behind another");
    wait_for_title(&page, |title| title.starts_with("(1) ")).await?;
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    wait_for_title(&page, |title| title.starts_with("(1) ")).await?;
    page.run("delete document.hasFocus; dispatchEvent(new Event('focus'));", vec![]).await?;
    wait_for_title(&page, |title| !title.starts_with('(')).await?;
    page.close().await
}

#[tokio::test]
async fn long_history_is_unloaded_and_reloaded() -> Result<()> {
    const ROWS_MAX: u64 = 400;
    const NOTES: u64 = 2600; // more than the page keeps
    let node = FakeNode::open(notes(NOTES)).await?;
    let page = open(&node).await?;
    page.run(
        "const list = document.querySelector('[aria-label=Messages]');
         window.most = list.childElementCount;
         new MutationObserver(() => { window.most = Math.max(window.most, list.childElementCount); }).observe(list, { childList: true });
         window.isAtTop = () => list.textContent.includes('Beginning of this conversation');
         window.notes = () => [...list.children].flatMap((row) => row.textContent.match(/note (\\d+)/)?.[1] ?? []).map(Number);",
        vec![],
    )
    .await?;
    let (first, _) = at_rest(async || page.first_in_sight("note").await).await?;
    let first: u64 = first.trim_start_matches("note ").parse()?;
    page.say("/history 2000").await?;
    until("two thousand further up", async || {
        let text = page.run("return document.activeElement.textContent;", vec![]).await?;
        // The one at the edge may be seen by half.
        let goals = [first - 2000, first - 2001].map(|number| format!("note {number:04}"));
        ensure!(goals.iter().any(|goal| text.as_str().is_some_and(|text| text.contains(goal))), "{text}");
        Ok(())
    })
    .await?;

    until("the beginning is in sight", async || {
        page.wheel(-4000).await?;
        ensure!(page.run("return window.isAtTop();", vec![]).await? == true, "not yet");
        Ok(())
    })
    .await?;
    page.wait_for_row(&["note 0000"]).await?;

    // Down again over what was let go of on the way up: it comes back, and none is missing.
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    until("the end is in sight", async || {
        page.wheel(4000).await?;
        let drawn: Vec<u64> = serde_json::from_value(page.run("return window.notes();", vec![]).await?)?;
        let holes: Vec<_> = drawn.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
        assert!(holes.is_empty(), "{holes:?} are drawn next to each other");
        seen.borrow_mut().extend(drawn);
        ensure!(seen.borrow().last() == Some(&(NOTES - 1)), "not yet");
        Ok(())
    })
    .await?;
    assert_eq!(seen.into_inner().len() as u64, NOTES, "some were never drawn");
    page.wait_for_row(&["and one of mine"]).await?;
    let most = page.run("return window.most;", vec![]).await?;
    ensure!(most.as_u64().is_some_and(|most| most <= ROWS_MAX), "{most} rows");
    page.close().await
}

#[tokio::test]
async fn today_becomes_yesterday_by_itself() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.wait_for_row(&["Today"]).await?;
    page.run("clock.ahead = 12 * 3600 * 1000;", vec![]).await?;
    page.wait_for_row(&["Yesterday"]).await?;
    page.close().await
}

#[tokio::test]
async fn message_from_the_future_warns_of_the_clock() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    page.run("clock.ahead = -600 * 1000;", vec![]).await?;
    node.hear("ana", "hello from tomorrow");
    page.wait_for_row(&["hello from tomorrow", "clock is wrong"]).await?;
    page.close().await
}

#[tokio::test]
async fn times_are_shown_briefly_and_in_full() -> Result<()> {
    let node = FakeNode::open(notes(3)).await?;
    let page = open(&node).await?;
    // Who, what, when, and how far it has got: in the order in which it is heard.
    until("the row reads in this order", async || {
        let row = page.rows().await?.pop().context("a row")?;
        let places = ["Kai", "and one of mine", "2026", "Received by all 2"].map(|words| row.find(words));
        ensure!(places.is_sorted() && places[0] == Some(0), "{places:?} in {row}");
        Ok(())
    })
    .await?;
    // Below the first of a group it is announced in full, and visible on hover.
    let script = "const rows = [...document.querySelector('[aria-label=Messages]').children];
        const [first, last] = ['note 0000', 'note 0002'].map((words) => rows.find((one) => one.textContent.includes(words)));
        const time = last.querySelector('time');
        const isSeen = () => /:04(?!:)/.test(last.textContent);
        const before = isSeen();
        last.focus();
        return [first.querySelector('time').title.includes('2026'), time.dateTime, time.textContent.includes('2026'), before, isSeen()];";
    let told = page.run(script, vec![]).await?;
    ensure!(told == json!([true, "2026-11-22T14:04:00.000Z", true, false, true]), "{told}");
    page.close().await
}

#[tokio::test]
async fn screen_reader_announces_new_messages_once() -> Result<()> {
    let node = FakeNode::open(notes(200)).await?;
    let page = open(&node).await?;
    let heard = async || page.text_content("log", "New messages").await;
    ensure!(heard().await?.is_empty(), "{:?}", heard().await?);
    until("older ones are loaded", async || {
        page.wheel(-3000).await?;
        let rows = page.rows().await?;
        ensure!(rows.iter().any(|row| row.contains("note 0000")), "{} rows from {:?}", rows.len(), rows[0]);
        Ok(())
    })
    .await?;
    page.key(Key::Escape).await?;
    ensure!(heard().await?.is_empty(), "{:?}", heard().await?);
    node.hear("ana", "good morning");
    page.wait_for_row(&["good morning"]).await?;
    ensure!(heard().await? == "Ana: good morning", "{:?}", heard().await?);
    for number in 0..9 {
        node.hear("ana", &format!("burst {number}"));
    }
    until("a burst is told as one", async || {
        ensure!(heard().await?.contains("new messages"), "{:?}", heard().await?);
        Ok(())
    })
    .await?;
    page.close().await
}
