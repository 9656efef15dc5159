//! Where the page is served: a port of 127.0.0.1 and a Unix socket, nowhere else.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, UnixListener};

use crate::proto::limits::WEB_PORT;
use crate::system::said;

/// Which port of 127.0.0.1.
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
    /// Somebody listens there already.
    #[error("port {0} of 127.0.0.1 is taken")]
    PortTaken(u16),
    /// The system does not let us listen there.
    #[error("cannot listen on port {} of 127.0.0.1: {}", .0, said(.1))]
    Port(u16, io::Error),
}

/// The open doors.
pub struct Doors {
    tcp: Option<TcpListener>,
    unix: Option<UnixListener>,
}

impl Doors {
    /// Listens on a port, beside a Unix socket that is bound already.
    pub async fn open(port: Port, unix: Option<UnixListener>) -> Result<Self, DoorError> {
        let tcp = open_port(port).await?;
        Ok(Self { tcp, unix })
    }

    /// The port that is open on 127.0.0.1.
    pub fn port(&self) -> Option<u16> {
        Some(self.tcp.as_ref()?.local_addr().ok()?.port())
    }

    pub(super) fn split(self) -> (Option<TcpListener>, Option<UnixListener>) {
        (self.tcp, self.unix)
    }
}

async fn open_port(port: Port) -> Result<Option<TcpListener>, DoorError> {
    let listen = async |port: u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => DoorError::PortTaken(port),
            _ => DoorError::Port(port, error),
        })
    };
    match port {
        Port::Closed => Ok(None),
        Port::Given(port) => listen(port).await.map(Some),
        Port::Usual => {
            let (first, more) = WEB_PORT;
            for port in first..=first + more {
                if let Ok(listener) = listen(port).await {
                    return Ok(Some(listener));
                }
            }
            listen(0).await.map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_an_error_if_it_was_asked_for() {
        let first = Doors::open(Port::Given(0), None).await.expect("any port");
        let port = first.port().expect("a port");
        assert!(
            matches!(Doors::open(Port::Given(port), None).await, Err(DoorError::PortTaken(taken)) if taken == port)
        );
        assert!(Doors::open(Port::Usual, None).await.expect("one of many").port() != Some(port));
        assert_eq!(Doors::open(Port::Closed, None).await.expect("nothing").port(), None);
    }
}
