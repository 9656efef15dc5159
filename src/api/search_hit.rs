//! The forms of a search's results.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::MessageJson;

/// A message that contains all words of a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// The message.
    pub message: MessageJson,
    /// The matches in its text, as start and end in UTF-16 units, in order and without overlap.
    pub ranges: Vec<[usize; 2]>,
}

/// `GET /api/v1/search`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHits {
    /// The hits, newest first.
    pub hits: Vec<SearchHit>,
    /// The cursor towards the past; missing at the end. An addition to the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl SearchHit {
    /// Makes a hit of a message with ranges in bytes of its text, in order and without overlap.
    pub fn new(message: MessageJson, ranges: &[Range<usize>]) -> Self {
        let (mut bytes, mut units) = (0, 0);
        let mut to_units = |to: usize| {
            units += message.text.get(bytes..to).map_or(0, |part| part.encode_utf16().count());
            bytes = to;
            units
        };
        let ranges = ranges.iter().map(|range| [to_units(range.start), to_units(range.end)]).collect();
        Self { message, ranges }
    }
}
