//! Names that a reader takes for the same: letter case, width, joiners and the letters of one script that look like another's.
//!
//! It says what looks alike, for a warning; it forbids nothing, since most of these letters are somebody's own.

use unicode_normalization::UnicodeNormalization as _;

/// Letters of Cyrillic and Greek, and two digits, each before the Latin one that it looks like. The page has the same list
/// (`static/js/state.js`).
const PAIRS: &str =
    "АAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSаaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlкkΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoαaνvιiρpκkıiɑaɡg0o1l";

/// What a name looks like: equal for two names that a reader would take for one.
pub fn looks(name: &str) -> String {
    let mut looks = String::with_capacity(name.len());
    let mut before = ' ';
    for c in name.nfkc().filter(|c| !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')).map(latin) {
        // In the middle of a word nobody writes a capital I, and nobody sees that it is none of the small letters.
        let c = if c == 'I' && before.is_lowercase() { 'l' } else { c };
        looks.extend(c.to_lowercase());
        before = c;
    }
    looks
}

fn latin(c: char) -> char {
    if c.is_ascii_alphabetic() {
        return c;
    }
    let mut pairs = PAIRS.chars();
    while let (Some(other), Some(latin)) = (pairs.next(), pairs.next()) {
        if other == c {
            return latin;
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_takes_for_the_same_is_equal() {
        for (one, other) in [
            ("Ana", "ANA"),
            ("Ana", "Аna"),
            ("Ana", "Ａｎａ"),
            ("Ana", "An\u{200d}a"),
            ("Paul", "PauI"),
            ("Zoë", "ZOË"),
            ("Ανα", "ανα"),
            ("Bob", "B0b"),
            ("Paul", "Pau1"),
        ] {
            assert_eq!(looks(one), looks(other), "{one} {other}");
        }
        for (one, other) in
            [("Ana", "Anna"), ("Zoe", "Zoë"), ("Ian", "Lan"), ("Guest 1", "Guest 10"), ("Иван", "Ivan"), ("界", "世")]
        {
            assert_ne!(looks(one), looks(other), "{one} {other}");
        }
    }

    #[test]
    fn each_pair_leads_from_elsewhere_to_a_latin_letter() {
        let pairs: Vec<char> = PAIRS.chars().collect();
        assert!(pairs.len().is_multiple_of(2));
        assert!(pairs.chunks(2).all(|pair| !pair[0].is_ascii_alphabetic() && pair[1].is_ascii_alphabetic()));
    }
}
