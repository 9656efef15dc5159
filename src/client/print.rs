//! Output for people: sanitized texts of others, and times in the reader's time zone.

use std::io::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Serialize;
use tokio::sync::oneshot;

use super::Error;

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    // Flushed by line, for programs that read along.
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(output_error)
}

/// Returns the error for a failed write to standard output.
pub(super) fn output_error(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe { Error::Closed } else { Error::Output(error) }
}

/// Completes once the reader of standard output is gone.
///
/// A thread waits for that, which ends with the program: neither tokio nor the standard library
/// watches an output without changing its mode, which other programs share.
pub(super) async fn output_closed() {
    let (sender, closed) = oneshot::channel();
    std::thread::spawn(move || {
        let stdout = io::stdout();
        // Errors are always reported. Nothing else is waited for.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        while matches!(poll(&mut watched, None), Err(Errno::INTR)) {}
        _ = sender.send(());
    });
    _ = closed.await;
}

/// Tells the user something on standard error. A failure to print is ignored.
pub(super) fn note(text: &str) {
    _ = writeln!(io::stderr(), "roomful: {text}");
}

/// Writes a value as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Error> {
    line(&serde_json::to_string(value).map_err(|error| Error::Foreign(error.to_string()))?)
}

/// Returns a text without anything that a terminal interprets: control characters become pictures,
/// and characters that change the direction of text become a replacement character. Line breaks
/// become spaces.
pub fn sanitize(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { sanitize_char(c) }).collect()
}

/// Like [`sanitize`], over several lines. All lines but the first are indented, so that none can
/// pass for another message.
pub(super) fn harmless_lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().fold(String::with_capacity(text.len()), |mut told, c| {
        match c {
            '\n' => told.push_str("\n    "),
            '\t' => told.push(c),
            _ => told.push(sanitize_char(c)),
        }
        told
    })
}

fn sanitize_char(c: char) -> char {
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

/// Formats a time as `2026-11-22 14:05:00` in the reader's time zone. Anything that is no time
/// stays as it is.
pub(super) fn local(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => sanitize(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_are_removed() {
        assert_eq!(sanitize("a\u{1b}[2Jb\u{7}\r\nc"), "a␛[2Jb␇␍ c");
        assert_eq!(sanitize("\u{9b}31m\u{202e}x\u{7f}"), "\u{fffd}31m\u{fffd}x␡");
        assert_eq!(sanitize("Zoë 界 👩\u{200d}💻"), "Zoë 界 👩\u{200d}💻");
    }

    #[test]
    fn line_break_cannot_fake_a_second_author() {
        assert_eq!(
            harmless_lines("hi\r\n2026-11-22 14:05:00 Bo: no\n\tx"),
            "hi\n    2026-11-22 14:05:00 Bo: no\n    \tx"
        );
    }
}
