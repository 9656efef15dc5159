//! Which addresses this machine has now, and where a beacon goes from each. Read anew each time: interfaces come,
//! go and change while a node runs, and nothing here remembers.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use if_addrs::IfAddr;

/// One address of one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The interface's name, as the system has it.
    pub name: String,
    /// Its number, which is the zone of link-local addresses.
    pub index: Option<u32>,
    /// The address.
    pub address: IpAddr,
    /// How many bits of it name the network.
    pub prefix: u8,
    /// Where everybody on its network hears: for IPv4, unless the network has no room for it.
    pub broadcast: Option<Ipv4Addr>,
    /// Whether it leads nowhere but to this machine.
    pub loopback: bool,
}

impl Interface {
    /// Whether an address belongs to this interface's network.
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
}

/// The addresses of all interfaces that are up (a pulled cable is not), IPv4 first and loopback last; with `host` that address alone, on the interface whose network
/// it belongs to (127.0.0.2 belongs to loopback, although no interface lists it). Empty where there is none.
pub fn list(host: Option<IpAddr>) -> io::Result<Vec<Interface>> {
    let all = if_addrs::get_if_addrs()?.into_iter();
    Ok(select(all.filter(if_addrs::Interface::is_oper_up).map(from_system).collect(), host))
}

/// Whether an address is this machine's own, even if its interface is down just now.
pub fn is_ours(address: IpAddr) -> io::Result<bool> {
    let all = if_addrs::get_if_addrs()?.into_iter();
    Ok(!select(all.map(from_system).collect(), Some(address)).is_empty())
}

/// The part of [`list`] that needs no system.
fn select(mut all: Vec<Interface>, host: Option<IpAddr>) -> Vec<Interface> {
    let Some(host) = host else {
        // 127.0.0.1 and ::1 lead to the same machine; a second name for it helps nobody who has the first.
        let has_loopback = all.iter().any(|interface| interface.loopback && interface.address.is_ipv4());
        all.retain(|interface| !(has_loopback && interface.loopback && interface.address.is_ipv6()));
        all.sort_by_key(|interface| (interface.loopback, interface.address.is_ipv6()));
        return all;
    };
    let own = all.iter().find(|interface| interface.address == host);
    let around = || all.iter().find(|interface| interface.loopback && host.is_loopback() && interface.holds(host));
    let found = own.or_else(around).cloned();
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

/// The last address of the network: what the system has as "broadcast" is empty or wrong wherever somebody set an
/// address by hand, but the network's own mask can't be.
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
    fn a_host_is_one_of_our_addresses() {
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
    fn a_network_knows_its_own() {
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
    fn this_machine_has_loopback() {
        let found = list(Some(IpAddr::from([127, 0, 0, 9]))).expect("a list");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].broadcast, Some(Ipv4Addr::new(127, 255, 255, 255)));
    }
}
