//! Who holds a port of this machine: for the sentence that says that it is taken, and for the page, whose port another
//! user may have taken over.
//!
//! It only reads what the system shows to this user: others' processes stay unnamed, though not their users, and so does
//! everybody where there is no `/proc`.

use std::fmt;
use std::fs;
use std::net::IpAddr;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The state of a socket without another end in `/proc/net/udp`.
const UNCONNECTED: &str = "07";

/// 127.0.0.1 and the wildcards, as the tables write them on either kind of machine: a listener at
/// one of these gets the connections to 127.0.0.1.
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

/// Who holds a port. Printed, it goes on where a sentence says "taken" or "in use".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whose socket it is.
    pub uid: u32,
    /// Which process; none where it is not ours to see.
    pub pid: Option<u32>,
}

impl Holder {
    /// Whether it runs for another user than this program does.
    pub fn is_another_user(&self) -> bool {
        self.uid != rustix::process::geteuid().as_raw()
    }
}

impl fmt::Display for Holder {
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

/// Who listens on TCP `port`, at whatever address that loopback's `ip` reaches.
pub fn of_tcp_port(ip: IpAddr, port: u16) -> Option<Holder> {
    let reached: &[&str] = if ip.is_ipv4() { &REACHED_BY_IPV4 } else { &REACHED_BY_IPV6 };
    find(&["tcp", "tcp6"], LISTENING, port, |address| reached.contains(&address))
}

/// Who has UDP `port`, at whatever address.
pub fn of_udp_port(port: u16) -> Option<Holder> {
    find(&["udp", "udp6"], UNCONNECTED, port, |_| true)
}

fn find(tables: &[&str], state: &str, port: u16, is_meant: impl Fn(&str) -> bool) -> Option<Holder> {
    let tables = tables.iter().filter_map(|table| fs::read_to_string(format!("/proc/self/net/{table}")).ok());
    let sockets: Vec<Socket> = tables
        .flat_map(|table| {
            table.lines().filter_map(|line| Socket::read(line, state, port, &is_meant)).collect::<Vec<_>>()
        })
        .collect();
    // Of several the one that somebody else has: that is the one to be told of.
    let ours = rustix::process::geteuid().as_raw();
    let socket = sockets.iter().find(|socket| socket.uid != ours).or_else(|| sockets.first())?;
    Some(Holder { uid: socket.uid, pid: process_with(&format!("socket:[{}]", socket.inode)) })
}

/// What a table says of a socket.
struct Socket {
    uid: u32,
    inode: String,
}

impl Socket {
    /// The socket on this line of a table, if it is in this state, on this port and at an address that is meant.
    fn read(line: &str, state: &str, port: u16, is_meant: impl Fn(&str) -> bool) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, at) = fields.get(1)?.rsplit_once(':')?;
        let fits = u16::from_str_radix(at, 16) == Ok(port) && *fields.get(3)? == state && is_meant(address);
        fits.then(|| Some(Self { uid: fields.get(7)?.parse().ok()?, inode: (*fields.get(9)?).to_owned() }))?
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

    fn us() -> Option<Holder> {
        Some(Holder { uid: rustix::process::geteuid().as_raw(), pid: Some(std::process::id()) })
    }

    #[test]
    fn whoever_listens_is_named_and_a_free_port_is_nobodys() {
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
    fn others_are_named_by_their_user() {
        let told = |uid, pid| Holder { uid, pid }.to_string();
        let ours = rustix::process::geteuid().as_raw();
        assert_eq!(told(ours, Some(7)), "by process 7");
        assert_eq!(told(ours + 1, Some(7)), format!("by process 7 of user {}", ours + 1));
        assert_eq!(told(ours + 1, None), format!("by a process of user {}", ours + 1));
    }
}
