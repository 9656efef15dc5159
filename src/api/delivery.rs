//! The delivery of an own message, by member.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/messages/ID/held`: an addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHolders {
    /// The members that reported to hold the message, among those it is counted for.
    pub held: Vec<MessageHolder>,
    /// Full ids of the other members it is counted for.
    pub missing: Vec<String>,
}

/// A member that holds a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHolder {
    /// Full id.
    pub id: String,
    /// The time when this node learned of it; null if that was in an earlier run.
    pub at: Option<String>,
}
