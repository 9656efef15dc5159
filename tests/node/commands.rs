//! The commands for scripts: their output, and texts passed on unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::three_met;
use support::api::text_of;
use support::command::{Finished, Running};
use support::lab::Lab;
use support::wait::until;
use support::{Context, Result, Value, ensure};

#[tokio::test]
async fn send_passes_on_what_it_was_given() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    let silent = anna.run(&["send", "/exit is text here"])?;
    ensure!(silent.status.success() && silent.stdout.is_empty(), "{silent:?}");
    let lines = anna.run_with(&["send", "--json"], "two\nlines 🦀\n\n")?.json_lines()?;
    ensure!(lines.len() == 1 && lines[0]["text"] == "two\nlines 🦀\n", "less one final newline: {lines:?}");
    let dash = anna.run_with(&["send", "-", "--json"], "no newline")?.json_lines()?;
    ensure!(dash[0]["text"] == "no newline" && dash[0]["author"] == anna.id(), "{dash:?}");
    let expected = ["/exit is text here", "two\nlines 🦀\n", "no newline"];
    let arrived = async || {
        let texts = ben.api.texts().await?;
        ensure!(texts == expected, "{texts:?}");
        Ok(())
    };
    until("ben has all three", arrived).await
}

#[tokio::test]
async fn send_refuses_what_the_api_refuses() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    anna.run_with(&["send"], " \n\n")?.refused_with(1, "")?;
    anna.run_with(&["send"], &"x".repeat(32 * 1024 + 2))?.refused_with(1, "")?;
    ensure!(anna.api.messages().await?.is_empty(), "nothing was said");
    Ok(())
}

#[tokio::test]
async fn send_waits_until_another_member_holds_it() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    anna.run(&["send", "--wait", "--timeout", "1", "to nobody"])?.refused_with(1, "")?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("both have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let sent = anna.run(&["send", "--wait", "to ben"])?;
    ensure!(sent.status.success(), "{sent:?}");
    ensure!(ben.api.texts().await?.last().is_some_and(|text| text == "to ben"), "held when the command returned");
    Ok(())
}

#[tokio::test]
async fn tail_prints_the_last_messages_oldest_first() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    for number in 0..12 {
        anna.api.say(&format!("number {number}")).await?;
    }
    until("ben has all", async || super::all_hold(&[&anna, &ben], 12).await).await?;
    let last = ben.run(&["tail", "--json", "-n", "3"])?.json_lines()?;
    ensure!(texts(&last) == ["number 9", "number 10", "number 11"], "{last:?}");
    ensure!(last[0]["id"] == ben.api.messages().await?[9]["id"], "the Message itself: {last:?}");
    ensure!(ben.run(&["tail", "--json"])?.json_lines()?.len() == 10, "ten by default");
    let for_people = ben.run(&["tail", "-n", "1"])?;
    ensure!(for_people.stdout.contains("anna") && for_people.stdout.contains("number 11"), "{for_people:?}");
    Ok(())
}

#[tokio::test]
async fn tail_follows_new_messages() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    anna.api.say("before").await?;
    let following = Running::start(anna.command(&["tail", "--follow", "--json"]))?;
    following.lines_until("before")?;
    for number in 0..3 {
        ben.api.say(&format!("after {number}")).await?;
    }
    let lines = following.lines_until("after 2")?;
    let messages = lines.iter().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<Vec<Value>>>()?;
    ensure!(texts(&messages) == ["after 0", "after 1", "after 2"], "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn tail_and_search_show_the_ids_of_namesakes() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").option("--name", "Ana").start()?;
    anna.api.say("before").await?;
    let following = Running::start(anna.command(&["tail", "--follow"]))?;
    let alone = following.lines_until("before")?.concat();
    ensure!(alone.ends_with(" Ana: before"), "{alone}");
    let other = lab.node("other").host("127.0.0.2").option("--name", "\u{410}na").start()?;
    until("both have met", async || super::all_met(&[&anna, &other]).await).await?;
    anna.api.say("as herself").await?;
    other.api.say("as another").await?;
    let lines = following.lines_until("as another")?;
    let own = format!("Ana ({})", text_of(&anna.api.member(anna.id()).await?, "short"));
    let namesake = format!("\u{410}na ({})", text_of(&anna.api.member(other.id()).await?, "short"));
    ensure!(lines[0].ends_with(&format!(" {own}: as herself")), "{lines:?}");
    ensure!(lines[1].ends_with(&format!(" {namesake}: as another")), "{lines:?}");
    let found = anna.run(&["search", "as"])?.stdout;
    ensure!(found.contains(&format!(" {own}: as h")) && found.contains(&format!(" {namesake}: as a")), "{found}");
    Ok(())
}

#[tokio::test]
async fn messages_change_by_command() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    anna.run(&["send", "frist"])?;
    let sent = anna.run(&["send", "--json", "second"])?.json_lines()?;
    let id = text_of(&sent[0], "id");
    let following = Running::start(ben.command(&["tail", "--follow", "--ids"]))?;
    let told = following.lines_until("second")?.pop().context("a line")?;
    ensure!(told.starts_with(&id), "{told}");

    let ends = &id[56..];
    for (command, word) in [
        (&["edit", ends, "2nd"][..], "edited the message"),
        (&["react", "last", ":tada:"], "anna reacted 🎉 to anna"),
        (&["react", "last", "🎉", "--off"], "anna took back 🎉"),
        (&["delete", &id], "anna deleted the message"),
    ] {
        let changed = anna.run(command)?;
        ensure!(changed.status.success() && changed.stdout.is_empty(), "{command:?}: {changed:?}");
        let told = following.lines_until(word)?.pop().context("a line")?;
        ensure!(told.starts_with(&id), "{told}");
    }
    ensure!(ben.run(&["tail", "-n", "1"])?.stdout.ends_with("anna: (deleted)\n"), "as deleted");
    // Both are of one log, whose number begins their ids.
    anna.run(&["edit", &id[..8], "x"])?.refused_with(1, "matches several messages")?;
    ben.run(&["edit", ends, "x"])?.refused_with(1, "only your own messages")?;
    ben.run(&["edit", "last", "x"])?.refused_with(1, "you have not sent a message")?;
    let answer = ben.run(&["send", "--reply", ends, "--json", "so?"])?.json_lines()?;
    ensure!(answer[0]["reply_to"] == id.as_str() && answer[0]["reply"]["deleted"] == true, "{answer:?}");
    anna.run(&["status", "at lunch"])?;
    ensure!(anna.run(&["status"])?.stdout == "at lunch\n", "the status");
    Ok(())
}

#[tokio::test]
async fn greeting_shows_local_and_remote_links() -> Result<()> {
    let lab = Lab::new()?;
    let launch = lab.node("anna").host("127.0.0.1").without_switch("--json");
    let here = Running::start(launch.command())?;
    let link = here.lines_until("#token=")?.pop().context("the link")?;
    ensure!(link.contains("http://127.0.0.1:"), "{link}");
    drop(here);
    let mut command = launch.command();
    command.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    let far = Running::start(command)?;
    let forward = far.lines_until("ssh -L")?.pop().context("the command to run on the other side")?;
    ensure!(forward.contains("page.sock"), "to the Unix socket: {forward}");
    Ok(())
}

#[tokio::test]
async fn members_prints_present_members() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let printed = anna.run(&["members", "--json"])?.json_lines()?;
    ensure!(printed.len() == 3, "{printed:?}");
    for node in [&anna, &ben, &cleo] {
        let member = printed.iter().find(|member| member["id"] == node.id()).context("everybody is listed")?;
        ensure!(member["name"] == node.name() && member["state"] == "online", "{member}");
        ensure!(member["self"] == (node.id() == anna.id()), "{member}");
        ensure!(member["short"].as_str().is_some_and(|short| short.len() == 8), "{member}");
    }
    let for_people = anna.run(&["members"])?;
    for word in ["anna", "ben", "cleo", "127.0.0.3"] {
        ensure!(for_people.stdout.contains(word), "no {word} in {for_people:?}");
    }
    Ok(())
}

#[tokio::test]
async fn url_prints_and_rotates_the_link() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let url = anna.run(&["url"])?;
    ensure!(url.status.success() && url.stdout.trim() == anna.web()?, "{url:?}");
    let forwarded = anna.run(&["url", "--port", "9000"])?;
    ensure!(forwarded.stdout.starts_with("http://127.0.0.1:9000/#token="), "{forwarded:?}");
    let rotated = anna.run(&["url", "--rotate"])?;
    ensure!(rotated.status.success() && rotated.stdout.trim() != anna.web()?, "{rotated:?}");
    let old = anna.api.get("/api/v1/node").await;
    ensure!(old.is_err(), "the old token still opens: {old:?}");
    Ok(())
}

#[tokio::test]
async fn open_starts_a_browser_without_leaking_the_token() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    // It is called as a browser is, and writes down what it sees.
    let browser = lab.dir().join("browser");
    fs::write(&browser, "cp -p \"$1\" \"$0.page\"; echo \"$1\" > \"$0.called\"; env > \"$0.env\"")?;
    let open = |browser: &str| {
        let mut command = anna.command(&["open"]);
        command.env("BROWSER", browser).env("ROOMFUL_ROOM_KEY", "twelve words");
        command
    };
    let opened = Finished::run(open(&format!("/nowhere/browser:sh {}", browser.display())), "")?;
    ensure!(opened.status.success() && opened.stdout.is_empty() && opened.stderr.is_empty(), "{opened:?}");
    let page = browser.with_extension("page");
    ensure!(fs::read_to_string(&page)?.contains(&format!("url={}\"", anna.web()?)), "it leads elsewhere");
    ensure!(fs::metadata(&page)?.permissions().mode() & 0o777 == 0o600, "others could read the token");
    let environment = fs::read_to_string(browser.with_extension("env"))?;
    ensure!(!environment.contains("twelve words"), "{environment}");
    let file = PathBuf::from(fs::read_to_string(browser.with_extension("called"))?.trim());
    ensure!(file.starts_with(&anna.data_dir) && file.exists(), "only the file is named: {}", file.display());

    let mut without = open("false");
    without.env("PATH", lab.dir());
    Finished::run(without, "")?.refused_with(1, "`roomful url`")?;
    ensure!(!file.exists(), "nobody needs it");
    Finished::run(open(&format!("sh {}", browser.display())), "")?;
    anna.stop()?;
    ensure!(!file.exists(), "what opens the page goes with its node");
    Ok(())
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message["text"].as_str()).collect()
}
