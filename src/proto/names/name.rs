//! Names of users and channels: their normal form, and what is removed from them.
//!
//! Names are free and need not be unique. They cannot imitate the program's own text: invisible
//! characters and those that change the direction of text are removed.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::proto::limits::{NAME_BYTES_MAX, NAME_GRAPHEMES_MAX, NAME_MARKS_MAX};

/// A normalised name: NFC, trimmed, 1 to 32 graphemes of at most 4 combining marks each, at most 64
/// bytes, without control, bidi-override or invisible characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It contains nothing visible.
    #[error("a name needs at least one visible character")]
    Empty,
    /// It has more than 32 graphemes or 64 bytes.
    #[error("a name has at most {NAME_GRAPHEMES_MAX} characters and {NAME_BYTES_MAX} bytes")]
    TooLong,
}

impl Name {
    /// Normalises `text` and checks the result.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let name = clean(text);
        // A joiner connects the parts of an emoji. A name of joiners alone would be invisible.
        if name.chars().all(is_joiner) {
            return Err(NameError::Empty);
        }
        if name.len() > NAME_BYTES_MAX || name.graphemes(true).count() > NAME_GRAPHEMES_MAX {
            return Err(NameError::TooLong);
        }
        Ok(Self(name))
    }

    /// Returns true if `text` is a name as some version of the program signed it: normalised,
    /// though perhaps with surplus combining marks.
    ///
    /// Signed names cannot change. They must not vanish because a later version is stricter.
    pub fn was_clean(text: &str) -> bool {
        text.len() <= NAME_BYTES_MAX && visible(text) == text && Self::new(text).is_ok()
    }

    /// Like [`Name::new`] for names from other nodes: too long a text is cut, and an empty one
    /// replaced by `fallback`.
    pub fn from_lossy(text: &str, fallback: &str) -> Self {
        let mut kept = String::new();
        for grapheme in clean(text).graphemes(true).take(NAME_GRAPHEMES_MAX) {
            if kept.len() + grapheme.len() > NAME_BYTES_MAX {
                break;
            }
            kept.push_str(grapheme);
        }
        Self::new(&kept).unwrap_or_else(|_| Self(fallback.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Normalises `text` to the form of names, of any length.
fn clean(text: &str) -> String {
    without_surplus_marks(&visible(text))
}

/// Returns `text` in NFC, trimmed and without invisible characters.
fn visible(text: &str) -> String {
    // Composed last: removing an invisible character may bring a letter and its mark together.
    let visible: String = text.chars().map(space).filter(|c| !is_invisible(*c)).nfc().collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes all but the first marks of each grapheme. Marks stack: 30 of them draw over the lines
/// above.
fn without_surplus_marks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        let mut marks = 0;
        kept.extend(grapheme.chars().filter(|c| {
            marks += usize::from(is_combining_mark(*c));
            !is_combining_mark(*c) || marks <= NAME_MARKS_MAX
        }));
    }
    kept
}

fn space(c: char) -> char {
    if c.is_whitespace() { ' ' } else { c }
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Control characters, and those that are invisible or change the direction of text (Unicode TR 36,
/// section 3.6). Joiners and variation selectors are allowed: emoji and several scripts need them.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, NameError>) {
        assert_eq!(Name::new(text).as_ref().map(Name::as_str).map_err(|e| *e), expected);
    }

    #[test]
    fn names_are_cleaned() {
        check("  Ana \t Lima ", Ok("Ana Lima"));
        check("Jose\u{301}", Ok("José"));
        check("a\u{202e}b\u{200b}c\u{7}", Ok("abc"));
        check("Jose\u{7}\u{301}", Ok("José"));
        check("a\u{8fa}\u{8a}\u{8f3}\u{8fa}", Ok("a\u{8fa}\u{8f3}\u{8fa}".nfc().collect::<String>().as_str()));
        check("👩\u{200d}💻", Ok("👩\u{200d}💻"));
        check("שלום", Ok("שלום"));
    }

    /// A letter with `count` marks below it. The first composes with its letter.
    fn marked(count: usize) -> String {
        format!("o{}x", "\u{323}".repeat(count)).nfc().collect()
    }

    #[test]
    fn surplus_marks_of_a_letter_are_removed() {
        assert_eq!(Name::new(&marked(5)).unwrap().as_str(), marked(5));
        assert_eq!(Name::new(&marked(30)), Name::new(&marked(5)));
        assert_eq!(Name::from_lossy(&marked(500), "?").as_str(), marked(5));
        check("न\u{93f}म\u{94d}न\u{93f}", Ok("न\u{93f}म\u{94d}न\u{93f}"));
        check("ท\u{e35}\u{e48}", Ok("ท\u{e35}\u{e48}"));
    }

    #[test]
    fn names_with_surplus_marks_were_clean_once() {
        assert!(Name::was_clean(&marked(5)) && Name::was_clean(&marked(20)));
        for text in ["", " Ana", "a\u{202e}b", &marked(40), &"x".repeat(33)] {
            assert!(!Name::was_clean(text), "{text}");
        }
    }

    #[test]
    fn invalid_names_are_refused() {
        check("", Err(NameError::Empty));
        check(" \u{2066}\u{200d} ", Err(NameError::Empty));
        check(&"x".repeat(33), Err(NameError::TooLong));
        check(&"界".repeat(22), Err(NameError::TooLong));
        check(&"x".repeat(32), Ok(&"x".repeat(32)));
    }

    #[test]
    fn foreign_names_are_cut() {
        assert_eq!(Name::from_lossy(&"界".repeat(40), "?").as_str(), "界".repeat(21));
        assert_eq!(Name::from_lossy("\u{202e}", "?").as_str(), "?");
    }
}
