//! Why the network side cannot start.

use std::io;
use std::net::IpAddr;

use super::{TlsError, port_owner};
use crate::system::io_error_text;

/// Why the network side cannot start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// `--host` names an address that this machine does not have.
    #[error("{host} is not an address of this machine; --host takes one of these: {}", list(.addresses))]
    HostNotOurs {
        /// The address in `--host`.
        host: IpAddr,
        /// The machine's addresses.
        addresses: Vec<IpAddr>,
    },
    /// The machine has no address at all.
    #[error("no network interface is up, not even loopback; bring one up (`ip link set lo up`) and start again")]
    NoNetwork,
    /// The interfaces cannot be listed.
    #[error("the network interfaces can't be listed ({})", io_error_text(.0))]
    Interfaces(#[source] io::Error),
    /// The UDP port cannot be opened; usually another program uses it exclusively.
    #[error("UDP port {port} {}\nend that program, or choose another port with --port on all nodes", describe_udp_error(*port, error))]
    Udp {
        /// The port.
        port: u16,
        /// The system's error.
        error: io::Error,
    },
    /// No TCP port can be opened.
    #[error(
        "no TCP port can be opened on {address} ({}); check the address and the limit of open files",
        io_error_text(error)
    )]
    Tcp {
        /// The address.
        address: String,
        /// The system's error.
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Describes why a UDP port cannot be opened, and names its owner if `/proc` shows it.
fn describe_udp_error(port: u16, error: &io::Error) -> String {
    match port_owner::of_udp_port(port).filter(|_| error.kind() == io::ErrorKind::AddrInUse) {
        Some(owner) => format!("is taken {owner}, which shares it with nobody"),
        None => format!("can't be used: {}", io_error_text(error)),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}
