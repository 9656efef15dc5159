//! Picks the link that makes room for another one when all are in use.
//!
//! Keys cost nothing, and neither does writing to the room: an attacker can come under any number of
//! ids that all wrote something, but only from the addresses that it has. So the most crowded address
//! loses a link. Only what this node's user did protects a link: the user verified the member or wrote
//! to it.

use std::net::IpAddr;

use super::address_group::Crowding;
use super::ids::LinkId;

/// What this node has to do with the member at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This node stored none of its entries, or the user blocked it.
    Stranger,
    /// This node stored entries of it. The user neither verified it nor wrote to it.
    Stored,
    /// The user verified it or wrote to it. A direct message *from* it does not count.
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
/// - A known member never loses its link, and is not counted. If all are known, the newcomer is refused.
/// - Of the rest, the newcomer being one of them, the most crowded address loses a link: a stranger's
///   if it has any, and of these the newest. So an address cannot make its own links come and go.
/// - Of equally crowded addresses the one of the newest link loses, which is the newcomer's if it is
///   among them.
///
/// Each exchange leaves the links spread more evenly. So a room of honest nodes that are too many
/// settles: where each address has one link, the newcomer is refused.
pub fn pick_victim(links: &[Candidate], newcomer: Candidate) -> LinkId {
    let all = || links.iter().chain([&newcomer]).filter(|link| link.standing != Standing::Known);
    let crowding = Crowding::new(all().map(|link| link.address));
    // Of equals, `max_by_key` returns the last.
    let crowded = all().max_by_key(|link| crowding.of(link.address)).map(|link| link.address);
    let there = all().filter(|link| Some(link.address) == crowded);
    there.max_by_key(|link| link.standing == Standing::Stranger).map_or(newcomer.link, |link| link.link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Known, Stored, Stranger};

    fn candidate(number: usize, address: IpAddr, standing: Standing) -> Candidate {
        Candidate { link: LinkId(number as u64), address, standing }
    }

    /// Which of these loses, by its place; the last one is the newcomer.
    fn loser(all: &[(IpAddr, Standing)]) -> usize {
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
            assert_eq!(loser(&all), expected, "{why}");
        }
    }

    #[test]
    fn addresses_of_an_ipv6_network_are_one_crowd() {
        let v6 = |last| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        let (one, other) = ((v4(1), Stranger), (v4(2), Stranger));
        assert_eq!(loser(&[one, (v6(1), Stored), (v6(2), Stored), (v6(3), Stored), other]), 3);
        // All of one network: the single address decides.
        assert_eq!(loser(&[(v6(1), Stored), (v6(1), Stored), (v6(2), Stored), (v6(3), Stranger)]), 1);
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
        let mut links: Vec<Candidate> = Vec::new();
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
