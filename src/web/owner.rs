//! Whose connection it is: on a shared machine, other users can reach a port of 127.0.0.1 as well.
//!
//! Linux lists every TCP socket with the user who made it. Ours and root's may stay (root can read our memory anyway);
//! whose socket is closed already is nobody. Where there is no such list, nothing is refused: the token is what keeps
//! others out, this keeps them from trying.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpStream;

/// Who made the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// This user.
    User(u32),
    /// Nobody any more: it is closed.
    Nobody,
    /// The system does not say.
    Unknown,
}

/// Whether the other end of a connection within this machine is this user's or root's.
pub(super) async fn may_connect(stream: &TcpStream) -> bool {
    let (Ok(theirs), Ok(ours)) = (stream.peer_addr(), stream.local_addr()) else { return false };
    // The list is made when it is read, and long on a busy machine. A task that can't run is a node that stops.
    match tokio::task::spawn_blocking(move || owner(theirs, ours)).await {
        Ok(Owner::User(uid)) => uid == 0 || uid == rustix::process::geteuid().as_raw(),
        Ok(Owner::Unknown) => true,
        Ok(Owner::Nobody) | Err(_) => false,
    }
}

fn owner(theirs: SocketAddr, ours: SocketAddr) -> Owner {
    let Ok(table) = std::fs::read_to_string("/proc/net/tcp") else { return Owner::Unknown };
    if let Some(owner) = find(&table, theirs, ours) {
        return owner;
    }
    // A socket of the other family can hold a connection of this one.
    let table = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    find(&table, theirs, ours).unwrap_or(Owner::Nobody)
}

/// The row whose own end is `theirs` and whose other end is `ours`.
fn find(table: &str, theirs: SocketAddr, ours: SocketAddr) -> Option<Owner> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let ends = (address(columns.next()?)?, address(columns.next()?)?);
        if ends != (theirs, ours) {
            return None;
        }
        // State, queues, timer, retransmissions; then the user, a timeout, and the socket's inode: 0 once it is closed.
        let uid = columns.nth(4)?.parse().ok()?;
        let is_open = columns.nth(1)? != "0";
        Some(if is_open { Owner::User(uid) } else { Owner::Nobody })
    })
}

/// `0100007F:1E00` is 127.0.0.1:7680: words of four bytes as the machine keeps them, and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..ip.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(ipv4) => IpAddr::from(Ipv4Addr::from(ipv4)),
        Err(_) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(all(test, target_os = "linux", target_endian = "little"))]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1E00 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0 100 0 0 10 0
   1: 0100007F:C001 0100007F:1E00 01 00000000:00000000 00:00000000 00000000  1001        0 12 1 0 20 4 30 10 -1
   2: 0100007F:1E00 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 13 1 0 20 4 30 10 -1
   3: 0100007F:C002 0100007F:1E00 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   4: 0000000000000000FFFF00000100007F:C003 0000000000000000FFFF00000100007F:1E00 01 0:0 00:0 0 1002 0 14 1
";

    #[test]
    fn the_row_of_the_other_end_says_whose_it_is() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let check = |port, expected| assert_eq!(find(TABLE, at(port), at(0x1e00)), expected, "{port:x}");
        check(0xc001, Some(Owner::User(1001)));
        check(0xc002, Some(Owner::Nobody));
        check(0xc003, Some(Owner::User(1002)));
        check(0xc004, None);
    }

    #[tokio::test]
    async fn our_own_connections_stay() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        assert!(may_connect(&stream).await);
        drop(client);
    }
}
