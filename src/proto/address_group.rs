//! Groups addresses by how many of them one machine can take for nothing.
//!
//! Identities are free, addresses are not: limits and turns that must hold against free identities
//! go by [`AddressGroup`].
//!
//! - IPv4: each address is a group. IPv4-mapped IPv6 addresses count as IPv4.
//! - IPv6: each /64 is a group, since a machine may take any address in its network. On one network
//!   segment that puts all peers of IPv6 into one group: they take turns with each other, as
//!   before, and with the peers of IPv4.
//! - Loopback is one group, whatever the address: each user of this machine has all of 127.0.0.0/8.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first 64 bits of an IPv6 address: the network.
const NETWORK_V6: u128 = !(u64::MAX as u128);

/// Addresses that count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// Returns the group of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & NETWORK_V6).into(),
            ip @ IpAddr::V4(_) => ip,
        })
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
}
