//! Safety words: what two people read to each other, over a voice they know, to be sure that each sees the other's key and
//! nobody's in between. They come from the two ids alone, so they are the same on both sides, in every room, for ever.

use bip39::Language;

use super::ids::{Hash, NodeId};

/// Words that are compared: 11 bits each, 132 in all, so that nobody can make a key that gives the same.
pub const SAFETY_WORDS: usize = 12;

/// What a word stands for.
const BITS_PER_WORD: usize = 11;

/// What two nodes compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Safety {
    /// From the English list of BIP 39, whose words differ within their first four letters.
    pub words: [&'static str; SAFETY_WORDS],
    /// All of the hash that the words are the beginning of.
    pub hash: Hash,
}

impl Safety {
    /// What these two compare, whoever asks.
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
    fn both_sides_see_the_same_and_others_something_else() {
        let (ana, ben, cid) = (NodeId([1; 32]), NodeId([2; 32]), NodeId([3; 32]));
        let safety = Safety::of(ana, ben);
        assert_eq!(safety, Safety::of(ben, ana));
        let other = Safety::of(ana, cid);
        assert!(safety.words.iter().zip(other.words).filter(|(one, other)| **one == *other).count() < 3);
    }

    /// Nodes of different versions are compared: the words of a pair never change.
    #[test]
    fn the_words_of_a_pair_are_for_ever() {
        let safety = Safety::of(NodeId([1; 32]), NodeId([2; 32]));
        assert_eq!(
            safety.words.join(" "),
            "soccer spice fly column scrub hurdle brain emotion topic mobile raise awkward"
        );
        let first = u16::from_be_bytes([safety.hash.0[0], safety.hash.0[1]]) >> 5;
        assert_eq!(Language::English.word_list()[usize::from(first)], safety.words[0]);
    }
}
