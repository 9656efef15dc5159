//! Files between real nodes: sent, fetched from several holders, kept over crashes, and kept from
//! those that are not among the readers.

use super::{all_met, three, three_met};
use support::api::{Answer, text_of};
use support::lab::Lab;
use support::node::Node;
use support::socket::Tab;
use support::wait::{stays, until};
use support::{Context, Result, Value, ensure, json};

use std::time::Duration;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};

/// Bytes that no other part of a test has.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(b"a file").finalize_xof().fill(&mut bytes);
    bytes
}

async fn post_bytes(node: &Node, path: &str, bytes: &[u8]) -> Result<Answer> {
    let mut request = node.api.request(Method::POST, path, None)?.map(|_| bytes.to_vec());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    node.api.send(request.map(|bytes| http_body_util::Full::new(bytes.into()))).await
}

/// Uploads bytes and returns their hash.
async fn upload(node: &Node, name: &str, bytes: &[u8]) -> Result<String> {
    let file = post_bytes(node, &format!("/api/v1/files?name={name}"), bytes).await?.with(201)?;
    ensure!(file["state"] == "here" && file["size"] == bytes.len(), "{file}");
    Ok(text_of(&file, "content"))
}

/// Sends a file in a message and returns its hash and the message.
async fn share(node: &Node, bytes: &[u8], to: Option<&str>) -> Result<(String, Value)> {
    let content = upload(node, "a.bin", bytes).await?;
    let message = attach(node, &content, to).await?.with(201)?;
    ensure!(message["files"][0]["state"] == "here", "{message}");
    Ok((content, message))
}

async fn attach(node: &Node, content: &str, to: Option<&str>) -> Result<Answer> {
    node.api
        .post("/api/v1/messages", &json!({"text": "", "to": to, "files": [{"content": content, "name": "a.bin"}]}))
        .await
}

/// The file as a node lists it, once it is listed.
async fn file(node: &Node, content: &str) -> Result<Value> {
    let listed = node.api.get("/api/v1/files").await?;
    let files = listed["files"].as_array().context("a list")?;
    files.iter().find(|file| file["content"] == content).cloned().with_context(|| format!("not listed: {listed}"))
}

async fn has_state(node: &Node, content: &str, state: &str) -> Result<()> {
    until(&format!("{} has the file {state}", node.name()), async || {
        let file = file(node, content).await?;
        ensure!(file["state"] == state, "{file}");
        Ok(())
    })
    .await
}

async fn download(node: &Node, content: &str) -> Result<Answer> {
    node.api.send(node.api.request(Method::GET, &format!("/api/v1/files/{content}"), None)?).await
}

async fn change(node: &Node, content: &str, action: &str) -> Result<Answer> {
    node.api.post(&format!("/api/v1/files/{content}/{action}"), &json!({})).await
}

#[tokio::test]
async fn small_file_comes_by_itself() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let mut tab = Tab::open(&ben.api).await?;
    let data = bytes(300_000);
    let (content, _) = share(&anna, &data, None).await?;
    ensure!(content == blake3::hash(&data).to_string());
    for node in [&ben, &cleo] {
        has_state(node, &content, "here").await?;
        let answer = download(node, &content).await?;
        ensure!(answer.status == 200 && answer.body == data, "{}", answer.status);
    }
    let is_here = |frame: &Value| frame["type"] == "file" && frame["file"]["state"] == "here";
    let frame = tab.find("the file is here", is_here).await?;
    ensure!(frame["file"]["content"] == content && frame["file"]["have"] == data.len(), "{frame}");
    let message = ben.api.messages().await?;
    ensure!(message.last().is_some_and(|message| message["files"][0]["state"] == "here"), "{message:?}");
    let stored = ben.data_dir.join("files").join(&content);
    ensure!(std::fs::read(stored)? == data);
    Ok(())
}

#[tokio::test]
async fn empty_file_is_there_at_once() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _] = three_met(&lab).await?;
    let (content, _) = share(&anna, b"", None).await?;
    has_state(&ben, &content, "here").await?;
    let answer = download(&ben, &content).await?;
    ensure!(answer.status == 200 && answer.body.is_empty());
    Ok(())
}

#[tokio::test]
async fn large_file_comes_on_a_click() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let data = bytes(9 * 1024 * 1024);
    let (content, _) = share(&anna, &data, None).await?;
    has_state(&ben, &content, "remote").await?;
    let refused = download(&ben, &content).await?;
    ensure!(refused.status == 409 && refused.json()?["error"] == "not_here", "{refused:?}");
    change(&ben, &content, "fetch").await?.with(200)?;
    has_state(&ben, &content, "here").await?;
    ensure!(file(&cleo, &content).await?["state"] == "remote");

    // The sender leaves: the other one has it too.
    anna.stop()?;
    change(&cleo, &content, "fetch").await?.with(200)?;
    has_state(&cleo, &content, "here").await?;
    ensure!(download(&cleo, &content).await?.body == data);
    Ok(())
}

#[tokio::test]
async fn transfer_survives_kills_and_waits() -> Result<()> {
    let lab = Lab::new()?;
    let mut nodes = three_met(&lab).await?.into_iter();
    let (anna, ben) = (nodes.next().context("anna")?, nodes.next().context("ben")?);
    drop(nodes);
    let data = bytes(64 * 1024 * 1024);
    let (content, _) = share(&anna, &data, None).await?;
    has_state(&ben, &content, "remote").await?;
    change(&ben, &content, "fetch").await?.with(200)?;
    until("some of it is here", async || {
        ensure!(file(&ben, &content).await?["have"].as_u64() > Some(0));
        Ok(())
    })
    .await?;
    let anna = anna.kill()?;
    let ben = ben.kill()?.start()?;
    until("what was verified is here again", async || {
        let file = file(&ben, &content).await?;
        ensure!(file["state"] == "here" || (file["state"] == "waiting" && file["have"].as_u64() > Some(0)), "{file}");
        Ok(())
    })
    .await?;
    let anna = anna.start()?;
    until("the two have met", async || all_met(&[&anna, &ben]).await).await?;
    has_state(&ben, &content, "here").await?;
    ensure!(download(&ben, &content).await?.body == data);
    Ok(())
}

#[tokio::test]
async fn newcomer_gets_files_of_the_history() -> Result<()> {
    let lab = Lab::new()?;
    let launches = three(&lab);
    let anna = launches[0].start()?;
    let data = bytes(1024);
    let (content, _) = share(&anna, &data, None).await?;
    let ben = launches[1].start()?;
    has_state(&ben, &content, "here").await?;
    Ok(())
}

#[tokio::test]
async fn direct_file_is_for_its_readers_alone() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let secret = bytes(2000);
    let (content, _) = share(&anna, &secret, Some(ben.id())).await?;
    has_state(&ben, &content, "here").await?;
    let listed = cleo.api.get("/api/v1/files").await?;
    ensure!(!listed.to_string().contains(&content), "{listed}");

    // Cleo guesses the hash, and her own node pretends to hold it: a message of the room names it.
    let pretended = upload(&cleo, "pretended", b"something else").await?;
    ensure!(attach(&cleo, &content, None).await?.status == 409, "content that is not here can't be named");
    attach(&cleo, &pretended, None).await?.with(201)?;
    let unknown = change(&cleo, &content, "fetch").await?;
    ensure!(unknown.status == 404, "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn deleted_message_takes_its_file_along() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _] = three_met(&lab).await?;
    let (content, message) = share(&anna, &bytes(3000), None).await?;
    let (again, second) = share(&anna, &bytes(3000), None).await?;
    ensure!(content == again);
    has_state(&ben, &content, "here").await?;
    let delete = async |message: &Value| {
        let path = format!("/api/v1/messages/{}/delete", text_of(message, "id"));
        anna.api.post(&path, &json!({})).await?.with(200)
    };
    let deleted = delete(&message).await?;
    ensure!(deleted["files"] == json!([]), "{deleted}");
    stays("another message names it", Duration::from_millis(300), async || {
        ensure!(ben.data_dir.join("files").join(&content).exists());
        Ok(())
    })
    .await?;
    delete(&second).await?;
    for node in [&anna, &ben] {
        until("the content is gone", async || {
            let left = std::fs::read_dir(node.data_dir.join("files"))?.count();
            ensure!(left == 0, "{left} files are left");
            Ok(())
        })
        .await?;
        ensure!(download(node, &content).await?.status == 404);
    }
    Ok(())
}

#[tokio::test]
async fn removed_file_can_be_fetched_again() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, _] = three_met(&lab).await?;
    let data = bytes(5000);
    let (content, _) = share(&anna, &data, None).await?;
    has_state(&ben, &content, "here").await?;
    let removed = change(&ben, &content, "remove").await?.with(200)?;
    ensure!(removed["state"] == "remote" && removed["have"] == 0, "{removed}");
    ensure!(!ben.data_dir.join("files").join(&content).exists());
    change(&ben, &content, "fetch").await?.with(200)?;
    has_state(&ben, &content, "here").await?;
    let pin = ben.api.post(&format!("/api/v1/files/{content}/pin"), &json!({"pinned": true})).await?.with(200)?;
    ensure!(pin["pinned"] == true, "{pin}");
    Ok(())
}

#[tokio::test]
async fn uploads_in_parts_are_resumed() -> Result<()> {
    let lab = Lab::new()?;
    let anna = three(&lab)[0].start()?;
    let data = bytes(100_000);
    let begun = anna.api.post("/api/v1/uploads", &json!({"name": "a.txt", "size": data.len()})).await?.with(201)?;
    let path = format!("/api/v1/uploads/{}", text_of(&begun, "upload"));
    let part = async |offset: usize, bytes: &[u8]| post_bytes(&anna, &format!("{path}?offset={offset}"), bytes).await;
    ensure!(part(0, &data[..60_000]).await?.with(200)?["offset"] == 60_000);
    let wrong = part(0, &data[..1]).await?;
    ensure!(wrong.status == 409 && wrong.json()?["offset"] == 60_000, "{wrong:?}");
    let file = part(60_000, &data[60_000..]).await?.with(201)?;
    ensure!(file["content"] == blake3::hash(&data).to_string(), "{file}");
    ensure!(download(&anna, &text_of(&file, "content")).await?.body == data);
    let beyond = anna.api.post("/api/v1/uploads", &json!({"name": "a", "size": 1u64 << 63})).await?;
    ensure!(beyond.status == 413);
    Ok(())
}

#[tokio::test]
async fn many_messages_do_not_hide_an_older_one() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let data = bytes(400);
    let (content, _) = share(&anna, &data, Some(ben.id())).await?;
    has_state(&ben, &content, "here").await?;

    // Cleo has the same bytes, and names them to Anna again and again.
    upload(&cleo, "a.bin", &data).await?;
    let say = json!({"text": "take it", "to": anna.id(), "files": [{"content": content, "name": "a.bin"}]});
    let lines = format!("{say}\n").repeat(257);
    let mut request = cleo.api.request(Method::POST, "/api/v1/messages", None)?.map(|_| lines);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    let answers = cleo.api.send(request.map(|lines| http_body_util::Full::new(lines.into()))).await?;
    let answers = String::from_utf8(answers.body.to_vec())?;
    ensure!(answers.lines().count() == 257, "{answers}");
    let last: Value = answers.lines().last().context("an answer")?.parse()?;
    let last = text_of(&last, "id");
    has_message(&anna, &last, |message| message["text"] == "take it").await?;
    cleo.api.post(&format!("/api/v1/messages/{last}/delete"), &json!({})).await?.with(200)?;
    has_message(&anna, &last, |message| message["deleted"] == true).await?;
    stays("Anna keeps her own file", Duration::from_millis(500), async || {
        ensure!(anna.data_dir.join("files").join(&content).exists());
        Ok(())
    })
    .await?;

    // Ben's message is the only one left of its audience.
    change(&ben, &content, "remove").await?.with(200)?;
    change(&ben, &content, "fetch").await?.with(200)?;
    has_state(&ben, &content, "here").await
}

/// Waits until a message of a node is as expected.
async fn has_message(node: &Node, id: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
    until("the message is as expected", async || {
        let messages = node.api.messages().await?;
        ensure!(messages.iter().any(|message| message["id"] == id && is_so(message)), "{messages:?}");
        Ok(())
    })
    .await
}
