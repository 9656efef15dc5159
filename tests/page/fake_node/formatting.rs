//! Layout of formatted text: code, lists, quotes, strikethrough and bare links.

use thirtyfour::Key;

use super::{number, open, three, wait_for_focused_text};
use support::fake_node::FakeNode;
use support::page::Page;
use support::wait::until;
use support::{Result, Value, ensure, json};

/// A page in which Ana has said these texts.
async fn with_texts(texts: &[&str]) -> Result<(FakeNode, Page)> {
    let mut room = three();
    for (number, text) in texts.iter().enumerate() {
        room.say("ana", 600 - number as u64 * 10, text);
    }
    room.say("kai", 30, "and one of mine");
    room.read_but(&[]);
    let node = FakeNode::open(room).await?;
    let page = open(&node).await?;
    Ok((node, page))
}

/// Runs a script on the body of the message that has this word: `body` there.
async fn in_message(page: &Page, word: &str, script: &str) -> Result<Value> {
    let find = "const body = [...document.querySelectorAll('#list > .row')]
                  .find((row) => row.textContent.includes(arguments[0])).querySelector('.message__body');";
    page.run(&format!("{find} {script}"), vec![json!(word)]).await
}

#[tokio::test]
async fn code_keeps_its_indentation_and_is_copied() -> Result<()> {
    let code = format!("fn main() {{\n    let long = \"{}\";\n}}", "x".repeat(400));
    let (_world, page) = with_texts(&[&format!("look:\n```rust\n{code}\n```")]).await?;
    let wide = "const pre = body.querySelector('pre');
                return [pre.scrollWidth > pre.clientWidth, getComputedStyle(pre).whiteSpace, pre.tabIndex];";
    ensure!(in_message(&page, "fn main", wide).await? == json!([true, "pre", -1]), "it scrolls");
    let head =
        in_message(&page, "fn main", "return body.querySelector('pre').previousElementSibling.innerText;").await?;
    ensure!(head.as_str().is_some_and(|head| head.contains("rust")), "{head}");

    // By keys: the row, the button, and the code, which scrolls before an arrow leads on.
    in_message(&page, "fn main", "body.closest('.row').focus();").await?;
    page.key(Key::Right).await?;
    wait_for_focused_text(&page, "Copy").await?;
    page.key(Key::Right).await?;
    wait_for_focused_text(&page, "fn main").await?;
    page.key(Key::Right).await?;
    until("it has scrolled", async || {
        let scrolled = page.run("return document.activeElement.scrollLeft;", vec![]).await?;
        ensure!(number(scrolled)? > 0.0, "not yet");
        Ok(())
    })
    .await?;

    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; };", vec![]).await?;
    page.press("Copy code").await?;
    until("the code is copied", async || {
        let copied = page.run("return window.copied ?? null;", vec![]).await?;
        ensure!(copied == json!(code), "{copied}");
        Ok(())
    })
    .await?;
    page.wait_for_text("Copied").await?;
    page.close().await
}

#[tokio::test]
async fn lines_of_a_list_are_aligned() -> Result<()> {
    let long = "of many words ".repeat(30);
    let text = format!("to do:\n- first *of* {long}\n10. second {long}\nno item");
    let (_world, page) = with_texts(&[&text]).await?;
    // Where each line of an item begins, behind its sign.
    let begins = "return [...body.querySelectorAll('.list-item')].map((item) => {
                    const range = document.createRange();
                    range.selectNodeContents(item);
                    range.setStartAfter(item.firstElementChild);
                    const lines = new Map();
                    for (const { left, bottom, width } of range.getClientRects()) {
                      const line = Math.round(bottom / 4);
                      if (width > 0) lines.set(line, Math.min(lines.get(line) ?? Infinity, left));
                    }
                    return [...lines.values()];
                  });";
    let items: Vec<Vec<f64>> = serde_json::from_value(in_message(&page, "to do", begins).await?)?;
    ensure!(items.len() == 2, "{items:?}");
    for lines in items {
        ensure!(lines.len() > 2 && lines.iter().all(|left| (left - lines[0]).abs() < 1.0), "{lines:?}");
    }
    let shown = in_message(&page, "to do", "return body.innerText;").await?;
    let typed = text.replace('*', "");
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    ensure!(shown.as_str().map(lines) == Some(lines(&typed)), "as typed: {shown}");
    page.close().await
}

#[tokio::test]
async fn no_gap_is_beside_a_quote() -> Result<()> {
    let (_world, page) = with_texts(&["before\n\n> what was asked\n\nthe answer"]).await?;
    let gaps = "const quote = body.querySelector('blockquote').getBoundingClientRect();
                const lineOf = (text) => { const range = document.createRange(); range.selectNodeContents(text);
                  return range.getBoundingClientRect(); };
                return [quote.top - lineOf(body.firstChild).bottom, lineOf(body.lastChild).top - quote.bottom];";
    for gap in serde_json::from_value::<Vec<Value>>(in_message(&page, "the answer", gaps).await?)? {
        let gap = number(gap)?;
        ensure!((0.0..12.0).contains(&gap), "{gap} px");
    }
    page.close().await
}

#[tokio::test]
async fn strike_and_bare_links_are_drawn() -> Result<()> {
    let (_world, page) = with_texts(&["~~old~~ www.example.org and ana@example.org"]).await?;
    let drawn = "return [body.querySelector('s').textContent, ...[...body.querySelectorAll('a')].map((a) => a.href)];";
    let expected = json!(["old", "http://www.example.org/", "mailto:ana@example.org"]);
    let drawn = in_message(&page, "old", drawn).await?;
    ensure!(drawn == expected, "{drawn}");
    page.close().await
}
