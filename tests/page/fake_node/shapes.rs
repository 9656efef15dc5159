//! Messages of unusual shapes: long ones, which the page folds, and letters with very many marks.

use thirtyfour::Key;

use super::{open, three, wait_for_focused_text};
use support::fake_node::FakeNode;
use support::page::Page;
use support::wait::until;
use support::{Context, Result, Value, ensure, json};

/// The text of the row that has this word, as it is laid out.
async fn row_text(page: &Page, word: &str) -> Result<String> {
    let script = "const row = [...document.querySelectorAll('#list > .row')].find((row) => row.textContent.includes(arguments[0]));
                  return row?.innerText ?? null;";
    let text = page.run(script, vec![json!(word)]).await?;
    Ok(text.as_str().context("the row")?.to_owned())
}

#[tokio::test]
async fn a_long_message_unfolds_and_folds_by_keys() -> Result<()> {
    let mut room = three();
    let lines: Vec<String> = (0..60).map(|number| format!("line {number:02}")).collect();
    room.say("ben", 60, &lines.join("\n"));
    room.say("ana", 50, &format!("```\n{}\n```", lines.join("\n").replace("line", "code")));
    room.say("kai", 30, "and one of mine");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    for kind in ["line", "code"] {
        let (first, last) = (format!("{kind} 00"), format!("{kind} 59"));
        let begun = row_text(&page, &first).await?;
        ensure!(begun.contains(&format!("{kind} 19")) && !begun.contains(&format!("{kind} 20")), "20 lines: {begun}");

        // From the row an arrow leads to the button.
        let script = "const row = [...document.querySelectorAll('#list > .row')].find((row) => row.textContent.includes(arguments[0]));
                      row.focus(); return row.getBoundingClientRect().top;";
        page.run(script, vec![json!(first)]).await?;
        page.key(Key::Right).await?;
        if kind == "code" {
            wait_for_focused_text(&page, "Copy").await?;
            page.key(Key::Right).await?;
        }
        wait_for_focused_text(&page, "Show more").await?;
        let is_expanded = async || page.run("return document.activeElement.ariaExpanded;", vec![]).await;
        ensure!(is_expanded().await? == json!("false"), "folded");
        page.key(Key::Enter).await?;
        wait_for_focused_text(&page, "Show less").await?;
        ensure!(is_expanded().await? == json!("true"), "unfolded");
        ensure!(row_text(&page, &first).await?.contains(&last), "all of it");

        // What comes meanwhile, from the same member too, draws rows again.
        node.hear(if kind == "line" { "ben" } else { "ana" }, &format!("after {kind}"));
        page.wait_for_row(&[&format!("after {kind}")]).await?;
        page.run("dispatchEvent(new Event('resize'));", vec![]).await?;
        ensure!(row_text(&page, &first).await?.contains(&last), "still unfolded");
        page.key(Key::Enter).await?;
        wait_for_focused_text(&page, "Show more").await?;
        ensure!(!row_text(&page, &first).await?.contains(&last), "folded again");
        let in_sight = "const { top, bottom } = document.activeElement.getBoundingClientRect();
                        return top >= 0 && bottom <= innerHeight;";
        ensure!(page.run(in_sight, vec![]).await? == json!(true), "the button is in sight");
    }
    page.close().await
}

/// Pictures of the rows that have these words.
async fn pictures(page: &Page, words: &[&str]) -> Result<Vec<Value>> {
    let mut pictures = Vec::new();
    for word in words {
        pictures.push(picture(page, "#list > .row", word).await?);
    }
    Ok(pictures)
}

/// A picture of the first element with this word, of those that `selector` finds.
async fn picture(page: &Page, selector: &str, word: &str) -> Result<Value> {
    let script = "const found = [...document.querySelectorAll(arguments[0])].find((one) => one.textContent.includes(arguments[1]));
                  const { x, y, width, height } = found.getBoundingClientRect();
                  return { x, y, width, height, scale: 1 };";
    let clip = page.run(script, vec![json!(selector), json!(word)]).await?;
    let taken = page.devtools("Page.captureScreenshot", json!({ "format": "png", "clip": clip })).await?;
    Ok(taken["data"].clone())
}

#[tokio::test]
async fn marks_of_a_letter_stay_in_their_row() -> Result<()> {
    let marks = "\u{301}\u{316}".repeat(250);
    let (mut plain, mut marked) = (Vec::new(), Vec::new());
    for (text, found) in [("letter z", &mut plain), (&format!("letter z{marks}"), &mut marked)] {
        let mut room = three();
        room.say("ana", 90, "the row above of the others");
        room.say("ana", 80, "the row above");
        room.say("ana", 70, text);
        room.say("ana", 60, "the row below");
        room.say("ben", 50, "the head below");
        room.say("kai", 30, "and one of mine");
        room.read_but(&[]);
        let node = FakeNode::open(room).await?;
        let page = open(&node).await?;
        page.run("document.getElementById('field').blur();", vec![]).await?;
        let around = ["the row above", "the row below", "the head below"];
        let rows = pictures(&page, &around).await?;
        let own = pictures(&page, &["letter z"]).await?;
        // Without the rule the marks reach the rows around: otherwise nothing here would be told.
        let lift = "const sheet = new CSSStyleSheet();
                    sheet.replaceSync('.row, .row * { overflow: visible !important; }');
                    document.adoptedStyleSheets.push(sheet);";
        page.run(lift, vec![]).await?;
        let free = pictures(&page, &around).await?;
        *found = vec![rows, own, free];
        page.close().await?;
    }
    ensure!(plain[0] == marked[0], "the rows around look as without marks");
    ensure!(plain[1] != marked[1], "the marks are drawn");
    ensure!(plain[0] == plain[2], "the rule changes nothing for what has no marks");
    ensure!(marked[0] != marked[2], "without the rule the marks are drawn over the rows around");
    Ok(())
}

#[tokio::test]
async fn marks_of_a_name_stay_in_their_line() -> Result<()> {
    let mut room = three();
    room.say("kai", 30, "and one of mine");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    page.run("document.getElementById('field').blur();", vec![]).await?;
    check_marks(&page, ".member .name", (".member", "Ben")).await?;

    page.run(
        "[...document.querySelectorAll('.member')].find((one) => one.textContent.includes('Ben')).click();",
        vec![],
    )
    .await?;
    until("the profile is there", async || {
        let count = page.run("return document.querySelectorAll('.profile__facts dd').length;", vec![]).await?;
        ensure!(count == 4, "{count} facts");
        Ok(())
    })
    .await?;
    check_marks(&page, ".dialog h2 .name", (".profile__facts", "")).await
}

/// Checks that hundreds of marks on the first name that `name` finds change nothing beside it,
/// because of the CSS rule.
///
/// The node lets no such name through: the page does not rely on that.
async fn check_marks(page: &Page, name: &str, (beside, word): (&str, &str)) -> Result<()> {
    let plain = picture(page, beside, word).await?;
    let mark = "document.querySelector(arguments[0]).textContent += arguments[1];";
    page.run(mark, vec![json!(name), json!("\u{301}\u{316}".repeat(250))]).await?;
    let marked = picture(page, beside, word).await?;
    let lift = "const sheet = new CSSStyleSheet();
                sheet.replaceSync('.member *, .dialog * { contain: none !important; overflow: visible !important; }');
                document.adoptedStyleSheets.push(sheet);";
    page.run(lift, vec![]).await?;
    let free = picture(page, beside, word).await?;
    page.run("document.adoptedStyleSheets.pop();", vec![]).await?;
    ensure!(plain == marked, "marks on {name} are drawn over {beside}");
    ensure!(plain != free, "without the rule nothing is drawn over {beside}: the test tells nothing");
    Ok(())
}
