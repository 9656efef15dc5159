//! `GET /api/v1/doctor`: the diagnosis of why two nodes do not see each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::node::DiscoveryTarget;

/// All observations, and the most likely cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// The interfaces with their beacons. Senders outside of this machine's networks count as
    /// "elsewhere".
    pub interfaces: Vec<InterfaceReport>,
    /// The ports of this node.
    pub ports: PortsReport,
    /// The addresses whose last dial failed.
    pub dials: Vec<FailedDial>,
    /// Dropped packets and links since the start, by cause.
    pub refused: BTreeMap<String, u64>,
    /// The nodes of this room whose beacons were received within the last minute.
    pub heard_by: Vec<Heard>,
    /// The median of the linked members' clocks minus this clock; null without links.
    pub clock_error_ms: Option<i64>,
    /// The most likely cause, or that there is none, in a sentence or two for a person.
    pub likely: String,
    /// The state of each announcement. This and what follows is an addition to the contract.
    pub discovery: Vec<DiscoveryTarget>,
    /// The firewall that runs on this machine, `ufw` or `firewalld`; null if none was detected.
    pub firewall: Option<String>,
    /// The file descriptors in use.
    pub files: Files,
    /// The links with other nodes.
    pub links: LinksReport,
    /// Free bytes on the disk of the data directory; null if the system does not tell.
    pub disk_free: Option<u64>,
}

/// A network interface with its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceReport {
    /// The name that the system gives it.
    pub name: String,
    /// Its usable addresses; empty while it is down.
    pub addresses: Vec<String>,
    /// Beacons sent since the start.
    pub sent: u64,
    /// Beacons received.
    pub heard: u64,
    /// Packets dropped.
    pub refused: u64,
    /// The time of the last received beacon; null if there was none. An addition to the contract.
    pub last_heard: Option<String>,
}

/// The ports of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortsReport {
    /// The UDP port of the beacons.
    pub udp: u16,
    /// The TCP port of the links.
    pub tcp: u16,
    /// The port of the page; null if it is on the socket only.
    pub web: Option<u16>,
}

/// A failed dial to an address to which no later dial succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDial {
    /// The address.
    pub address: String,
    /// The time of the failure.
    pub at: String,
    /// The reason, as a sentence without its full stop.
    pub error: String,
}

/// A node whose beacons are received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Full id.
    pub id: String,
    /// True if it knows of this node as well: they are linked, or reach each other through others.
    pub of_me: bool,
}

/// File descriptors. Each link and each tab takes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The number in use; null if the system does not tell.
    pub open: Option<u64>,
    /// The greatest number; null if there is no limit.
    pub most: Option<u64>,
}

/// The number of links, and the addresses with the most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksReport {
    /// The number of open links.
    pub open: usize,
    /// The greatest number.
    pub most: usize,
    /// True if all are in use, or were within the last minute.
    pub is_full: bool,
    /// The addresses with the most links.
    pub from: Vec<AddressUsage>,
}

/// An address with links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressUsage {
    /// The IP address.
    pub address: String,
    /// The number of its links.
    pub links: usize,
}
