//! Namings: messages name content, and only members that can read one may have the content.

use std::collections::BTreeSet;

use crate::proto::ids::NodeId;

/// A message, not deleted, that names some content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naming {
    /// The other member of a direct conversation; none in a channel.
    pub audience: Option<NodeId>,
    /// The author.
    pub author: NodeId,
}

/// The audiences of some namings.
pub fn audiences_of(namings: &BTreeSet<Naming>) -> BTreeSet<Option<NodeId>> {
    namings.iter().map(|naming| naming.audience).collect()
}

/// Returns the audiences for which content may be fetched together, beginning with `first`.
///
/// Bytes that a reader of one of them sends are served to the readers of all of them. So an
/// audience is added only if, of it and each other one, an author that names the content in one can
/// read the other. A member that only knows the hash of a direct file gets it in no way.
pub fn fetched_together(
    own: NodeId,
    namings: &BTreeSet<Naming>,
    first: BTreeSet<Option<NodeId>>,
) -> BTreeSet<Option<NodeId>> {
    let can_read =
        |member: NodeId, audience: Option<NodeId>| audience.is_none_or(|other| [own, other].contains(&member));
    let is_known_in = |other: Option<NodeId>, audience: Option<NodeId>| {
        namings.iter().any(|naming| naming.audience == audience && can_read(naming.author, other))
    };
    let mut chosen = first;
    for audience in audiences_of(namings) {
        if chosen.iter().all(|other| is_known_in(*other, audience) && is_known_in(audience, *other)) {
            chosen.insert(audience);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: NodeId = NodeId([1; 32]);
    const BEN: NodeId = NodeId([2; 32]);
    const MALLORY: NodeId = NodeId([3; 32]);

    fn together<const N: usize>(namings: [(Option<NodeId>, NodeId); N], first: Option<NodeId>) -> Vec<Option<NodeId>> {
        let namings = namings.map(|(audience, author)| Naming { audience, author }).into();
        fetched_together(OWN, &namings, [first].into()).into_iter().collect()
    }

    #[test]
    fn naming_a_hash_adds_no_audience() {
        let direct = (Some(BEN), BEN);
        assert_eq!(together([direct, (None, MALLORY)], Some(BEN)), [Some(BEN)]);
        assert_eq!(together([direct, (Some(MALLORY), MALLORY)], Some(BEN)), [Some(BEN)]);
        assert_eq!(together([direct, (None, MALLORY)], None), [None], "also if it comes first");
    }

    #[test]
    fn author_adds_the_own_audiences() {
        assert_eq!(together([(Some(BEN), BEN), (None, BEN)], Some(BEN)), [None, Some(BEN)]);
        assert_eq!(together([(Some(BEN), BEN), (None, OWN)], Some(BEN)), [None, Some(BEN)]);
        assert_eq!(together([(None, BEN)], None), [None]);
    }
}
