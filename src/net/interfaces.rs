//! The addresses of this machine and their broadcast targets.
//!
//! Read from the system on each call, without a cache: interfaces change while a node runs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use if_addrs::IfAddr;

use super::udp::can_bind;

/// One address of a network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The interface's name in the system.
    pub name: String,
    /// The interface's index, which is the zone of link-local addresses.
    pub index: Option<u32>,
    /// The address.
    pub address: IpAddr,
    /// The length of the network prefix, in bits.
    pub prefix: u8,
    /// The broadcast address of an IPv4 network. `None` for IPv6, point-to-point and /31 or /32
    /// networks.
    pub broadcast: Option<Ipv4Addr>,
    /// True for loopback.
    pub loopback: bool,
}

impl Interface {
    /// Returns true if `other` is in this interface's network.
    pub fn holds(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()) & mask(self.prefix) == 0,
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Returns true if `source` is on this interface: in its network and, if it has a zone, with
    /// the same index.
    pub fn hears(&self, source: SocketAddr) -> bool {
        let zone = match source {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            SocketAddr::V4(_) | SocketAddr::V6(_) => None,
        };
        self.holds(source.ip()) && (zone.is_none() || zone == self.index)
    }

    /// Returns true if the address is IPv6 link-local.
    pub fn is_link_local(&self) -> bool {
        matches!(self.address, IpAddr::V6(ip) if ip.is_unicast_link_local())
    }

    /// The interface's index if the address is IPv6.
    pub fn ipv6_zone(&self) -> Option<u32> {
        self.index.filter(|_| self.address.is_ipv6())
    }

    /// The address with a port, and with the zone if it is link-local.
    pub fn socket_address(&self, port: u16) -> SocketAddr {
        match self.address {
            IpAddr::V6(ip) if self.is_link_local() => {
                SocketAddrV6::new(ip, port, 0, self.index.unwrap_or_default()).into()
            }
            address => SocketAddr::new(address, port),
        }
    }
}

/// Lists the usable addresses of all interfaces that are up, IPv4 first and loopback last. An
/// interface with an unplugged cable is not up.
///
/// With `host`, lists that address alone, on the interface whose network contains it: 127.0.0.2
/// belongs to loopback, although no interface lists it. Empty if there is none.
pub fn list(host: Option<IpAddr>) -> io::Result<Vec<Interface>> {
    let all = if_addrs::get_if_addrs()?.into_iter();
    let mut found = select(all.filter(if_addrs::Interface::is_oper_up).map(from_system).collect(), host);
    found.retain(|interface| interface.address.is_ipv4() || can_bind(interface.socket_address(0)));
    Ok(found)
}

/// The address that `--host` names, with its zone if it needs one, and port 0.
pub(super) fn own_address(host: IpAddr) -> SocketAddr {
    let own = list(Some(host)).unwrap_or_default();
    own.first().map_or(SocketAddr::new(host, 0), |interface| interface.socket_address(0))
}

/// Returns true if only interfaces that are down lead to the network of `address`.
pub(super) fn is_cut_off(address: SocketAddr) -> bool {
    let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    let (up, down): (Vec<_>, Vec<_>) = all.partition(if_addrs::Interface::is_oper_up);
    let leads_there = |interfaces: Vec<if_addrs::Interface>| {
        interfaces.into_iter().map(from_system).any(|interface| interface.hears(address))
    };
    !leads_there(up) && leads_there(down)
}

/// Returns true if `address` belongs to this machine, even while its interface is down.
pub fn is_ours(address: IpAddr) -> io::Result<bool> {
    let all = if_addrs::get_if_addrs()?.into_iter();
    Ok(!select(all.map(from_system).collect(), Some(address)).is_empty())
}

/// The part of [`list`] that works without the system.
fn select(mut all: Vec<Interface>, host: Option<IpAddr>) -> Vec<Interface> {
    let Some(host) = host else {
        // 127.0.0.1 and ::1 reach the same machine, so ::1 is left out where 127.0.0.1 exists.
        let has_loopback = all.iter().any(|interface| interface.loopback && interface.address.is_ipv4());
        all.retain(|interface| !(has_loopback && interface.loopback && interface.address.is_ipv6()));
        all.sort_by_key(|interface| (interface.loopback, interface.address.is_ipv6()));
        return all;
    };
    let own = all.iter().find(|interface| interface.address == host);
    let containing = || all.iter().find(|interface| interface.loopback && host.is_loopback() && interface.holds(host));
    let found = own.or_else(containing).cloned();
    found.map(|interface| Interface { address: host, ..interface }).into_iter().collect()
}

fn from_system(interface: if_addrs::Interface) -> Interface {
    let loopback = interface.is_loopback();
    let (prefix, broadcast) = match &interface.addr {
        IfAddr::V4(v4) if interface.is_p2p => (v4.prefixlen, None),
        IfAddr::V4(v4) => (v4.prefixlen, broadcast(v4.ip, v4.prefixlen)),
        IfAddr::V6(v6) => (v6.prefixlen, None),
    };
    Interface { address: interface.ip(), name: interface.name, index: interface.index, prefix, broadcast, loopback }
}

/// Computes the broadcast address from the network prefix. The one that the system reports is empty
/// or wrong where an address was set by hand.
fn broadcast(ip: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    (prefix < 31).then(|| Ipv4Addr::from_bits(ip.to_bits() | !mask(prefix)))
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str, prefix: u8) -> Interface {
        let address: IpAddr = address.parse().expect("an address");
        let broadcast = match address {
            IpAddr::V4(ip) => broadcast(ip, prefix),
            IpAddr::V6(_) => None,
        };
        Interface { name: name.to_owned(), index: None, address, prefix, broadcast, loopback: address.is_loopback() }
    }

    fn machine() -> Vec<Interface> {
        vec![
            interface("lo", "127.0.0.1", 8),
            interface("lo", "::1", 128),
            interface("eth0", "fe80::1", 64),
            interface("eth0", "192.0.2.9", 26),
        ]
    }

    fn addresses(host: Option<&str>) -> Vec<String> {
        let host = host.map(|host| host.parse().expect("an address"));
        select(machine(), host).iter().map(|interface| interface.address.to_string()).collect()
    }

    #[test]
    fn ipv4_comes_first_and_loopback_last() {
        assert_eq!(addresses(None), ["192.0.2.9", "fe80::1", "127.0.0.1"]);
    }

    #[test]
    fn host_selects_one_own_address() {
        assert_eq!(addresses(Some("192.0.2.9")), ["192.0.2.9"]);
        assert_eq!(addresses(Some("127.0.0.2")), ["127.0.0.2"]);
        assert_eq!(addresses(Some("192.0.2.10")), [""; 0]);
        assert_eq!(addresses(Some("::1")), ["::1"]);
    }

    #[test]
    fn broadcast_follows_from_the_mask() {
        let check = |ip: &str, prefix, expected: Option<&str>| {
            let expected = expected.map(|text| text.parse().expect("an address"));
            assert_eq!(broadcast(ip.parse().expect("an address"), prefix), expected);
        };
        check("192.0.2.9", 26, Some("192.0.2.63"));
        check("127.0.0.1", 8, Some("127.255.255.255"));
        check("10.0.0.1", 0, Some("255.255.255.255"));
        check("10.0.0.1", 31, None);
        check("10.0.0.1", 32, None);
    }

    #[test]
    fn network_contains_its_addresses() {
        let holds = |address: &str, prefix, other: &str| {
            interface("x", address, prefix).holds(other.parse().expect("an address"))
        };
        assert!(holds("192.0.2.9", 26, "192.0.2.60") && !holds("192.0.2.9", 26, "192.0.2.64"));
        assert!(holds("127.0.0.1", 8, "127.9.9.9") && !holds("127.0.0.1", 8, "192.0.2.1"));
        assert!(holds("10.0.0.1", 0, "192.0.2.1"));
        assert!(holds("fe80::1", 64, "fe80::2") && !holds("fe80::1", 64, "fe81::2"));
        assert!(holds("::1", 0, "fe80::1") && !holds("::1", 128, "192.0.2.1"));
    }

    #[test]
    fn a_zone_tells_interfaces_of_one_network_apart() {
        let eth1 = Interface { index: Some(3), ..interface("eth1", "fe80::1", 64) };
        let from = |zone| SocketAddr::from(SocketAddrV6::new("fe80::2".parse().expect("an address"), 7666, 0, zone));
        assert!(eth1.hears(from(3)) && !eth1.hears(from(2)) && eth1.hears(from(0)));
        assert_eq!(eth1.socket_address(7666).to_string(), "[fe80::1%3]:7666");
        assert_eq!(interface("eth1", "2001:db8::1", 64).socket_address(7666).to_string(), "[2001:db8::1]:7666");
    }

    #[test]
    fn this_machine_has_loopback() {
        let found = list(Some(IpAddr::from([127, 0, 0, 9]))).expect("a list");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].broadcast, Some(Ipv4Addr::new(127, 255, 255, 255)));
    }
}
