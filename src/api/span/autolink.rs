//! Finds bare links: `https://example.org`, `www.example.org`, `mailto:ana@example.org`,
//! `ana@example.org`.
//!
//! A link ends before white space, quotation marks and angle brackets, before a bracket that it did
//! not open, and before punctuation that ends a sentence.
//!
//! The linkify crate does not fit: it finds `www.` only together with every other bare domain, such
//! as `main.rs` or `1.0.0.0`.

use std::ops::Range;

/// The allowed schemes. Nothing else is ever clickable.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// A bare link.
pub(super) struct BareUrl {
    /// Its range in the source.
    pub(super) range: Range<usize>,
    /// Its target.
    pub(super) href: String,
}

/// Returns true if `href` has an allowed scheme.
pub(super) fn is_allowed(href: &str) -> bool {
    let plain = !href.chars().any(|c| c.is_control() || c.is_whitespace());
    plain && SCHEMES.iter().any(|scheme| starts_with(href, scheme) && href.len() > scheme.len())
}

/// Finds all bare links of a text, in order and without overlap.
pub(super) fn find(source: &str) -> Vec<BareUrl> {
    let mut found: Vec<BareUrl> = Vec::new();
    let mut at = 0;
    while let Some(mark) = source[at..].find([':', '@', '.']).map(|offset| at + offset) {
        let free = found.last().map_or(0, |last| last.range.end);
        let next = match source.as_bytes()[mark] {
            b':' => with_scheme(source, free, mark),
            b'@' => mail_address(source, free, mark),
            _ => without_scheme(source, free, mark),
        };
        at = next.as_ref().map_or(mark + 1, |bare| bare.range.end);
        found.extend(next);
    }
    found
}

/// Returns a link whose scheme ends with the colon at `colon`, and that begins at `from` or later.
fn with_scheme(source: &str, from: usize, colon: usize) -> Option<BareUrl> {
    let (start, scheme) =
        SCHEMES.iter().find_map(|scheme| start_of(source, scheme, from, colon).map(|start| (start, scheme)))?;
    let first = start + scheme.len();
    let end = end_of(source, first);
    let named = source[first..end].starts_with(|c: char| c.is_alphanumeric() || c == '[');
    // A mail address has text on both sides of the `@`.
    let whole = *scheme != "mailto:" || source[first..end].trim_matches('@').contains('@');
    (named && whole).then(|| BareUrl { href: source[start..end].to_owned(), range: start..end })
}

/// Returns a link that begins with `www.`, whose dot is at `dot`. The host has another dot.
fn without_scheme(source: &str, from: usize, dot: usize) -> Option<BareUrl> {
    let start = dot.checked_sub(3).filter(|start| *start >= from && source.is_char_boundary(*start))?;
    let inside = |c: char| c.is_alphanumeric() || "/.-_@:".contains(c);
    if !starts_with(&source[start..], "www.") || source[..start].ends_with(inside) {
        return None;
    }
    host_end(source, dot + 1)?;
    let end = end_of(source, dot + 1);
    Some(BareUrl { href: format!("http://{}", &source[start..end]), range: start..end })
}

/// Returns a mail address around the `@` at `at`.
fn mail_address(source: &str, from: usize, at: usize) -> Option<BareUrl> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let name = at - source[from..at].chars().rev().take_while(|c| of_name(*c)).count();
    let inside = |c: char| c.is_alphanumeric() || "/:@".contains(c);
    // Marks of emphasis may precede the address.
    let start = at - source[name..at].trim_start_matches(['_', '.', '+', '-']).len();
    if start == at || source[..name].ends_with(inside) {
        return None;
    }
    let end = host_end(source, at + 1)?;
    // Behind an address this is a path on another machine.
    let goes_on = |c: char| c == '@' || c == '/';
    let rest = &source[end..];
    let is_path =
        rest.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '/'));
    let address = &source[start..end];
    (!is_path && !rest.starts_with(goes_on)).then(|| BareUrl { href: format!("mailto:{address}"), range: start..end })
}

/// Returns the end of the host name at `first`: labels with dots between them.
fn host_end(source: &str, first: usize) -> Option<usize> {
    let rest = &source[first..];
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '.')).unwrap_or(rest.len());
    let host = rest[..length].trim_end_matches(['.', '-']);
    let is_host = host.contains('.') && host.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    is_host.then_some(first + host.len())
}

/// Returns the start of a link with this scheme, if its colon is at `colon` and it starts at `from`
/// or later.
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
            // Punctuation that ends a sentence belongs to the link only if the link continues
            // behind it.
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
    fn links_end_before_trailing_punctuation() {
        check("http://a.b, (https://c.d/e) and https://f?g=h#i.", &["http://a.b", "https://c.d/e", "https://f?g=h#i"]);
        check("https://en.wikipedia.org/wiki/A_(b)!", &["https://en.wikipedia.org/wiki/A_(b)"]);
        check("http://[::1]:7680/ HTTP://X.Y", &["http://[::1]:7680/", "HTTP://X.Y"]);
        check("https://a/b/ \"https://q\"", &["https://a/b/", "https://q"]);
        check("mailto:ana@b.c; mailto:nobody", &["mailto:ana@b.c"]);
        check("http://http://a", &["http://http://a"]);
    }

    #[test]
    fn hosts_and_mail_addresses_need_no_scheme() {
        check("see www.example.org/a_(b). Or WWW.x.y!", &["http://www.example.org/a_(b)", "http://WWW.x.y"]);
        check("(www.a.b) *www.c.d*", &["http://www.a.b", "http://www.c.d"]);
        check("ana@example.org, <b.c+d-e@f-g.h.i>.", &["mailto:ana@example.org", "mailto:b.c+d-e@f-g.h.i"]);
        check("https://ana@b.c/www.d.e x@y.z", &["https://ana@b.c/www.d.e", "mailto:x@y.z"]);
        check("mailto:ana@b.c", &["mailto:ana@b.c"]);
    }

    #[test]
    fn words_with_dots_and_ats_stay_text() {
        for text in [
            "www.",
            "www.a",
            "www..a.b",
            "xwww.a.b",
            "a.www.b.c",
            "ana@b",
            "@b.c",
            "ana@",
            "ana@.b",
            "ana@b..c",
            "-@b.c",
            "ssh://ana@b.c",
            "git@b.c:d/e",
            "ana@b.c@d.e",
            "réana@b.c",
            "e.g. this",
            "1.5@2",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn other_text_is_not_linked() {
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
