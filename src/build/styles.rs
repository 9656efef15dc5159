//! Joins the style sheets: one that is always there, and the colours of the dark, which only its medium asks for. Layers
//! say what comes before what, so the order in the file says nothing, but that the one with their order is the first.

use crate::{Files, Result};

const FIRST: &str = "tokens.css";
const DARK: &str = "dark.css";
const JOINED: &str = "page.css";

pub(crate) fn join(sheets: &Files) -> Result<Files> {
    let first = sheets.get(FIRST).ok_or("the order of the layers is missing")?;
    let dark = sheets.get(DARK).ok_or("the colours of the dark are missing")?;
    let rest = sheets.iter().filter(|(path, _)| ![FIRST, DARK].contains(&path.as_str())).map(|(_, text)| text);
    let joined: String = std::iter::once(first).chain(rest).map(|text| small(text)).collect();
    Ok(Files::from([(JOINED.to_owned(), joined), (DARK.to_owned(), small(dark))]))
}

/// Without comments, and without white space where it means nothing.
fn small(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '/' if rest.starts_with("/*") => 2 + rest[2..].find("*/").map_or(rest.len() - 2, |at| at + 2),
            '"' => 2 + rest[1..].find('"').map_or(rest.len() - 2, |at| at),
            _ => next.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        match next {
            '/' if length > 1 => {}
            _ if next.is_whitespace() => {
                let means_nothing = out.is_empty() || out.ends_with([' ', '{', '}', ';', ',', ':', '>']);
                if !means_nothing {
                    out.push(' ');
                }
            }
            '{' | '}' | ';' | ',' | '>' => {
                out.truncate(out.trim_end_matches(' ').len());
                if next == '}' && out.ends_with(';') {
                    out.pop();
                }
                out.push(next);
            }
            _ => out.push_str(piece),
        }
    }
    out
}
