//! A minute of ordinary use, recorded frame by frame, to find jumps and flashes.

use crate::{open, two};
use support::lab::Lab;
use support::page::Page;
use support::wait::at_rest;
use support::{Context, Result, ensure, json};
use thirtyfour::Key;

/// Examines each painted frame: the positions of the visible rows, compared with the frame before.
/// A scroll by the reader moves everything alike in one direction; new messages at the end push the
/// others up; anything else is a jump. An empty frame between two others is a flash.
const RECORDER: &str = include_str!("recorder.js");

/// How much is said before it begins.
const SAID: usize = 640;

#[tokio::test]
async fn a_minute_of_use_jumps_and_flashes_nowhere() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    for number in 0..SAID {
        ben.api.say(&format!("note {number:03}. {}", "and what it is about ".repeat(number % 5))).await?;
    }
    for number in 0..60 {
        let soup = json!({ "text": format!("soup {number:02}."), "channel": "lunch" });
        ben.api.post("/api/v1/messages", &soup).await?.with(201)?;
    }
    let page = open(&anna).await?;
    page.resize(1280, 900).await?;
    page.say("good morning").await?;
    page.wait_for_row(&["good morning", "Received"]).await?;
    // Everything is read: a conversation opens where reading stopped.
    page.find("textbox", "Message").await?.send_keys(Key::Escape + "").await?;
    page.settle().await?;
    page.run(RECORDER, vec![]).await?;

    for number in 0..3 {
        page.say(&format!("said {number}.")).await?;
    }
    page.wait_for_row(&["said 2.", "Received"]).await?;
    scroll(&page, -1500).await?;
    for number in 0..20 {
        ben.api.say(&format!("meanwhile {number}.")).await?;
    }
    page.wait_for_text("20 new").await?;
    for _ in 0..100 {
        if page.rows().await?.iter().any(|row| row.contains("note 100.")) {
            break;
        }
        scroll(&page, -1500).await?;
    }
    page.wait_for_row(&["note 100."]).await?;
    record(&page, "isByHand = true").await?;
    page.key(Key::Escape).await?;
    page.wait_for_row(&["meanwhile 19."]).await?;
    record(&page, "isByHand = false").await?;
    for _ in 0..5 {
        page.chord(&[Key::Alt], Key::Down).await?;
        page.wait_for_row(&["soup 59."]).await?;
        page.chord(&[Key::Alt], Key::Up).await?;
        page.wait_for_row(&["meanwhile 19."]).await?;
    }

    // http://127.0.0.1:PORT/#token=…
    let port = anna.web()?.split([':', '/']).nth(4).context("a port")?.to_owned();
    let launch = anna.kill()?.option("--web-port", &port);
    page.wait_for_connection("No connection to your node").await?;
    page.say("said while it was away").await?;
    let _anna = launch.start()?;
    page.wait_for_connection("in reach").await?;
    page.wait_for_row(&["said while it was away", "Received"]).await?;
    page.settle().await?;
    let recording = page.run("return window.recording;", vec![]).await?;
    println!(
        "{} frames, {} of them late, layout shifts: {}",
        recording["frames"], recording["late"], recording["shifts"]
    );
    ensure!(recording["frames"].as_u64().is_some_and(|frames| frames > 100), "it was not recorded: {recording}");
    ensure!(recording["jumps"] == json!([]) && recording["flashes"] == json!([]), "{recording}");
    page.close().await
}

/// Turns the wheel, and notes that the reader moves them.
async fn scroll(page: &Page, dy: i32) -> Result<()> {
    record(page, "isByHand = true").await?;
    page.wheel(dy).await?;
    at_rest(async || {
        page.run("return document.querySelector('[aria-label=Messages]').parentElement.scrollTop;", vec![]).await
    })
    .await?;
    record(page, "isByHand = false").await
}

async fn record(page: &Page, note: &str) -> Result<()> {
    page.run(&format!("window.recording.{note};"), vec![]).await.map(drop)
}
