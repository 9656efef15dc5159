//! A member as pages, scripts and commands see it.

use serde::{Deserialize, Serialize};

use super::time;
use crate::proto::members::member;

/// A member of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberJson {
    /// Full id.
    pub id: String,
    /// The short id.
    pub short: String,
    /// The present name.
    pub name: String,
    /// `online`, `unsure`, `lost` or `left`.
    pub state: String,
    /// True for the node that answers.
    #[serde(rename = "self")]
    pub own: bool,
    /// Its addresses without port, that of the link first; of a member that is gone, the last
    /// known.
    pub addresses: Vec<String>,
    /// The start of the present state, by this node's clock.
    pub since: String,
    /// True if this node has a link with the member.
    pub direct: bool,
    /// The member through which it is reachable.
    pub via: Option<String>,
    /// The member's clock minus this node's.
    pub clock_error_ms: Option<i64>,
    /// True if the user compared safety words with the member.
    pub verified: bool,
    /// True if the user muted the member.
    pub muted: bool,
    /// True if the user blocked the member.
    pub blocked: bool,
    /// True if the member signed two different entries for one place.
    pub forked: bool,
    /// What they are doing, in their own words.
    #[serde(default)]
    pub status: Option<String>,
    /// The disk space of the member's messages here, to within 1 MiB. This and what follows is an
    /// addition to the contract.
    pub bytes: u64,
    /// The limit for which no more of the member's messages are stored: `quota`, `logs` (too many
    /// of them), `disk` (little room); else null.
    pub closed: Option<String>,
}

impl From<&member::Member> for MemberJson {
    fn from(member: &member::Member) -> Self {
        Self {
            id: member.id.to_string(),
            short: member.id.short(),
            name: member.name.to_string(),
            state: member.state.as_str().to_owned(),
            own: member.own,
            addresses: member.addresses.iter().map(ToString::to_string).collect(),
            since: time(member.since_ms),
            direct: member.direct,
            via: member.via.map(|id| id.to_string()),
            clock_error_ms: member.clock_error_ms,
            verified: member.marks.verified,
            muted: member.marks.muted,
            blocked: member.marks.blocked,
            forked: member.forked,
            status: member.status.clone(),
            bytes: member.bytes,
            closed: member.closed.map(|closed| closed.as_str().to_owned()),
        }
    }
}

/// `GET /api/v1/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// All members, this node included.
    pub members: Vec<MemberJson>,
}
