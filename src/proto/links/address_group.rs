//! Groups addresses by how many of them one machine can take at no cost.
//!
//! Identities are free, addresses are not. Limits and turns that must hold against free identities
//! count by [`AddressGroup`].
//!
//! - IPv4: each address is a group. IPv4-mapped IPv6 addresses count as IPv4.
//! - IPv6: each /64 is a group, since a machine may take any address in its network. All IPv6 peers
//!   on one network segment therefore share a group, and take turns with each other.
//! - Loopback is one group: each user of this machine has all of 127.0.0.0/8.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Mask of the first 64 bits of an IPv6 address: the network.
const NETWORK_V6: u128 = !(u64::MAX as u128);

/// Addresses that count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & NETWORK_V6).into(),
            ip @ IpAddr::V4(_) => ip,
        })
    }
}

/// Counts links or connections by address.
#[derive(Debug)]
pub struct Crowding {
    groups: BTreeMap<AddressGroup, usize>,
    addresses: BTreeMap<IpAddr, usize>,
}

impl Crowding {
    /// Counts the given addresses of links.
    pub fn new(links: impl Iterator<Item = IpAddr>) -> Self {
        let mut counted = Self { groups: BTreeMap::new(), addresses: BTreeMap::new() };
        for address in links {
            *counted.groups.entry(AddressGroup::of(address)).or_default() += 1;
            *counted.addresses.entry(address).or_default() += 1;
        }
        counted
    }

    /// Returns the number of links of the address's group, and of the address itself. The greatest
    /// pair is the most crowded.
    ///
    /// In an IPv6-only network all peers are in one group. There the single address decides, which
    /// still stops an attacker that uses only one.
    pub fn of(&self, address: IpAddr) -> (usize, usize) {
        let group = self.groups.get(&AddressGroup::of(address)).copied().unwrap_or(0);
        (group, self.addresses.get(&address).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(address: &str) -> AddressGroup {
        AddressGroup::of(address.parse().expect("an address"))
    }

    #[test]
    fn loopback_addresses_share_one_group() {
        assert_eq!(group("127.0.0.1"), group("127.0.0.3"));
        assert_eq!(group("127.0.0.1"), group("::1"));
        assert_eq!(group("127.0.0.1"), group("::ffff:127.0.0.2"));
    }

    #[test]
    fn ipv4_addresses_have_groups_of_their_own() {
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        assert_eq!(group("192.0.2.1"), group("::ffff:192.0.2.1"));
    }

    #[test]
    fn ipv6_addresses_of_a_network_share_a_group() {
        assert_eq!(group("2001:db8:0:7::1"), group("2001:db8:0:7:ffff::9"));
        assert_ne!(group("2001:db8:0:7::1"), group("2001:db8:0:8::1"));
        assert_eq!(group("fe80::1"), group("fe80::2"));
        assert_ne!(group("::1"), group("::2"));
    }

    #[test]
    fn crowding_goes_by_group_then_by_address() {
        let addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::2", "192.0.2.1", "192.0.2.1"];
        let addresses = addresses.map(|address| address.parse::<IpAddr>().expect("an address"));
        let crowding = Crowding::new(addresses.into_iter());
        assert_eq!(addresses.map(|address| crowding.of(address)), [(3, 1), (3, 2), (3, 2), (2, 2), (2, 2)]);
        assert_eq!(crowding.of([192, 0, 2, 9].into()), (0, 0));
    }
}
