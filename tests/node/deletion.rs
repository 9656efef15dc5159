//! Deleted text is in no file of any node that the deletion has reached, also after a crash.

use std::path::Path;

use super::{all_met, three_met};
use support::lab::Lab;
use support::node::Node;
use support::wait::until;
use support::{Context as _, Result, ensure, json};

const RARE: &str = "quetzalcoatlus";

/// The files below a directory that contain a word.
fn files_with(dir: &Path, word: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(&path, word)?);
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

async fn erased(lab: &Lab, name: &str) -> Result<()> {
    until(&format!("{name} has erased the text"), async || {
        let files = files_with(&lab.data_dir(name), RARE)?;
        ensure!(files.is_empty(), "{files:?}");
        Ok(())
    })
    .await
}

/// Waits until a node finds the word as often as this, and shows the text of its messages.
async fn finds(node: &Node, count: usize) -> Result<()> {
    until(&format!("{} finds {count} messages", node.name()), async || {
        let found = node.api.get(&format!("/api/v1/search?q={RARE}")).await?;
        let hits = found["hits"].as_array().map(Vec::len);
        ensure!(hits == Some(count), "{found}");
        Ok(())
    })
    .await
}

async fn shows_deletions(node: &Node, texts: &[&str]) -> Result<()> {
    until(&format!("{} shows the deletions", node.name()), async || {
        let messages = node.api.messages().await?;
        let shown: Vec<_> = messages.iter().map(|message| support::api::text_of(message, "text")).collect();
        ensure!(shown == texts, "{shown:?}");
        ensure!(messages.iter().all(|message| message["deleted"] == (message["text"] == "")), "{messages:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn deleted_text_is_in_no_file_of_any_node() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    anna.api.say("before").await?;
    let said = anna.api.say(&format!("a {RARE} over the lake")).await?;
    let path = |what: &str| format!("/api/v1/messages/{}/{what}", said["id"].as_str().unwrap_or_default());
    for n in 0..3 {
        let text = format!("{n} {RARE}s over the lake");
        anna.api.post(&path("edit"), &json!({ "text": text })).await?.with(200)?;
    }
    let direct = json!({ "text": format!("did you see the {RARE}?"), "to": ben.id() });
    let direct = anna.api.post("/api/v1/messages", &direct).await?.with(201)?;
    anna.api.say("after").await?;
    finds(&anna, 2).await?;
    finds(&ben, 2).await?;
    finds(&cleo, 1).await?;

    // One node is away while the messages are deleted.
    let cleo = cleo.kill()?;
    anna.api.post(&path("delete"), &json!({})).await?.with(200)?;
    let id = direct["id"].as_str().unwrap_or_default();
    anna.api.post(&format!("/api/v1/messages/{id}/delete"), &json!({})).await?.with(200)?;
    shows_deletions(&ben, &["before", "", "", "after"]).await?;
    erased(&lab, "anna").await?;
    erased(&lab, "ben").await?;
    let cleo = cleo.start()?;
    shows_deletions(&cleo, &["before", "", "after"]).await?;
    erased(&lab, "cleo").await?;

    // The author and a witness crash; a newcomer learns of the messages from the others.
    let anna = anna.kill()?.start()?;
    let ben = ben.kill()?.start()?;
    let dora = lab.node("dora").host("127.0.0.4").start()?;
    until("the four have met", async || all_met(&[&anna, &ben, &cleo, &dora]).await).await?;
    shows_deletions(&dora, &["before", "", "after"]).await?;
    shows_deletions(&anna, &["before", "", "", "after"]).await?;
    let places = |messages: Vec<support::Value>| -> Vec<_> {
        messages
            .iter()
            .map(|message| ["id", "order", "channel"].map(|field| support::api::text_of(message, field)))
            .collect()
    };
    ensure!(places(dora.api.messages().await?) == places(cleo.api.messages().await?));
    for node in [&anna, &ben, &cleo, &dora] {
        finds(node, 0).await?;
        erased(&lab, node.name()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn removed_copies_leave_no_deleted_text() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let said = anna.api.say(&format!("a {RARE} over the lake")).await?;
    let dir = anna.data_dir.clone();
    let launch = anna.stop()?;
    let is_database = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "db");
    let database = std::fs::read_dir(&dir)?.filter_map(|entry| Some(entry.ok()?.path())).find(is_database);
    let database = database.context("a database")?;
    let mut bytes = std::fs::read(&database)?;
    bytes[..100].fill(0xff);
    std::fs::write(&database, bytes)?;
    let elsewhere = lab.data_dir("elsewhere");
    std::fs::write(&elsewhere, "of the user")?;
    std::os::unix::fs::symlink(&elsewhere, database.with_extension("db.damaged-1"))?;

    let anna = launch.start()?;
    let id = said["id"].as_str().unwrap_or_default();
    anna.api.post(&format!("/api/v1/messages/{id}/delete"), &json!({})).await?.with(200)?;
    until("only the copy keeps the text", async || {
        let files = files_with(&dir, RARE)?;
        ensure!(files.len() == 1 && files[0].contains(".db.damaged-"), "{files:?}");
        Ok(())
    })
    .await?;
    let node = anna.api.get("/api/v1/node").await?;
    let copies = node["copies"].as_array().cloned().unwrap_or_default();
    let name = copies.iter().find_map(|copy| copy["name"].as_str()).context("the copy is named")?.to_owned();
    ensure!(copies.len() == 1 && dir.join(&name).is_file() && copies[0]["bytes"].as_u64() > Some(0), "{node}");
    ensure!(node["mended"].as_str().is_some_and(|told| told.contains(&name)), "{node}");
    ensure!(anna.run(&["doctor"])?.stdout.contains(&name), "doctor names it");

    ensure!(anna.run(&["doctor", "--remove-copies"])?.stdout == format!("{name}\n"), "the command prints its name");
    erased(&lab, "anna").await?;
    ensure!(std::fs::read_to_string(&elsewhere)? == "of the user", "no link is followed");
    let again = anna.api.post("/api/v1/copies/remove", &json!({})).await?.with(200)?;
    ensure!(again == json!({ "removed": [] }), "{again}");
    let anna = anna.stop()?.start()?;
    let node = anna.api.get("/api/v1/node").await?;
    ensure!(node["copies"] == json!([]), "{node}");
    let told = node["mended"].as_str().unwrap_or_default();
    ensure!(told.contains("was damaged") && !told.contains(&name), "{node}");
    Ok(())
}
