//! Splits the body of a request into lines as it comes, with a limit for the length of a line.

use axum::body::Bytes;

/// A line of a body, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyLine {
    /// The bytes of the line.
    Whole(Vec<u8>),
    /// The line was longer than the limit, and is skipped.
    TooLong,
}

/// The bytes of a body that form no line yet: at most the limit, and one piece of the body.
pub(crate) struct LineSplitter {
    bytes_max: usize,
    piece: Bytes,
    begun: Vec<u8>,
    /// True while the rest of a line that is too long is skipped.
    is_skipping: bool,
}

impl LineSplitter {
    /// Makes a splitter of lines of at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, piece: Bytes::new(), begun: Vec::new(), is_skipping: false }
    }

    /// Adds the next piece of the body. All lines of earlier pieces were taken.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.piece = piece;
    }

    /// Returns the next line that is complete.
    pub(crate) fn take_line(&mut self) -> Option<BodyLine> {
        let end = self.piece.iter().position(|byte| *byte == b'\n');
        let part = self.piece.split_to(end.unwrap_or(self.piece.len()));
        if self.begun.len() + part.len() > self.bytes_max {
            self.is_skipping = true;
            self.begun = Vec::new();
        }
        if !self.is_skipping {
            self.begun.extend_from_slice(&part);
        }
        end?;
        _ = self.piece.split_to(1);
        Some(self.end_line())
    }

    /// Returns the last line, which has no end, when the body is complete.
    pub(crate) fn finish(&mut self) -> Option<BodyLine> {
        (self.is_skipping || !self.begun.is_empty()).then(|| self.end_line())
    }

    fn end_line(&mut self) -> BodyLine {
        let line = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.is_skipping) { BodyLine::TooLong } else { BodyLine::Whole(line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&str], expected: &[Option<&str>]) {
        let mut splitter = LineSplitter::new(4);
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(Bytes::copy_from_slice(piece.as_bytes()));
            lines.extend(std::iter::from_fn(|| splitter.take_line()));
        }
        lines.extend(splitter.finish());
        let expected = expected.iter().map(|line| match line {
            Some(line) => BodyLine::Whole(line.as_bytes().to_vec()),
            None => BodyLine::TooLong,
        });
        assert_eq!(lines, expected.collect::<Vec<_>>(), "{pieces:?}");
    }

    #[test]
    fn lines_are_split_wherever_pieces_end() {
        check(&[], &[]);
        check(&["", "\n"], &[Some("")]);
        check(&["a\nb", "c\n", "\nd"], &[Some("a"), Some("bc"), Some(""), Some("d")]);
        check(&["a\r\n"], &[Some("a\r")]);
    }

    #[test]
    fn long_lines_are_skipped_in_their_place() {
        check(&["1234\n12345\nx\n"], &[Some("1234"), None, Some("x")]);
        check(&["123", "45", "6", "7\nx"], &[None, Some("x")]);
        check(&["123", "45"], &[None]);
    }
}
