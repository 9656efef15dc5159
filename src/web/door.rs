//! Where the page is served: a port of 127.0.0.1 and a Unix socket, nowhere else.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use crate::proto::limits::{SOCKET_PATH_BYTES_MAX, WEB_PORT};

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
    #[error("cannot listen on port {0} of 127.0.0.1: {1}")]
    Port(u16, io::Error),
    /// The path does not fit into the system's address.
    #[error("the path of a Unix socket has at most {SOCKET_PATH_BYTES_MAX} bytes: {0}")]
    PathTooLong(PathBuf),
    /// Another process serves there.
    #[error("{0} is served by another process")]
    PathTaken(PathBuf),
    /// Something that is not ours to remove stands there.
    #[error("{0} exists and is not a socket")]
    NotASocket(PathBuf),
    /// The system does not let us listen there.
    #[error("cannot listen on {0}: {1}")]
    Path(PathBuf, io::Error),
}

/// The open doors. The file of the Unix socket goes with them.
pub struct Doors {
    tcp: Option<TcpListener>,
    unix: Option<(UnixListener, SocketFile)>,
}

impl Doors {
    /// Listens on both.
    pub async fn open(port: Port, socket: Option<&Path>) -> Result<Self, DoorError> {
        let tcp = open_port(port).await?;
        let unix = socket.map(open_socket).transpose()?;
        Ok(Self { tcp, unix })
    }

    /// The port that is open on 127.0.0.1.
    pub fn port(&self) -> Option<u16> {
        Some(self.tcp.as_ref()?.local_addr().ok()?.port())
    }

    pub(super) fn split(self) -> (Option<TcpListener>, Option<(UnixListener, SocketFile)>) {
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

fn open_socket(path: &Path) -> Result<(UnixListener, SocketFile), DoorError> {
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(DoorError::PathTooLong(path.to_owned()));
    }
    remove_stale(path)?;
    let failed = |error| DoorError::Path(path.to_owned(), error);
    let listener = UnixListener::bind(path).map_err(failed)?;
    // The directory is closed to others already, so nobody came in between.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let inode = fs::symlink_metadata(path).map_err(failed)?.ino();
    Ok((listener, SocketFile { path: path.to_owned(), inode }))
}

/// Removes the socket that a killed node left behind; nothing else is ever removed.
fn remove_stale(path: &Path) -> Result<(), DoorError> {
    let failed = |error| DoorError::Path(path.to_owned(), error);
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(failed)?,
    };
    if !metadata.file_type().is_socket() {
        return Err(DoorError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(DoorError::PathTaken(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// The file of a Unix socket, removed at the end if it is still the same one.
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            // Left behind, it is stale, and the next start removes it.
            let _ = fs::remove_file(&self.path);
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

    #[tokio::test]
    async fn only_a_stale_socket_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("page.sock");
        let open = async || Doors::open(Port::Closed, Some(&path)).await;
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket that nobody serves"));
        let doors = open().await.expect("the stale one is replaced");
        assert_eq!(fs::metadata(&path).expect("it exists").permissions().mode() & 0o777, 0o600);
        assert!(matches!(open().await, Err(DoorError::PathTaken(_))));
        drop(doors);
        assert!(!path.exists());
        fs::write(&path, "not ours").expect("a file");
        assert!(matches!(open().await, Err(DoorError::NotASocket(_))));
        let long = dir.path().join("x".repeat(120));
        assert!(matches!(Doors::open(Port::Closed, Some(&long)).await, Err(DoorError::PathTooLong(_))));
    }
}
