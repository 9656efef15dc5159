//! Picks the link to evict when all are in use.
//!
//! Keys cost nothing, and neither does writing to the room. An attacker can have any number of ids
//! that all wrote something, but only as many addresses as it controls. So the most crowded address
//! loses a link. Only the local user's own actions protect a link: verifying the member or writing
//! to it.

use std::net::IpAddr;

use super::address_group::Crowding;
use crate::proto::ids::LinkId;

/// How far a link's member is protected from eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionClass {
    /// This node stored none of its entries, or the user blocked it.
    Stranger,
    /// This node stored entries of it. The user neither verified it nor wrote to it.
    Stored,
    /// The user verified it or wrote to it. A direct message *from* it does not count.
    Known,
}

/// A link that may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionCandidate {
    /// The link's number.
    pub link: LinkId,
    /// The peer's address.
    pub address: IpAddr,
    /// The protection of its member.
    pub standing: EvictionClass,
}

/// Returns the link to close so that `newcomer` fits beside `links`, given oldest first. It may be
/// the newcomer's own.
///
/// - A known member never loses its link, and is not counted. If all are known, the newcomer is
///   refused.
/// - Of the rest, including the newcomer, the most crowded address loses a link: its newest
///   stranger's, or its newest link if it has no strangers. So an address cannot make its own links
///   come and go.
/// - Of equally crowded addresses, the one with the newest link loses. That is the newcomer's if it
///   is among them.
///
/// Each eviction spreads the links more evenly. So a room with too many honest nodes settles: where
/// each address has one link, the newcomer is refused.
pub fn pick_victim(links: &[EvictionCandidate], newcomer: EvictionCandidate) -> LinkId {
    let all = || links.iter().chain([&newcomer]).filter(|link| link.standing != EvictionClass::Known);
    let crowding = Crowding::new(all().map(|link| link.address));
    // Of equals, `max_by_key` returns the last.
    let crowded = all().max_by_key(|link| crowding.of(link.address)).map(|link| link.address);
    let there = all().filter(|link| Some(link.address) == crowded);
    there.max_by_key(|link| link.standing == EvictionClass::Stranger).map_or(newcomer.link, |link| link.link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use EvictionClass::{Known, Stored, Stranger};

    fn candidate(number: usize, address: IpAddr, standing: EvictionClass) -> EvictionCandidate {
        EvictionCandidate { link: LinkId(number as u64), address, standing }
    }

    /// The index of the victim in `all`; the last one is the newcomer.
    fn victim(all: &[(IpAddr, EvictionClass)]) -> usize {
        let numbered = all.iter().enumerate();
        let mut all: Vec<_> =
            numbered.map(|(number, (address, standing))| candidate(number, *address, *standing)).collect();
        let newcomer = all.pop().expect("a newcomer");
        pick_victim(&all, newcomer).0 as usize
    }

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn victim_is_of_the_most_crowded_address() {
        for (all, expected, why) in [
            (&[(1, Stranger), (2, Stranger), (2, Stranger), (3, Stranger)][..], 2, "the newest of the crowded address"),
            (&[(2, Stranger), (2, Stranger), (1, Stranger), (2, Stranger)], 3, "the crowd cannot renew itself"),
            (&[(1, Stranger), (2, Stranger), (3, Stranger)], 2, "of equals the newcomer"),
            (&[(1, Stored), (2, Stranger), (3, Stored)], 2, "of equals the newcomer, stored or not"),
            (&[(2, Stored), (2, Stored), (1, Stranger)], 1, "a crowd that wrote, for a stranger alone"),
            (&[(1, Stranger), (2, Stored), (2, Stored), (3, Known)], 2, "a stranger alone keeps its link"),
            (&[(1, Stored), (1, Stranger), (1, Stored), (2, Stranger)], 1, "in one address a stranger first"),
            (&[(1, Stored), (1, Stranger), (1, Stored)], 1, "for a stored one of the same address too"),
            (&[(1, Stranger), (2, Known), (3, Known)], 0, "a stranger alone, for a known member"),
            (&[(1, Stranger), (1, Known), (1, Known), (2, Stranger)], 3, "known ones make no crowd"),
            (&[(1, Known), (1, Known), (2, Known)], 2, "a known member never loses its link"),
            (&[(1, Known), (1, Known), (2, Stored)], 2, "not to another member either"),
            (&[(1, Known)], 0, "no links at all"),
        ] {
            let all: Vec<_> = all.iter().map(|(last, standing)| (v4(*last), *standing)).collect();
            assert_eq!(victim(&all), expected, "{why}");
        }
    }

    #[test]
    fn addresses_of_an_ipv6_network_are_one_crowd() {
        let v6 = |last| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        let (one, other) = ((v4(1), Stranger), (v4(2), Stranger));
        assert_eq!(victim(&[one, (v6(1), Stored), (v6(2), Stored), (v6(3), Stored), other]), 3);
        // All of one network: the single address decides.
        assert_eq!(victim(&[(v6(1), Stored), (v6(1), Stored), (v6(2), Stored), (v6(3), Stranger)]), 1);
    }

    #[test]
    fn honest_nodes_that_are_too_many_settle() {
        // Two machines with seven nodes each, one with three, and eight with one, for 12 links.
        let machine = |node: u8| match node {
            0..7 => 1,
            7..14 => 2,
            14..17 => 3,
            alone => alone,
        };
        let nodes: Vec<_> = (0..25).map(|node| (v4(machine(node)), Stored)).collect();
        let mut links: Vec<EvictionCandidate> = Vec::new();
        let mut exchanged = Vec::new();
        for _ in 0..10 {
            let mut count = 0;
            for (number, (address, standing)) in nodes.iter().enumerate() {
                if links.iter().any(|link| link.link.0 == number as u64) {
                    continue;
                }
                links.push(candidate(number, *address, *standing));
                if links.len() > 12 {
                    let victim = pick_victim(&links[..12], links[12]);
                    count += usize::from(victim != links[12].link);
                    links.retain(|link| link.link != victim);
                }
            }
            exchanged.push(count);
        }
        assert!(exchanged[0] > 0 && exchanged[2..].iter().all(|count| *count == 0), "{exchanged:?}");
    }
}
