//! The TCP connections between nodes as the kernel counts them, independent of what a node reports.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::node::Node;
use super::{Context, Result, ensure};

/// Both ends of a connection, the own one first.
type Ends = (SocketAddr, SocketAddr);

/// How the kernel writes an established connection.
const ESTABLISHED: &str = "01";

/// That every two of these nodes share exactly one established TCP connection.
pub fn one_link_per_pair(nodes: &[&Node]) -> Result<()> {
    let connections = nodes.iter().map(|node| connections_of(node.pid())).collect::<Result<Vec<_>>>()?;
    for (at, first) in connections.iter().enumerate() {
        for (other, second) in connections.iter().enumerate().skip(at + 1) {
            let shared = first.iter().filter(|&&(own, peer)| second.contains(&(peer, own))).count();
            let (one, two) = (nodes[at].name(), nodes[other].name());
            ensure!(shared == 1, "{shared} connections between {one} and {two}");
        }
    }
    Ok(())
}

/// The established connections of a process.
fn connections_of(pid: u32) -> Result<BTreeSet<Ends>> {
    let sockets = sockets_of(pid)?;
    let mut connections = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/{pid}/net/{table}");
        let text = std::fs::read_to_string(&path).context(path)?;
        connections.extend(text.lines().skip(1).filter_map(|line| established(line, &sockets)));
    }
    Ok(connections)
}

/// The inodes of the sockets that a process has open.
fn sockets_of(pid: u32) -> Result<BTreeSet<String>> {
    let mut sockets = BTreeSet::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor may have been closed since it was listed.
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        if let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            sockets.insert(inode.to_owned());
        }
    }
    Ok(sockets)
}

fn established(line: &str, sockets: &BTreeSet<String>) -> Option<Ends> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (own, peer, state, inode) = (columns.get(1)?, columns.get(2)?, columns.get(3)?, columns.get(9)?);
    if *state != ESTABLISHED || !sockets.contains(*inode) {
        return None;
    }
    Some((address(own)?, address(peer)?))
}

/// `0100007F:1F90`: words of the address in the machine's byte order, the port in hex.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Option<Vec<u32>> =
        (0..address.len()).step_by(8).map(|at| u32::from_str_radix(address.get(at..at + 8)?, 16).ok()).collect();
    let bytes: Vec<u8> = words?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}
