//! `roomful export`: the history in canonical order, the same bytes from every node that holds the same.
//!
//! It is read and written piece by piece, so its length costs no memory. What arrives while it runs is in it if it
//! belongs behind the place that was reached.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use super::{Error, Node, html, print};
use crate::api::{self, Entry};

/// The largest piece that a node gives.
const PIECE: usize = 500;

/// As what the history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people; nothing in them is obeyed by a terminal.
    Text,
    /// One object a line.
    Json,
    /// One file that a browser opens without fetching anything.
    Html,
}

/// Writes the history to standard output; direct conversations only if `direct`.
pub async fn export(node: &Node, format: Format, direct: bool) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut after = None;
    if format == Format::Html {
        let about: api::Node = node.get("/api/v1/node").await?;
        write(&mut out, &html::head(&about.room))?;
    }
    loop {
        let cursor = after.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
        let path = format!("/api/v1/export?limit={PIECE}&direct={}{cursor}", u8::from(direct));
        let piece: api::Export = node.get(&path).await?;
        for entry in &piece.entries {
            let written = match format {
                Format::Text => text(entry),
                Format::Json => serde_json::to_string(entry).map_err(|error| Error::Foreign(error.to_string()))? + "\n",
                Format::Html => html::entry(entry),
            };
            write(&mut out, &written)?;
        }
        after = piece.after;
        if after.is_none() {
            break;
        }
    }
    if format == Format::Html {
        write(&mut out, html::FOOT)?;
    }
    out.flush().map_err(print::output)
}

fn write(out: &mut BufWriter<StdoutLock<'_>>, text: &str) -> Result<(), Error> {
    out.write_all(text.as_bytes()).map_err(print::output)
}

/// A message as people read it: UTC, since the reader's zone is none of the history; ids, since names are not unique.
fn text(entry: &Entry) -> String {
    let place = match (&entry.channel, &entry.to) {
        (Some(channel), _) => format!("#{}", print::harmless(channel)),
        (None, Some(to)) => format!("to {}", api::short(to)),
        (None, None) => "(direct)".to_owned(),
    };
    let hooray = if entry.kind == "hooray" { "Hooray! " } else { "" };
    let (name, author) = (print::harmless(&entry.name), api::short(&entry.author));
    let said = print::harmless_lines(&entry.text);
    format!("{} {name} ({author}) {place}: {hooray}{said}", print::harmless(&entry.time)).trim_end().to_owned() + "\n"
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn entry(name: &str, channel: Option<&str>, text: &str) -> Entry {
        Entry {
            id: "01".repeat(32),
            author: "ab".repeat(32),
            name: name.to_owned(),
            time: "2026-11-22T14:05:00.123Z".to_owned(),
            kind: "say".to_owned(),
            channel: channel.map(str::to_owned),
            to: channel.is_none().then(|| "cd".repeat(32)),
            text: text.to_owned(),
            reply_to: None,
        }
    }

    #[test]
    fn a_line_names_its_author_beyond_doubt_and_obeys_nobody() {
        let said = text(&entry("Ana", Some("general"), "hi\n2026 Bo: \u{1b}[2J"));
        assert_eq!(said, "2026-11-22T14:05:00.123Z Ana (vov2xk5l) #general: hi\n    2026 Bo: ␛[2J\n");
        let said = text(&Entry { kind: "hooray".to_owned(), ..entry("A\u{9b}b", None, "") });
        assert_eq!(said, "2026-11-22T14:05:00.123Z A\u{fffd}b (vov2xk5l) to zxg43ton: Hooray!\n");
    }
}
