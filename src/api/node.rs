//! The node as it describes itself.

use serde::{Deserialize, Serialize};

use super::copies::RetainedCopy;

/// The node that answers: `GET /api/v1/node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeJson {
    /// Full id.
    pub id: String,
    /// The present name.
    pub name: String,
    /// The room's name.
    pub room: String,
    /// The version of the program.
    pub version: String,
    /// The addresses that others can dial.
    pub tcp: Vec<String>,
    /// The UDP port of the beacons.
    pub udp: u16,
    /// The start of this run.
    pub started: String,
    /// The address of the page without the token; null if it is on the socket only.
    pub web: Option<String>,
    /// The Unix socket of the page.
    pub socket: String,
    /// The data directory.
    pub data_dir: String,
    /// True if other people work on this machine, so that each start has a new link. An addition to
    /// the contract.
    #[serde(default)]
    pub shared: bool,
    /// The stored history.
    pub history: History,
    /// The path of the page's parts, `/static/HASH`. A page that was loaded from another path
    /// belongs to another build. An addition to the contract.
    #[serde(default)]
    pub page: String,
    /// The state of each announcement. An addition to the contract.
    pub discovery: Vec<DiscoveryTarget>,
    /// This node's addresses without port, as others see them. An addition to the contract.
    pub addresses: Vec<String>,
    /// The command that starts this node again, with the options in force. An addition to the
    /// contract.
    #[serde(default)]
    pub command: String,
    /// Repairs of the history within the last week, as sentences for people; null if there were
    /// none. An addition to the contract.
    #[serde(default)]
    pub mended: Option<String>,
    /// The time of the latest repair, by which the page knows the reports it has shown. An addition
    /// to the contract.
    #[serde(default)]
    pub mended_at: Option<String>,
    /// Copies of the database that were set aside. An addition to the contract.
    #[serde(default)]
    pub copies: Vec<RetainedCopy>,
}

/// The history that a node stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Stored entries.
    pub entries: u64,
    /// Known entries that are missing.
    pub missing: u64,
    /// The time of the oldest message; null if there is none.
    pub oldest: Option<String>,
    /// The authors with the most missing entries, at most 16. An addition to the contract.
    #[serde(default)]
    pub lacking: Vec<AuthorGaps>,
}

/// An author with gaps in its logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorGaps {
    /// Full id.
    pub id: String,
    /// The number of missing entries.
    pub entries: u64,
}

/// A destination of beacons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryTarget {
    /// The interface.
    pub interface: String,
    /// The address.
    pub target: String,
    /// The time of the last beacon; null if there was none.
    pub sent: Option<String>,
    /// The last error; null if the last beacon was sent.
    pub error: Option<String>,
}
