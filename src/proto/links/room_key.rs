//! A room's key: 128 random bits, written as 12 words of BIP-39's English list, the last with a
//! checksum.
//!
//! Shorter keys and keys made up by people are not accepted: traffic can be recorded, and a weak
//! key could then be searched offline. Errors never contain a word of the key.

use bip39::{Error, Language, Mnemonic};
use zeroize::Zeroizing;

/// The number of words in a key.
const WORDS: usize = 12;

/// The key of a room. Its holders can join; no other node can.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomKey(Zeroizing<[u8; 16]>);

/// Why a text is not a room key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomKeyError {
    /// It does not have 12 words.
    #[error("a room key has 12 words, not {0}")]
    Count(usize),
    /// A word is not in the list: its position, from 1.
    #[error("word {0} of the room key is none that `roomful key` uses")]
    Word(usize),
    /// The checksum is wrong: a word was replaced or moved.
    #[error("the words are not a room key as `roomful key` made it: one of them is wrong, or in a wrong place")]
    Check,
}

impl RoomKey {
    /// Creates the key with these bits, which must come from the system's random numbers.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Parses the words of [`RoomKey::words`], in either case, with any white space between and
    /// around them.
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

    /// The 12 words, separated by single spaces.
    pub fn words(&self) -> Zeroizing<String> {
        let words = Mnemonic::from_entropy_in(Language::English, &*self.0).expect("128 bits are a length it takes");
        // Large enough for 12 words of 8 letters: a string that grows would leave copies in memory.
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
    fn other_words_are_no_key() {
        let check = |words: &str, error| assert_eq!(RoomKey::from_words(words), Err(error), "{words}");
        check("", RoomKeyError::Count(0));
        check("correct horse battery staple", RoomKeyError::Count(4));
        check(&format!("{ZEROS} about"), RoomKeyError::Count(13));
        // 24 words are 256 bits: valid in BIP-39, but not made by this program.
        check(&format!("{ZEROS} {ZEROS}"), RoomKeyError::Count(24));
        check(&ZEROS.replace("about", "roomful"), RoomKeyError::Word(12));
        check(&ZEROS.replace("about", "abandon"), RoomKeyError::Check);
        check(&SEVENS.replacen("legal winner", "winner legal", 1), RoomKeyError::Check);
    }
}
