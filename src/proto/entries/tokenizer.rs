//! The tokenizer of the full-text search. Indexing, queries and the highlighting of hits use the
//! same rules, so they always agree.
//!
//! A word is a run of letters and digits, without case and accents. Chinese, Japanese, Thai, Lao,
//! Khmer and Burmese write no spaces between words, and most of their words have one or two
//! characters. So each of their characters is a word, and a query for several is a phrase.
//! (Trigrams, the usual solution, find nothing shorter than three characters.) Emoji and other
//! symbols are words as well.
//!
//! There is no query language: nothing needs quoting, and no character has a special meaning.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use crate::proto::limits::WORD_BYTES_MAX;

/// A word in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word without case and accents. Contains no space, control character or ASCII other than
    /// letters and digits.
    pub folded: String,
    /// Its position in the text, in bytes.
    pub range: Range<usize>,
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    // True while the next character may extend the last word.
    let mut is_open = false;
    for (at, c) in text.char_indices() {
        let range = at..at + c.len_utf8();
        let class = class_of(c);
        match (class, words.last_mut()) {
            (CharClass::Separator, _) => is_open = false,
            (CharClass::WordPart, Some(word)) if is_open => {
                fold(c, &mut word.folded);
                word.range.end = range.end;
            }
            // A combining mark without a letter is ignored.
            (CharClass::WordPart, _) if is_combining_mark(c) => {}
            (CharClass::WordPart | CharClass::SingleCharWord, _) => {
                let mut folded = String::new();
                fold(c, &mut folded);
                if !folded.is_empty() {
                    words.push(Word { folded, range });
                    is_open = class == CharClass::WordPart;
                }
            }
        }
    }
    words
}

/// A search query: phrases that must all occur in a text. The last word of the last phrase is a
/// prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerms {
    phrases: Vec<Vec<String>>,
}

impl SearchTerms {
    /// Parses a query. Each part between spaces is a phrase. Returns `None` if the text contains no
    /// word.
    pub fn new(text: &str) -> Option<Self> {
        let phrase = |part: &str| words(part).into_iter().map(|word| word.folded).collect::<Vec<_>>();
        let phrases: Vec<_> = text.split_whitespace().map(phrase).filter(|phrase| !phrase.is_empty()).collect();
        if phrases.is_empty() { None } else { Some(Self { phrases }) }
    }

    /// The phrases: words that follow each other in a text. The very last word is a prefix.
    pub fn phrases(&self) -> &[Vec<String>] {
        &self.phrases
    }

    /// Returns where the phrases occur in a text, as ascending and disjoint byte ranges. Returns
    /// `None` unless all of them occur.
    pub fn find(&self, text: &str) -> Option<Vec<Range<usize>>> {
        let words = words(text);
        let mut found = Vec::new();
        for (index, phrase) in self.phrases.iter().enumerate() {
            let is_last = index + 1 == self.phrases.len();
            let before = found.len();
            let places = words.windows(phrase.len()).filter(|window| matches_phrase(window, phrase, is_last));
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

fn matches_phrase(window: &[Word], phrase: &[String], is_last: bool) -> bool {
    let Some((end, beginning)) = phrase.split_last() else { return false };
    let Some((last, before)) = window.split_last() else { return false };
    let last_matches = if is_last { last.folded.starts_with(end.as_str()) } else { last.folded == *end };
    last_matches && before.iter().zip(beginning).all(|(word, wanted)| word.folded == *wanted)
}

/// A character's role in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CharClass {
    /// Part of a word.
    WordPart,
    /// A word by itself.
    SingleCharWord,
    /// Separates words.
    Separator,
}

fn class_of(c: char) -> CharClass {
    match c {
        _ if c.is_ascii() => {
            if c.is_ascii_alphanumeric() {
                CharClass::WordPart
            } else {
                CharClass::Separator
            }
        }
        // East Asian punctuation.
        '\u{3000}'..='\u{3004}'
        | '\u{3008}'..='\u{3020}'
        | '\u{3030}'
        | '\u{303d}'..='\u{303f}'
        | '\u{30a0}'
        | '\u{30fb}' => CharClass::Separator,
        // Thai, Lao, Burmese, Khmer; radicals, kana, bopomofo, ideographs; half-width kana; more
        // ideographs.
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
        | '\u{20000}'..='\u{3ffff}' => CharClass::SingleCharWord,
        // Arrows to dingbats, and emoji.
        '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => CharClass::SingleCharWord,
        _ if c.is_alphanumeric() || is_combining_mark(c) => CharClass::WordPart,
        _ => CharClass::Separator,
    }
}

/// Appends a character to a word, without case and accents, up to [`WORD_BYTES_MAX`].
fn fold(c: char, word: &mut String) {
    if word.len() >= WORD_BYTES_MAX {
        return;
    }
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for part in std::iter::once(c).nfkd().filter(|part| !is_accent(*part)).flat_map(char::to_lowercase) {
        // Compatibility forms may decompose into spaces or punctuation, which would end the word in
        // the index.
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

/// Returns true for marks that users omit in a search: accents, and Hebrew and Arabic vowels. Marks
/// that make another letter stay (the Indic and Japanese ones, combining classes up to 9).
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
    fn unspaced_scripts_have_one_word_per_character() {
        check("東京都へ、go!", &["東", "京", "都", "へ", "go"]);
        check("ガ ｶﾞ が", &["カ\u{3099}", "カ", "\u{3099}", "か\u{3099}"]);
        check("ไป", &["ไ", "ป"]);
        check("한국", &["\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"]);
        check("ok👍🏽x", &["ok", "👍", "🏽", "x"]);
    }

    #[test]
    fn word_is_truncated_in_index_and_query_alike() {
        let long = "ﷺ".repeat(1_000);
        let found = words(&long);
        assert!(found[0].folded.len() < WORD_BYTES_MAX + 64 && found[0].range.end == long.len());
        assert!(SearchTerms::new(&long).is_some_and(|wanted| wanted.find(&long).is_some()));
    }

    #[track_caller]
    fn finds(wanted: &str, text: &str, expected: Option<&[&str]>) {
        let found = SearchTerms::new(wanted).expect("words").find(text);
        let found = found.map(|ranges| ranges.into_iter().map(|range| &text[range]).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{wanted} in {text}");
    }

    #[test]
    fn all_words_must_match_and_the_last_is_a_prefix() {
        finds("the zo", "The ZOË of the zoo", Some(&["The", "ZOË", "the", "zoo"]));
        finds("zo the", "The zoë", None);
        finds("foo-ba", "foo bar, foobar, foo.baz", Some(&["foo bar", "foo.baz"]));
        finds("京都", "東京都 京 都会", Some(&["京都", "京 都"]));
        finds("東 都", "東京都", Some(&["東", "都"]));
        finds("a a", "a ab", Some(&["a", "ab"]));
        finds("👍", "ok👍🏽", Some(&["👍"]));
        assert_eq!(SearchTerms::new(" * \"-\" "), None);
    }
}
