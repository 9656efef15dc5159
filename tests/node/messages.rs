//! Messages reach all members as typed, once, in one order, and persist.

use super::{all_hold, all_met, three, three_met};
use support::api::{Api, text_of};
use support::lab::Lab;
use support::node::together;
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, ensure, json};

/// Longest text of a message in bytes, as the contract says.
const TEXT_BYTES_MAX: usize = 32 * 1024;

#[tokio::test]
async fn simultaneous_messages_have_one_order() -> Result<()> {
    const EACH: usize = 20;
    let lab = Lab::new()?;
    let nodes = three_met(&lab).await?;
    let speakers = nodes.iter().map(|node| async move {
        for number in 0..EACH {
            node.api.say(&format!("{} says {number}", node.name())).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(speakers).await?;
    let everybody: Vec<_> = nodes.iter().collect();
    until("all hold all in one order", async || all_hold(&everybody, 3 * EACH).await).await?;
    for node in &nodes {
        let own = |text: &String| text.starts_with(node.name());
        let said: Vec<String> = nodes[0].api.texts().await?.into_iter().filter(own).collect();
        let expected: Vec<String> = (0..EACH).map(|number| format!("{} says {number}", node.name())).collect();
        ensure!(said == expected, "an author's own order is kept: {said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn any_text_arrives_as_typed() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let long = "é".repeat(TEXT_BYTES_MAX / 2);
    let texts = [
        "/exit",
        "//two slashes",
        "one\ntwo\r\n\n\tfour",
        "  spaces before and after  ",
        "👩‍👩‍👧‍👦 🇸🇨 e\u{301}",
        "שלום עולם مرحبا 你好 नमस्ते",
        "<script>alert(1)</script> &amp; *em* `code` \\n \u{202e}txt",
        "{\"type\":\"say\"}",
        &long,
    ];
    for text in texts {
        let said = anna.api.say(text).await?;
        ensure!(said["text"] == text && said["author"] == anna.id() && said["kind"] == "say", "{said}");
        ensure!(said["channel"] == "general" && said["name"] == "anna", "{said}");
    }
    for other in [&ben, &cleo] {
        let all_there = async || {
            let arrived = other.api.texts().await?;
            ensure!(arrived == texts, "{} has {arrived:?}", other.name());
            Ok(())
        };
        until("every text as typed", all_there).await?;
    }
    Ok(())
}

#[tokio::test]
async fn invalid_message_is_refused_with_its_code() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let too_long = "x".repeat(TEXT_BYTES_MAX + 1);
    for (text, status, code) in [(" \n\t ", 422, "empty"), ("", 422, "empty"), (too_long.as_str(), 413, "too_long")] {
        let answer = anna.api.post("/api/v1/messages", &json!({ "text": text })).await?.with(status)?;
        ensure!(answer["error"] == code, "{answer}");
        ensure!(!text_of(&answer, "message").is_empty(), "a sentence for a person: {answer}");
    }
    let answer = anna.api.post("/api/v1/messages", &json!({ "text": 7 })).await?.with(400)?;
    ensure!(answer["error"] == "bad_request", "{answer}");
    ensure!(anna.api.messages().await?.is_empty(), "nothing was said");
    Ok(())
}

#[tokio::test]
async fn history_survives_a_restart_of_all_nodes() -> Result<()> {
    let lab = Lab::new()?;
    let nodes = three_met(&lab).await?;
    for node in &nodes {
        node.api.say(&format!("before, from {}", node.name())).await?;
    }
    until("all hold all", async || all_hold(&nodes.iter().collect::<Vec<_>>(), 3).await).await?;
    let before = nodes[0].api.messages().await?;
    for node in nodes {
        node.stop()?;
    }
    let nodes = together(&three(&lab))?;
    let everybody: Vec<_> = nodes.iter().collect();
    all_hold(&everybody, 3).await.context("at once, before anybody has met anybody")?;
    let id_and_order = |message: &support::Value| (message["id"].clone(), message["order"].clone());
    let after = nodes[0].api.messages().await?;
    ensure!(before.iter().map(id_and_order).eq(after.iter().map(id_and_order)), "{before:?} became {after:?}");
    until("they meet again", async || all_met(&everybody).await).await?;
    nodes[2].api.say("after").await?;
    until("all hold all", async || all_hold(&everybody, 4).await).await
}

#[tokio::test]
async fn late_joiner_gets_history_of_absent_members() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    for number in 0..200 {
        anna.api.say(&format!("anna's {number}")).await?;
    }
    ben.api.say("ben's").await?;
    until("all hold all", async || all_hold(&[&anna, &ben, &cleo], 201).await).await?;
    anna.stop()?;
    let dora = lab.node("dora").host("127.0.0.4").start()?;
    until("dora holds all", async || all_hold(&[&ben, &cleo, &dora], 201).await).await?;
    let first = &dora.api.messages().await?[0];
    ensure!(first["name"] == "anna" && first["text"] == "anna's 0", "{first}");
    Ok(())
}

#[tokio::test]
async fn returning_node_catches_up() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    anna.api.say("all are here").await?;
    until("all hold it", async || all_hold(&[&anna, &ben, &cleo], 1).await).await?;
    let cleo = cleo.kill()?;
    anna.api.say("cleo is away").await?;
    ben.api.say("so she is").await?;
    let cleo = cleo.start()?;
    until("cleo has caught up", async || all_hold(&[&anna, &ben, &cleo], 3).await).await
}

#[tokio::test]
async fn message_written_alone_reaches_a_newcomer() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let said = anna.api.say("is anybody here?").await?;
    ensure!(said["of"] == 0 || said["of"].is_null(), "nobody could hold it: {said}");
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("ben has it", async || all_hold(&[&anna, &ben], 1).await).await
}

#[tokio::test]
async fn message_shows_its_receipt_count() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let said = anna.api.say("who has this?").await?;
    ensure!(said["of"] == 2, "two others are here: {said}");
    let held = async || {
        let message = anna.api.messages().await?.pop().context("the message")?;
        ensure!(message["held_by"] == 2 && message["of"] == 2, "{message}");
        Ok(())
    };
    until("both hold it", held).await?;
    for other in [&ben, &cleo] {
        let message = other.api.messages().await?.pop().context("the message")?;
        ensure!(message["held_by"].is_null() && message["of"].is_null(), "not the reader's business: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn new_name_reaches_all_and_is_kept() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    anna.api.say("as anna").await?;
    let mut tab = Tab::open(&anna.api).await?;
    tab.send(&json!({ "type": "command", "ref": "n1", "name": "name", "text": " Ännchen  v. T. " })).await?;
    let done = tab.find("the answer", |frame| frame["ref"] == "n1").await?;
    ensure!(done["type"] == "done", "{done}");
    for node in [&anna, &ben, &cleo] {
        let renamed = async || {
            let member = node.api.member(anna.id()).await?;
            ensure!(member["name"] == "Ännchen v. T." || member["name"] == "Ännchen  v. T.", "{member}");
            Ok(())
        };
        until("everybody knows the new name", renamed).await?;
    }
    for other in [&ben, &cleo] {
        let told = async || {
            let count = other.api.notice_count("renamed", anna.id()).await?;
            ensure!(count == 1, "told {count} times");
            Ok(())
        };
        until("told of the new name", told).await?;
        let message = other.api.messages().await?.pop().context("the message")?;
        ensure!(message["name"] == "anna", "a message keeps the name of its time: {message}");
    }
    let again = anna.stop()?.without("--name").start()?;
    ensure!(text_of(&again.ready, "name").starts_with("Ännchen"), "{}", again.ready);
    let elsewhere = again.stop()?.option("--room", "another room").start()?;
    ensure!(text_of(&elsewhere.ready, "name").starts_with("Ännchen"), "a new room: {}", elsewhere.ready);
    Ok(())
}

#[tokio::test]
async fn hooray_reaches_all_members() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    let mut tab = Tab::open(&anna.api).await?;
    tab.send(&json!({ "type": "command", "ref": "h1", "name": "hooray" })).await?;
    let said = tab.find("the answer", |frame| frame["ref"] == "h1").await?;
    ensure!(said["type"] == "said" && said["message"]["kind"] == "hooray", "{said}");
    let arrived = async || {
        let message = ben.api.messages().await?.pop().context("no message yet")?;
        ensure!(message["kind"] == "hooray" && message["author"] == anna.id(), "{message}");
        Ok(())
    };
    until("ben is greeted", arrived).await
}

#[tokio::test]
async fn holders_of_a_message_are_listed_with_times() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = super::three_met(&lab).await?;
    let (ben_id, cleo_id) = (ben.id().to_owned(), cleo.id().to_owned());
    let away = cleo.kill()?;
    let said = anna.api.say("who has this?").await?;
    let path = format!("/api/v1/messages/{}/held", text_of(&said, "id"));
    let held = async |api: &Api, by: &[&str], missing: &[&str]| {
        let answer = api.get(&path).await?;
        let holders = answer["held"].as_array().context("a list")?;
        let mut ids: Vec<String> = holders.iter().map(|holder| text_of(holder, "id")).collect();
        let mut expected = by.to_vec();
        ids.sort_unstable();
        expected.sort_unstable();
        ensure!(ids == expected && answer["missing"] == json!(missing), "{answer}");
        Ok(holders.clone())
    };
    // Cleo may have been noticed as lost before it was said: then it is counted for ben alone.
    let of_both = said["of"] == 2;
    let missing: &[&str] = if of_both { &[&cleo_id] } else { &[] };
    until("ben holds it", async || {
        let now = held(&anna.api, &[&ben_id], missing).await?;
        // The receipt is stored a moment before the time of this run is noted.
        ensure!(now[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{now:?}");
        Ok(())
    })
    .await?;
    ensure!(ben.api.get(&path).await.is_err(), "that is anna's to know");
    let unknown = format!("/api/v1/messages/{}/held", "0".repeat(64));
    ensure!(anna.api.get(&unknown).await.is_err(), "no such message");

    let _cleo = away.start()?;
    let everybody: &[&str] = if of_both { &[&ben_id, &cleo_id] } else { &[&ben_id] };
    until("all hold it", async || held(&anna.api, everybody, &[]).await).await?;
    let anna = anna.stop()?.start()?;
    let before = held(&anna.api, everybody, &[]).await?;
    ensure!(before.iter().all(|holder| holder["at"].is_null()), "since when is not kept: {before:?}");
    Ok(())
}
