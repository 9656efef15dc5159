//! The words of a text, for searching: what is indexed, what is looked for and what is marked in a hit come from this
//! one rule, so that they can't disagree.
//!
//! A word is a run of letters and digits, without case and accents. Chinese, Japanese, Thai, Lao, Khmer and Burmese put
//! no spaces between words, and most words there have one or two characters: each character is a word of its own, and
//! what is looked for is a row of them. (Trigrams, the usual way out, find nothing shorter than three.) Pictures are
//! words too. It knows no query language: there is nothing to quote, and nothing that means anything else than itself.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use super::limits::WORD_BYTES_MAX;

/// A word in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Without case and accents; holds no space, no control and no ASCII but letters and digits.
    pub folded: String,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    // Whether the last word goes on with what comes next.
    let mut open = false;
    for (at, c) in text.char_indices() {
        let range = at..at + c.len_utf8();
        let kind = kind(c);
        match (kind, words.last_mut()) {
            (Kind::Between, _) => open = false,
            (Kind::Part, Some(word)) if open => {
                fold(c, &mut word.folded);
                word.range.end = range.end;
            }
            // An accent that stands alone accents nothing.
            (Kind::Part, _) if is_combining_mark(c) => {}
            (Kind::Part | Kind::Alone, _) => {
                let mut folded = String::new();
                fold(c, &mut folded);
                if !folded.is_empty() {
                    words.push(Word { folded, range });
                    open = kind == Kind::Part;
                }
            }
        }
    }
    words
}

/// What a user looks for: rows of words that all have to be in a text, the last word as the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    rows: Vec<Vec<String>>,
}

impl Wanted {
    /// What these words, separated by spaces, look for; `None` if there is no word in them.
    pub fn new(text: &str) -> Option<Self> {
        let row = |part: &str| words(part).into_iter().map(|word| word.folded).collect::<Vec<_>>();
        let rows: Vec<_> = text.split_whitespace().map(row).filter(|row| !row.is_empty()).collect();
        if rows.is_empty() { None } else { Some(Self { rows }) }
    }

    /// Words that follow each other in a text; the very last one is a beginning.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Where a text has what is looked for, in bytes, ascending and apart; `None` if any of it is not there.
    pub fn find(&self, text: &str) -> Option<Vec<Range<usize>>> {
        let words = words(text);
        let mut found = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let is_last = index + 1 == self.rows.len();
            let before = found.len();
            let places = words.windows(row.len()).filter(|window| is_row(window, row, is_last));
            found.extend(places.filter_map(|window| Some(window.first()?.range.start..window.last()?.range.end)));
            if found.len() == before {
                return None;
            }
        }
        found.sort_unstable_by_key(|range| (range.start, range.end));
        found.dedup_by(|next, range| {
            let touches = next.start <= range.end;
            if touches {
                range.end = range.end.max(next.end);
            }
            touches
        });
        Some(found)
    }
}

fn is_row(window: &[Word], row: &[String], is_last: bool) -> bool {
    let Some((end, beginning)) = row.split_last() else { return false };
    let Some((last, before)) = window.split_last() else { return false };
    let ends = if is_last { last.folded.starts_with(end.as_str()) } else { last.folded == *end };
    ends && before.iter().zip(beginning).all(|(word, wanted)| word.folded == *wanted)
}

/// What a character is to words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Part of a word.
    Part,
    /// A word by itself.
    Alone,
    /// Neither.
    Between,
}

fn kind(c: char) -> Kind {
    match c {
        _ if c.is_ascii() => {
            if c.is_ascii_alphanumeric() {
                Kind::Part
            } else {
                Kind::Between
            }
        }
        // The punctuation of East Asia.
        '\u{3000}'..='\u{3004}'
        | '\u{3008}'..='\u{3020}'
        | '\u{3030}'
        | '\u{303d}'..='\u{303f}'
        | '\u{30a0}'
        | '\u{30fb}' => Kind::Between,
        // Thai, Lao, Burmese, Khmer; radicals, kana, bopomofo, ideographs; half-width kana; more ideographs.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aa7f}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}' => Kind::Alone,
        // Arrows to dingbats, and pictures.
        '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => Kind::Alone,
        _ if c.is_alphanumeric() || is_combining_mark(c) => Kind::Part,
        _ => Kind::Between,
    }
}

/// Adds a character to a word, without case and accents, as far as the word may grow.
fn fold(c: char, word: &mut String) {
    if word.len() >= WORD_BYTES_MAX {
        return;
    }
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for part in std::iter::once(c).nfkd().filter(|part| !is_accent(*part)).flat_map(char::to_lowercase) {
        // What a compatibility form brings along besides letters would end the word in the index.
        match part {
            'ς' => word.push('σ'),
            'ß' => word.push_str("ss"),
            _ if part.is_ascii() && !part.is_ascii_alphanumeric() => {}
            _ if part.is_whitespace() || part.is_control() => {}
            _ if is_accent(part) => {}
            _ => word.push(part),
        }
    }
}

/// Marks that people leave out when they search: accents, Hebrew and Arabic vowels. Signs without which it is another
/// letter (the Indic and Japanese ones, classes 0 to 9) stay.
fn is_accent(c: char) -> bool {
    canonical_combining_class(c) > 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = words(text);
        assert_eq!(found.iter().map(|word| word.folded.as_str()).collect::<Vec<_>>(), expected);
        assert!(found.is_sorted_by(|one, next| one.range.end <= next.range.start), "{found:?}");
        assert!(found.iter().all(|word| text.get(word.range.clone()).is_some()), "{found:?}");
    }

    #[test]
    fn words_have_no_case_and_no_accents() {
        check("Zoë's GRÜẞE, e\u{301}te\u{301} naïve-ly 2nd", &["zoe", "s", "grusse", "ete", "naive", "ly", "2nd"]);
        check("ΣΊΣΥΦΟΣ σίσυφος", &["σισυφοσ", "σισυφοσ"]);
        check("שָׁלוֹם مُحَمَّد", &["שלום", "محمد"]);
        check("ﬁle ½ \u{fc5e}", &["file", "1⁄2"]);
        check("", &[]);
        check("\u{301} * \" - NEAR(a AND b) c:d", &["near", "a", "and", "b", "c", "d"]);
    }

    #[test]
    fn scripts_without_spaces_have_a_word_for_each_character() {
        check("東京都へ、go!", &["東", "京", "都", "へ", "go"]);
        check("ガ ｶﾞ が", &["カ\u{3099}", "カ", "\u{3099}", "か\u{3099}"]);
        check("ไป", &["ไ", "ป"]);
        check("한국", &["\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"]);
        check("ok👍🏽x", &["ok", "👍", "🏽", "x"]);
    }

    #[test]
    fn a_word_is_cut_in_the_index_and_in_the_query_alike() {
        let long = "ﷺ".repeat(1_000);
        let found = words(&long);
        assert!(found[0].folded.len() < WORD_BYTES_MAX + 64 && found[0].range.end == long.len());
        assert!(Wanted::new(&long).is_some_and(|wanted| wanted.find(&long).is_some()));
    }

    #[track_caller]
    fn finds(wanted: &str, text: &str, expected: Option<&[&str]>) {
        let found = Wanted::new(wanted).expect("words").find(text);
        let found = found.map(|ranges| ranges.into_iter().map(|range| &text[range]).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{wanted} in {text}");
    }

    #[test]
    fn all_words_have_to_be_there_and_the_last_may_go_on() {
        finds("the zo", "The ZOË of the zoo", Some(&["The", "ZOË", "the", "zoo"]));
        finds("zo the", "The zoë", None);
        finds("foo-ba", "foo bar, foobar, foo.baz", Some(&["foo bar", "foo.baz"]));
        finds("京都", "東京都 京 都会", Some(&["京都", "京 都"]));
        finds("東 都", "東京都", Some(&["東", "都"]));
        finds("a a", "a ab", Some(&["a", "ab"]));
        finds("👍", "ok👍🏽", Some(&["👍"]));
        assert_eq!(Wanted::new(" * \"-\" "), None);
    }
}
