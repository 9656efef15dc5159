//! Standard input as texts of messages: all of it, or line by line.

use std::io::{BufRead, Read as _};

use crate::client::Error;

/// Longest standard input, in bytes: far over a message, so that the node itself refuses it, but
/// below the limit of a request however it is escaped.
const INPUT_BYTES_MAX: u64 = 128 * 1024;

/// A line of standard input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InputLine {
    /// Its text, without its end.
    Text(String),
    /// It is longer than any message.
    TooLong,
    /// It is not UTF-8.
    NotText,
}

/// Returns a text as typed, or for `-` all of standard input.
pub(super) fn text_or_input(text: Option<String>) -> Result<String, Error> {
    match text {
        Some(text) if text != "-" => Ok(text),
        _ => input(std::io::stdin().lock()),
    }
}

/// Reads a text to its end, less one final newline.
fn input(reader: impl std::io::Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    reader.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::Input)?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| Error::NotText)?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// Reads the next line; none at the end. Of a line that is too long, only the end is looked for.
pub(super) fn next_line(reader: &mut impl BufRead) -> Result<Option<InputLine>, Error> {
    let mut bytes = Vec::new();
    reader.by_ref().take(INPUT_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(Error::Input)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 == INPUT_BYTES_MAX && !bytes.ends_with(b"\n") {
        reader.skip_until(b'\n').map_err(Error::Input)?;
        return Ok(Some(InputLine::TooLong));
    }
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    Ok(Some(String::from_utf8(bytes).map_or(InputLine::NotText, InputLine::Text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_loses_one_newline_and_nothing_else() {
        for (given, expected) in [("", ""), ("\n", ""), ("a\n\n", "a\n"), (" a\r\n", " a\r"), ("/exit", "/exit")] {
            assert_eq!(input(given.as_bytes()).unwrap(), expected);
        }
        assert!(matches!(input(&b"a\xff"[..]), Err(Error::NotText)));
        assert!(matches!(input(std::io::repeat(b'a')), Err(Error::TooLong)));
    }

    #[test]
    fn lines_lose_their_ends_and_long_ones_are_skipped() {
        let long = "x".repeat(INPUT_BYTES_MAX as usize);
        let text = format!("a\r\n\n{long}yz\n b");
        let mut reader = [text.as_bytes(), b"\n\xff\n"].concat();
        reader.extend_from_slice(b"end");
        let mut reader = reader.as_slice();
        let mut next = || next_line(&mut reader).unwrap();
        let text = |text: &str| Some(InputLine::Text(text.to_owned()));
        assert_eq!([next(), next(), next()], [text("a"), text(""), Some(InputLine::TooLong)]);
        assert_eq!([next(), next(), next()], [text(" b"), Some(InputLine::NotText), text("end")]);
        assert_eq!(next(), None);
    }
}
