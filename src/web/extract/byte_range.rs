//! The Range of a request for bytes (RFC 9110, section 14).

use axum::http::{HeaderMap, header};

/// The bytes that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// All of them.
    All,
    /// From the first number up to, and without, the second.
    Part(u64, u64),
    /// None that the content has.
    Unsatisfiable,
}

/// Reads the range of a request for content of `size` bytes with the entity tag `tag`.
///
/// Several ranges, other units and a tag of other content count as no range.
pub(crate) fn byte_range(headers: &HeaderMap, size: u64, tag: &str) -> ByteRange {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|if_range| if_range != tag) {
        return ByteRange::All;
    }
    let Some(range) = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")) else { return ByteRange::All };
    let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else { return ByteRange::All };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (from, to) = match (first.trim(), last.trim()) {
        ("", length) => match number(length) {
            Some(length) => (size.saturating_sub(length), if length == 0 { 0 } else { size }),
            None => return ByteRange::All,
        },
        (first, "") => match number(first) {
            Some(first) => (first, size),
            None => return ByteRange::All,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
            _ => return ByteRange::All,
        },
    };
    if from < to { ByteRange::Part(from, to) } else { ByteRange::Unsatisfiable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &'static str, size: u64, expected: ByteRange) {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().expect("a header"));
        assert_eq!(byte_range(&headers, size, "\"tag\""), expected, "{range}");
    }

    #[test]
    fn ranges_are_read() {
        check("bytes=0-0", 10, ByteRange::Part(0, 1));
        check("bytes=3-", 10, ByteRange::Part(3, 10));
        check("bytes=-3", 10, ByteRange::Part(7, 10));
        check("bytes=-30", 10, ByteRange::Part(0, 10));
        check("bytes=5-99", 10, ByteRange::Part(5, 10));
        check("bytes=0-18446744073709551615", 10, ByteRange::Part(0, 10));
        for range in ["bytes=10-", "bytes=-0", "bytes=10-20"] {
            check(range, 10, ByteRange::Unsatisfiable);
        }
        check("bytes=0-", 0, ByteRange::Unsatisfiable);
        for range in ["bytes=0-1,3-4", "lines=0-1", "bytes=5-3", "bytes=x-y", "bytes=-", "bytes=", "bytes=--1"] {
            check(range, 10, ByteRange::All);
        }
    }

    #[test]
    fn range_of_other_content_is_ignored() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-0".parse().expect("a header"));
        headers.insert(header::IF_RANGE, "\"other\"".parse().expect("a header"));
        assert_eq!(byte_range(&headers, 10, "\"tag\""), ByteRange::All);
        headers.insert(header::IF_RANGE, "\"tag\"".parse().expect("a header"));
        assert_eq!(byte_range(&headers, 10, "\"tag\""), ByteRange::Part(0, 1));
    }
}
