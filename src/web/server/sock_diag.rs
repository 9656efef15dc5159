//! Asks the Linux kernel which user owns one TCP socket: sock_diag(7) over netlink, for one pair of
//! addresses.
//!
//! An exact query costs a lookup in a hash table. A dump, or `/proc/net/tcp`, costs a pass over all
//! sockets of the machine, and their number is up to its users.

use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_LISTEN};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// `AF_NETLINK` and `NETLINK_SOCK_DIAG`: the way to the kernel's table of sockets.
const NETLINK: (i32, i32) = (16, 4);

/// Longer than any answer about one socket.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A connection to the kernel.
pub(crate) struct SockDiag {
    socket: Socket,
    /// The number of the last query. Answers to earlier ones are skipped.
    sequence: u32,
}

impl SockDiag {
    pub(crate) fn open() -> io::Result<Self> {
        let (domain, protocol) = NETLINK;
        let socket = Socket::new(Domain::from(domain), Type::DGRAM, Some(Protocol::from(protocol)))?;
        // The kernel answers while it takes the query: an answer that is not there then does not
        // come.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Returns the user who owns the socket at `theirs` that is connected with `ours`; none if it
    /// is closed.
    pub(crate) fn owner(&mut self, theirs: SocketAddr, ours: SocketAddr) -> io::Result<Option<u32>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&query(self.sequence, theirs, ours))?;
        let mut buffer = [0; ANSWER_BYTES_MAX];
        loop {
            let count = io::Read::read(&mut &self.socket, &mut buffer)?;
            let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&buffer[..count]).map_err(io::Error::other)?;
            if answer.header.sequence_number == self.sequence {
                return owner(answer.payload, theirs, ours);
            }
        }
    }
}

/// A query for one socket: its own end is `theirs`, its other end `ours`.
fn query(sequence: u32, theirs: SocketAddr, ours: SocketAddr) -> Vec<u8> {
    let request = InetRequest {
        // An IPv6 socket with mapped addresses is found by its IPv4 addresses, too.
        family: if theirs.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: theirs.port(),
            destination_port: ours.port(),
            source_address: theirs.ip(),
            destination_address: ours.ip(),
            interface_id: 0,
            cookie: [0xff; 8],
        },
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Reads the kernel's answer about the connection from `theirs` to `ours`.
fn owner(answer: NetlinkPayload<SockDiagMessage>, theirs: SocketAddr, ours: SocketAddr) -> io::Result<Option<u32>> {
    match answer {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
            Ok(owner_of_socket(&found.header, theirs, ours))
        }
        NetlinkPayload::Error(error) if -error.raw_code() == Errno::NOENT.raw_os_error() => Ok(None),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Returns the owner, if `found` is the open connection from `theirs` to `ours`.
///
/// For a connection that has ended the kernel may name a listener at the same address, or a remnant
/// that belongs to root by default. A remnant has no inode.
fn owner_of_socket(found: &InetResponseHeader, theirs: SocketAddr, ours: SocketAddr) -> Option<u32> {
    let id = &found.socket_id;
    let ends = (end(id.source_address, id.source_port), end(id.destination_address, id.destination_port));
    (found.state != TCP_LISTEN && ends == (theirs, ours) && found.inode != 0).then_some(found.uid)
}

/// An end of a connection; an IPv4 address that is mapped counts as IPv4.
fn end(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener, TcpStream};

    use super::*;

    fn us() -> Option<u32> {
        Some(rustix::process::geteuid().as_raw())
    }

    #[test]
    fn connected_sockets_have_an_owner() {
        let mut kernel = SockDiag::open().expect("the kernel");
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let ours = listener.local_addr().expect("an address");
            let client = TcpStream::connect(ours).expect("connected");
            let theirs = client.local_addr().expect("an address");
            let (_stream, _) = listener.accept().expect("accepted");
            assert_eq!(kernel.owner(theirs, ours).expect("an answer"), us(), "{address}");
            drop(client);
            assert_eq!(kernel.owner(theirs, ours).expect("an answer"), None, "{address}, closed");
        }
    }

    #[test]
    fn ipv6_sockets_with_mapped_addresses_have_an_owner() {
        let Ok(client) = Socket::new(Domain::IPV6, Type::STREAM, None) else { return };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mapped: Ipv6Addr = "::ffff:127.0.0.1".parse().expect("an address");
        client.connect(&SocketAddr::from((mapped, port)).into()).expect("connected");
        let (stream, theirs) = listener.accept().expect("accepted");
        let ours = stream.local_addr().expect("an address");
        assert_eq!(SockDiag::open().expect("the kernel").owner(theirs, ours).expect("an answer"), us());
    }

    #[test]
    fn remnants_and_other_sockets_own_no_connection() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let ends = SocketId {
            source_port: 1,
            destination_port: 2,
            source_address: at(1).ip(),
            destination_address: at(2).ip(),
            ..SocketId::new_v4()
        };
        let (family, timer, recv_queue, send_queue) = (AF_INET, None, 0, 0);
        let mut found = InetResponseHeader {
            family,
            state: 1,
            timer,
            socket_id: ends,
            recv_queue,
            send_queue,
            uid: 1000,
            inode: 5,
        };
        assert_eq!(owner_of_socket(&found, at(1), at(2)), Some(1000));
        assert_eq!(owner_of_socket(&found, at(2), at(1)), None);
        found.inode = 0;
        assert_eq!(owner_of_socket(&found, at(1), at(2)), None);
    }

    #[test]
    fn refusal_differs_from_absence() {
        let at = SocketAddr::from(([127, 0, 0, 1], 1));
        let refused = |code: i32| {
            let mut error = netlink_packet_core::ErrorMessage::default();
            error.code = std::num::NonZeroI32::new(code);
            owner(NetlinkPayload::Error(error), at, at)
        };
        assert_eq!(refused(-2).expect("absent"), None);
        assert!(refused(-1).is_err());
    }

    #[test]
    fn listeners_at_the_same_address_own_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let theirs = listener.local_addr().expect("an address");
        let ours = SocketAddr::from(([127, 0, 0, 1], 9));
        assert_eq!(SockDiag::open().expect("the kernel").owner(theirs, ours).expect("an answer"), None);
    }
}
