//! Who is who: equal names, many members, and a name that somebody else takes.

use thirtyfour::Key;

use crate::common::wait::until;
use crate::common::{Result, ensure};
use crate::world::{World, direct, id_of};
use crate::{notes, open, three, wait_for_focused_text};
use roomful::proto::timeline::NoticeKind;

#[tokio::test]
async fn two_of_one_name_are_told_apart_everywhere() -> Result<()> {
    let mut stage = three();
    // In capitals and wide letters it is the same name to a reader.
    stage.member("other", "ＡＮＡ", |_| {});
    stage.say("kai", 500, "and one of mine");
    stage.say("ana", 400, "I am the first");
    stage.say("other", 390, "and I the second");
    stage.notice("other", 380, NoticeKind::Conflict);
    stage.say_in(&direct("other"), "other", 300, "just us");
    stage.read_but(&[]);
    let world = World::open(stage).await?;
    let page = open(&world).await?;
    let (ana, other) = (id_of("ana").short(), id_of("other").short());
    page.wait_for_row(&["I am the first", &ana]).await?;
    page.wait_for_row(&["and I the second", &other]).await?;
    page.wait_for_row(&["A different", &ana, &other]).await?;
    let members = page.text("complementary", "Members").await?;
    ensure!(members.contains(&ana) && members.contains(&other), "{members}");
    let listed = page.text("navigation", "Conversations").await?;
    ensure!(listed.contains(&other), "{listed}");

    let question = "Go to a conversation, a person or a command";
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
    page.wait_for_row(&["Whom do you mean?", &ana, &other]).await?;
    world.hear("other", "heard by ear");
    until("it is told apart by ear too", async || {
        let heard = page.text_content("log", "New messages").await?;
        ensure!(heard.contains(&format!("{other}: heard by ear")), "{heard}");
        Ok(())
    })
    .await?;
    page.close().await
}

#[tokio::test]
async fn many_members_can_be_filtered_and_are_one_stop_for_tab() -> Result<()> {
    let mut stage = notes(3);
    for number in 0..14 {
        stage.member(&format!("guest {number}"), &format!("Guest {number:02}"), |_| {});
    }
    let world = World::open(stage).await?;
    let page = open(&world).await?;
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
