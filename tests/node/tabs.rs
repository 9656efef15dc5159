//! WebSockets receive each entry once, in arrival order, also across restarts of the node.

use std::collections::BTreeMap;

use super::three_met;
use support::lab::Lab;
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, Value, ensure, json};

#[tokio::test]
async fn tab_sees_messages_once_across_a_restart() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let mut tab = Tab::open(&anna.api).await?;
    let (run, mut arrival) = tab.place()?;
    let mut seen = Seen::default();
    for number in 0..5 {
        ben.api.say(&format!("while open {number}")).await?;
    }
    while seen.count() < 5 {
        arrival = seen.add(&tab.message().await?)?;
    }
    drop(tab);
    cleo.api.say("while the tab was closed").await?;
    until("anna has it", async || super::all_hold(&[&anna, &ben], 6).await).await?;
    let anna = anna.kill()?;
    ben.api.say("while the node was away").await?;
    let anna = anna.start()?;

    let mut tab = Tab::resume(&anna.api, &run, arrival).await?;
    ensure!(tab.welcome["reset"] == false, "the database knows that run: {}", tab.welcome);
    for message in tab.welcome["messages"].as_array().context("messages")? {
        seen.add(message)?;
    }
    ben.api.say("while open again").await?;
    while seen.count() < 8 {
        seen.add(&tab.message().await?)?;
    }
    cleo.api.say("the last").await?;
    let last = tab.message().await?;
    ensure!(last["text"] == "the last", "something came twice: {last}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_run_starts_afresh() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    anna.api.say("kept").await?;
    let tab = Tab::resume(&anna.api, "never-heard-of", 1).await?;
    ensure!(tab.welcome["reset"] == true, "{}", tab.welcome);
    ensure!(tab.welcome["messages"][0]["text"] == "kept", "{}", tab.welcome);
    Ok(())
}

#[tokio::test]
async fn sender_gets_said_and_others_the_message() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _cleo] = three_met(&lab).await?;
    let mut speaking = Tab::open(&anna.api).await?;
    let mut listening = Tab::open(&anna.api).await?;
    let mut remote = Tab::open(&ben.api).await?;
    speaking.send(&json!({ "type": "say", "ref": "r1", "text": "hello" })).await?;
    let said = speaking.find("the answer", |frame| frame["ref"] == "r1").await?;
    ensure!(said["type"] == "said" && said["message"]["text"] == "hello", "{said}");
    for tab in [&mut listening, &mut remote] {
        let heard = tab.find("the message", |frame| frame["type"] == "message").await?;
        ensure!(heard["message"]["id"] == said["message"]["id"], "{heard}");
    }
    let held = speaking.find("who holds it", |frame| frame["type"] == "held" && frame["held_by"] == 2).await?;
    ensure!(held["id"] == said["message"]["id"] && held["of"] == 2, "{held}");
    Ok(())
}

#[tokio::test]
async fn same_ref_makes_one_message_on_any_path() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let body = json!({ "text": "once", "ref": "only" });
    let first = anna.api.post("/api/v1/messages", &body).await?.with(201)?;
    let again = anna.api.post("/api/v1/messages", &body).await?.with(200)?;
    ensure!(first["id"] == again["id"], "{first} and {again}");
    let other = json!({ "text": "twice", "ref": "only" });
    let used = anna.api.post("/api/v1/messages", &other).await?.with(409)?;
    ensure!(used["error"] == "ref_used", "{used}");

    let anna = anna.kill()?.start()?;
    let after_restart = anna.api.post("/api/v1/messages", &body).await?.with(200)?;
    ensure!(first["id"] == after_restart["id"], "{first} and {after_restart}");
    let mut tab = Tab::open(&anna.api).await?;
    tab.send(&json!({ "type": "say", "ref": "only", "text": "once" })).await?;
    let said = tab.find("the answer", |frame| frame["ref"] == "only").await?;
    ensure!(said["type"] == "said" && said["message"]["id"] == first["id"], "{said}");
    tab.send(&json!({ "type": "say", "ref": "only", "text": "twice" })).await?;
    let error = tab.find("the answer", |frame| frame["ref"] == "only").await?;
    ensure!(error["type"] == "error" && error["error"] == "ref_used", "{error}");
    ensure!(anna.api.texts().await? == ["once"], "one message");

    let id = first["id"].as_str().context("an id")?;
    let edit = |text: &str, reference: &str| json!({ "text": text, "ref": reference });
    let path = format!("/api/v1/messages/{id}/edit");
    let edited = anna.api.post(&path, &edit("once!", "edit")).await?.with(200)?;
    let anna = anna.kill()?.start()?;
    ensure!(anna.api.post(&path, &edit("once!", "edit")).await?.with(200)? == edited, "the same edit");
    for (text, reference) in [("never", "edit"), ("once!", "only")] {
        let used = anna.api.post(&path, &edit(text, reference)).await?.with(409)?;
        ensure!(used["error"] == "ref_used", "{used}");
    }
    let versions = anna.api.get(&format!("/api/v1/messages/{id}/versions")).await?;
    ensure!(versions["versions"].as_array().map(Vec::len) == Some(2), "{versions}");
    Ok(())
}

#[tokio::test]
async fn unknown_frame_is_answered_on_an_open_socket() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let mut tab = Tab::open(&anna.api).await?;
    for (frame, code) in [
        (json!({ "type": "dance" }), "unknown_type"),
        (json!({ "type": "say", "ref": "r", "text": 7 }), "bad_request"),
        (json!([1, 2]), "bad_request"),
        (json!({ "type": "say", "ref": "r", "text": "  " }), "empty"),
    ] {
        tab.send(&frame).await?;
        let error = tab.find("an error", |answer| answer["type"] == "error").await?;
        ensure!(error["error"] == code, "{frame} was answered {error}");
    }
    tab.send(&json!({ "type": "say", "ref": "ok", "text": "still here" })).await?;
    tab.find("the answer", |frame| frame["type"] == "said").await?;
    Ok(())
}

/// The messages that a tab was given, by id; a second time is an error.
#[derive(Default)]
struct Seen {
    by_id: BTreeMap<String, Value>,
    arrival: i64,
}

impl Seen {
    fn add(&mut self, message: &Value) -> Result<i64> {
        let id = message["id"].as_str().context("an id")?.to_owned();
        let arrival = message["arrival"].as_i64().context("an arrival number")?;
        ensure!(arrival > self.arrival, "not in arrival order: {message} after {}", self.arrival);
        ensure!(self.by_id.insert(id, message.clone()).is_none(), "a second time: {message}");
        self.arrival = arrival;
        Ok(arrival)
    }

    fn count(&self) -> usize {
        self.by_id.len()
    }
}
