//! Lines for people: what others wrote, made harmless, and times as the reader's clock shows them.

use std::io::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Error;

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    // Flushed by line: whoever reads along waits for this one.
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(output)
}

/// Why standard output could not be written.
pub(super) fn output(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe { Error::Closed } else { Error::Output(error) }
}

/// Writes `value` as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Error> {
    line(&serde_json::to_string(value).map_err(|error| Error::Foreign(error.to_string()))?)
}

/// `text` without what a terminal would obey: control characters are shown as pictures, and those that turn the direction of
/// text as a question mark. Line breaks are kept only as the space they are.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { tame(c) }).collect()
}

/// As [`harmless`], but over several lines. All after the first are indented, so none can pretend to be somebody else's.
pub(super) fn harmless_lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().fold(String::with_capacity(text.len()), |mut told, c| {
        match c {
            '\n' => told.push_str("\n    "),
            '\t' => told.push(c),
            _ => told.push(tame(c)),
        }
        told
    })
}

fn tame(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    }
}

/// `2026-11-22 14:05:00` in the reader's time zone; a time that is none, as it is.
pub(super) fn local(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => harmless(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{7}\r\nc"), "a␛[2Jb␇␍ c");
        assert_eq!(harmless("\u{9b}31m\u{202e}x\u{7f}"), "\u{fffd}31m\u{fffd}x␡");
        assert_eq!(harmless("Zoë 界 👩\u{200d}💻"), "Zoë 界 👩\u{200d}💻");
    }

    #[test]
    fn a_line_break_makes_no_second_speaker() {
        assert_eq!(
            harmless_lines("hi\r\n2026-11-22 14:05:00 Bo: no\n\tx"),
            "hi\n    2026-11-22 14:05:00 Bo: no\n    \tx"
        );
    }
}
