//! Two users' views of each other: receipts, safety words, and the room before anyone else joins.

use thirtyfour::Key;

use crate::{open, two};
use support::lab::Lab;
use support::page::Page;
use support::wait::until;
use support::{Context, Result, ensure};

#[tokio::test]
async fn holders_are_shown_by_name_and_time() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, _ben] = two(&lab).await?;
    let page = open(&anna).await?;
    page.say("who has this?").await?;
    page.wait_for_row(&["who has this?", "Received"]).await?;
    page.press("Received").await?;
    let title = "Who has this message";
    page.wait_for("dialog", title).await?;
    until("ben is named, with the time", async || {
        let told = page.text("dialog", title).await?;
        ensure!(told.contains("Received") && told.contains("ben") && told.contains("since "), "{told}");
        Ok(())
    })
    .await?;
    page.key(Key::Escape).await?;
    page.close().await
}

#[tokio::test]
async fn safety_words_are_compared_in_three_clicks() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let (annas, bens) = (open(&anna).await?, open(&ben).await?);
    let mut read = Vec::new();
    for (page, other) in [(&annas, "ben"), (&bens, "anna")] {
        member(page, other).await?.click().await?;
        page.wait_for("dialog", other).await?;
        page.press("Compare safety words").await?;
        page.wait_for("button", "They match").await?;
        page.wait_for("image", "The digits below, as a QR code").await?;
        let words = "return [...document.querySelectorAll('dialog ol > li')].map((one) => one.textContent).join(' ');";
        read.push(page.run(words, vec![]).await?.as_str().context("words")?.to_owned());
    }
    ensure!(read[0] == read[1] && read[0].split(' ').count() == 12, "{read:?}");
    annas.press("They match").await?;
    until("ben is verified", async || {
        let told = annas.text("dialog", "ben").await?;
        ensure!(told.contains("ben is now verified") && told.contains("they matched"), "{told}");
        ensure!(anna.api.member(ben.id()).await?["verified"] == true, "the node does not know");
        Ok(())
    })
    .await?;
    bens.press("They differ").await?;
    until("a warning, and a way to block", async || {
        let told = bens.text("dialog", "anna").await?;
        ensure!(told.contains("Don’t trust") && told.contains("anna is not verified"), "{told}");
        Ok(())
    })
    .await?;
    bens.press("Block").await?;
    bens.wait_for_text("Block anna?").await?;
    ensure!(ben.api.member(anna.id()).await?["blocked"] == false, "blocked without an answer");
    bens.run("document.querySelector('dialog .dialog__confirm').click();", vec![]).await?;
    bens.wait_for_text("anna is blocked.").await?;
    ensure!(ben.api.member(anna.id()).await?["blocked"] == true, "the node does not know");
    annas.close().await?;
    bens.close().await
}

/// The button of a member in the list.
async fn member(page: &Page, name: &str) -> Result<thirtyfour::WebElement> {
    until(&format!("{name} is in the list"), async || page.find_like("button", &format!("{name} 127.")).await).await
}

#[tokio::test]
async fn empty_room_help_goes_with_the_first_member() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let elsewhere = support::lab::free_port()?.to_string();
    let ben = lab.node("ben").host("127.0.0.2").option("--port", &elsewhere).start()?;
    let page = Page::open(anna.web()?).await?;
    page.wait_for_text("Nobody else is here right now").await?;
    let (room, port) = (lab.room(), lab.port().to_string());
    for words in [
        &format!("--room {room}"),
        "127.0.0.1",
        "announcing to 127.255.255.255",
        "ago",
        &port,
        "Guest Wi-Fi",
        "--peer 127.0.0.1",
    ] {
        page.wait_for_text(words).await?;
    }
    page.say("is anybody there?").await?;
    page.wait_for_row(&["is anybody there?", "Saved – will be sent when someone is in reach"]).await?;

    let address = page.wait_for("textbox", "Address of another computer").await?;
    address.send_keys("no such address" + Key::Enter).await?;
    page.wait_for_text("is not a valid address").await?;
    address.clear().await?;
    address.send_keys(ben.ready["tcp"][0].as_str().context("an address")?.to_owned() + Key::Enter).await?;
    page.wait_for_row(&["is anybody there?", "Received"]).await?;
    page.wait_for_connection("1 in reach").await?;
    let left = page.run("return document.body.innerText;", vec![]).await?;
    ensure!(!left.to_string().contains("Nobody else is here right now"), "it is still there");
    page.close().await
}

#[tokio::test]
async fn old_message_is_found_and_opened() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    ben.api.say("the marmot sleeps").await?;
    anna.api.say("a marmot of mine").await?;
    for number in 0..120 {
        ben.api.say(&format!("and so on {number:03}")).await?;
    }
    let page = open(&anna).await?;
    page.wait_for_row(&["and so on 119"]).await?;
    page.chord(&[Key::Control, Key::Shift], "F").await?;
    let field = page.wait_for("combobox", "Search messages").await?;
    field.send_keys("from:anna").await?;
    page.wait_for_text("1 message, newest first").await?;
    field.send_keys(Key::Control + "a").await?;
    field.send_keys("marmot").await?;
    page.wait_for_text("2 messages, newest first").await?;
    field.send_keys(" from:ben in:general after:2020-01-01").await?;
    page.wait_for_text("1 message, newest first").await?;
    page.key(Key::Enter).await?;
    until("it is in sight and has the focus", async || {
        let text = page.run("return document.activeElement.textContent;", vec![]).await?;
        ensure!(text.as_str().is_some_and(|text| text.contains("the marmot sleeps")), "{text}");
        Ok(())
    })
    .await?;
    page.press("Back to where I was").await?;
    page.wait_for_row(&["and so on 119"]).await?;
    page.close().await
}
