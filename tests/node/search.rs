//! Search over HTTP and by command, by text, author and conversation.

use support::lab::Lab;
use support::{Result, ensure, json};

#[tokio::test]
async fn new_message_is_found_at_once() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    anna.api.say("The café opens at nine").await?;
    anna.api.say("Which CAFE?").await?;
    anna.api.post("/api/v1/messages", &json!({"text": "no cafe here", "channel": "news"})).await?.with(201)?;
    let found = anna.api.get("/api/v1/search?q=caf%C3%A9").await?;
    let hits = found["hits"].as_array().cloned().unwrap_or_default();
    let texts: Vec<_> = hits.iter().map(|hit| &hit["message"]["text"]).collect();
    ensure!(texts == ["no cafe here", "Which CAFE?", "The café opens at nine"], "{found}");
    ensure!(hits[2]["ranges"] == json!([[4, 8]]), "{found}");
    let newest = hits[0]["message"]["order"].as_str().unwrap_or_default();
    let page = anna.api.get(&format!("/api/v1/search?q=cafe&limit=1&before={newest}")).await?;
    ensure!(page["hits"] == json!([hits[1]]), "the next page: {page}");
    for (place, count) in [("channel=news", 1), ("channel=general", 2), ("channel=other", 0)] {
        let found = anna.api.get(&format!("/api/v1/search?q=cafe&{place}&from={}", anna.id())).await?;
        ensure!(found["hits"].as_array().map(Vec::len) == Some(count), "{place}: {found}");
    }

    let told = anna.run(&["search", "caf", "op"])?;
    ensure!(told.stdout.is_empty(), "only the last word is a beginning: {told:?}");
    let told = anna.run(&["search", "cafe", "op"])?;
    ensure!(told.status.success() && told.stdout.ends_with(" anna: The café opens at nine\n"), "{told:?}");
    let lines = anna.run(&["search", "--json", "cafe"])?.json_lines()?;
    ensure!(lines == hits, "{lines:?}");
    anna.run(&["search"])?.refused_with(2, "WORDS")
}
