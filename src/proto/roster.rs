//! Who is here: the members of the room with their states, as the user sees them.

use std::net::IpAddr;

use super::ids::NodeId;
use super::name::Name;

/// Whether a member is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Linked, or reachable through another member, and heard from.
    Online,
    /// Linked, but silent for some time.
    Unsure,
    /// Gone without a word.
    Lost,
    /// Said goodbye, or known from history only.
    Left,
}

/// A node as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: NodeId,
    /// What they are called now.
    pub name: Name,
    /// Whether they are here.
    pub state: State,
    /// Whether it is this node itself.
    pub own: bool,
    /// Where they are, the link's address first; the last known when gone.
    pub addresses: Vec<IpAddr>,
    /// When the present state began, by this node's wall clock in milliseconds since 1970.
    pub since_ms: u64,
    /// Whether this node has a link with them.
    pub direct: bool,
    /// Through whom they are reachable, if not directly.
    pub via: Option<NodeId>,
    /// Their wall clock minus ours, in milliseconds, where it is known.
    pub clock_error_ms: Option<i64>,
}
