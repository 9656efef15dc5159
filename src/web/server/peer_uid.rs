//! Refuses connections of other users on a shared machine, where every user can connect to a port
//! on loopback.
//!
//! The kernel names the owner of each connection before a byte of it is read. Connections of this
//! user and of root are accepted, since root can read this process's memory in any case. If the
//! kernel cannot be queried, the connection is refused.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

#[cfg(target_os = "linux")]
use super::sock_diag::SockDiag;
use crate::logging::throttle::WarnThrottle;
use crate::proto::limits::OWNER_MS_MAX;
use crate::system::io_error_text;

/// Asks the kernel for owners of connections, one at a time and within a deadline.
///
/// The kernel is asked on a thread of its own: the answer can wait for locks that other users keep
/// busy, and a worker of the runtime must not. The netlink socket is open from the start on, so it
/// is also there when file descriptors have run out.
pub(crate) struct OwnerCheck {
    queries: mpsc::Sender<Query>,
    warned: Mutex<WarnThrottle<io::ErrorKind>>,
}

/// Connections to be looked up.
struct Query {
    ends: Vec<Ends>,
    respond: oneshot::Sender<Vec<OwnerReply>>,
}

/// The kernel's answer about one connection.
type OwnerReply = io::Result<Option<u32>>;

/// The two ends of a connection, seen from the other side: its own, and ours.
type Ends = (SocketAddr, SocketAddr);

/// Returns the user who owns the socket at the first end that is connected with the second; none if
/// it is closed.
type OwnerLookup = Box<dyn FnMut(Ends) -> OwnerReply + Send>;

impl OwnerCheck {
    /// Starts the check.
    pub(crate) fn start() -> io::Result<Self> {
        Self::with(lookup()?)
    }

    fn with(mut lookup: OwnerLookup) -> io::Result<Self> {
        let (queries, mut asked) = mpsc::channel::<Query>(1);
        let answer = move || {
            while let Some(Query { ends, respond }) = asked.blocking_recv() {
                // The caller of a query that is past its deadline has given up.
                if !respond.is_closed() {
                    _ = respond.send(ends.into_iter().map(&mut lookup).collect());
                }
            }
        };
        thread::Builder::new().name("owner check".to_owned()).spawn(answer)?;
        Ok(Self { queries, warned: Mutex::default() })
    }

    /// Returns true if the kernel names the owner of a connection of this process to `listener`.
    ///
    /// A kernel without sock_diag answers like one that knows no such connection.
    pub(crate) async fn works_at(&self, listener: &TcpListener) -> bool {
        let Ok(address) = listener.local_addr() else { return false };
        let Ok(probe) = TcpStream::connect(address).await else { return false };
        let Ok(own) = probe.local_addr() else { return false };
        let owners = self.owners(vec![(own, address)]).await;
        let is_own = |owner: &OwnerReply| matches!(owner, Ok(Some(uid)) if *uid == rustix::process::geteuid().as_raw());
        owners.is_ok_and(|owners| owners.iter().all(is_own))
    }

    /// Returns the connections that belong to this user or to root. The others are closed.
    pub(crate) async fn admit(&self, streams: Vec<TcpStream>) -> Vec<TcpStream> {
        let with_ends = |stream: TcpStream| Some(((stream.peer_addr().ok()?, stream.local_addr().ok()?), stream));
        let (ends, streams): (Vec<Ends>, Vec<TcpStream>) = streams.into_iter().filter_map(with_ends).unzip();
        let owners = match self.owners(ends).await {
            Ok(owners) => owners,
            Err(error) => {
                self.warn(&error);
                return Vec::new();
            }
        };
        if let Some(error) = owners.iter().find_map(|owner| owner.as_ref().err()) {
            self.warn(error);
        }
        let own = rustix::process::geteuid().as_raw();
        let is_admitted = |owner: &OwnerReply| matches!(owner, Ok(Some(uid)) if *uid == 0 || *uid == own);
        streams.into_iter().zip(owners).filter(|(_, owner)| is_admitted(owner)).map(|(stream, _)| stream).collect()
    }

    fn warn(&self, error: &io::Error) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).permits(error.kind()) {
            tracing::warn!(
                error = io_error_text(error),
                "connections to the page were closed because their user is unknown"
            );
        }
    }

    async fn owners(&self, ends: Vec<Ends>) -> io::Result<Vec<OwnerReply>> {
        let (respond, answered) = oneshot::channel();
        let asked = async {
            let sent = self.queries.send(Query { ends, respond }).await;
            sent.map_err(io::Error::other)?;
            answered.await.map_err(io::Error::other)
        };
        timeout(Duration::from_millis(OWNER_MS_MAX), asked)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(target_os = "linux")]
fn lookup() -> io::Result<OwnerLookup> {
    let mut kernel = SockDiag::open()?;
    Ok(Box::new(move |(theirs, ours)| kernel.owner(theirs, ours)))
}

/// Other systems have no such query, so no connection is refused: there the token and the origin of
/// each start protect the port.
#[cfg(not(target_os = "linux"))]
fn lookup() -> io::Result<Lookup> {
    Ok(Box::new(|_| Ok(Some(rustix::process::geteuid().as_raw()))))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as blocking;

    use super::*;

    /// A connection, and its other end.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        (listener.accept().await.expect("accepted").0, client)
    }

    /// Returns true if `check` admits a connection of this process.
    async fn admits(check: &OwnerCheck) -> bool {
        let (stream, _client) = connection().await;
        !check.admit(vec![stream]).await.is_empty()
    }

    async fn is_admitted(answer: fn() -> OwnerReply) -> bool {
        admits(&OwnerCheck::with(Box::new(move |_| answer())).expect("a thread")).await
    }

    #[tokio::test]
    async fn only_own_and_root_connections_are_admitted() {
        let check = OwnerCheck::start().expect("the kernel");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        assert!(admits(&check).await && check.works_at(&listener).await);
        let blind = OwnerCheck::with(Box::new(|_| Ok(None))).expect("a thread");
        assert!(!blind.works_at(&listener).await);
        assert!(is_admitted(|| Ok(Some(0))).await);
        assert!(is_admitted(|| Ok(Some(rustix::process::geteuid().as_raw()))).await);
        assert!(!is_admitted(|| Ok(Some(rustix::process::geteuid().as_raw() + 1))).await);
        assert!(!is_admitted(|| Ok(None)).await);
        assert!(!is_admitted(|| Err(io::ErrorKind::OutOfMemory.into())).await);
    }

    #[tokio::test]
    async fn batches_keep_only_admitted_connections() {
        let (first, second) = (connection().await, connection().await);
        let kept = second.0.peer_addr().expect("an address");
        let lookup = move |(theirs, _)| Ok((theirs == kept).then_some(0));
        let check = OwnerCheck::with(Box::new(lookup)).expect("a thread");
        let admitted = check.admit(vec![first.0, second.0]).await;
        let admitted: Vec<_> = admitted.iter().map(|stream| stream.peer_addr().expect("an address")).collect();
        assert_eq!(admitted, [kept]);
    }

    #[tokio::test]
    async fn failed_queries_refuse_only_their_connections() {
        let (first, second) = (connection().await, connection().await);
        let failing = first.0.peer_addr().expect("an address");
        let lookup =
            move |(theirs, _)| if theirs == failing { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(Some(0)) };
        let check = OwnerCheck::with(Box::new(lookup)).expect("a thread");
        assert_eq!(check.admit(vec![first.0, second.0]).await.len(), 1);
        assert!(
            !check.warned.lock().expect("not poisoned").permits(io::ErrorKind::OutOfMemory),
            "the first error was not reported"
        );
    }

    #[tokio::test]
    async fn late_answers_refuse_and_are_asked_one_at_a_time() {
        let (release, held) = blocking::channel::<()>();
        let (begin, begun) = blocking::channel::<()>();
        let lookup = move |_| {
            begin.send(()).expect("the test listens");
            _ = held.recv();
            Ok(Some(0))
        };
        let check = OwnerCheck::with(Box::new(lookup)).expect("a thread");
        assert_eq!(tokio::join!(admits(&check), admits(&check), admits(&check)), (false, false, false));
        assert_eq!(begun.try_iter().count(), 1);
        // The kernel answers again: the queries that were given up are not asked any more.
        drop(release);
        assert!(admits(&check).await);
        assert_eq!(begun.try_iter().count(), 1);
    }
}
