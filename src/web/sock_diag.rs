//! Asks the Linux kernel which user owns one TCP socket: sock_diag(7) over netlink, for one pair of
//! addresses.
//!
//! An exact query costs a lookup in a hash table. A dump, or `/proc/net/tcp`, costs a pass over all
//! sockets of the machine, and their number is up to its users.
//!
//! Query and answer are one fixed structure each, in the machine's byte order, with ports and
//! addresses in that of the network. They are written out here: crates for netlink bring many more
//! messages than this one.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BufMut as _, TryGetError};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// `AF_NETLINK` and `NETLINK_SOCK_DIAG`: the way to the kernel's table of sockets.
const NETLINK: (i32, i32) = (16, 4);

/// `SOCK_DIAG_BY_FAMILY`, the type of query and answer.
const BY_FAMILY: u16 = 20;

/// `NLMSG_ERROR`, the type of a refusal.
const ERROR: u16 = 2;

/// `NLM_F_REQUEST` without `NLM_F_DUMP`: a query for one socket.
const REQUEST: u16 = 1;

/// `AF_INET` and `AF_INET6`.
const FAMILIES: (u8, u8) = (2, 10);

/// `IPPROTO_TCP`.
const TCP: u8 = 6;

/// `TCP_LISTEN`, the state of a socket that waits for connections.
const LISTENING: u8 = 10;

/// The bytes of `nlmsghdr` with `inet_diag_req_v2`.
const QUERY_BYTES: usize = 16 + 56;

/// Longer than any answer about one socket.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A connection to the kernel.
pub(super) struct SockDiag {
    socket: Socket,
    /// The number of the last query. Answers to earlier ones are skipped.
    sequence: u32,
}

impl SockDiag {
    pub(super) fn open() -> io::Result<Self> {
        let (domain, protocol) = NETLINK;
        let socket = Socket::new(Domain::from(domain), Type::DGRAM, Some(Protocol::from(protocol)))?;
        // The kernel answers while it takes the query: an answer that is not there then does not
        // come.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Returns the user who owns the socket at `theirs` that is connected with `ours`; none if it
    /// is closed.
    pub(super) fn owner(&mut self, theirs: SocketAddr, ours: SocketAddr) -> io::Result<Option<u32>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&query(self.sequence, theirs, ours))?;
        let mut answer = [0; ANSWER_BYTES_MAX];
        loop {
            let count = (&self.socket).read(&mut answer)?;
            match Answer::read(&answer[..count]).map_err(io::Error::other)? {
                Some((sequence, answer)) if sequence == self.sequence => return answer.owner(theirs, ours),
                _ => {}
            }
        }
    }
}

/// A query for one socket: its own end is `theirs`, its other end `ours`.
fn query(sequence: u32, theirs: SocketAddr, ours: SocketAddr) -> Vec<u8> {
    let mut query = Vec::with_capacity(QUERY_BYTES);
    query.put_u32_ne(QUERY_BYTES as u32);
    query.put_u16_ne(BY_FAMILY);
    query.put_u16_ne(REQUEST);
    query.put_u32_ne(sequence);
    query.put_u32_ne(0); // from this process, to the kernel
    // An IPv6 socket with mapped addresses is found by its IPv4 addresses, too.
    query.put_u8(if theirs.is_ipv4() { FAMILIES.0 } else { FAMILIES.1 });
    query.put_u8(TCP);
    query.put_u16_ne(0); // no extensions, and padding
    query.put_u32_ne(u32::MAX); // in each state
    query.put_u16(theirs.port());
    query.put_u16(ours.port());
    for ip in [theirs.ip(), ours.ip()] {
        match ip {
            IpAddr::V4(ip) => query.put_slice(&[&ip.octets()[..], &[0; 12]].concat()),
            IpAddr::V6(ip) => query.put_slice(&ip.octets()),
        }
    }
    query.put_u32_ne(0); // on each interface
    query.put_u64_ne(u64::MAX); // with any cookie
    query
}

/// The kernel's answer.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Found(Found),
    /// An error number, negative.
    Refused(i32),
}

/// A socket.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    state: u8,
    source: SocketAddr,
    destination: SocketAddr,
    uid: u32,
    inode: u32,
}

impl Answer {
    /// Reads an answer and the number of its query; none of another type.
    fn read(mut bytes: &[u8]) -> Result<Option<(u32, Self)>, TryGetError> {
        let bytes = &mut bytes;
        bytes.try_get_u32_ne()?; // its length
        let r#type = bytes.try_get_u16_ne()?;
        bytes.try_get_u16_ne()?; // flags
        let sequence = bytes.try_get_u32_ne()?;
        bytes.try_get_u32_ne()?; // to whom
        Ok(match r#type {
            BY_FAMILY => Some((sequence, Self::Found(Found::read(bytes)?))),
            ERROR => Some((sequence, Self::Refused(bytes.try_get_i32_ne()?))),
            _ => None,
        })
    }

    fn owner(&self, theirs: SocketAddr, ours: SocketAddr) -> io::Result<Option<u32>> {
        match self {
            Self::Found(socket) => Ok(socket.owner(theirs, ours)),
            Self::Refused(number) if -number == Errno::NOENT.raw_os_error() => Ok(None),
            Self::Refused(number) => Err(io::Error::from_raw_os_error(-number)),
        }
    }
}

impl Found {
    /// Reads `inet_diag_msg`.
    fn read(bytes: &mut &[u8]) -> Result<Self, TryGetError> {
        let family = bytes.try_get_u8()?;
        let state = bytes.try_get_u8()?;
        bytes.try_get_u16_ne()?; // timer, retransmissions
        let ports = [bytes.try_get_u16()?, bytes.try_get_u16()?];
        let ips = [ip(bytes, family)?, ip(bytes, family)?];
        bytes.try_get_u32_ne()?; // interface
        bytes.try_get_u64_ne()?; // cookie
        bytes.try_get_u64_ne()?; // expiry, bytes to read
        bytes.try_get_u32_ne()?; // bytes to send
        let (uid, inode) = (bytes.try_get_u32_ne()?, bytes.try_get_u32_ne()?);
        let [source, destination] = [0, 1].map(|at| SocketAddr::new(ips[at], ports[at]));
        Ok(Self { state, source, destination, uid, inode })
    }

    /// The owner, if this is the open connection from `theirs` to `ours`.
    ///
    /// For a connection that has ended the kernel may name a listener at the same address, or a
    /// remnant that belongs to root by default. A remnant has no inode.
    fn owner(&self, theirs: SocketAddr, ours: SocketAddr) -> Option<u32> {
        let is_connection = self.state != LISTENING && (self.source, self.destination) == (theirs, ours);
        (is_connection && self.inode != 0).then_some(self.uid)
    }
}

/// An address; one of IPv4 that is mapped is one of IPv4.
fn ip(bytes: &mut &[u8], family: u8) -> Result<IpAddr, TryGetError> {
    let bits = bytes.try_get_u128()?;
    Ok(if family == FAMILIES.0 {
        Ipv4Addr::from_bits((bits >> 96) as u32).into()
    } else {
        IpAddr::from(Ipv6Addr::from_bits(bits)).to_canonical()
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

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
        let found = Found { state: 1, source: at(1), destination: at(2), uid: 1000, inode: 5 };
        assert_eq!(found.owner(at(1), at(2)), Some(1000));
        assert_eq!(found.owner(at(2), at(1)), None);
        assert_eq!(Found { inode: 0, uid: 0, ..found }.owner(at(1), at(2)), None);
    }

    #[test]
    fn refusals_are_told_from_absence() {
        let refused = |number: i32| {
            let mut bytes = vec![0; 20];
            bytes[4..6].copy_from_slice(&ERROR.to_ne_bytes());
            bytes[8..12].copy_from_slice(&7_u32.to_ne_bytes());
            bytes[16..].copy_from_slice(&number.to_ne_bytes());
            Answer::read(&bytes).expect("whole")
        };
        let at = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(refused(-2), Some((7, Answer::Refused(-2))));
        assert_eq!(Answer::Refused(-2).owner(at, at).expect("absent"), None);
        assert!(Answer::Refused(-1).owner(at, at).is_err());
        assert!(Answer::read(&[0; 15]).is_err());
    }

    #[test]
    fn listeners_at_the_same_address_own_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let theirs = listener.local_addr().expect("an address");
        let ours = SocketAddr::from(([127, 0, 0, 1], 9));
        assert_eq!(SockDiag::open().expect("the kernel").owner(theirs, ours).expect("an answer"), None);
    }
}
