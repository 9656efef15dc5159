//! Which reactions are taken: of others any short text, of this node's user an emoji.
//!
//! Tables of emoji differ between versions, and nodes must not differ in what they show. So a node
//! that receives a
//! reaction only refuses what would harm a page.

use unicode_normalization::UnicodeNormalization as _;

use crate::proto::limits::REACTION_BYTES_MAX;

/// Returns true if a reaction of another member is shown: 1 to 32 bytes without control, space or
/// bidi characters.
pub fn is_showable(emoji: &str) -> bool {
    let is_bidi =
        |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_harmful = |c: char| c.is_control() || c.is_whitespace() || is_bidi(c);
    (1..=REACTION_BYTES_MAX).contains(&emoji.len()) && !emoji.chars().any(is_harmful)
}

/// Returns the emoji as Unicode writes it in full, if the text is exactly one that this version
/// knows.
pub fn canonical(text: &str) -> Option<&'static str> {
    emojis::get(text).map(emojis::Emoji::as_str).filter(|emoji| is_showable(emoji))
}

/// Lists all emoji that this version knows, each with its names: those that users type between
/// colons, words before signs, and what Unicode calls it.
pub fn named() -> impl Iterator<Item = (&'static str, Vec<String>)> {
    emojis::iter().filter(|emoji| is_showable(emoji.as_str())).map(|emoji| {
        let mut names: Vec<String> = emoji.shortcodes().map(ToOwned::to_owned).collect();
        names.sort_by_key(|name| !name.starts_with(|c: char| c.is_ascii_alphanumeric()));
        let unicode = snake_case(emoji.name());
        if !names.contains(&unicode) {
            names.push(unicode);
        }
        (emoji.as_str(), names)
    })
}

/// Returns the words of a name in ASCII, joined as in a shortcode.
fn snake_case(name: &str) -> String {
    let ascii: String = name.nfd().filter(|c| c.is_ascii()).map(|c| c.to_ascii_lowercase()).collect();
    let words = ascii.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_short_texts_are_shown() {
        for emoji in ["👍", "👩\u{200d}💻", "x", "not-an-emoji", "\u{1fae8}\u{fe0f}"] {
            assert!(is_showable(emoji), "{emoji:?}");
        }
        for text in ["", "a b", "\u{202e}x", "\u{200f}", "\n", "\u{3000}", &"x".repeat(REACTION_BYTES_MAX + 1)] {
            assert!(!is_showable(text), "{text:?}");
        }
    }

    #[test]
    fn every_emoji_has_names_and_can_be_written() {
        let all: Vec<_> = named().collect();
        assert!(all.len() > 1_500, "{}", all.len());
        for (emoji, names) in &all {
            assert_eq!(canonical(emoji), Some(*emoji));
            let is_name = |name: &String| {
                !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_+-".contains(&b))
            };
            assert!(!names.is_empty() && names.iter().all(is_name), "{emoji} {names:?}");
        }
        let names = |wanted: &str| all.iter().find(|(emoji, _)| *emoji == wanted).map(|(_, names)| names.join(" "));
        assert_eq!(names("👍").as_deref(), Some("thumbsup +1 thumbs_up"));
        assert_eq!(names("🪅").as_deref(), Some("pinata"), "accents are not typed");
    }

    #[test]
    fn only_an_emoji_is_written() {
        assert_eq!(canonical("👍"), Some("👍"));
        assert_eq!(canonical("❤"), Some("❤\u{fe0f}"), "as Unicode writes it in full");
        for text in ["", "a", "1", "👍👍", "👍 ", ":+1:"] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }
}
