//! Measurements of several nodes that are linked with each other.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use support::api::Api;
use support::lab::Lab;
use support::node::{Node, together};
use support::socket::Tab;
use support::wait::until;
use support::{Context, Result, ensure, json};
use tokio::time::sleep;

use crate::{RECEIVERS, text};

/// Simultaneous single requests. What accumulates meanwhile is signed and committed together.
const REQUESTS_AT_ONCE: usize = 64;

/// Messages in one NDJSON request.
const STREAM_LINES: usize = 25_000;

/// How often the number of stored entries is read.
const POLL: Duration = Duration::from_millis(10);

/// The longest time without another stored entry.
const STALL: Duration = Duration::from_secs(30);

/// Starts the sender and its receivers, and waits until all are linked.
pub(crate) async fn start(lab: &Lab) -> Result<Vec<Node>> {
    let launch = |number: usize| lab.node(&format!("node{number}")).host(&format!("127.0.0.{}", number + 1));
    let nodes = together(&(0..=RECEIVERS).map(launch).collect::<Vec<_>>())?;
    let linked = async || {
        for node in &nodes {
            let others: Vec<&str> = nodes.iter().map(Node::id).filter(|&id| id != node.id()).collect();
            node.api.sees_exactly(&others).await?;
        }
        Ok(())
    };
    until("all are linked", linked).await?;
    Ok(nodes)
}

/// Returns how long it takes until all receivers have stored what the first node is sent by NDJSON.
pub(crate) async fn fan_out_by_stream(nodes: &[Node], count: usize) -> Result<Duration> {
    let mut bodies = Vec::new();
    for first in (0..count).step_by(STREAM_LINES) {
        let mut lines = String::new();
        for number in first..count.min(first + STREAM_LINES) {
            writeln!(lines, "{}", json!({ "text": text(number) }))?;
        }
        bodies.push(Bytes::from(lines));
    }
    let mut connection = nodes[0].api.connect().await?;
    let receivers = Receivers::watch(nodes, count).await?;
    let begun = Instant::now();
    let stored = tokio::spawn(receivers.have_stored());
    for body in bodies {
        let mut request = nodes[0].api.request(Method::POST, "/api/v1/messages", None)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        *request.body_mut() = body.into();
        let answer = connection.send(request).await?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    stored.await??;
    Ok(begun.elapsed())
}

/// Returns how long it takes until all receivers have stored what the first node is sent by a
/// request for each message, many requests at a time.
pub(crate) async fn fan_out_by_posts(nodes: &[Node], count: usize) -> Result<Duration> {
    let receivers = Receivers::watch(nodes, count).await?;
    let begun = Instant::now();
    let stored = tokio::spawn(receivers.have_stored());
    let mut posting = Vec::new();
    for first in 0..REQUESTS_AT_ONCE.min(count) {
        posting.push(tokio::spawn(post_all(nodes[0].api.clone(), (first..count).step_by(REQUESTS_AT_ONCE))));
    }
    for task in posting {
        task.await??;
    }
    stored.await??;
    Ok(begun.elapsed())
}

async fn post_all(api: Api, numbers: impl Iterator<Item = usize>) -> Result<()> {
    let mut connection = api.connect().await?;
    for number in numbers {
        let request = api.request(Method::POST, "/api/v1/messages", Some(&json!({ "text": text(number) })))?;
        connection.send(request).await?.with(201)?;
    }
    Ok(())
}

/// The receivers, and the number of entries that each is to store.
struct Receivers(Vec<(Api, u64)>);

impl Receivers {
    /// Begins before the `count` messages are sent.
    async fn watch(nodes: &[Node], count: usize) -> Result<Self> {
        // Each has what was sent before.
        let before = stored_entries(&nodes[0].api).await?;
        let mut receivers = Vec::new();
        for node in &nodes[1..] {
            let has_all = async || {
                ensure!(stored_entries(&node.api).await? >= before, "some are missing");
                Ok(())
            };
            until("a receiver has what was sent before", has_all).await?;
            receivers.push((node.api.clone(), stored_entries(&node.api).await? + count as u64));
        }
        Ok(Self(receivers))
    }

    /// Waits until all have stored their entries. The count is read, since reading the frames of
    /// all messages would take processor time from the nodes.
    async fn have_stored(self) -> Result<()> {
        for (api, wanted) in self.0 {
            let (mut stored, mut grown) = (0, Instant::now());
            while stored < wanted {
                let now = stored_entries(&api).await?;
                if now > stored {
                    (stored, grown) = (now, Instant::now());
                }
                ensure!(grown.elapsed() < STALL, "a receiver has {stored} of {wanted} entries");
                sleep(POLL).await;
            }
        }
        Ok(())
    }
}

/// Returns the number of entries that a node has stored.
pub(crate) async fn stored_entries(api: &Api) -> Result<u64> {
    let answer = api.send(api.request(Method::GET, "/metrics", None)?).await?;
    let text = std::str::from_utf8(&answer.body)?;
    let entries = text.lines().find_map(|line| line.strip_prefix("roomful_entries "));
    entries.context("no number of entries")?.parse().context("not a number of entries")
}

/// Returns how long each message takes from the request at one node to the frame at another one.
pub(crate) async fn round_trips(from: &Api, to: &Api, count: usize) -> Result<Vec<Duration>> {
    let mut tab = Tab::open(to).await?;
    let mut connection = from.connect().await?;
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let request = from.request(Method::POST, "/api/v1/messages", Some(&json!({ "text": text(number) })))?;
        let begun = Instant::now();
        let (answer, received) = tokio::join!(connection.send(request), next_message(&mut tab));
        took.push(received?.duration_since(begun));
        answer?.with(201)?;
    }
    Ok(took)
}

async fn next_message(tab: &mut Tab) -> Result<Instant> {
    while tab.next().await?["type"] != "message" {}
    Ok(Instant::now())
}
