//! Files on the page: pasted, dropped and sent with Enter, and seen, opened and listed elsewhere.

use support::json;
use support::lab::Lab;
use support::page::Page;
use support::wait::until;
use support::{Result, ensure};
use thirtyfour::Key;

use crate::{open, two};

/// A picture of 3 by 2 pixels.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGNQaPgAQQxwFgBY9Alh/Z7kGAAAAABJRU5ErkJggg==";

/// Has the user paste or drop a file, or hold it over the page.
async fn bring(page: &Page, event: &str, name: &str, media_type: &str, base64: &str) -> Result<()> {
    let script = "const [type, name, mediaType, base64] = arguments;
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], name, { type: mediaType }));
        const how = { bubbles: true, cancelable: true };
        document.getElementById('field').dispatchEvent(
          type === 'paste'
            ? new ClipboardEvent(type, { ...how, clipboardData: data })
            : new DragEvent(type, { ...how, dataTransfer: data }));";
    page.run(script, vec![json!(event), json!(name), json!(media_type), json!(base64)]).await.map(drop)
}

/// Waits until the chip of a file says this.
async fn wait_for_chip(page: &Page, words: &[&str]) -> Result<()> {
    until(&format!("a chip says {words:?}"), async || {
        let text = page.text("list", "Attached files").await?;
        ensure!(words.iter().all(|word| text.contains(word)), "{text:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pasted_picture_is_seen_and_opened_elsewhere() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let (annas, bens) = (open(&anna).await?, open(&ben).await?);
    bring(&annas, "paste", "beach.png", "image/png", PNG).await?;
    wait_for_chip(&annas, &["beach.png", "byte"]).await?;
    annas.say("look at this").await?;

    bens.wait_for_row(&["look at this", "beach.png", "here"]).await?;
    let opener = bens.wait_for("button", "Open beach.png").await?;
    until("the picture is decoded", async || {
        let width = bens.run("return document.querySelector('.file__picture').naturalWidth;", vec![]).await?;
        ensure!(width == 3, "{width}");
        Ok(())
    })
    .await?;
    opener.click().await?;
    let dialog = bens.wait_for("dialog", "beach.png").await?;
    ensure!(dialog.text().await?.contains("Picture 1 of 1"), "{:?}", dialog.text().await?);
    bens.find("button", "Save").await?;
    dialog.send_keys(Key::Escape + "").await?;
    until("the picture is closed, and has given the focus back", async || {
        let focused = bens.run("return document.activeElement.getAttribute('aria-label');", vec![]).await?;
        ensure!(focused == "Open beach.png", "{focused}");
        Ok(())
    })
    .await?;
    annas.close().await?;
    bens.close().await
}

#[tokio::test]
async fn dropped_file_waits_for_enter_and_can_be_removed() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, _ben] = two(&lab).await?;
    let page = open(&anna).await?;
    let shown = async || page.run("return document.querySelector('.drop-target')?.textContent ?? null;", vec![]).await;
    bring(&page, "dragover", "a.txt", "text/plain", "YQ==").await?;
    ensure!(shown().await? == "Drop files to attach them to # general", "{:?}", shown().await?);
    bring(&page, "drop", "a.txt", "text/plain", "YQ==").await?;
    ensure!(shown().await?.is_null(), "the page says still where to drop");
    wait_for_chip(&page, &["a.txt", "1 byte"]).await?;
    page.press("Remove a.txt").await?;
    until("the chip is gone", async || {
        ensure!(page.find("button", "Remove a.txt").await.is_err(), "it is there");
        Ok(())
    })
    .await?;
    ensure!(anna.api.messages().await?.is_empty(), "something was sent");
    page.close().await
}

#[tokio::test]
async fn long_paste_is_sent_as_a_file_and_listed() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let page = open(&anna).await?;
    let script = "const data = new DataTransfer();
        data.setData('text/plain', 'a line of a log\\n'.repeat(2100));
        document.getElementById('field').dispatchEvent(
          new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data }));";
    page.run(script, vec![]).await?;
    page.press("Send as a file").await?;
    wait_for_chip(&page, &["text.txt", "33.6 kB"]).await?;
    page.say("the log").await?;
    page.wait_for_row(&["the log", "text.txt"]).await?;

    let bens = open(&ben).await?;
    until("the menu is open", async || {
        bens.find("button", "Actions for # general").await?.click().await?; // drawn anew while the page opens
        bens.find("menuitem", "Files").await.map(drop)
    })
    .await?;
    bens.find("menuitem", "Files").await?.click().await?;
    let dialog = bens.wait_for("dialog", "Files in # general").await?;
    until("the file is listed", async || {
        let text = dialog.text().await?;
        ensure!(text.contains("1 file\n") && text.contains("text.txt"), "{text:?}");
        Ok(())
    })
    .await?;
    bens.find("searchbox", "Find a file by name").await?.send_keys("photo").await?;
    until("no file has that name", async || {
        let text = dialog.text().await?;
        ensure!(text.contains("No file has this name.") && !text.contains("text.txt"), "{text:?}");
        Ok(())
    })
    .await?;
    page.close().await?;
    bens.close().await
}
