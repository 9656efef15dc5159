//! Three real nodes, as three processes on 127.0.0.1, .2 and .3, held to the contract from outside: they meet, talk, remember,
//! tell who is here, and stop.

#[path = "processes/abuse.rs"]
mod abuse;
#[path = "processes/commands.rs"]
mod commands;
#[path = "common/mod.rs"]
mod common;
#[path = "processes/doctoring.rs"]
mod doctoring;
#[path = "processes/exporting.rs"]
mod exporting;
#[path = "processes/keys.rs"]
mod keys;
#[path = "processes/meeting.rs"]
mod meeting;
#[path = "processes/planted.rs"]
mod planted;
#[path = "processes/presence.rs"]
mod presence;
#[path = "processes/searching.rs"]
mod searching;
#[path = "processes/secrets.rs"]
mod secrets;
#[path = "processes/shared.rs"]
mod shared;
#[path = "processes/stopping.rs"]
mod stopping;
#[path = "processes/strangers.rs"]
mod strangers;
#[path = "processes/tabs.rs"]
mod tabs;
#[path = "processes/talking.rs"]
mod talking;
#[path = "processes/trusting.rs"]
mod trusting;
#[path = "processes/tunnel.rs"]
mod tunnel;
#[path = "processes/users.rs"]
mod users;

use common::Result;
use common::lab::Lab;
use common::node::{Launch, Node};
use common::wait::until;

/// The names of the three, and where each of them is.
const THREE: [(&str, &str); 3] = [("anna", "127.0.0.1"), ("ben", "127.0.0.2"), ("cleo", "127.0.0.3")];

/// The three, not started yet.
fn three(lab: &Lab) -> Vec<Launch> {
    THREE.iter().map(|(name, host)| lab.node(name).host(host)).collect()
}

/// The three, linked with each other.
async fn three_met(lab: &Lab) -> Result<[Node; 3]> {
    let nodes = common::node::together(&three(lab))?;
    until("the three have met", async || all_met(&nodes.iter().collect::<Vec<_>>()).await).await?;
    nodes.try_into().map_err(|_| anyhow::anyhow!("three were started"))
}

/// That everybody of these is linked with everybody else, and with nobody more.
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
        let fields = |m: &common::Value| ["id", "order", "text"].map(|field| common::api::text_of(m, field)).into();
        let held: Vec<(String, String, String)> = node.api.messages().await?.iter().map(fields).collect();
        common::ensure!(held.len() == count, "{} holds {} of {count}", node.name(), held.len());
        common::ensure!(held.is_sorted_by(|a, b| a.1 < b.1), "{} lists out of order: {held:?}", node.name());
        let same = first.as_ref().is_none_or(|first| *first == held);
        common::ensure!(same, "{} holds {held:?}, the first {first:?}", node.name());
        first = Some(held);
    }
    Ok(())
}
