//! Detects names that look alike: they differ in letter case, width, joiners, or in letters of
//! other scripts (the skeleton of Unicode TS 39, with a short table).
//!
//! Used for warnings only. Nothing is forbidden, since most of these letters are normal in their
//! own scripts.
//!
//! The table is short because the page needs the same one before the user can type. Unicode's own
//! (crate `unicode-security`) has thousands of pairs, more than all scripts of the page that are
//! loaded by then, and a node and its page must agree about which names look alike.

use unicode_normalization::UnicodeNormalization as _;

/// Pairs of a letter and the Latin letter that it looks like: Cyrillic, Greek, and two digits. The
/// page has the same table (`static/js/model/members/confusables.js`).
const PAIRS: &str =
    "АAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSаaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlкkΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoαaνvιiρpκkıiɑaɡg0o1l";

/// Returns the skeleton of a name: equal for two names that look alike.
pub fn skeleton(name: &str) -> String {
    let mut skeleton = String::with_capacity(name.len());
    let mut before = ' ';
    for c in name.nfkc().filter(|c| !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')).map(latin) {
        // A capital I inside a word is indistinguishable from a small l, and is not written there
        // otherwise.
        let c = if c == 'I' && before.is_lowercase() { 'l' } else { c };
        skeleton.extend(c.to_lowercase());
        before = c;
    }
    skeleton
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
    fn confusable_names_have_equal_skeletons() {
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
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in
            [("Ana", "Anna"), ("Zoe", "Zoë"), ("Ian", "Lan"), ("Guest 1", "Guest 10"), ("Иван", "Ivan"), ("界", "世")]
        {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }

    #[test]
    fn each_pair_maps_to_a_latin_letter() {
        let pairs: Vec<char> = PAIRS.chars().collect();
        assert!(pairs.len().is_multiple_of(2));
        assert!(pairs.chunks(2).all(|pair| !pair[0].is_ascii_alphabetic() && pair[1].is_ascii_alphabetic()));
    }
}
