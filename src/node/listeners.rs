//! Opens the listeners of the page: the Unix socket always, and a port of 127.0.0.1 unless the user
//! does not want it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::config::{Config, WebPort};
use crate::identity::{self, DataDir};
use crate::net::port_owner;
use crate::proto::ids::NodeId;
use crate::system::io_error_text;
use crate::web::listeners::{ListenError, PortSelection};
use crate::web::{self, Listeners};

/// The error that keeps the page from being served.
#[derive(Debug, thiserror::Error)]
pub enum ListenersError {
    /// The Unix socket.
    #[error(transparent)]
    Socket(#[from] identity::Error),
    /// The Unix socket, once it was made.
    #[error("cannot listen on the page's socket: {}\ntry again; if that does not help, restart the machine", io_error_text(.0))]
    Listen(std::io::Error),
    /// The port.
    #[error("{0}{by}\nuse another one with --web-port, 0 for any free port, or none for the Unix socket alone", by = by(.0))]
    Port(#[from] ListenError),
}

/// The process that has the port, if that can be found out.
fn by(error: &ListenError) -> String {
    let ListenError::PortTaken(ip, port) = error else { return String::new() };
    port_owner::of_tcp_port(*ip, *port).map(|holder| format!(" {holder}")).unwrap_or_default()
}

/// The host of every link to the page: 127.0.0.1, or on a shared machine a name that no process had
/// before.
///
/// A page's storage and service workers belong to its origin. So another user who held the port
/// while the node was stopped has nothing in the origin of the next start.
pub(super) fn host(is_shared: bool) -> String {
    if is_shared { format!("{:016x}.localhost", rand::random::<u64>()) } else { Ipv4Addr::LOCALHOST.to_string() }
}

/// Opens both. Returns them with the path of the socket and the number of the port.
pub(super) async fn open(
    directory: &mut DataDir,
    config: &Config,
    own: NodeId,
    shared_host: Option<&str>,
) -> Result<(Listeners, PathBuf, Option<u16>), ListenersError> {
    let wanted = match config.web_port {
        WebPort::None => PortSelection::Closed,
        WebPort::Fixed(port) => PortSelection::Given(port),
        WebPort::Any => PortSelection::Given(0),
        WebPort::Usual => PortSelection::Usual,
    };
    let (listener, path) = directory.listen(config.web_socket.as_deref(), &own.short())?;
    let unix = listen(listener).map_err(ListenersError::Listen)?;
    let listeners = match shared_host {
        Some(host) => Listeners::open_shared(wanted, Some(unix), host).await?,
        None => Listeners::open(wanted, Some(unix)).await?,
    };
    let port = listeners.port();
    Ok((listeners, path, port))
}

fn listen(listener: std::os::unix::net::UnixListener) -> std::io::Result<tokio::net::UnixListener> {
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// Returns the token. It is a new one on a shared machine, or if the last port of the page is
/// another user's now; then a sentence says so.
///
/// Another user with that port gets what browsers keep for it, and what is typed into a page that
/// looks the same. An old link must be worth nothing there. Called once the own listeners are open:
/// by then the port can't change hands.
pub(super) fn token(
    directory: &DataDir,
    is_shared: bool,
) -> Result<(identity::Token, Option<String>), identity::Error> {
    let holder = |port| port_owner::of_tcp_port(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let last = directory.served_port().and_then(|port| Some((port, holder(port)?)));
    let Some((port, holder)) = last.filter(|(_, holder)| holder.is_another_user()) else {
        return Ok((if is_shared { directory.rotate_token()? } else { directory.token()? }, None));
    };
    let news = format!(
        "port {port} of 127.0.0.1, where the page was served last, is taken {holder}; the old sign-in link has \
         expired, and there is a new one"
    );
    tracing::warn!("{news}");
    Ok((directory.rotate_token()?, Some(news)))
}

/// The token in the form of the page's server.
pub(super) fn web_token(token: &identity::Token) -> web::PageToken {
    web::PageToken::new(*token.bytes())
}
