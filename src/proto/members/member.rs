//! A member as the user sees it.

use std::net::IpAddr;

use crate::proto::ids::NodeId;
use crate::proto::member_flags::MemberFlags;
use crate::proto::names::name::Name;
use crate::proto::replication::author_limits::LimitReason;

/// The presence of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Linked, or reachable through another member, and heard from.
    Online,
    /// Linked, but silent for some time.
    Unsure,
    /// Gone without a goodbye.
    Lost,
    /// Said goodbye, or known from history only.
    Left,
}

impl Presence {
    /// Returns the name of the state, as in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Unsure => "unsure",
            Self::Lost => "lost",
            Self::Left => "left",
        }
    }

    /// Returns true if a member counts as in reach.
    pub fn is_here(self) -> bool {
        match self {
            Self::Online | Self::Unsure => true,
            Self::Lost | Self::Left => false,
        }
    }
}

/// A node as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// Its name now.
    pub name: Name,
    /// Its presence.
    pub state: Presence,
    /// True for this node itself.
    pub own: bool,
    /// Its addresses, that of the link first. When it is gone, the last known ones.
    pub addresses: Vec<IpAddr>,
    /// When the present state began, by this node's wall clock in milliseconds since 1970.
    pub since_ms: u64,
    /// True if this node has a link with it.
    pub direct: bool,
    /// The peer through which it is reached, if it has no link.
    pub via: Option<NodeId>,
    /// Its wall clock minus this node's in milliseconds, if known.
    pub clock_error_ms: Option<i64>,
    /// The flags that this node's user gave it.
    pub marks: MemberFlags,
    /// True if it signed two batches for one position of a log.
    pub forked: bool,
    /// What they are doing, in their own words.
    pub status: Option<String>,
    /// The bytes of its logs on the disk, to within [`crate::proto::limits::AUTHOR_BYTES_STEP`].
    pub bytes: u64,
    /// The reason why no more of it is taken, if that is so.
    pub closed: Option<LimitReason>,
}

impl Member {
    /// Returns this node's own member, online since `since_ms`.
    pub fn own(id: NodeId, name: Name, addresses: Vec<IpAddr>, since_ms: u64) -> Self {
        Self {
            id,
            name,
            state: Presence::Online,
            own: true,
            addresses,
            since_ms,
            direct: true,
            via: None,
            clock_error_ms: Some(0),
            marks: MemberFlags::default(),
            forked: false,
            status: None,
            bytes: 0,
            closed: None,
        }
    }
}
