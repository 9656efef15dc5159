//! Where the page is served: the Unix socket always, a port of 127.0.0.1 unless it is not wanted.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::config::{Config, WebPort};
use crate::identity::{self, DataDir};
use crate::net::holder;
use crate::proto::ids::NodeId;
use crate::system::said;
use crate::web::door::{DoorError, Port};
use crate::web::{self, Doors};

/// Why the page can't be served.
#[derive(Debug, thiserror::Error)]
pub enum DoorsError {
    /// The Unix socket.
    #[error(transparent)]
    Socket(#[from] identity::Error),
    /// The Unix socket, once it was made.
    #[error("cannot listen on the page's socket: {}\ntry again; if that does not help, restart the machine", said(.0))]
    Listen(std::io::Error),
    /// The port.
    #[error("{0}{by}\nuse another one with --web-port, 0 for any free port, or none for the Unix socket alone", by = by(.0))]
    Port(#[from] DoorError),
}

/// Who has the port, where that can be found out.
fn by(error: &DoorError) -> String {
    let DoorError::PortTaken(ip, port) = error else { return String::new() };
    holder::of_tcp_port(*ip, *port).map(|holder| format!(" {holder}")).unwrap_or_default()
}

/// The host of every link to the page: 127.0.0.1, or on a shared machine a name that no process had
/// before.
///
/// A page's storage and service workers belong to its origin. So another user who held the port
/// while the node was stopped has nothing in the origin of the next start.
pub(super) fn host(is_shared: bool) -> String {
    if is_shared { format!("{:016x}.localhost", rand::random::<u64>()) } else { Ipv4Addr::LOCALHOST.to_string() }
}

/// Opens both; returns where the socket is and which port it became.
pub(super) async fn open(
    directory: &mut DataDir,
    config: &Config,
    own: NodeId,
    shared_host: Option<&str>,
) -> Result<(Doors, PathBuf, Option<u16>), DoorsError> {
    let wanted = match config.web_port {
        WebPort::None => Port::Closed,
        WebPort::Fixed(port) => Port::Given(port),
        WebPort::Any => Port::Given(0),
        WebPort::Usual => Port::Usual,
    };
    let (listener, path) = directory.listen(config.web_socket.as_deref(), &own.short())?;
    let unix = listen(listener).map_err(DoorsError::Listen)?;
    let doors = match shared_host {
        Some(host) => Doors::open_shared(wanted, Some(unix), host).await?,
        None => Doors::open(wanted, Some(unix)).await?,
    };
    let port = doors.port();
    Ok((doors, path, port))
}

fn listen(listener: std::os::unix::net::UnixListener) -> std::io::Result<tokio::net::UnixListener> {
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// The token; a new one on a shared machine, or if the port where the page was served last is another user's now, and a sentence that says so.
///
/// Whoever serves that port gets what browsers keep for it, and what a user types into a page of the same looks. An old link
/// must not be worth anything there. Called once the own doors are open: then who else has the port has it for good.
pub(super) fn token(
    directory: &DataDir,
    is_shared: bool,
) -> Result<(identity::Token, Option<String>), identity::Error> {
    let holder = |port| holder::of_tcp_port(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let last = directory.served_port().and_then(|port| Some((port, holder(port)?)));
    let Some((port, holder)) = last.filter(|(_, holder)| holder.is_another_user()) else {
        return Ok((if is_shared { directory.rotate_token()? } else { directory.token()? }, None));
    };
    let news = format!(
        "port {port} of 127.0.0.1, where the page was served last, is taken {holder}; the old link is worthless now, there is a new one"
    );
    tracing::warn!("{news}");
    Ok((directory.rotate_token()?, Some(news)))
}

/// The token as the page's server has it.
pub(super) fn web_token(token: &identity::Token) -> web::Token {
    web::Token::new(*token.bytes())
}
