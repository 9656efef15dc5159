//! The sockets of the beacons: one per family to hear, and one for each packet that is sent.
//!
//! It chooses nothing: where a beacon goes from and to is the business of [`super::beacon`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::wire::beacon::GROUP;

/// Where beacons come in.
pub(super) struct Ears {
    /// None with `--host` and an IPv6 address.
    ipv4: Option<UdpSocket>,
    /// None with `--host` and an IPv4 address, and on a machine that has no IPv6.
    ipv6: Option<UdpSocket>,
    pub(super) port: u16,
}

impl Ears {
    /// Opens the sockets for one host's family, or for both. They are bound to the wildcard address, since one bound to a
    /// unicast address hears no broadcast, and share their port with other nodes of this machine, whoever runs them.
    /// `SO_REUSEPORT` must not be set: then the system would give each packet to only one of them, and to none of another
    /// user's.
    pub(super) fn open(host: Option<IpAddr>, port: u16) -> io::Result<Self> {
        let (wants_ipv4, wants_ipv6) = host.map_or((true, true), |host| (host.is_ipv4(), host.is_ipv6()));
        let ipv4 = if wants_ipv4 { Some(bind(Ipv4Addr::UNSPECIFIED.into(), port)?) } else { None };
        let port = match &ipv4 {
            Some(socket) => socket.local_addr()?.port(),
            None => port,
        };
        let ipv6 = match wants_ipv6.then(|| bind(Ipv6Addr::UNSPECIFIED.into(), port)) {
            // Where the other family works, a machine without IPv6 is no reason to complain.
            Some(Err(_)) if ipv4.is_some() => None,
            opened => opened.transpose()?,
        };
        let port = match &ipv6 {
            Some(socket) => socket.local_addr()?.port(),
            None => port,
        };
        Ok(Self { ipv4, ipv6, port })
    }

    /// The next packet, and where it came from. "Would block" now and then means nothing.
    pub(super) async fn hear(&self, packet: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // Whichever is ready, by lot if both are: a flood in one family leaves the other its turns.
        let socket = tokio::select! {
            ready = readable(self.ipv4.as_ref()) => ready?,
            ready = readable(self.ipv6.as_ref()) => ready?,
        };
        socket.try_recv_from(packet)
    }

    /// Joins the group on an interface; once is enough for as long as the interface exists, and more does no harm.
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

/// Sends from exactly that address, since whoever hears a beacon dials its source. A multicast leaves by the interface
/// that is the source's zone or, where the source has none, the target's.
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

/// Whether the system lets sockets have an address now. A new IPv6 address it holds back for a second or two, while it asks
/// whether somebody else has it. Another failure, for want of file descriptors say, is no reason to think so.
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
        let first = Ears::open(host, 0).expect("a port");
        let second = Ears::open(None, first.port).expect("the same port");
        let target = SocketAddr::from(([127, 255, 255, 255], first.port));
        send(SocketAddr::from(([127, 0, 0, 3], 0)), target, b"hello").expect("sent");
        for ears in [first, second] {
            let mut packet = [0; 16];
            let (length, source) = ears.hear(&mut packet).await.expect("heard");
            assert_eq!((&packet[..length], source.ip()), (&b"hello"[..], IpAddr::from([127, 0, 0, 3])));
        }
    }

    #[test]
    fn a_host_needs_one_family() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let _inside = runtime.enter();
        let ipv4 = Ears::open(Some(Ipv4Addr::LOCALHOST.into()), 0).expect("IPv4");
        assert!(ipv4.ipv4.is_some() && ipv4.ipv6.is_none());
        if can_bind((Ipv6Addr::LOCALHOST, 0).into()) {
            let ipv6 = Ears::open(Some(Ipv6Addr::LOCALHOST.into()), 0).expect("IPv6");
            assert!(ipv6.ipv4.is_none() && ipv6.ipv6.is_some() && ipv6.port != 0);
        }
    }
}
