//! Where the page is served: a port of loopback and a Unix socket, nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};

use super::owner::OwnerCheck;
use crate::proto::limits::WEB_PORT;
use crate::system::said;

/// Which port of loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The usual one, or the next free one.
    Usual,
    /// This one and no other; 0: any that is free.
    Given(u16),
    /// None: only the Unix socket.
    Closed,
}

/// Why the page can't be served there.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Another process listens there already.
    #[error("port {1} of {0} is taken")]
    PortTaken(IpAddr, u16),
    /// The system does not let us listen there.
    #[error("cannot listen on port {} of {}: {}", .1, .0, said(.2))]
    Port(IpAddr, u16, io::Error),
}

/// The open doors.
#[derive(Default)]
pub struct Doors {
    tcp: Vec<TcpListener>,
    unix: Option<UnixListener>,
    guard: Option<PortGuard>,
}

/// What the port of a shared machine admits: one name, and on Linux the connections of one user.
#[derive(Clone)]
pub(super) struct PortGuard {
    /// The host name of this start.
    pub(super) host: Arc<str>,
    /// None on a Linux where the kernel cannot be asked: then there is no connection to admit. Other
    /// systems have no such query, and there the check admits every connection.
    pub(super) owners: Option<Arc<OwnerCheck>>,
}

impl Doors {
    /// Listens on a port of 127.0.0.1, beside a Unix socket that is bound already.
    pub async fn open(port: Port, unix: Option<UnixListener>) -> Result<Self, DoorError> {
        let listen = async |port| Ok(vec![listen(Ipv4Addr::LOCALHOST.into(), port).await?]);
        Ok(Self { tcp: open_port(port, listen).await?, unix, guard: None })
    }

    /// Listens as on a machine that other people use as well: the port is for connections of this
    /// user, and its page for the name `host`.
    ///
    /// `host` is a name under .localhost. Browsers look for it at `::1` first, so both addresses
    /// are taken: another user could serve the origin of the page at the one that was left.
    pub async fn open_shared(port: Port, unix: Option<UnixListener>, host: &str) -> Result<Self, DoorError> {
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
                "this system does not say which user connects to the page's port: the port takes no connection; \
                 open the page through its socket"
            );
        }
        let guard = PortGuard { host: host.into(), owners: owners.map(Arc::new) };
        Ok(Self { tcp, unix, guard: Some(guard) })
    }

    /// The port that is open on loopback.
    pub fn port(&self) -> Option<u16> {
        Some(self.tcp.first()?.local_addr().ok()?.port())
    }

    pub(super) fn split(self) -> (Vec<TcpListener>, Option<UnixListener>, Option<PortGuard>) {
        (self.tcp, self.unix, self.guard)
    }
}

async fn listen(ip: IpAddr, port: u16) -> Result<TcpListener, DoorError> {
    TcpListener::bind((ip, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => DoorError::PortTaken(ip, port),
        _ => DoorError::Port(ip, port, error),
    })
}

/// Listens on one port at both addresses of loopback; at the one alone where the machine has no
/// IPv6.
async fn listen_on_both(port: u16) -> Result<Vec<TcpListener>, DoorError> {
    let ipv4 = listen(Ipv4Addr::LOCALHOST.into(), port).await?;
    let port = ipv4.local_addr().map_err(|error| DoorError::Port(Ipv4Addr::LOCALHOST.into(), port, error))?.port();
    match listen(Ipv6Addr::LOCALHOST.into(), port).await {
        Ok(ipv6) => Ok(vec![ipv4, ipv6]),
        Err(taken @ DoorError::PortTaken(..)) => Err(taken),
        Err(DoorError::Port(..)) => Ok(vec![ipv4]),
    }
}

async fn open_port(
    port: Port,
    listen: impl AsyncFn(u16) -> Result<Vec<TcpListener>, DoorError>,
) -> Result<Vec<TcpListener>, DoorError> {
    let (first, more) = WEB_PORT;
    // Any free port: one that is free at one address may be taken at the other.
    let tries = match port {
        Port::Closed => return Ok(Vec::new()),
        Port::Given(0) => vec![0; usize::from(more)],
        Port::Given(port) => return listen(port).await,
        Port::Usual => (first..=first + more).chain([0]).collect(),
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
        let first = Doors::open(Port::Given(0), None).await.expect("any port");
        let port = first.port().expect("a port");
        let again = Doors::open(Port::Given(port), None).await;
        assert!(matches!(again, Err(DoorError::PortTaken(_, taken)) if taken == port));
        assert!(Doors::open(Port::Usual, None).await.expect("one of many").port() != Some(port));
        assert_eq!(Doors::open(Port::Closed, None).await.expect("nothing").port(), None);
    }

    #[tokio::test]
    async fn shared_machines_need_both_addresses() {
        let Ok(squatter) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else { return };
        let port = squatter.local_addr().expect("an address").port();
        let taken = Doors::open_shared(Port::Given(port), None, "a.localhost").await;
        assert!(matches!(taken, Err(DoorError::PortTaken(ip, _)) if ip.is_ipv6()));
        drop(squatter);
        let doors = Doors::open_shared(Port::Given(port), None, "a.localhost").await.expect("a free port");
        assert_eq!(doors.port(), Some(port));
        assert!(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.is_err());
    }
}
