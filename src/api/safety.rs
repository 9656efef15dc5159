//! Safety words as pages see them.

use serde::{Deserialize, Serialize};

use crate::proto::safety;

/// `GET /api/v1/members/ID/safety`: what the users of the two nodes compare. An addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// 12 words, the same on both sides.
    pub words: Vec<String>,
    /// The hash that they are the beginning of.
    pub hex: String,
}

impl From<&safety::Safety> for Safety {
    fn from(safety: &safety::Safety) -> Self {
        Self { words: safety.words.iter().map(|word| (*word).to_owned()).collect(), hex: safety.hash.to_string() }
    }
}
