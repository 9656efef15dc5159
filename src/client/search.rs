//! `roomful search`: messages with these words, newest first.

use super::members::all;
use super::tail::line;
use super::{Error, Node, print};
use crate::api::{Hits, Labels};

/// Most hits that are printed.
const HITS: usize = 50;

/// Prints the newest hits: as `tail` prints messages, or one hit a line as JSON.
pub async fn search(node: &Node, words: &[String], json: bool) -> Result<(), Error> {
    let (words, mut cursor) = (in_query(&words.join(" ")), String::new());
    let mut hits = Vec::new();
    while hits.len() < HITS {
        let missing = HITS - hits.len();
        let found: Hits = node.get(&format!("/api/v1/search?q={words}&limit={missing}{cursor}")).await?;
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

/// `text` as a value in the query of a URL.
fn in_query(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_any_text() {
        assert_eq!(in_query("Zoë & co=50%\n+1"), "Zo%C3%AB%20%26%20co%3D50%25%0A%2B1");
    }
}
