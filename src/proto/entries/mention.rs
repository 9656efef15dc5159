//! Mentions: the ranges of a text that name a member.
//!
//! The author's program names the ranges beside the text. A range that does not fit the text
//! counts for nothing, and
//! the text is shown all the same.

use std::collections::BTreeMap;
use std::ops::Range;

use minicbor::data::Type;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use crate::proto::ids::NodeId;
use crate::proto::limits::{MENTIONS_MAX, MENTIONS_TRIED_MAX};

/// A range of a text that names a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Mention {
    /// The member.
    #[n(0)]
    pub id: NodeId,
    /// The first byte of the range.
    #[n(1)]
    pub first: u32,
    /// The length of the range in bytes.
    #[n(2)]
    pub bytes: u32,
}

impl Mention {
    /// The mention of `id` at a range of a text.
    pub fn new(id: NodeId, range: &Range<usize>) -> Self {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self { id, first: number(range.start), bytes: number(range.len()) }
    }

    /// The range in bytes.
    pub fn range(&self) -> Range<usize> {
        let first = self.first as usize;
        first..first.saturating_add(self.bytes as usize)
    }

    /// Returns true if the range lies in the text and begins with `@`.
    fn fits(&self, text: &str) -> bool {
        text.get(self.range()).is_some_and(|named| named.starts_with('@'))
    }
}

/// The mentions that a body names, at most [`MENTIONS_MAX`]. An empty list takes no bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions(pub Vec<Mention>);

impl Mentions {
    /// The mentions that count for a text, in the order of the text. Of mentions that overlap, the
    /// first in the list
    /// counts.
    pub fn counted(&self, text: &str) -> Vec<Mention> {
        let mut counted: Vec<Mention> = Vec::new();
        for mention in self.0.iter().filter(|mention| mention.fits(text)) {
            let (first, end) = (mention.range().start, mention.range().end);
            if counted.iter().all(|other| other.range().end <= first || end <= other.range().start) {
                counted.push(*mention);
            }
        }
        counted.sort_unstable_by_key(|mention| mention.first);
        counted
    }
}

/// The mentions of `@name` in a text, of names that only one of the members has.
pub fn find<'a>(text: &str, members: impl Iterator<Item = (NodeId, &'a str)>) -> Mentions {
    let mut found = Mentions::default();
    if !text.contains('@') {
        return found;
    }
    let mut names: BTreeMap<&str, Option<NodeId>> = BTreeMap::new();
    for (id, name) in members {
        names.entry(name).and_modify(|unique| *unique = None).or_insert(Some(id));
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let starts = text.match_indices('@').filter(|(at, _)| !is_word(text[..*at].chars().next_back()));
    for (at, _) in starts.take(MENTIONS_TRIED_MAX) {
        let rest = &text[at + 1..];
        let fits = |name: &&str| rest.strip_prefix(*name).is_some_and(|after| !is_word(after.chars().next()));
        // Of names of which one begins with the other, the longer is meant.
        let longest = names.keys().copied().filter(fits).max_by_key(|name| name.len());
        let Some((name, Some(id))) = longest.and_then(|name| Some((name, names.get(name)?))) else { continue };
        found.0.push(Mention::new(*id, &(at..at + 1 + name.len())));
        if found.0.len() == MENTIONS_MAX {
            break;
        }
    }
    found
}

impl<C> Encode<C> for Mentions {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|mention| mention.encode(e, ctx))
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Mentions {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let announced = d.array()?;
        let mut mentions = Vec::new();
        let mut read = 0;
        while announced.map_or_else(|| d.datatype().map(|kind| kind != Type::Break), |all| Ok(read < all))? {
            // Further ones are passed over, so that a newer program may allow more.
            match mentions.len() {
                MENTIONS_MAX => d.skip()?,
                _ => mentions.push(Mention::decode(d, ctx)?),
            }
            read += 1;
        }
        if announced.is_none() {
            d.skip()?;
        }
        Ok(Self(mentions))
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(id: u8, range: Range<usize>) -> Mention {
        Mention::new(NodeId([id; 32]), &range)
    }

    #[test]
    fn false_ranges_count_for_nothing() {
        let text = "@Ana und @Bo é";
        let good = [mention(1, 0..4), mention(2, 9..12)];
        let mut named = Mentions(vec![mention(3, 1..4), mention(3, 4..9), mention(3, 9..100), mention(3, 3..3)]);
        // Not at the boundary of a character.
        named.0.push(mention(3, 9..14));
        named.0.extend([good[1], good[0]]);
        assert_eq!(named.counted(text), good);
        assert_eq!(Mentions(vec![Mention { id: NodeId([1; 32]), first: u32::MAX, bytes: u32::MAX }]).counted(text), []);
    }

    #[test]
    fn of_overlapping_mentions_the_first_counts() {
        let named = Mentions(vec![mention(1, 1..6), mention(2, 0..4), mention(2, 1..2), mention(3, 6..8)]);
        assert_eq!(named.counted(" @@@@ @x"), [mention(1, 1..6), mention(3, 6..8)]);
    }

    #[test]
    fn unique_names_behind_an_at_sign_are_found() {
        let id = |id: u8| NodeId([id; 32]);
        let members = [(id(1), "Ana"), (id(2), "Ana Maria"), (id(3), "Bo"), (id(4), "Bo"), (id(5), "Zoë")];
        let found = |text: &str| find(text, members.into_iter()).0;
        assert_eq!(
            found("@Ana, (@Ana Maria) x@Zoë @Anas @Zoë"),
            [mention(1, 0..4), mention(2, 7..17), mention(5, 32..37)]
        );
        assert_eq!(found("@Bo @Nobody @"), []);
    }

    #[test]
    fn more_mentions_than_allowed_are_passed_over() {
        let many = Mentions(vec![mention(1, 0..1); MENTIONS_MAX + 5]);
        let bytes = minicbor::to_vec(&many).expect("a Vec takes everything");
        let read: Mentions = minicbor::decode(&bytes).expect("mentions");
        assert_eq!(read.0.len(), MENTIONS_MAX);
    }
}
