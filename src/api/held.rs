//! How far a message of this node's user has got, member by member.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/messages/ID/held`: an addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holders {
    /// Who has said to hold it, of those it is counted for.
    pub held: Vec<Holder>,
    /// Full ids of the others it is counted for.
    pub missing: Vec<String>,
}

/// Somebody who holds a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Full id.
    pub id: String,
    /// When this node heard of it; null if that was before it was started.
    pub at: Option<String>,
}
