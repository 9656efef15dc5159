//! A room's key: 128 random bits, written as 12 words with a check.
//!
//! The words are BIP-39's English list. Nothing shorter is taken, and nothing that somebody made up: the last word has four
//! bits of check, and whoever records a room's traffic can try no more than 2^128 keys. No error repeats a word.

use bip39::{Error, Language, Mnemonic};
use zeroize::Zeroizing;

/// How many words a key has.
const WORDS: usize = 12;

/// The key of a room. Who holds it is in; nobody else is.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomKey(Zeroizing<[u8; 16]>);

/// Why words are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomKeyError {
    /// More or fewer than 12.
    #[error("a room key has 12 words, not {0}")]
    Count(usize),
    /// A word that is not in the list: number of the word, from 1.
    #[error("word {0} of the room key is none that `roomful key` uses")]
    Word(usize),
    /// The check does not fit: a word is another one, or in another place.
    #[error("the words are not a room key as `roomful key` made it: one of them is wrong, or in a wrong place")]
    Check,
}

impl RoomKey {
    /// The key with these bits. They must come from the system's random numbers.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads words as [`RoomKey::words`] writes them, with any white space between and around, in either case.
    pub fn from_words(text: &str) -> Result<Self, RoomKeyError> {
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(RoomKeyError::Count(count));
        }
        let words = Mnemonic::parse_in_normalized(Language::English, &text).map_err(|error| match error {
            Error::UnknownWord(index) => RoomKeyError::Word(index + 1),
            Error::BadWordCount(count) => RoomKeyError::Count(count),
            Error::BadEntropyBitCount(_) | Error::InvalidChecksum | Error::AmbiguousLanguages(_) => RoomKeyError::Check,
        })?;
        let (entropy, _) = words.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&entropy[..16]);
        Ok(Self::from_bytes(bytes))
    }

    /// The 12 words, with single spaces between.
    pub fn words(&self) -> Zeroizing<String> {
        let words = Mnemonic::from_entropy_in(Language::English, &*self.0).expect("128 bits are a length it takes");
        // The longest word has 8 letters: a string that grows would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
        for word in words.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The 16 bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first and another of BIP-39's own test vectors.
    const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    const SEVENS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

    #[test]
    fn words_are_bits_and_bits_are_words() {
        for (bytes, words) in [([0; 16], ZEROS), ([0x7f; 16], SEVENS)] {
            assert_eq!(*RoomKey::from_bytes(bytes).words(), words);
            assert_eq!(RoomKey::from_words(words), Ok(RoomKey::from_bytes(bytes)));
        }
        let spaced = format!("\n {} \r\n", SEVENS.to_uppercase().replace(' ', "\n\t"));
        assert_eq!(RoomKey::from_words(&spaced), Ok(RoomKey::from_bytes([0x7f; 16])));
        assert_eq!(format!("{:?}", RoomKey::from_bytes([7; 16])), "RoomKey(…)");
    }

    #[test]
    fn nothing_else_is_a_key() {
        let check = |words: &str, error| assert_eq!(RoomKey::from_words(words), Err(error), "{words}");
        check("", RoomKeyError::Count(0));
        check("correct horse battery staple", RoomKeyError::Count(4));
        check(&format!("{ZEROS} about"), RoomKeyError::Count(13));
        // 24 words are 256 bits: more, but not what was made here.
        check(&format!("{ZEROS} {ZEROS}"), RoomKeyError::Count(24));
        check(&ZEROS.replace("about", "roomful"), RoomKeyError::Word(12));
        check(&ZEROS.replace("about", "abandon"), RoomKeyError::Check);
        check(&SEVENS.replacen("legal winner", "winner legal", 1), RoomKeyError::Check);
    }
}
