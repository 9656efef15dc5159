//! UDP sockets for beacons: one per family to receive, and a new one for each packet sent.
//!
//! Sources and targets are chosen by [`super::beacon`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::wire::beacon::GROUP;

/// The sockets that receive beacons.
pub(super) struct BeaconSockets {
    /// `None` with an IPv6 `--host`.
    ipv4: Option<UdpSocket>,
    /// `None` with an IPv4 `--host`, and on a machine without IPv6.
    ipv6: Option<UdpSocket>,
    pub(super) port: u16,
}

impl BeaconSockets {
    /// Opens the sockets for the family of `host`, or for both families.
    ///
    /// They are bound to the wildcard address, since a socket bound to a unicast address receives
    /// no broadcasts. They share the port with other nodes on this machine, of any user.
    /// `SO_REUSEPORT` must not be set: the system would then deliver each packet to only one
    /// socket, and never to one of another user.
    pub(super) fn open(host: Option<IpAddr>, port: u16) -> io::Result<Self> {
        let (wants_ipv4, wants_ipv6) = host.map_or((true, true), |host| (host.is_ipv4(), host.is_ipv6()));
        let ipv4 = if wants_ipv4 { Some(bind(Ipv4Addr::UNSPECIFIED.into(), port)?) } else { None };
        let port = match &ipv4 {
            Some(socket) => socket.local_addr()?.port(),
            None => port,
        };
        let ipv6 = match wants_ipv6.then(|| bind(Ipv6Addr::UNSPECIFIED.into(), port)) {
            // If IPv4 works, a machine without IPv6 is not an error.
            Some(Err(_)) if ipv4.is_some() => None,
            opened => opened.transpose()?,
        };
        let port = match &ipv6 {
            Some(socket) => socket.local_addr()?.port(),
            None => port,
        };
        Ok(Self { ipv4, ipv6, port })
    }

    /// Receives the next packet and its source. May return `WouldBlock`, which is harmless.
    pub(super) async fn recv(&self, packet: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // If both are ready, select picks one at random, so a flood in one family does not starve
        // the other.
        let socket = tokio::select! {
            ready = readable(self.ipv4.as_ref()) => ready?,
            ready = readable(self.ipv6.as_ref()) => ready?,
        };
        socket.try_recv_from(packet)
    }

    /// Joins the multicast group on an interface. Repeating it does no harm.
    pub(super) fn join(&self, interface: u32) -> io::Result<()> {
        let Some(socket) = &self.ipv6 else { return Ok(()) };
        match SockRef::from(socket).join_multicast_v6(&GROUP, interface) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            result => result,
        }
    }
}

async fn readable(socket: Option<&UdpSocket>) -> io::Result<&UdpSocket> {
    match socket {
        Some(socket) => socket.readable().await.map(|()| socket),
        None => std::future::pending().await,
    }
}

fn bind(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = open(ip)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(ip, port).into())?;
    UdpSocket::from_std(socket.into())
}

fn open(ip: IpAddr) -> io::Result<Socket> {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends a packet from exactly `source`, since its receivers dial that address.
///
/// A multicast packet leaves by the interface in the zone of the source or, without one, of the
/// target.
pub(super) fn send(source: SocketAddr, target: SocketAddr, packet: &[u8]) -> io::Result<()> {
    let socket = open(source.ip())?;
    match target {
        SocketAddr::V4(_) => socket.set_broadcast(true)?,
        SocketAddr::V6(to) if to.ip().is_multicast() => socket.set_multicast_if_v6(to.scope_id())?,
        SocketAddr::V6(_) => {}
    }
    socket.bind(&source.into())?;
    socket.send_to(packet, &target.into()).map(|_| ())
}

/// Returns true if a socket can be bound to `address` now.
///
/// The system refuses a new IPv6 address for a second or two, until duplicate address detection has
/// finished. Other failures, for lack of file descriptors for example, count as true.
pub(super) fn can_bind(address: SocketAddr) -> bool {
    let bound = open(address.ip()).and_then(|socket| socket.bind(&address.into()));
    bound.err().is_none_or(|error| error.kind() != io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn several_sockets_share_the_port() {
        let host = Some(IpAddr::from([127, 0, 0, 1]));
        let first = BeaconSockets::open(host, 0).expect("a port");
        let second = BeaconSockets::open(None, first.port).expect("the same port");
        let target = SocketAddr::from(([127, 255, 255, 255], first.port));
        send(SocketAddr::from(([127, 0, 0, 3], 0)), target, b"hello").expect("sent");
        for ears in [first, second] {
            let mut packet = [0; 16];
            let (length, source) = ears.recv(&mut packet).await.expect("heard");
            assert_eq!((&packet[..length], source.ip()), (&b"hello"[..], IpAddr::from([127, 0, 0, 3])));
        }
    }

    #[test]
    fn a_host_needs_one_family() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let _inside = runtime.enter();
        let ipv4 = BeaconSockets::open(Some(Ipv4Addr::LOCALHOST.into()), 0).expect("IPv4");
        assert!(ipv4.ipv4.is_some() && ipv4.ipv6.is_none());
        if can_bind((Ipv6Addr::LOCALHOST, 0).into()) {
            let ipv6 = BeaconSockets::open(Some(Ipv6Addr::LOCALHOST.into()), 0).expect("IPv6");
            assert!(ipv6.ipv4.is_none() && ipv6.ipv6.is_some() && ipv6.port != 0);
        }
    }
}
