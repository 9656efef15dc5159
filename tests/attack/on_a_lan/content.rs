//! A member that asks for content which is not meant for it: of a direct message, or of one that
//! was deleted. The answers are those for content that is not held.

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use roomful::proto::files::file_frame::FileFrame;
use roomful::proto::ids::Hash;
use roomful::proto::links::version_range::VersionRange;
use roomful::proto::replication::frame::Frame;
use support::api::text_of;
use support::node::Node;
use support::wait::until_within;
use support::{Context, Result, Value, ensure, json};

use crate::siege::{PATIENCE, Siege};
use crate::speaker::Line;

/// What a node tells of some content.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    size: Option<u64>,
    parts: Vec<u8>,
    /// The bytes that it sent.
    data: usize,
}

const NOTHING: Told = Told { size: None, parts: Vec::new(), data: 0 };

/// Sends a file in a message. Returns its hash and the message.
async fn share(node: &Node, bytes: &'static [u8], to: Option<&str>) -> Result<(Hash, Value)> {
    let mut request = node.api.request(Method::POST, "/api/v1/files?name=a.bin", None)?.map(|_| bytes.into());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let file = node.api.send(request.map(http_body_util::Full::<bytes::Bytes>::new)).await?.with(201)?;
    let files = json!([{"content": text_of(&file, "content"), "name": "a.bin"}]);
    let message = json!({"text": "", "to": to, "files": files});
    let message = node.api.post("/api/v1/messages", &message).await?.with(201)?;
    Ok((Hash(*blake3::hash(bytes).as_bytes()), message))
}

/// Asks for some content: what is held of it, and its first unit.
async fn ask(line: &mut Line, content: Hash) -> Result<Told> {
    line.say(&Frame::File(FileFrame::Want { content, on: true })).await?;
    let (size, parts) = loop {
        match line.hear().await? {
            Frame::File(FileFrame::Have { content: of, size, parts }) if of == content => break (size, parts),
            Frame::Ping { wall_ms } => line.say(&Frame::Pong { wall_ms }).await?,
            _ => {}
        }
    };
    line.say(&Frame::File(FileFrame::Request { content, first: 0, count: 1 })).await?;
    let data = loop {
        match line.hear().await? {
            Frame::File(FileFrame::Data { content: of, bytes, .. }) if of == content => break bytes.len(),
            Frame::File(FileFrame::Refuse { content: of, busy: false, .. }) if of == content => break 0,
            Frame::Ping { wall_ms } => line.say(&Frame::Pong { wall_ms }).await?,
            _ => {}
        }
    };
    Ok(Told { size, parts, data })
}

#[tokio::test]
async fn content_is_sent_to_its_audience_alone() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (ana, ben) = (&siege.nodes[0], siege.nodes[1].id());
    let (open, _) = share(ana, b"for the room", None).await?;
    let (direct, direct_message) = share(ana, b"for Ben alone", Some(ben)).await?;
    let (deleted, message) = share(ana, b"for nobody any more", None).await?;
    let (deleted_direct, other_message) = share(ana, b"for Ben, for a while", Some(ben)).await?;
    for message in [&message, &other_message] {
        let path = format!("/api/v1/messages/{}/delete", text_of(message, "id"));
        ana.api.post(&path, &json!({})).await?.with(200)?;
    }
    until_within(PATIENCE, "Ben has his file", async || {
        let listed = siege.nodes[1].api.get("/api/v1/files").await?;
        let files = listed["files"].as_array().context("a list")?;
        let is_here = |file: &Value| file["content"] == direct.to_string() && file["state"] == "here";
        ensure!(files.iter().any(is_here), "{listed} of {direct_message}");
        Ok(())
    })
    .await?;

    let unknown = Hash([7; 32]);
    for (of, at) in [("Ana", siege.ana()), ("Ben", siege.ben())] {
        let mut mallory = siege.speaker(1);
        mallory.versions = VersionRange::new(1, 2);
        let told = siege.attacker.does(move || async move {
            let mut line = mallory.join(at).await?;
            let mut told = Vec::new();
            for content in [open, direct, deleted, deleted_direct, unknown] {
                told.push(ask(&mut line, content).await?);
            }
            Ok::<_, anyhow::Error>(told)
        });
        let told = told.await??;
        ensure!(told[0].size == Some(12) && told[0].data == 12, "{of} has the open file: {told:?}");
        ensure!(told[1..].iter().all(|told| *told == NOTHING), "{of} tells more than nothing: {told:?}");
    }
    siege.they_talk("after").await?;
    Ok(())
}
