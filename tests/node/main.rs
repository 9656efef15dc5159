//! Three real nodes as processes on 127.0.0.1, .2 and .3, tested against the contract: discovery,
//! messages, history, presence, stop.

mod abuse;
mod changes;
mod commands;
mod deletion;
mod discovery;
mod doctor;
mod export;
mod file_commands;
mod files;
mod keys;
mod messages;
mod metrics;
mod mute_block_verify;
mod on_message;
mod planted;
mod presence;
mod reload;
mod search;
mod secrets;
mod shared;
mod shutdown;
mod ssh;
mod ssh_forward;
mod tabs;
mod unauthenticated;
mod users;

use support::Result;
use support::lab::Lab;
use support::node::{Launch, Node};
use support::wait::until;

/// The names of the three, and where each of them is.
const THREE: [(&str, &str); 3] = [("anna", "127.0.0.1"), ("ben", "127.0.0.2"), ("cleo", "127.0.0.3")];

/// The three, not started yet.
fn three(lab: &Lab) -> Vec<Launch> {
    THREE.iter().map(|(name, host)| lab.node(name).host(host)).collect()
}

/// The three, linked with each other.
async fn three_met(lab: &Lab) -> Result<[Node; 3]> {
    let nodes = support::node::together(&three(lab))?;
    until("the three have met", async || all_met(&nodes.iter().collect::<Vec<_>>()).await).await?;
    nodes.try_into().map_err(|_| anyhow::anyhow!("three were started"))
}

/// Checks that these nodes are all linked with each other, and with no other node.
async fn all_met(nodes: &[&Node]) -> Result<()> {
    for node in nodes {
        let others: Vec<&str> = nodes.iter().map(|other| other.id()).filter(|&id| id != node.id()).collect();
        node.api.sees_exactly(&others).await?;
    }
    Ok(())
}

/// That all of these hold the same messages in the same order, and how they are ordered.
async fn all_hold(nodes: &[&Node], count: usize) -> Result<()> {
    let mut first: Option<Vec<(String, String, String)>> = None;
    for node in nodes {
        let fields = |m: &support::Value| ["id", "order", "text"].map(|field| support::api::text_of(m, field)).into();
        let held: Vec<(String, String, String)> = node.api.messages().await?.iter().map(fields).collect();
        support::ensure!(held.len() == count, "{} holds {} of {count}", node.name(), held.len());
        support::ensure!(held.is_sorted_by(|a, b| a.1 < b.1), "{} lists out of order: {held:?}", node.name());
        let same = first.as_ref().is_none_or(|first| *first == held);
        support::ensure!(same, "{} holds {held:?}, the first {first:?}", node.name());
        first = Some(held);
    }
    Ok(())
}
