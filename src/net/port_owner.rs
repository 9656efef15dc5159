//! Finds the process and user that own a local port.
//!
//! Used to say which program holds a port that is in use, and to detect that another user took over
//! the page's port. It reads `/proc` with this user's rights: processes of other users stay
//! unnamed, their user ids do not. Without `/proc` it finds nothing.

use std::fmt;
use std::fs;
use std::net::IpAddr;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The state of an unconnected socket in `/proc/net/udp`.
const UNCONNECTED: &str = "07";

/// 127.0.0.1 and the wildcard addresses as `/proc` writes them, in both byte orders. A listener at
/// one of these receives connections to 127.0.0.1.
const REACHED_BY_IPV4: [&str; 7] = [
    "0100007F",
    "7F000001",
    "00000000",
    "00000000000000000000000000000000",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000FFFF7F000001",
    "0000000000000000FFFF000000000000",
];

/// The same for `[::1]`.
const REACHED_BY_IPV6: [&str; 3] =
    ["00000000000000000000000001000000", "00000000000000000000000000000001", "00000000000000000000000000000000"];

/// The owner of a port. Its text continues a sentence after "taken" or "in use".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortOwner {
    /// The user id of the socket.
    pub uid: u32,
    /// The process id. `None` if this user may not see it.
    pub pid: Option<u32>,
}

impl PortOwner {
    /// Returns true if it belongs to another user than this process.
    pub fn is_another_user(&self) -> bool {
        self.uid != rustix::process::geteuid().as_raw()
    }
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "by process {pid}")?,
            None => f.write_str("by a process")?,
        }
        if self.pid.is_none() || self.is_another_user() {
            write!(f, " of user {}", self.uid)?;
        }
        Ok(())
    }
}

/// Finds the listener of TCP `port` that receives connections to the loopback address `ip`.
pub fn of_tcp_port(ip: IpAddr, port: u16) -> Option<PortOwner> {
    let reached: &[&str] = if ip.is_ipv4() { &REACHED_BY_IPV4 } else { &REACHED_BY_IPV6 };
    find(&["tcp", "tcp6"], LISTENING, port, |address| reached.contains(&address))
}

/// Finds the socket bound to UDP `port`, at any address.
pub fn of_udp_port(port: u16) -> Option<PortOwner> {
    find(&["udp", "udp6"], UNCONNECTED, port, |_| true)
}

fn find(tables: &[&str], state: &str, port: u16, is_meant: impl Fn(&str) -> bool) -> Option<PortOwner> {
    let tables = tables.iter().filter_map(|table| fs::read_to_string(format!("/proc/self/net/{table}")).ok());
    let sockets: Vec<SocketEntry> = tables
        .flat_map(|table| {
            table.lines().filter_map(|line| SocketEntry::read(line, state, port, &is_meant)).collect::<Vec<_>>()
        })
        .collect();
    // Prefers a socket of another user: that is the one to report.
    let ours = rustix::process::geteuid().as_raw();
    let socket = sockets.iter().find(|socket| socket.uid != ours).or_else(|| sockets.first())?;
    Some(PortOwner { uid: socket.uid, pid: process_with(&format!("socket:[{}]", socket.inode)) })
}

/// A row of a `/proc/net` table.
struct SocketEntry {
    uid: u32,
    inode: String,
}

impl SocketEntry {
    /// Parses a row. Returns `None` unless state and port match and `is_meant` accepts the address.
    fn read(line: &str, state: &str, port: u16, is_meant: impl Fn(&str) -> bool) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, at) = fields.get(1)?.rsplit_once(':')?;
        let matches = u16::from_str_radix(at, 16) == Ok(port) && *fields.get(3)? == state && is_meant(address);
        matches.then(|| Some(Self { uid: fields.get(7)?.parse().ok()?, inode: (*fields.get(9)?).to_owned() }))?
    }
}

fn process_with(socket: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.find(|pid: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        files.flatten().filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == socket)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

    const IPV4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const IPV6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn us() -> Option<PortOwner> {
        Some(PortOwner { uid: rustix::process::geteuid().as_raw(), pid: Some(std::process::id()) })
    }

    #[test]
    fn listener_is_found_and_free_port_has_no_owner() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().expect("an address").port();
            assert_eq!(of_tcp_port(IPV4, port), us(), "{address}");
            drop(listener);
            assert_eq!(of_tcp_port(IPV4, port), None, "{address}");
        }
        let elsewhere = TcpListener::bind("127.0.0.9:0").expect("a port");
        assert_eq!(
            of_tcp_port(IPV4, elsewhere.local_addr().expect("an address").port()),
            None,
            "no browser at 127.0.0.1 meets that one"
        );
        if let Ok(ipv6) = TcpListener::bind("[::1]:0") {
            let port = ipv6.local_addr().expect("an address").port();
            assert_eq!((of_tcp_port(IPV6, port), of_tcp_port(IPV4, port)), (us(), None));
        }
        let socket = UdpSocket::bind("127.0.0.9:0").expect("a port");
        assert_eq!(of_udp_port(socket.local_addr().expect("an address").port()), us());
    }

    #[test]
    fn foreign_process_is_named_by_its_user() {
        let told = |uid, pid| PortOwner { uid, pid }.to_string();
        let ours = rustix::process::geteuid().as_raw();
        assert_eq!(told(ours, Some(7)), "by process 7");
        assert_eq!(told(ours + 1, Some(7)), format!("by process 7 of user {}", ours + 1));
        assert_eq!(told(ours + 1, None), format!("by a process of user {}", ours + 1));
    }
}
