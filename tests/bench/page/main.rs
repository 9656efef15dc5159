//! Costs of the page compared with their budgets: weight, time to the first letter, each message,
//! navigation among 100,000 messages, memory.
//!
//! Measured in Chromium without a GPU. Times are upper bounds; the work of the page is measured as
//! processor time, which a busy machine changes little. Nothing fails for being slow.
//! `cargo bench --bench page`, or `cargo bench --bench page shapes` for message shapes alone.

mod memory;
mod shapes;
mod sheet;

use roomful::proto::entries::timeline::MessageKind;
use sheet::Sheet;
use support::driver::Browser;
use support::fake_node::FakeNode;
use support::fake_node::room::{FakeRoom, channel};
use support::fake_node::samples::clock;
use support::page::Page;
use support::{Context, Result, Value, json};
use thirtyfour::Key;

const PROBE: &str = include_str!("probe.js");

/// How many messages the room holds.
const HISTORY: u64 = 100_000;

/// How many there are in each of the other conversations.
const ELSEWHERE: u64 = 2_500;

/// How often something is done to tell how long it takes.
const TIMES: usize = 40;

/// How many messages come at once, and how often.
const BURST: usize = 1_000;
const BURSTS: usize = 5;

/// How many channels there are when one of them is looked for.
const PLACES: usize = 490;

/// The channels beside the room's own.
const CHANNELS: [&str; 9] = ["builds", "lunch", "music", "plants", "printers", "queue", "rides", "sports", "tea"];

#[tokio::main]
async fn main() -> Result<()> {
    let node = FakeNode::open(room()).await?;
    let page = Page::start(Browser::Chromium).await?;
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": format!("{} {PROBE}", clock(true)) }))
        .await?;
    page.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
    page.devtools("Performance.enable", json!({ "timeDomain": "threadTicks" })).await?;
    page.resize(1280, 800).await?;
    page.go(&node.link()).await?;
    let mut sheet = Sheet::default();
    if std::env::args().any(|arg| arg == "shapes") {
        page.wait_for_connection("saved on this computer").await?;
        shapes::show(&page, &node, &mut sheet).await?;
        sheet.print();
        return page.close().await;
    }
    weigh(&page, &mut sheet).await?;
    load(&page, &mut sheet).await?;
    talk(&page, &node, &mut sheet).await?;
    travel(&page, &mut sheet).await?;
    flood(&page, &node, &mut sheet).await?;
    remember(&page, &mut sheet).await?;
    choose(&page, &node, &mut sheet).await?;
    page.key(Key::Escape).await?;
    shapes::show(&page, &node, &mut sheet).await?;
    sheet.print();
    page.close().await
}

/// Four people who have said very much, most of it in one place.
fn room() -> FakeRoom {
    let mut room = FakeRoom::empty();
    let people = ["ana", "ben", "cem", "dora"];
    for word in people {
        room.member(word, word, |_| {});
    }
    let who = |number: u64| people[usize::try_from(number / 3).unwrap_or(0) % people.len()];
    let words = "what somebody says on an ordinary day, now longer and now shorter, ";
    for number in 0..HISTORY {
        let text = format!("{number}: {}", words.repeat(usize::try_from(number % 4).unwrap_or(0)));
        room.say(who(number), (HISTORY - number) * 30 + 60, &text);
    }
    for name in CHANNELS {
        for number in 0..ELSEWHERE {
            room.say_in(&channel(name), who(number), (ELSEWHERE - number) * 30 + 60, &format!("{name} {number}"));
        }
        room.say_in(&channel(name), "ana", 30, &format!("the last of {name}"));
    }
    room.read_but(&[]);
    room
}

/// What is sent before and after one can read and write.
async fn weigh(page: &Page, sheet: &mut Sheet) -> Result<()> {
    let sizes = page.run("return bench.weigh();", vec![]).await?;
    let kib = |name: &str| sizes[name].as_f64().map(|bytes| bytes / 1000.0).context("a size");
    sheet.tell("own scripts and styles, all of them", kib("raw")?, "kB");
    sheet.note("  the same, packed", kib("packed")?, 150.0, "kB");
    sheet.tell("  what is needed to read and write", kib("pathRaw")?, "kB");
    sheet.note("  the same, packed", kib("pathPacked")?, 60.0, "kB");
    sheet.tell("  styles", kib("css")?, "kB");
    sheet.tell("scripts needed to read and write", sizes["modules"].as_f64().context("a count")?, "");
    Ok(())
}

/// From the request to the first letter, with nothing kept from before.
async fn load(page: &Page, sheet: &mut Sheet) -> Result<()> {
    page.devtools("Network.enable", json!({})).await?;
    for (where_from, delay_ms, budgets) in
        [("on this computer", 0, (300.0, 500.0)), ("from 100 ms away", 100, (900.0, 1300.0))]
    {
        let conditions =
            json!({ "offline": false, "latency": delay_ms, "downloadThroughput": -1, "uploadThroughput": -1 });
        page.devtools("Network.emulateNetworkConditions", conditions).await?;
        let (mut painted, mut ready) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            page.devtools("Network.clearBrowserCache", json!({})).await?;
            page.reload().await?;
            page.wait_for_connection("saved on this computer").await?;
            let times = page.run("return bench.times();", vec![]).await?;
            painted.push(times["painted"].as_f64().context("painted")?);
            ready.push(times["ready"].as_f64().context("ready")?);
        }
        sheet.note(&format!("shell painted, {where_from}"), sheet::percentile(&painted, 50), budgets.0, "ms");
        sheet.note(&format!("can type, {where_from}"), sheet::percentile(&ready, 50), budgets.1, "ms");
    }
    let conditions = json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    page.devtools("Network.emulateNetworkConditions", conditions).await?;
    // Or every frame would be told to the driver too, at more work than it is for the page.
    page.devtools("Network.disable", json!({})).await?;
    page.reload().await?;
    page.wait_for_connection("saved on this computer").await
}

/// Turns the accessibility tree off. A driver that asked for an element's role makes the browser
/// maintain it, which most readers do not need, and which costs as much as some of the measured
/// work.
async fn without_screen_reader(page: &Page) -> Result<()> {
    page.devtools("Accessibility.enable", json!({})).await?;
    page.devtools("Accessibility.disable", json!({})).await?;
    Ok(())
}

/// What is said and what is heard.
async fn talk(page: &Page, node: &FakeNode, sheet: &mut Sheet) -> Result<()> {
    // The first message dismisses the onboarding card.
    page.say("good morning").await?;
    page.run("return bench.rest(1000);", vec![]).await?;
    let shifted = measure(page, "return bench.shift;", vec![]).await?;
    sheet.note("layout shift while the page fills", shifted, 0.0, "");
    without_screen_reader(page).await?;
    let mut said = Vec::new();
    for number in 0..TIMES {
        said.push(measure(page, "return bench.say(arguments[0]);", vec![json!(format!("said {number}."))]).await?);
    }
    sheet.note_all("Enter to one's own row", &said, 50.0);
    let mut heard = Vec::new();
    for number in 0..TIMES {
        let text = format!("heard {number}.");
        page.run("bench.expect(arguments[0], arguments[0]);", vec![json!(text)]).await?;
        node.hear("ana", &text);
        heard.push(measure(page, "return bench.expected;", vec![]).await?);
    }
    sheet.note_all("frame to painted", &heard, 50.0);
    for number in 0..10 {
        page.say(&format!("by hand {number}")).await?;
    }
    // Everything is read, or the conversation would open in its middle again.
    page.key(Key::Escape).await?;
    sheet.note("slowest answer to a key", measure(page, "return bench.slowest;", vec![]).await?, 100.0, "ms");
    let shifted = measure(page, "return bench.shift;", vec![]).await? - shifted;
    sheet.note("layout shift while talking", shifted, 0.0, "");
    Ok(())
}

/// From conversation to conversation, and back in time.
async fn travel(page: &Page, sheet: &mut Sheet) -> Result<()> {
    without_screen_reader(page).await?;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for round in 0..3 {
        for name in CHANNELS {
            let args = vec![json!(format!("c:{name}")), json!(format!("the last of {name}"))];
            let took = measure(page, "return bench.switchTo(...arguments);", args).await?;
            if round == 0 { first.push(took) } else { again.push(took) }
        }
    }
    sheet.note_all("another conversation", &again, 100.0);
    sheet.note_all("  the first time, with its page", &first, 100.0);
    page.run("return bench.switchTo('c:general', 'by hand 9');", vec![]).await?;

    let scrolled = page.run("return bench.scroll(900);", vec![]).await?;
    let frames: Vec<f64> = serde_json::from_value(scrolled["took"].clone())?;
    let longest = frames.iter().copied().fold(0.0, f64::max);
    sheet.note_all("a frame of scrolling up", &frames, 20.0);
    sheet.note("  the longest", longest, 100.0, "ms");
    sheet.note("rows in the document at most", scrolled["rows"].as_f64().context("rows")?, 400.0, "");

    let (mut took, mut moved) = (Vec::new(), 0.0_f64);
    let worked = work_ms(page).await?;
    for _ in 0..TIMES / 2 {
        let [ms, px]: [f64; 2] = serde_json::from_value(page.run("return bench.older();", vec![]).await?)?;
        took.push(ms);
        moved = moved.max(px);
    }
    sheet.note_all("an older page", &took, 40.0);
    let worked = work_ms(page).await? - worked;
    sheet.tell("  what the page works for each", worked / took.len() as f64, "ms");
    sheet.note("  how far what one reads moved, at most", moved, 1.0, "px");
    Ok(())
}

/// Very much at once, while the end is read.
async fn flood(page: &Page, node: &FakeNode, sheet: &mut Sheet) -> Result<()> {
    page.key(Key::Escape).await?;
    without_screen_reader(page).await?;
    let (mut took, mut worked) = (Vec::new(), Vec::new());
    for burst in 0..BURSTS {
        let [first, last] = [0, BURST - 1].map(|number| format!("burst {burst}, {number}."));
        page.run("bench.expect(...arguments);", vec![json!(first), json!(last)]).await?;
        let before = work_ms(page).await?;
        for number in 0..BURST {
            node.hear("ben", &format!("burst {burst}, {number}."));
        }
        took.push(measure(page, "return bench.expected;", vec![]).await?);
        worked.push(work_ms(page).await? - before);
        page.run("return bench.rest(2000);", vec![]).await?; // until the window is full
    }
    sheet.note("1,000 messages at once", sheet::percentile(&took, 50), 150.0, "ms");
    sheet.tell("  what the page works for them", sheet::percentile(&worked, 50), "ms");
    Ok(())
}

/// What stays in memory after all that.
async fn remember(page: &Page, sheet: &mut Sheet) -> Result<()> {
    page.devtools("HeapProfiler.collectGarbage", json!({})).await?;
    let used = page.devtools("Runtime.getHeapUsage", json!({})).await?;
    sheet.note("heap after all this", used["usedSize"].as_f64().context("a size")? / 1e6, 25.0, "MB");
    sheet.note("its process", memory::renderer_mb(page.driver_pid())?, 180.0, "MB");
    Ok(())
}

/// Measures the switcher from each letter to its results, among more conversations than a user
/// would scroll through.
async fn choose(page: &Page, node: &FakeNode, sheet: &mut Sheet) -> Result<()> {
    for number in 0..PLACES {
        node.hear_in(&channel(&format!("place {number}")), "ana", "here", MessageKind::Say);
    }
    page.chord(&[Key::Control], "k").await?;
    page.wait_for("dialog", "Go to a conversation, a member or a command").await?;
    without_screen_reader(page).await?;
    let mut took = Vec::new();
    for number in 0..TIMES / 4 {
        let typed = format!("place {number}");
        for end in 1..=typed.len() {
            took.push(measure(page, "return bench.type(...arguments);", vec![json!(&typed[..end])]).await?);
        }
    }
    sheet.note_all("a letter in the switcher, of 500 places", &took, 50.0);
    Ok(())
}

/// How long the page's own thread has had a processor: the same however busy the machine is.
async fn work_ms(page: &Page) -> Result<f64> {
    let told = page.devtools("Performance.getMetrics", json!({})).await?;
    let mut metrics = told["metrics"].as_array().context("metrics")?.iter();
    let task = metrics.find(|metric| metric["name"] == "TaskDuration").context("the time of all tasks")?;
    Ok(task["value"].as_f64().context("seconds")? * 1000.0)
}

async fn measure(page: &Page, script: &str, args: Vec<Value>) -> Result<f64> {
    page.run(script, args).await?.as_f64().with_context(|| format!("{script} gives a number"))
}
