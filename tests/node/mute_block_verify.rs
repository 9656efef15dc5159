//! The user's flags for members: blocked members are hidden, and verification persists.

use support::api::text_of;
use support::lab::Lab;
use support::socket::Tab;
use support::wait::until;
use support::{Result, Value, ensure, json};

#[tokio::test]
async fn blocked_member_is_hidden_until_unblocked() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("they meet", async || anna.api.sees_exactly(&[ben.id()]).await).await?;
    ben.api.say("before").await?;
    let texts = async |expected: &[&str]| {
        let texts = anna.api.texts().await?;
        ensure!(texts == expected, "{texts:?}");
        Ok(())
    };
    until("it is here", async || texts(&["before"]).await).await?;
    let mut tab = Tab::open(&anna.api).await?;
    let (run, arrival) = tab.place()?;
    let mark = format!("/api/v1/members/{}/mark", ben.id());
    let member = anna.api.post(&mark, &json!({"blocked": true, "verified": true})).await?.with(200)?;
    ensure!(member["blocked"] == true && member["verified"] == true && member["muted"] == false, "{member}");
    let told = tab.find("the member", |frame| frame["type"] == "member" && frame["member"]["blocked"] == true).await?;
    ensure!(told["member"]["id"] == ben.id(), "{told}");
    tab.find("the call to come back", |frame| frame["type"] == "resync").await?;
    let closed = tab.next().await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(closed.contains("4409"), "{closed}");
    let mut tab = Tab::resume(&anna.api, &run, arrival).await?;
    ensure!(tab.welcome["reset"] == true && tab.welcome["messages"] == json!([]), "{}", tab.welcome);

    ben.api.say("while blocked").await?;
    let args = ["export", "--json"];
    until("it is held", async || {
        ensure!(anna.run(&args)?.stdout.lines().count() == 2, "not yet");
        Ok(())
    })
    .await?;
    anna.api.say("by anna").await?;
    ensure!(tab.message().await?["text"] == "by anna", "what was blocked came in between");
    texts(&["by anna"]).await?;
    ensure!(!anna.run(&["tail"])?.stdout.contains("blocked"), "tail shows it");
    ensure!(anna.run(&["search", "blocked"])?.stdout.is_empty(), "search shows it");

    let anna = anna.stop()?.start()?;
    let member = anna.api.member(ben.id()).await?;
    ensure!(member["blocked"] == true && member["verified"] == true, "kept: {member}");
    until("they meet again", async || anna.api.sees_exactly(&[ben.id()]).await).await?;
    ensure!(anna.api.member(ben.id()).await?["verified"] == true, "also when they come");
    ensure!(anna.api.texts().await? == ["by anna"], "still not shown");
    anna.api.post(&mark, &json!({"blocked": false})).await?.with(200)?;
    ensure!(anna.api.texts().await? == ["before", "while blocked", "by anna"], "shown again");
    Ok(())
}

#[tokio::test]
async fn taking_a_verified_name_is_logged() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("the two have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let marked = anna.api.post(&format!("/api/v1/members/{}/mark", ben.id()), &json!({ "verified": true })).await?;
    ensure!(marked.with(200)?["verified"] == true, "{marked:?}");
    // One letter is Cyrillic.
    let eve = lab.node("eve").option("--name", "b\u{435}n").host("127.0.0.3").start()?;
    until("anna is told", async || {
        let (told, known, other) = (anna.said(), anna.api.member(ben.id()).await?, anna.api.member(eve.id()).await?);
        let [known, other] = [known, other].map(|member| text_of(&member, "short"));
        ensure!(
            told.contains(&format!("{other} calls itself b\u{435}n, but is not the {known} you verified")),
            "{told}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn safety_words_are_the_same_on_both_sides() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("they meet", async || anna.api.sees_exactly(&[ben.id()]).await).await?;
    until("both ways", async || ben.api.sees_exactly(&[anna.id()]).await).await?;
    let one = anna.api.get(&format!("/api/v1/members/{}/safety", ben.id())).await?;
    let two = ben.api.get(&format!("/api/v1/members/{}/safety", anna.id())).await?;
    ensure!(one == two && one["words"].as_array().is_some_and(|words| words.len() == 12), "{one} and {two}");
    let square = |rows: &Vec<Value>| rows.iter().all(|row| row.as_str().is_some_and(|row| row.len() == rows.len()));
    ensure!(one["qr"].as_array().is_some_and(square), "{one}");
    ensure!(one["hex"].as_str().is_some_and(|hex| hex.len() == 64), "{one}");
    ensure!(anna.api.get(&format!("/api/v1/members/{}/safety", anna.id())).await.is_err(), "not with oneself");
    ensure!(anna.api.get(&format!("/api/v1/members/{}/safety", "ab".repeat(32))).await.is_err(), "not with nobody");
    Ok(())
}
