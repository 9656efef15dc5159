//! Common setup: nodes linked over loopback.

use support::lab::Lab;
use support::node::{Launch, Node, together};
use support::wait::until;
use support::{Context, Result};

/// How nodes are called, in the order of their addresses.
const NAMES: [&str; 8] = ["anna", "ben", "cleo", "dora", "emil", "finn", "gina", "hans"];

/// So many nodes on 127.0.0.1, .2 and so on, not started yet.
pub(crate) fn launches(lab: &Lab, count: usize) -> Vec<Launch> {
    let host = |number: usize| format!("127.0.0.{}", number + 1);
    NAMES.iter().take(count).enumerate().map(|(number, name)| lab.node(name).host(&host(number))).collect()
}

/// So many nodes, linked with each other.
pub(crate) async fn met<const COUNT: usize>(lab: &Lab) -> Result<[Node; COUNT]> {
    let nodes = together(&launches(lab, COUNT))?;
    until("all have met", async || all_met(&nodes.iter().collect::<Vec<_>>()).await).await?;
    nodes.try_into().ok().context("as many as were started")
}

/// Checks that these nodes are all linked with each other, and with no other node.
pub(crate) async fn all_met(nodes: &[&Node]) -> Result<()> {
    for node in nodes {
        let others: Vec<&str> = nodes.iter().map(|other| other.id()).filter(|&id| id != node.id()).collect();
        node.api.sees_exactly(&others).await.with_context(|| node.name().to_owned())?;
    }
    Ok(())
}
