//! Safety words: two users compare them over a voice they know, to be sure that no node is in
//! between.
//!
//! They are derived from the two ids alone, so both sides see the same words, in every room and for
//! ever.

use bip39::Language;

use crate::proto::ids::{Hash, NodeId};

/// Number of words: 11 bits each, 132 in all, too many for an attacker to find a key with the same
/// words.
pub const SAFETY_WORDS: usize = 12;

/// Bits per word.
const BITS_PER_WORD: usize = 11;

/// What two users compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyCode {
    /// Words of BIP-39's English list, which differ within their first four letters.
    pub words: [&'static str; SAFETY_WORDS],
    /// The whole hash; the words encode its first 132 bits.
    pub hash: Hash,
}

impl SafetyCode {
    /// The code of two nodes, in either order.
    pub fn of(one: NodeId, other: NodeId) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("roomful 2026-11 safety words");
        hasher.update(&one.min(other).0);
        hasher.update(&one.max(other).0);
        let hash = *hasher.finalize().as_bytes();
        let list = Language::English.word_list();
        let bit = |at: usize| usize::from(hash[at / 8] >> (7 - at % 8) & 1);
        let number = |word: usize| (0..BITS_PER_WORD).fold(0, |sum, at| sum << 1 | bit(word * BITS_PER_WORD + at));
        Self { words: std::array::from_fn(|word| list[number(word)]), hash: Hash(hash) }
    }
}

const _: () = assert!(SAFETY_WORDS * BITS_PER_WORD <= 256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_words_others_do_not() {
        let (ana, ben, cid) = (NodeId([1; 32]), NodeId([2; 32]), NodeId([3; 32]));
        let safety = SafetyCode::of(ana, ben);
        assert_eq!(safety, SafetyCode::of(ben, ana));
        let other = SafetyCode::of(ana, cid);
        assert!(safety.words.iter().zip(other.words).filter(|(one, other)| **one == *other).count() < 3);
    }

    /// Nodes of different versions are compared: the words of a pair must never change.
    #[test]
    fn words_of_a_pair_never_change() {
        let safety = SafetyCode::of(NodeId([1; 32]), NodeId([2; 32]));
        assert_eq!(
            safety.words.join(" "),
            "soccer spice fly column scrub hurdle brain emotion topic mobile raise awkward"
        );
        let first = u16::from_be_bytes([safety.hash.0[0], safety.hash.0[1]]) >> 5;
        assert_eq!(Language::English.word_list()[usize::from(first)], safety.words[0]);
    }
}
