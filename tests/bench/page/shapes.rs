//! The cost of showing a message, for each shape of the corpus, folded and unfolded.

use thirtyfour::Key;

use crate::sheet::Sheet;
use crate::{measure, without_screen_reader, work_ms};
use support::Result;
use support::fake_node::FakeNode;
use support::page::Page;
use support::shapes as corpus;

/// How often each shape is shown: the worst counts.
const TIMES: usize = 3;

/// The budget for one message, in milliseconds of the page's own work.
const SHOWN_MS_MAX: f64 = 50.0;

/// Shows every shape at the end of the conversation.
pub(crate) async fn show(page: &Page, node: &FakeNode, sheet: &mut Sheet) -> Result<()> {
    page.key(Key::Escape).await?;
    without_screen_reader(page).await?;
    let (mut worst, mut worst_unfolded) = (0.0_f64, 0.0_f64);
    for (name, text) in corpus::all() {
        let (mut shown, mut unfolded) = (0.0_f64, 0.0_f64);
        for _ in 0..TIMES {
            page.run("bench.expectRow();", vec![]).await?;
            let before = work_ms(page).await?;
            node.hear("ben", &text);
            measure(page, "return bench.expected;", vec![]).await?;
            shown = shown.max(work_ms(page).await? - before);
            let before = work_ms(page).await?;
            measure(page, "return bench.turnLast();", vec![]).await?;
            unfolded = unfolded.max(work_ms(page).await? - before);
            measure(page, "return bench.turnLast();", vec![]).await?;
            page.key(Key::Escape).await?;
        }
        sheet.note(&format!("  {name}"), shown, SHOWN_MS_MAX, "ms");
        sheet.tell("    unfolded", unfolded, "ms");
        (worst, worst_unfolded) = (worst.max(shown), worst_unfolded.max(unfolded));
    }
    sheet.note("what the page works for a message, at most", worst, SHOWN_MS_MAX, "ms");
    sheet.tell("  to unfold it, at most", worst_unfolded, "ms");
    Ok(())
}
