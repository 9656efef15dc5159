//! Picks the link that makes room for another one when all are in use.
//!
//! Keys cost nothing: a stranger can come under any number of ids, but only from the addresses that it
//! has. So the address with the most links of strangers loses one. A member that this node knows
//! never loses its link.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::ids::LinkId;

/// What this node has to do with the member at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// This node stored none of its entries, and the user neither verified it nor wrote to it. Or the
    /// user blocked it.
    Stranger,
    /// This node stored entries of it, but none before this link came up. The user neither verified it
    /// nor wrote to it.
    New,
    /// The user verified it or wrote to it, or this node stored an entry of it before this link came
    /// up. A direct message *from* it counts as any other entry.
    Known,
}

/// A link that may have to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub link: LinkId,
    /// The address of its other end.
    pub address: IpAddr,
    /// Whose it is.
    pub standing: Standing,
}

/// Returns the link to close so that `newcomer` fits beside `links`, given oldest first: perhaps the newcomer's own.
///
/// - Strangers go first, the newcomer being one of them if it is a stranger: of the address with the
///   most of them, the newest. So an address cannot make its own links come and go, and of equally
///   crowded addresses the newcomer's loses.
/// - If there are no strangers and the newcomer is known, it replaces a new member by the same rule.
/// - Otherwise the newcomer is refused.
pub fn pick_victim(links: &[Candidate], newcomer: Candidate) -> LinkId {
    let mut all = links.to_vec();
    all.push(newcomer);
    let stranger = newest_of_most_crowded(&all, Standing::Stranger);
    let new = || newest_of_most_crowded(&all, Standing::New).filter(|_| newcomer.standing == Standing::Known);
    stranger.or_else(new).unwrap_or(newcomer.link)
}

/// Of the address with the most links of this standing, the newest.
fn newest_of_most_crowded(links: &[Candidate], standing: Standing) -> Option<LinkId> {
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let of_it = || links.iter().filter(|link| link.standing == standing);
    for link in of_it() {
        *counts.entry(link.address).or_default() += 1;
    }
    // Of equals, `max_by_key` returns the last.
    of_it().max_by_key(|link| counts[&link.address]).map(|link| link.link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Known, New, Stranger};

    /// Which of these loses, by its place; the last one is the newcomer.
    fn loser(all: &[(u8, Standing)]) -> usize {
        let candidate = |(number, &(address, standing)): (usize, &(u8, Standing))| Candidate {
            link: LinkId(number as u64),
            address: IpAddr::from([192, 0, 2, address]),
            standing,
        };
        let mut all: Vec<_> = all.iter().enumerate().map(candidate).collect();
        let newcomer = all.pop().expect("a newcomer");
        pick_victim(&all, newcomer).0 as usize
    }

    #[test]
    fn victim_is_the_newest_stranger_of_the_crowd() {
        for (all, expected, why) in [
            (&[(1, Stranger), (2, Stranger), (2, Stranger), (3, Stranger)][..], 2, "the newest of the crowded address"),
            (&[(2, Stranger), (2, Stranger), (1, Stranger), (2, Stranger)], 3, "the crowd cannot renew itself"),
            (&[(1, Stranger), (2, Stranger), (3, Stranger)], 2, "of equals the newcomer"),
            (&[(1, Stranger), (2, Known), (3, Known)], 0, "a stranger alone, for a known member"),
            (&[(1, Stranger), (1, Known), (1, Known), (2, Stranger)], 3, "known ones make no crowd of strangers"),
            (&[(1, New), (1, New), (2, Stranger), (3, Known)], 2, "strangers before new members"),
            (&[(1, New), (2, New), (2, New), (3, Known)], 2, "then new members of the crowded address"),
            (&[(1, New), (1, New), (2, Stranger)], 2, "a stranger replaces no new member"),
            (&[(1, Known), (1, Known), (2, Known)], 2, "a known member never loses its link"),
            (&[(1, Known), (1, Known), (2, Stranger)], 2, "not to a stranger either"),
            (&[(1, Known)], 0, "no links at all"),
        ] {
            assert_eq!(loser(all), expected, "{why}");
        }
    }
}
