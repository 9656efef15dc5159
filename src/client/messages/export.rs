//! `roomful export`: the history in canonical order, with the same bytes from every node that holds
//! the same.
//!
//! It is read and written page by page, so its length costs no memory. Messages that arrive
//! meanwhile are included if they belong behind the place that was reached.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use super::html;
use crate::api::{self, ExportEntry};
use crate::client::{Error, NodeClient, print};

/// Greatest number of entries on a page, which is the node's limit.
const PIECE: usize = 500;

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people, without anything that a terminal interprets.
    Text,
    /// One JSON object a line.
    Json,
    /// One HTML file that fetches nothing.
    Html,
}

/// Writes the history to standard output, with direct conversations only if `direct`.
pub async fn export(node: &NodeClient, format: Format, direct: bool) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut after = None;
    if format == Format::Html {
        let about: api::NodeJson = node.get("/api/v1/node").await?;
        write(&mut out, &html::head(&about.room)?)?;
    }
    loop {
        let cursor = after.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
        let path = format!("/api/v1/export?limit={PIECE}&direct={}{cursor}", u8::from(direct));
        let piece: api::ExportPage = node.get(&path).await?;
        for entry in &piece.entries {
            let written = match format {
                Format::Text => text(entry),
                Format::Json => serde_json::to_string(entry).map_err(|error| Error::Foreign(error.to_string()))? + "\n",
                Format::Html => html::entry(entry)?,
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
    out.flush().map_err(print::output_error)
}

fn write(out: &mut BufWriter<StdoutLock<'_>>, text: &str) -> Result<(), Error> {
    out.write_all(text.as_bytes()).map_err(print::output_error)
}

/// Formats a message for people. Times are UTC, since the reader's time zone is not part of the
/// history; ids stand beside names, since names are not unique.
fn text(entry: &ExportEntry) -> String {
    let place = match (&entry.channel, &entry.to) {
        (Some(channel), _) => format!("#{}", print::sanitize(channel)),
        (None, Some(to)) => format!("to {}", api::short(to)),
        (None, None) => "(direct)".to_owned(),
    };
    let prefix = api::text_prefix(&entry.kind);
    let (name, author) = (print::sanitize(&entry.name), api::short(&entry.author));
    let said = print::harmless_lines(&entry.text);
    format!("{} {name} ({author}) {place}: {prefix}{said}", print::sanitize(&entry.time)).trim_end().to_owned() + "\n"
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn entry(name: &str, channel: Option<&str>, text: &str) -> ExportEntry {
        ExportEntry {
            id: "01".repeat(32),
            author: "ab".repeat(32),
            name: name.to_owned(),
            time: "2026-11-22T14:05:00.123Z".to_owned(),
            kind: "say".to_owned(),
            channel: channel.map(str::to_owned),
            to: channel.is_none().then(|| "cd".repeat(32)),
            text: text.to_owned(),
            reply_to: None,
            edited: None,
            deleted: false,
            reactions: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn exported_line_shows_author_id_and_no_escapes() {
        let said = text(&entry("Ana", Some("general"), "hi\n2026 Bo: \u{1b}[2J"));
        assert_eq!(said, "2026-11-22T14:05:00.123Z Ana (vov2xk5l) #general: hi\n    2026 Bo: ␛[2J\n");
        let said = text(&ExportEntry { kind: "hooray".to_owned(), ..entry("A\u{9b}b", None, "") });
        assert_eq!(said, "2026-11-22T14:05:00.123Z A\u{fffd}b (vov2xk5l) to zxg43ton: Hooray!\n");
    }
}
