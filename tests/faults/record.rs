//! The checker: compares what was sent and acknowledged with what every node lists. Nothing may be
//! lost, duplicated, invented or changed, and all nodes must agree. It trusts no node's own view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use support::api::{Answer, Api, text_of};
use support::node::Node;
use support::{Result, Value, ensure, json};

/// What of a message is the same on every node.
const SHARED: [&str; 10] = ["id", "author", "name", "time", "kind", "channel", "to", "text", "reply_to", "order"];

/// Digits of a message's id that name the log, and those of log and sequence number.
const LOG_DIGITS: usize = 16;
const SEQ_DIGITS: usize = 32;

/// All messages of a run, of every node. Each text is unique.
#[derive(Default)]
pub(crate) struct Record {
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// Each text that was ever handed to a node, and the id of that node.
    tried: BTreeMap<String, String>,
    /// Each message that a node acknowledged.
    acknowledged: Vec<Value>,
}

impl Record {
    /// Has a node say `text`, whatever comes of it.
    pub(crate) async fn try_say(&self, node: &Node, text: &str) -> Result<Answer> {
        self.try_post(node, text, &json!({ "text": text })).await
    }

    /// Has a node say `text` and fails if it is not acknowledged.
    pub(crate) async fn say(&self, node: &Node, text: &str) -> Result<Value> {
        self.try_say(node, text).await?.with(201)
    }

    /// Has a node answer a message.
    pub(crate) async fn reply(&self, node: &Node, text: &str, to: &Value) -> Result<Value> {
        self.try_post(node, text, &json!({ "text": text, "reply_to": to["id"] })).await?.with(201)
    }

    async fn try_post(&self, node: &Node, text: &str, body: &Value) -> Result<Answer> {
        let known = self.said().tried.insert(text.to_owned(), node.id().to_owned());
        ensure!(known.is_none(), "the test said {text:?} twice");
        let answer = node.api.post("/api/v1/messages", body).await?;
        if answer.status == 201 {
            self.said().acknowledged.push(answer.json()?);
        }
        Ok(answer)
    }

    /// How many messages were acknowledged.
    pub(crate) fn count(&self) -> usize {
        self.said().acknowledged.len()
    }

    /// Checks that a node lists every message that it acknowledged itself. True at any time,
    /// whatever its peers do.
    pub(crate) async fn own_are_on(&self, node: &Node) -> Result<()> {
        let listed: BTreeSet<String> = history(&node.api).await?.iter().map(|line| text_of(line, "id")).collect();
        let said = self.said();
        for message in said.acknowledged.iter().filter(|message| message["author"] == node.id()) {
            let text = short(message);
            ensure!(listed.contains(&text_of(message, "id")), "{} acknowledged {text} and lost it", node.name());
        }
        Ok(())
    }

    /// Checks that all nodes hold every acknowledged message, nothing that was not sent, and one
    /// order.
    pub(crate) async fn check(&self, nodes: &[&Node]) -> Result<()> {
        let mut first: Option<Vec<Value>> = None;
        for node in nodes {
            let listed: Vec<Value> = history(&node.api).await?.iter().map(shared).collect();
            self.check_one(node.name(), &listed)?;
            if let Some(first) = &first {
                equal(node.name(), &listed, first)?;
            }
            first.get_or_insert(listed);
        }
        Ok(())
    }

    fn check_one(&self, name: &str, listed: &[Value]) -> Result<()> {
        let said = self.said();
        let by_id: BTreeMap<String, &Value> = listed.iter().map(|line| (text_of(line, "id"), line)).collect();
        for message in &said.acknowledged {
            let found = by_id.get(&text_of(message, "id"));
            let found = *found.ok_or_else(|| anyhow::anyhow!("{name} lacks {}", short(message)))?;
            // Its place may have been corrected by what it follows and came later.
            let same = SHARED.iter().all(|&field| field == "order" || found[field] == message[field]);
            ensure!(same, "{name} has {found} of what was acknowledged as {message}");
        }
        ensure!(by_id.len() == listed.len(), "{name} lists an id twice");
        let texts: BTreeSet<&str> = listed.iter().filter_map(|line| line["text"].as_str()).collect();
        ensure!(texts.len() == listed.len(), "{name} lists a text twice");
        for line in listed {
            let author = said.tried.get(&text_of(line, "text"));
            ensure!(
                author.is_some_and(|author| line["author"] == author.as_str()),
                "{name} has what nobody said: {line}"
            );
        }
        ordered(name, listed)?;
        logs_are_whole(name, listed)
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every message that a node holds, oldest first, read page by page.
pub(crate) async fn history(api: &Api) -> Result<Vec<Value>> {
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let from: String = before.map(|cursor: String| format!("&before={cursor}")).unwrap_or_default();
        let page = api.get(&format!("/api/v1/messages?limit=500{from}")).await?;
        pages.push(page["messages"].as_array().cloned().unwrap_or_default());
        before = page["before"].as_str().map(str::to_owned);
        if before.is_none() {
            pages.reverse();
            return Ok(pages.concat());
        }
    }
}

/// That the list is in its order, and no answer above what it answers.
fn ordered(name: &str, listed: &[Value]) -> Result<()> {
    let in_order = listed.is_sorted_by(|a, b| text_of(a, "order") < text_of(b, "order"));
    ensure!(in_order, "{name} does not list by `order`");
    let mut above = BTreeSet::new();
    for line in listed {
        let known = line["reply_to"].as_str().is_none_or(|parent| above.contains(parent));
        ensure!(known, "{name} lists an answer above what it answers: {}", short(line));
        above.insert(text_of(line, "id"));
    }
    Ok(())
}

/// Checks that each log has one author and one message per position, without gaps after the
/// author's name, which is first.
fn logs_are_whole(name: &str, listed: &[Value]) -> Result<()> {
    let mut logs: BTreeMap<String, (String, BTreeSet<u64>)> = BTreeMap::new();
    for line in listed {
        let id = text_of(line, "id");
        let (log, seq) = (&id[..LOG_DIGITS], u64::from_str_radix(&id[LOG_DIGITS..SEQ_DIGITS], 16)?);
        let (author, seqs) = logs.entry(log.to_owned()).or_insert_with(|| (text_of(line, "author"), BTreeSet::new()));
        ensure!(*author == line["author"], "{name} has two authors in log {log}");
        ensure!(seqs.insert(seq), "{name} has two messages in place {seq} of log {log}");
    }
    for (log, (_, seqs)) in logs {
        let whole = seqs.iter().copied().eq((2..).take(seqs.len()));
        ensure!(whole, "{name} has a gap in log {log}: {seqs:?}");
    }
    Ok(())
}

/// That two nodes list the same.
fn equal(name: &str, listed: &[Value], first: &[Value]) -> Result<()> {
    ensure!(listed.len() == first.len(), "{name} lists {} messages, the first {}", listed.len(), first.len());
    for (at, (one, other)) in listed.iter().zip(first).enumerate() {
        ensure!(one == other, "{name} has {one} as number {at}, the first {other}");
    }
    Ok(())
}

fn shared(message: &Value) -> Value {
    SHARED.iter().map(|&field| (field.to_owned(), message[field].clone())).collect()
}

/// A message in a few words, since texts may be long.
fn short(message: &Value) -> String {
    let text: String = text_of(message, "text").chars().take(40).collect();
    format!("{text:?} ({})", text_of(message, "id"))
}
