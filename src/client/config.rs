//! `roomful config`: the settings in force. Needs no node.

use std::path::Path;

use super::members::table;
use super::{Error, NodeClient, print};
use crate::config::Setting;

/// Prints the settings of the node that runs on `running_on`, else `local` ones, which a node would
/// start with: a line for each with name, value and source.
pub async fn config(running_on: Option<&Path>, local: Vec<Setting>, json: bool) -> Result<(), Error> {
    let settings = running(running_on).await.unwrap_or(local);
    if json {
        return settings.iter().try_for_each(print::json);
    }
    let row =
        |setting: &Setting| [setting.name.clone(), print::sanitize(&setting.value), setting.source.as_str().to_owned()];
    let rows: Vec<[String; 3]> = settings.iter().map(row).collect();
    table(&rows).iter().try_for_each(|line| print::line(line))
}

/// Returns the settings of a running node, if it tells them.
async fn running(dir: Option<&Path>) -> Option<Vec<Setting>> {
    let node = NodeClient::find(dir).ok()?;
    node.connect().await.ok()?;
    Some(node.run.settings).filter(|settings| !settings.is_empty())
}
