//! Links that were typed without any marks: `https://example.org`, `mailto:ana@example.org`.
//!
//! A link ends before white space, quotation marks and angle brackets, before a bracket that it did not open, and
//! before punctuation that ends a sentence.

use std::ops::Range;

/// What a link may lead to. Nothing else is ever clickable.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// A bare link.
pub(super) struct Bare {
    /// Where it stands in the source.
    pub(super) range: Range<usize>,
    /// Where it leads.
    pub(super) href: String,
}

/// Whether `href` leads where a link may lead.
pub(super) fn is_allowed(href: &str) -> bool {
    let plain = !href.chars().any(|c| c.is_control() || c.is_whitespace());
    plain && SCHEMES.iter().any(|scheme| starts_with(href, scheme) && href.len() > scheme.len())
}

/// All bare links of a text, in order; they don't overlap.
pub(super) fn find(source: &str) -> Vec<Bare> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(colon) = source[at..].find(':').map(|offset| at + offset) {
        let scheme = SCHEMES.iter().find_map(|scheme| start_of(source, scheme, at, colon).map(|start| (start, scheme)));
        at = colon + 1;
        let Some((start, scheme)) = scheme else { continue };
        let first = start + scheme.len();
        let end = end_of(source, first);
        let named = source[first..end].starts_with(|c: char| c.is_alphanumeric() || c == '[');
        // An address needs somebody and somewhere.
        let whole = *scheme != "mailto:" || source[first..end].trim_matches('@').contains('@');
        if named && whole {
            let range = start..end;
            found.push(Bare { href: source[range.clone()].to_owned(), range });
            at = end;
        }
    }
    found
}

/// Where a link with this scheme starts, if its colon is the one at `colon`; not before `from`.
fn start_of(source: &str, scheme: &str, from: usize, colon: usize) -> Option<usize> {
    let name = scheme.find(':')?;
    let start = colon.checked_sub(name).filter(|start| *start >= from && source.is_char_boundary(*start))?;
    let word = source[..start].chars().next_back().is_some_and(char::is_alphanumeric);
    (!word && starts_with(&source[start..], scheme)).then_some(start)
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.as_bytes().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
}

fn end_of(source: &str, first: usize) -> usize {
    let mut open = (0, 0);
    let mut end = first;
    for (offset, c) in source[first..].char_indices() {
        let depth = match c {
            '(' | ')' => &mut open.0,
            '[' | ']' => &mut open.1,
            _ if c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '“' | '”' | '«' | '»') =>
            {
                break;
            }
            // What ends a sentence belongs to the link only if the link goes on behind it.
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '*' | '_' | '~' | '…' => continue,
            _ => {
                end = first + offset + c.len_utf8();
                continue;
            }
        };
        match c {
            '(' | '[' => *depth += 1,
            _ if *depth == 0 => break,
            _ => {
                *depth -= 1;
                end = first + offset + c.len_utf8();
            }
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[&str]) {
        let found: Vec<_> = find(source).into_iter().map(|bare| bare.href).collect();
        assert_eq!(found, expected, "{source:?}");
    }

    #[test]
    fn links_end_where_people_mean_them_to() {
        check("http://a.b, (https://c.d/e) and https://f?g=h#i.", &["http://a.b", "https://c.d/e", "https://f?g=h#i"]);
        check("https://en.wikipedia.org/wiki/A_(b)!", &["https://en.wikipedia.org/wiki/A_(b)"]);
        check("http://[::1]:7680/ HTTP://X.Y", &["http://[::1]:7680/", "HTTP://X.Y"]);
        check("https://a/b/ \"https://q\"", &["https://a/b/", "https://q"]);
        check("mailto:ana@b.c; mailto:nobody", &["mailto:ana@b.c"]);
        check("http://http://a", &["http://http://a"]);
    }

    #[test]
    fn what_is_no_link_stays_text() {
        for text in ["xhttp://a", "http://", "http:// a", "http:/a", "://a", "javascript:x", "https://.", "ÿ:"] {
            check(text, &[]);
        }
    }

    #[test]
    fn only_three_schemes_are_allowed() {
        for href in ["https://a", "HTTP://a", "mailto:a@b"] {
            assert!(is_allowed(href), "{href}");
        }
        for href in
            ["javascript:a", "data:a", "file:///a", "//a", "a", "http://", "http://a\u{1}b", "ht\ntp://a", " http://a"]
        {
            assert!(!is_allowed(href), "{href}");
        }
    }
}
