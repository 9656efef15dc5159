//! What a search gives: messages, and where in their text it was found.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Message;
use crate::proto::timeline::Line;

/// A message in which everything that was looked for was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// It.
    pub message: Message,
    /// Where in its text, as start and end in UTF-16 units, ascending and apart.
    pub ranges: Vec<[usize; 2]>,
}

/// `GET /api/v1/search`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hits {
    /// Newest first.
    pub hits: Vec<Hit>,
    /// Where to go on towards the past; missing if there is nothing more. An addition to the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl Hit {
    /// A hit in `line` at `ranges` in bytes of its text, which are ascending and apart.
    pub fn new(line: &Line, ranges: &[Range<usize>]) -> Self {
        let (mut bytes, mut units) = (0, 0);
        let mut to_units = |to: usize| {
            units += line.text.get(bytes..to).map_or(0, |part| part.encode_utf16().count());
            bytes = to;
            units
        };
        let ranges = ranges.iter().map(|range| [to_units(range.start), to_units(range.end)]).collect();
        Self { message: line.into(), ranges }
    }
}
