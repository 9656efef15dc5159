//! `GET /api/v1/doctor`: why two nodes don't see each other, as far as this one can tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::form::Discovery;

/// Everything that was looked at, and what most likely is the matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// Where beacons come and go; senders on no network of ours count as "elsewhere".
    pub interfaces: Vec<Interface>,
    /// Where this node listens.
    pub ports: Ports,
    /// Addresses where the last dial came to nothing.
    pub dials: Vec<FailedDial>,
    /// What was refused since the start, by cause.
    pub refused: BTreeMap<String, u64>,
    /// Nodes of this room whose beacons came in within the last minute.
    pub heard_by: Vec<Heard>,
    /// The clocks of those in reach minus ours, the one in the middle; null where nobody is in reach.
    pub clock_error_ms: Option<i64>,
    /// What most likely is the matter, or that nothing is: a sentence or two for a person.
    pub likely: String,
    /// How each way of announcing this node does. This and what follows is an addition to the contract.
    pub discovery: Vec<Discovery>,
    /// A firewall that runs on this machine: `ufw` or `firewalld`; null where none of them does, as far as can be seen.
    pub firewall: Option<String>,
    /// Files and connections.
    pub files: Files,
    /// Links with other nodes.
    pub links: Links,
    /// Free bytes on the disk with the data; null where the system does not say.
    pub disk_free: Option<u64>,
}

/// A network interface with its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// As the system calls it.
    pub name: String,
    /// Its usable addresses now; none while it is down.
    pub addresses: Vec<String>,
    /// Beacons sent since the start.
    pub sent: u64,
    /// Beacons heard.
    pub heard: u64,
    /// Packets that were refused.
    pub refused: u64,
    /// When the last beacon was heard; null if none was. An addition to the contract.
    pub last_heard: Option<String>,
}

/// The ports of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Of beacons.
    pub udp: u16,
    /// Of links.
    pub tcp: u16,
    /// Of the page; null if it is on the socket only.
    pub web: Option<u16>,
}

/// A dial that came to nothing, and none to the same address has succeeded since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDial {
    /// Where to.
    pub address: String,
    /// When it failed.
    pub at: String,
    /// Why, as a sentence without its full stop.
    pub error: String,
}

/// Somebody whose beacons are heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Full id.
    pub id: String,
    /// Whether it knows of this node in turn: they are linked, or reach each other through others.
    pub of_me: bool,
}

/// File descriptors: each link and each tab costs one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// How many are open; null where the system does not say.
    pub open: Option<u64>,
    /// How many may be; null if there is no limit.
    pub most: Option<u64>,
}

/// How many links there are, and from where most of them come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// How many are up.
    pub open: usize,
    /// How many may be up.
    pub most: usize,
    /// Whether all are in use, or were within the last minute.
    pub is_full: bool,
    /// The addresses with the most links.
    pub from: Vec<Crowded>,
}

/// An address from which links come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowded {
    /// The address.
    pub address: String,
    /// How many links.
    pub links: usize,
}
