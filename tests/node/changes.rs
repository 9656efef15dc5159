//! Messages change alike on all nodes, and keep their changes over a crash.

use super::three_met;
use support::lab::Lab;
use support::wait::until;
use support::{Result, ensure, json};

#[tokio::test]
async fn changes_reach_all_nodes_and_survive_a_crash() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let said = anna.api.say("a slip for @ben").await?;
    ensure!(said["mentions"] == json!([ben.id()]), "{said}");
    let id = said["id"].as_str().unwrap_or_default().to_owned();
    let path = |what: &str| format!("/api/v1/messages/{id}/{what}");
    until("ben has it", async || {
        let texts = ben.api.texts().await?;
        ensure!(texts == ["a slip for @ben"], "{texts:?}");
        Ok(())
    })
    .await?;
    ben.api.post(&path("react"), &json!({"emoji": "👍"})).await?.with(200)?;
    anna.api.post(&path("edit"), &json!({"text": "no slip"})).await?.with(200)?;
    ben.api.post(&path("edit"), &json!({"text": "mine"})).await?.with(403)?;
    anna.api.post("/api/v1/status", &json!({"text": "at lunch"})).await?.with(200)?;
    let reactions = json!([{"emoji": "👍", "by": [ben.id()]}]);
    for node in [&anna, &ben, &cleo] {
        until("all show the change", async || {
            let messages = node.api.messages().await?;
            ensure!(messages.len() == 1 && messages[0]["text"] == "no slip", "{messages:?}");
            ensure!(messages[0]["reactions"] == reactions, "{messages:?}");
            let status = &node.api.member(anna.id()).await?["status"];
            ensure!(status == "at lunch", "{status}");
            Ok(())
        })
        .await?;
    }
    let again = cleo.kill()?.start()?;
    let versions = again.api.get(&path("versions")).await?;
    ensure!(versions["versions"][0]["text"] == "a slip for @ben", "{versions}");
    ensure!(versions["versions"][1]["text"] == "no slip", "{versions}");
    anna.api.post(&path("delete"), &json!({})).await?.with(200)?;
    for node in [&anna, &ben, &again] {
        until("all show the deletion", async || {
            let messages = node.api.messages().await?;
            ensure!(messages.len() == 1 && messages[0]["deleted"] == true, "{messages:?}");
            ensure!(messages[0]["text"] == "" && messages[0]["reactions"] == json!([]), "{messages:?}");
            Ok(())
        })
        .await?;
    }
    ben.api.post(&path("react"), &json!({"emoji": "👍"})).await?.with(409)?;
    Ok(())
}
