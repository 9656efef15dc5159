//! Addresses of other nodes, as options name them.

use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::proto::links::address_book::DialTarget;

/// The address of a node to dial or to announce to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// A name, an IPv4 address, or an IPv6 address without brackets, with `%zone` if it has one.
    pub host: String,
    /// The TCP port, or for announcements the UDP port.
    pub port: u16,
}

impl From<&PeerAddress> for DialTarget {
    fn from(peer: &PeerAddress) -> Self {
        match peer.host.parse() {
            Ok(ip) => Self::Address(SocketAddr::new(ip, peer.port)),
            Err(_) => Self::Host(peer.host.clone(), peer.port),
        }
    }
}

/// `HOST[:PORT]` as written. [`UnresolvedPeer::or_port`] makes an address of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnresolvedPeer {
    host: String,
    port: Option<u16>,
}

impl UnresolvedPeer {
    /// Returns the address, with `port` if none was written.
    pub fn or_port(self, port: u16) -> PeerAddress {
        PeerAddress { host: self.host, port: self.port.unwrap_or(port) }
    }
}

impl FromStr for UnresolvedPeer {
    type Err = &'static str;

    /// Parses `name`, `192.0.2.7`, `fe80::1%eth0` or `[fe80::1%eth0]`, each with `:PORT` unless the
    /// colon belongs to the address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "an address is HOST, HOST:PORT or [IPV6]:PORT";
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or(FORM)?;
            if !is_ipv6(host) {
                return Err(FORM);
            }
            (host, after.is_empty().then_some(None).or_else(|| after.strip_prefix(':').map(Some)).ok_or(FORM)?)
        } else if is_ipv6(text) {
            (text, None)
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let plain =
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@[]".contains(c));
        if !plain || (host.contains(':') && !is_ipv6(host)) {
            return Err(FORM);
        }
        let port =
            port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or("a port is a number from 1 to 65535"));
        Ok(Self { host: host.to_owned(), port: port.transpose()? })
    }
}

fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, zone)| if zone.is_empty() { "" } else { address });
    address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16)>) {
        let address = text.parse::<UnresolvedPeer>().ok().map(|peer| peer.or_port(7666));
        assert_eq!(address, expected.map(|(host, port)| PeerAddress { host: host.to_owned(), port }), "{text}");
    }

    #[test]
    fn peers_are_hosts_with_or_without_a_port() {
        check("box", Some(("box", 7666)));
        check("box.local:9000", Some(("box.local", 9000)));
        check("192.0.2.7:1", Some(("192.0.2.7", 1)));
        check("fe80::1", Some(("fe80::1", 7666)));
        check("fe80::1%eth0", Some(("fe80::1%eth0", 7666)));
        check("[fe80::1%eth0]:9000", Some(("fe80::1%eth0", 9000)));
        check("[::1]", Some(("::1", 7666)));
        for wrong in [
            "",
            ":7666",
            "box:",
            "box:0",
            "box:65536",
            "[::1",
            "[box]:1",
            "[::1]9",
            "a:b:c",
            "fe80::1%",
            "a b",
            "http://box",
        ] {
            check(wrong, None);
        }
    }
}
