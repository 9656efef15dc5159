//! What an engine is made of, beside the store's snapshot.

use std::net::IpAddr;

use ed25519_dalek::SigningKey;

use crate::proto::ids::{Instance, RoomId, RoomTag};
use crate::proto::links::address_book::DialTarget;
use crate::proto::links::link_budget::LinkBudget;
use crate::proto::names::name::Name;

/// The identity and the settings of an engine.
#[derive(Debug)]
pub struct EngineConfig {
    /// The node's key. Its public half is the node's id.
    pub key: SigningKey,
    /// The room's secret identity.
    pub room: RoomId,
    /// The room as beacons name it.
    pub tag: RoomTag,
    /// This start of the program.
    pub instance: Instance,
    /// The user's name.
    pub name: Name,
    /// The TCP port on which this node listens.
    pub port: u16,
    /// The own addresses at the start.
    pub addresses: Vec<IpAddr>,
    /// The nodes that the user asked to dial.
    pub peers: Vec<DialTarget>,
    /// Most bytes that the logs of one other author may take.
    pub quota: u64,
    /// The limits of links and dials.
    pub budget: LinkBudget,
    /// The seed of all randomness of this engine.
    pub seed: [u8; 32],
}
