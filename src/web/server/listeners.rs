//! The listeners of the page: a port on loopback and a Unix socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};

use super::peer_uid::OwnerCheck;
use crate::proto::limits::WEB_PORTS;
use crate::system::io_error_text;

/// The choice of the port on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortSelection {
    /// The usual port, or the next free one.
    Usual,
    /// This port and no other. 0 is any free one.
    Given(u16),
    /// No port: only the Unix socket.
    Closed,
}

/// The reason for which the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process listens on the port.
    #[error("port {1} of {0} is taken")]
    PortTaken(IpAddr, u16),
    /// The system refuses the port.
    #[error("cannot listen on port {} of {}: {}", .1, .0, io_error_text(.2))]
    Port(IpAddr, u16, io::Error),
}

/// The open listeners.
#[derive(Default)]
pub struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Option<UnixListener>,
    guard: Option<PortGuard>,
}

/// The restriction of the port on a shared machine: one host name, and on Linux the connections of
/// one user.
#[derive(Clone)]
pub(crate) struct PortGuard {
    /// The host name of this start.
    pub(crate) host: Arc<str>,
    /// The check of a connection's user. None on a Linux whose kernel cannot be queried: then no
    /// connection is accepted. Other systems have no such query, and the check accepts every
    /// connection.
    pub(crate) owners: Option<Arc<OwnerCheck>>,
}

impl Listeners {
    /// Listens on a port of 127.0.0.1, in addition to a bound Unix socket.
    pub async fn open(port: PortSelection, unix: Option<UnixListener>) -> Result<Self, ListenError> {
        let listen = async |port| Ok(vec![listen(Ipv4Addr::LOCALHOST.into(), port).await?]);
        Ok(Self { tcp: open_port(port, listen).await?, unix, guard: None })
    }

    /// Listens on a machine that other people use as well: the port accepts only connections of
    /// this user, and its page has the name `host`.
    ///
    /// `host` is a name under .localhost. Browsers try it at `::1` first, so both addresses are
    /// bound: otherwise another user could serve the page's origin at the other one.
    pub async fn open_shared(port: PortSelection, unix: Option<UnixListener>, host: &str) -> Result<Self, ListenError> {
        let tcp = open_port(port, listen_on_both).await?;
        let Some(first) = tcp.first() else { return Ok(Self { tcp, unix, guard: None }) };
        let mut owners = OwnerCheck::start().ok();
        if let Some(check) = &owners
            && !check.works_at(first).await
        {
            owners = None;
        }
        if owners.is_none() {
            tracing::warn!(
                "this system doesn't tell which user connects to the page's port, so the port accepts no connections; \
                 open the page through its socket"
            );
        }
        let guard = PortGuard { host: host.into(), owners: owners.map(Arc::new) };
        Ok(Self { tcp, unix, guard: Some(guard) })
    }

    /// Returns the open port on loopback.
    pub fn port(&self) -> Option<u16> {
        Some(self.tcp.first()?.local_addr().ok()?.port())
    }

    pub(crate) fn split(self) -> (Vec<TcpListener>, Option<UnixListener>, Option<PortGuard>) {
        (self.tcp, self.unix, self.guard)
    }
}

async fn listen(ip: IpAddr, port: u16) -> Result<TcpListener, ListenError> {
    TcpListener::bind((ip, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::PortTaken(ip, port),
        _ => ListenError::Port(ip, port, error),
    })
}

/// Listens on one port at both addresses of loopback, or at the IPv4 one if the machine has no
/// IPv6.
async fn listen_on_both(port: u16) -> Result<Vec<TcpListener>, ListenError> {
    let ipv4 = listen(Ipv4Addr::LOCALHOST.into(), port).await?;
    let port = ipv4.local_addr().map_err(|error| ListenError::Port(Ipv4Addr::LOCALHOST.into(), port, error))?.port();
    match listen(Ipv6Addr::LOCALHOST.into(), port).await {
        Ok(ipv6) => Ok(vec![ipv4, ipv6]),
        Err(taken @ ListenError::PortTaken(..)) => Err(taken),
        Err(ListenError::Port(..)) => Ok(vec![ipv4]),
    }
}

async fn open_port(
    port: PortSelection,
    listen: impl AsyncFn(u16) -> Result<Vec<TcpListener>, ListenError>,
) -> Result<Vec<TcpListener>, ListenError> {
    // A free port at one address may be taken at the other, so several are tried.
    let tries = match port {
        PortSelection::Closed => return Ok(Vec::new()),
        PortSelection::Given(0) => vec![0; WEB_PORTS.len()],
        PortSelection::Given(port) => return listen(port).await,
        PortSelection::Usual => WEB_PORTS.chain([0]).collect(),
    };
    for port in tries {
        if let Ok(listeners) = listen(port).await {
            return Ok(listeners);
        }
    }
    listen(0).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_an_error_if_it_was_asked_for() {
        let first = Listeners::open(PortSelection::Given(0), None).await.expect("any port");
        let port = first.port().expect("a port");
        let again = Listeners::open(PortSelection::Given(port), None).await;
        assert!(matches!(again, Err(ListenError::PortTaken(_, taken)) if taken == port));
        assert!(Listeners::open(PortSelection::Usual, None).await.expect("one of many").port() != Some(port));
        assert_eq!(Listeners::open(PortSelection::Closed, None).await.expect("nothing").port(), None);
    }

    #[tokio::test]
    async fn shared_machines_need_both_addresses() {
        let Ok(squatter) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else { return };
        let port = squatter.local_addr().expect("an address").port();
        let taken = Listeners::open_shared(PortSelection::Given(port), None, "a.localhost").await;
        assert!(matches!(taken, Err(ListenError::PortTaken(ip, _)) if ip.is_ipv6()));
        drop(squatter);
        let listeners =
            Listeners::open_shared(PortSelection::Given(port), None, "a.localhost").await.expect("a free port");
        assert_eq!(listeners.port(), Some(port));
        assert!(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.is_err());
    }
}
