//! The page in use: real pages in Chromium and Firefox on real nodes that exchange messages,
//! reload, and lose and regain their node.

mod cross_origin;
mod files;
mod keyboard;
mod motion;
mod neighbour;
mod other_site;
mod people;
mod shared;
mod users;

use support::driver::Browser;
use support::lab::Lab;
use support::node::{Node, together};
use support::page::Page;
use support::wait::until;
use support::{Context, Result, ensure};
use thirtyfour::Key;

/// The widths at which nothing may stick out, in pixels.
const WIDTHS: [u32; 5] = [1280, 1024, 768, 480, 320];

/// The height of the window at each of them, in pixels.
const HEIGHT: u32 = 800;

/// Two nodes that have met.
async fn two(lab: &Lab) -> Result<[Node; 2]> {
    let nodes = together(&[lab.node("anna").host("127.0.0.1"), lab.node("ben").host("127.0.0.2")])?;
    let [anna, ben] = nodes.try_into().map_err(|_| anyhow::anyhow!("two were started"))?;
    let met = async || {
        anna.api.sees_exactly(&[ben.id()]).await?;
        ben.api.sees_exactly(&[anna.id()]).await
    };
    until("anna and ben have met", met).await?;
    Ok([anna, ben])
}

/// The page of this node, once it is connected with it.
async fn open(node: &Node) -> Result<Page> {
    open_in(Browser::Chromium, node).await
}

/// The same in this browser.
async fn open_in(browser: Browser, node: &Node) -> Result<Page> {
    let page = Page::open_in(browser, node.web()?).await?;
    page.wait_for_connection("in reach").await?;
    Ok(page)
}

#[tokio::test]
async fn two_pages_talk_to_each_other() -> Result<()> {
    talk(Browser::Chromium).await
}

#[tokio::test]
async fn a_firefox_and_a_chromium_talk_to_each_other() -> Result<()> {
    talk(Browser::Firefox).await
}

async fn talk(browser: Browser) -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let (annas, bens) = (open_in(browser, &anna).await?, open(&ben).await?);
    for (role, name) in [
        ("navigation", "Conversations"),
        ("list", "Messages"),
        ("textbox", "Message"),
        ("button", "Send"),
        ("complementary", "Members"),
        ("status", "Connection"),
        ("log", "New messages"),
    ] {
        annas.find(role, name).await?;
    }
    annas.say("hello from anna").await?;
    annas.wait_for_row(&["hello from anna", "Received"]).await?;
    bens.wait_for_row(&["anna", "hello from anna"]).await?;
    let field = bens.find("textbox", "Message").await?;
    field.send_keys("<b>ben</b> & co, https://example.org/").await?;
    annas.wait_for_text("ben is typing").await?;
    bens.press("Send").await?;
    annas.wait_for_row(&["ben", "<b>ben</b> & co, https://example.org/"]).await?;
    ensure!(field.value().await?.as_deref() == Some(""), "the composer is empty again");

    let members = annas.text("complementary", "Members").await?;
    for word in ["anna", "ben", "127.0.0.2"] {
        ensure!(members.contains(word), "no {word} among the members: {members}");
    }
    let spoken = annas.text("log", "New messages").await?;
    ensure!(spoken.contains("<b>ben</b>") && !spoken.contains("hello from anna"), "spoken: {spoken:?}");
    bens.shows("hello from anna", 1).await?;
    annas.close().await?;
    bens.close().await
}

#[tokio::test]
async fn reload_keeps_state_and_session() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let annas = open(&anna).await?;
    let address = annas.address().await?;
    ensure!(!address.contains("token"), "the token is still in the address: {address}");
    annas.say("before the reload").await?;
    annas.wait_for_row(&["before the reload", "Received"]).await?;
    ben.api.say("ben answers").await?;
    annas.wait_for_row(&["ben answers"]).await?;
    let field = annas.find("textbox", "Message").await?;
    annas.reload().await?;
    ensure!(field.is_present().await.is_ok_and(|present| !present), "the page was loaded anew");
    annas.wait_for_connection("in reach").await?;
    annas.wait_for_row(&["before the reload", "Received"]).await?;
    annas.shows("ben answers", 1).await?;
    annas.say("after the reload").await?;
    annas.wait_for_row(&["after the reload", "Received"]).await?;
    annas.close().await
}

#[tokio::test]
async fn a_page_loses_and_regains_its_node() -> Result<()> {
    lose_and_regain(Browser::Chromium).await
}

#[tokio::test]
async fn a_page_in_firefox_loses_and_regains_its_node() -> Result<()> {
    lose_and_regain(Browser::Firefox).await
}

async fn lose_and_regain(browser: Browser) -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let (annas, bens) = (open_in(browser, &anna).await?, open(&ben).await?);
    annas.say("while all is well").await?;
    bens.wait_for_row(&["while all is well"]).await?;

    // http://127.0.0.1:PORT/#token=…
    let port = anna.web()?.split([':', '/']).nth(4).context("a port")?.to_owned();
    let launch = anna.kill()?.option("--web-port", &port);
    annas.wait_for_connection("No connection to your node").await?;
    annas.find("button", "Try now").await?;
    for number in 1..=3 {
        annas.say(&format!("typed meanwhile, {number}.")).await?;
        annas.wait_for_row(&[&format!("typed meanwhile, {number}."), "Waiting for your node"]).await?;
    }
    ben.api.say("ben goes on").await?;
    // A node that stays away may have to be started: the page says how.
    annas.wait_for_connection("If it isn’t running, start it with").await?;
    let told = annas.text("status", "Connection").await?;
    ensure!(told.contains("roomful --room") && told.contains("--data-dir"), "{told:?} does not tell the command");
    annas.find("button", "Copy").await?;

    let _anna = launch.start()?;
    annas.wait_for_connection("in reach").await?;
    annas.wait_for_row(&["typed meanwhile, 3.", "Received"]).await?;
    annas.wait_for_row(&["ben goes on"]).await?;
    annas.shows("while all is well", 1).await?;
    bens.wait_for_row(&["typed meanwhile, 3."]).await?;
    bens.say("and now").await?;
    annas.wait_for_row(&["and now"]).await?;
    for page in [&annas, &bens] {
        let rows = page.rows().await?;
        let came: Vec<&str> = rows.iter().filter_map(|row| row.split("typed meanwhile, ").nth(1)?.get(..1)).collect();
        ensure!(came == ["1", "2", "3"], "once, in order: {rows:#?}");
    }
    bens.shows("while all is well", 1).await?;
    annas.close().await?;
    bens.close().await
}

#[tokio::test]
async fn commands_run_and_unknown_ones_are_not_sent() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let (annas, bens) = (open(&anna).await?, open(&ben).await?);

    annas.say("/nosuchthing at all").await?;
    annas.wait_for_row(&["There is no command /nosuchthing"]).await?;
    annas.say("//shrug").await?;
    bens.wait_for_row(&["/shrug"]).await?;
    ensure!(ben.api.texts().await? == ["/shrug"], "only what was meant as text was sent");

    annas.say("/name Annabel").await?;
    let renamed = async || {
        let members = bens.text("complementary", "Members").await?;
        ensure!(members.contains("Annabel"), "{members}");
        Ok(())
    };
    until("ben sees the new name", renamed).await?;

    annas.say("/members").await?;
    annas.wait_for_focus("complementary", "Members").await?;

    annas.say("/help").await?;
    let help = annas.wait_for("dialog", "Help").await?.text().await?;
    for command in ["/members", "/help", "/history", "/name", "/hooray", "/exit"] {
        ensure!(help.contains(command), "no {command} in {help}");
    }
    annas.key(Key::Escape).await?;
    until("help is closed", async || {
        ensure!(annas.find("dialog", "Help").await.is_err(), "still open");
        Ok(())
    })
    .await?;

    annas.say("/hooray").await?;
    let greeted = async || {
        let newest = ben.api.messages().await?.pop().context("no message")?;
        ensure!(newest["kind"] == "hooray", "{newest}");
        Ok(())
    };
    until("ben's node is greeted", greeted).await?;
    bens.wait_for_row(&["Hooray"]).await?;
    annas.close().await?;
    bens.close().await
}

#[tokio::test]
async fn conversations_stay_apart() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let (annas, bens) = (open(&anna).await?, open(&ben).await?);

    annas.say("/join lunch").await?;
    annas.say("soup or bread?").await?;
    annas.wait_for_row(&["soup or bread?", "Received"]).await?;
    annas.say("/msg ben only for you").await?;
    annas.wait_for_row(&["only for you", "Received"]).await?;
    annas.shows("soup or bread?", 0).await?;

    bens.shows("only for you", 0).await?;
    bens.say("/join lunch").await?;
    bens.wait_for_row(&["soup or bread?"]).await?;
    bens.shows("only for you", 0).await?;
    bens.say("/msg anna").await?;
    bens.wait_for_row(&["only for you"]).await?;
    bens.close().await?;

    let launch = ben.kill()?;
    let lost = "not connected now";
    until("anna's page sees that ben is gone", async || {
        let heading = annas.text("main", "").await?;
        ensure!(heading.contains(lost), "{heading}");
        Ok(())
    })
    .await?;
    annas.say("are you there?").await?;
    annas.wait_for_row(&["are you there?", "Will be sent when you two are connected"]).await?;
    let _ben = launch.start()?;
    annas.wait_for_row(&["are you there?", "Received"]).await?;
    annas.close().await
}

#[tokio::test]
async fn history_goes_back_in_time() -> Result<()> {
    const SAID: usize = 130;
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    for number in 0..SAID {
        anna.api.say(&format!("line {number:03}.")).await?;
    }
    let page = Page::open(anna.web()?).await?;
    page.wait_for_row(&[&format!("line {:03}.", SAID - 1)]).await?;
    page.say("/history 200").await?;
    page.wait_for_row(&["line 000."]).await?;
    let lines: Vec<String> = page.rows().await?.into_iter().filter(|row| row.contains("line ")).collect();
    ensure!(lines.len() == SAID, "{} of {SAID} lines: {lines:?}", lines.len());
    let numbers = lines.iter().map(|row| row.split("line ").nth(1).and_then(|rest| rest.split('.').next()));
    ensure!(numbers.is_sorted(), "oldest first: {lines:?}");
    // Where the reader was taken to, not at the end, from where it would pull them away.
    page.wait_for_row(&["History is complete back to"]).await?;
    let rows = page.rows().await?;
    let place = |words: &str| rows.iter().position(|row| row.contains(words));
    ensure!(place("history is complete") < place("line 000."), "{rows:?}");
    page.close().await
}

#[tokio::test]
async fn repair_notice_stays_until_read() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let directory = anna.data_dir.clone();
    let launch = anna.stop()?;
    for entry in std::fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            std::fs::write(path, "no database")?;
        }
    }
    let anna = launch.start()?;
    let page = Page::open(anna.web()?).await?;
    page.wait_for("status", "Repaired").await?;
    let told = page.text("status", "Repaired").await?;
    ensure!(told.starts_with("This room’s history was damaged"), "{told}");
    page.press("Close").await?;
    let is_gone = async || {
        ensure!(page.find("status", "Repaired").await.is_err(), "still there");
        Ok(())
    };
    until("what was read is gone", is_gone).await?;
    page.reload().await?;
    page.wait_for_connection("Nobody in reach").await?;
    is_gone().await?;

    // The settings name the damaged file, and remove it.
    let copies = || -> Result<usize> {
        let names = std::fs::read_dir(&directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<Result<Vec<_>>>()?;
        Ok(names.iter().filter(|name| name.contains(".damaged-")).count())
    };
    ensure!(copies()? > 0, "the damaged file was not kept");
    page.press("Settings").await?;
    page.wait_for_text(".db.damaged-").await?;
    let remove = if copies()? == 1 { "Remove the copy".to_owned() } else { format!("Remove {} copies", copies()?) };
    page.wait_for("button", &remove).await?.focus().await?;
    page.key(Key::Enter).await?;
    page.wait_for_text("removed.").await?;
    ensure!(copies()? == 0, "{} are left", copies()?);
    page.close().await
}

#[tokio::test]
async fn exit_asks_first_and_then_stops_the_node() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let annas = open(&anna).await?;
    let question = "Leave the chat and stop your node?";
    annas.say("/exit").await?;
    annas.wait_for("dialog", question).await?;
    // The default is to stay.
    annas.key(Key::Enter).await?;
    until("the question is gone", async || {
        ensure!(annas.find("dialog", question).await.is_err(), "still open");
        Ok(())
    })
    .await?;
    anna.api.say("still here").await?;
    annas.wait_for_row(&["still here"]).await?;

    annas.say("/exit").await?;
    annas.wait_for("dialog", question).await?;
    annas.press("Leave and stop").await?;
    let id = anna.id().to_owned();
    let stopped = anna.stopped()?;
    ensure!(stopped.status.success(), "{stopped:?}");
    until("ben sees a goodbye", async || ben.api.sees_state(&id, "left").await).await?;
    annas.wait_for_connection("stopped").await?;
    annas.close().await
}

#[tokio::test]
async fn nothing_sticks_out_at_any_width() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben] = two(&lab).await?;
    let long_words = ["https://example.org/", &"a".repeat(300), "\n", &"w".repeat(300), "\n```\n", &"code ".repeat(60)];
    ben.api.say(&long_words.concat()).await?;
    ben.api.say(&"many words that wrap ".repeat(40)).await?;
    let page = open(&anna).await?;
    page.wait_for_row(&["many words that wrap"]).await?;
    for width in WIDTHS {
        page.resize(width, HEIGHT).await?;
        let fits = async || {
            let script =
                "return [document.documentElement.scrollWidth, document.documentElement.clientWidth, innerWidth];";
            let sizes: Vec<u32> = serde_json::from_value(page.run(script, vec![]).await?)?;
            ensure!(sizes[2] == width, "the window is {} wide", sizes[2]);
            ensure!(sizes[0] <= sizes[1], "{} wide inside {}", sizes[0], sizes[1]);
            let field = page.find("textbox", "Message").await?.rect().await?;
            let bottom = field.y + field.height;
            ensure!(bottom <= f64::from(HEIGHT), "the composer ends at {bottom} of {HEIGHT}");
            ensure!(field.x >= 0.0 && field.x + field.width <= f64::from(width), "the composer is cut: {field:?}");
            Ok(())
        };
        until(&format!("{width} px fit"), fits).await?;
    }
    page.close().await
}

#[tokio::test]
async fn signed_out_page_explains_the_link() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let bare = anna.web()?.split('#').next().context("an address")?.to_owned();
    let page = Page::open(&bare).await?;
    let says = async || {
        let text = page.run("return document.body.innerText;", vec![]).await?.to_string();
        ensure!(text.contains("roomful url"), "{text}");
        ensure!(!text.contains("anna") && !text.contains(lab.room()), "it tells who lives here: {text}");
        Ok(())
    };
    until("the page asks for its link", says).await?;
    page.close().await
}

#[tokio::test]
async fn csp_violations_are_reported() -> Result<()> {
    // So that `close` finding no complaint means something.
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let mut page = Page::open(anna.web()?).await?;
    ensure!(page.complaints().await?.is_empty(), "before: {:?}", page.complaints().await?);
    let forbidden = "const style = document.createElement('style'); style.textContent = 'p { color: red }';
        document.head.append(style);";
    page.run(forbidden, vec![]).await?;
    ensure!(!page.complaints().await?.is_empty(), "an inline style went unnoticed");
    ensure!(page.close().await.is_err(), "and so does close");
    Ok(())
}
