//! `roomful search`: prints messages that contain all words, newest first.

use percent_encoding::{NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::tail::line;
use crate::api::{Labels, SearchHits};
use crate::client::members::all;
use crate::client::{Error, NodeClient, print};

/// Greatest number of hits.
const HITS: usize = 50;

/// Prints the newest hits, like the messages of `tail` or as one JSON hit a line.
pub async fn search(node: &NodeClient, words: &[String], json: bool) -> Result<(), Error> {
    let (words, mut cursor) = (in_query(&words.join(" ")).to_string(), String::new());
    let mut hits = Vec::new();
    while hits.len() < HITS {
        let missing = HITS - hits.len();
        let found: SearchHits = node.get(&format!("/api/v1/search?q={words}&limit={missing}{cursor}")).await?;
        hits.extend(found.hits);
        // A page of long messages ends early.
        let Some(before) = found.before else { break };
        cursor = format!("&before={before}");
    }
    if json {
        return hits.iter().try_for_each(print::json);
    }
    let mut labels: Labels = all(node).await?.iter().collect();
    hits.iter().for_each(|hit| labels.insert(&hit.message.author, &hit.message.name));
    hits.iter().try_for_each(|hit| print::line(&line(&hit.message, &labels)))
}

/// Encodes a text as a value in the query of a URL.
fn in_query(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values_are_encoded() {
        assert_eq!(in_query("Zoë & co=50%\n+1").to_string(), "Zo%C3%AB%20%26%20co%3D50%25%0A%2B1");
    }
}
