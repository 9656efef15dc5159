//! Connections between nodes: listening, accepting, dialling, and the handshake that makes a
//! connection a link.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::auth_failures::AuthFailures;
use super::handshake::{HandshakeError, HandshakeParams, handshake};
use super::interfaces::{is_cut_off, own_address};
use super::link::{LinkContext, LinkRegistry, run};
use super::pending_handshakes::{HandshakePermit, PendingHandshakes};
use super::slots::ConnectionSlot;
use super::tls::{Tls, exporter, identity};
use super::warnings::NetWarnings;
use super::{DropCounts, NetEvent, PeerMismatch};
use crate::proto::ids::{DialId, NodeId, RoomId};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::proto::limits::DIAL_SYN_MS;
use crate::proto::limits::{
    ACCEPT_BACKOFF_MS_MAX, ACCEPT_BACKOFF_MS_MIN, DIAL_CONNECT_MS_MAX, HANDSHAKE_MS_MAX, LISTENS_MAX,
};
use crate::proto::links::address_book::{Dial, DialTarget};
use crate::proto::links::room_proof::Role;
use crate::proto::links::version_range::PROTOCOL_VERSIONS;
use crate::proto::names::name::Name;
use crate::proto::replication::drop_reason::DropReason;
use crate::proto::replication::frame::{CloseReason, Hello, Intro, Peer};

/// Length of the accept queue. In a room of 250, all others may dial a newcomer at once.
const BACKLOG: i32 = 512;

/// Everything a connection needs to become a link.
pub(super) struct Mesh {
    pub(super) own: NodeId,
    pub(super) room: RoomId,
    pub(super) hello: Hello,
    /// The room's key; in an open room, its name.
    pub(super) secret: Zeroizing<Vec<u8>>,
    pub(super) tls: Tls,
    pub(super) host: Option<IpAddr>,
    pub(super) started: Instant,
    pub(super) name: watch::Receiver<Name>,
    pub(super) ports: BoundPorts,
    pub(super) pending: PendingHandshakes,
    pub(super) wrong_keys: AuthFailures,
    /// True once the user was told of a node with an incompatible version.
    pub(super) version_told: AtomicBool,
    pub(super) links: LinkRegistry,
    pub(super) drop_counts: DropCounts,
    pub(super) events: mpsc::Sender<NetEvent>,
    pub(super) stop: CancellationToken,
    pub(super) tracker: TaskTracker,
}

/// The ports and families this node listens on.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundPorts {
    /// UDP, for beacons.
    pub(super) udp: u16,
    /// TCP, for links; the same on all addresses.
    pub(super) tcp: u16,
    /// True if the node listens on IPv4.
    pub(super) ipv4: bool,
    /// True if the node listens on IPv6.
    pub(super) ipv6: bool,
}

/// Opens the listeners: on `host`, or on all addresses of both families. Uses the port `udp` if it
/// is free, else any free port.
pub(super) fn listen(host: Option<IpAddr>, udp: u16) -> io::Result<(Vec<TcpListener>, BoundPorts)> {
    let first = host.map_or((Ipv4Addr::UNSPECIFIED, 0).into(), own_address);
    let listener = open_listener(at(first, udp)).or_else(|_| open_listener(at(first, 0)))?;
    let tcp = listener.local_addr()?.port();
    let mut listeners = vec![listener];
    let mut ports = BoundPorts { udp, tcp, ipv4: first.is_ipv4(), ipv6: first.is_ipv6() };
    if host.is_none() {
        // A machine without IPv6 is not an error. Its IPv6 addresses are then not listed.
        let second = open_listener((Ipv6Addr::UNSPECIFIED, tcp).into());
        ports.ipv6 = second.is_ok();
        listeners.extend(second);
    }
    Ok((listeners, ports))
}

fn at(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

fn open_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Allows a restart while connections of the previous run are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Mesh {
    /// Accepts connections until the node stops. An error never ends the loop.
    pub(super) async fn accept_all(self: Arc<Self>, listener: TcpListener) {
        let mut throttle = NetWarnings::default();
        let mut backoff_ms = ACCEPT_BACKOFF_MS_MIN;
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    backoff_ms = ACCEPT_BACKOFF_MS_MIN;
                    let ip = address.ip().to_canonical();
                    if !self.wrong_keys.admits(ip) {
                        self.drop_counts.count(DropReason::WrongKey);
                        continue;
                    }
                    let permit = self.pending.enter(ip, self.stop.child_token());
                    let Some(slot) = self.pending.slot(&permit).await else {
                        self.drop_counts.count(DropReason::Displaced);
                        continue;
                    };
                    let mesh = self.clone();
                    self.tracker.spawn(async move { mesh.accept(stream, address, permit, slot).await });
                }
                Err(error) => {
                    throttle.warn("a connection could not be accepted", &error);
                    sleep(Duration::from_millis(backoff_ms)).await;
                    backoff_ms = (backoff_ms * 2).min(ACCEPT_BACKOFF_MS_MAX);
                }
            }
        }
    }

    async fn accept(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        permit: HandshakePermit,
        slot: OwnedSemaphorePermit,
    ) {
        let handshake = async {
            // Waits for the peer's first byte. Readiness of the socket alone can be reported too
            // early.
            if stream.peek(&mut [0]).await? == 0 {
                return Err(HandshakeError::HungUp);
            }
            permit.heard();
            let (stream, peer) = self.answer(stream, address).await?;
            Ok((stream, peer, self.link_slot().await?))
        };
        let result = tokio::select! {
            result = with_deadline(handshake) => result,
            () = permit.evicted() => Err(HandshakeError::Displaced),
        };
        drop((permit, slot));
        match result {
            Ok((stream, peer, slot)) => self.run(stream, None, peer, slot).await,
            Err(error) => {
                self.drop_counts.count_some(error.cause());
                if matches!(error, HandshakeError::RoomKey) {
                    self.wrong_keys.warn(address.ip().to_canonical());
                }
                self.tell_version(&address, &error);
                tracing::debug!(%address, %error, "a connection became no link");
            }
        }
    }

    /// Warns the user once about a node with an incompatible version, which would otherwise be met
    /// again and again.
    fn tell_version(&self, at: &dyn std::fmt::Display, error: &HandshakeError) {
        let is_version = matches!(
            error,
            HandshakeError::NewerVersion | HandshakeError::OlderVersion | HandshakeError::Refused(CloseReason::Version)
        );
        if is_version && !self.version_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("no connection to the node at {at}: {error}");
        }
    }

    async fn answer(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<(TlsStream<TcpStream>, Peer), HandshakeError> {
        prepare(&stream);
        let acceptor = TlsAcceptor::from(self.tls.server.clone());
        let stream = acceptor.accept(stream).await.map_err(HandshakeError::Tls)?;
        let (_, state) = stream.get_ref();
        let value = exporter(|out, label, context| state.export_keying_material(out, label, context));
        self.handshake(stream.into(), value, Role::Acceptor, None, address.ip()).await
    }

    /// Dials a target and runs the link, or reports why there is none.
    pub(super) async fn dial(self: Arc<Self>, Dial { dial, target, expected, is_given }: Dial) {
        let result = tokio::select! {
            result = with_deadline(self.connect(&target, expected, is_given)) => result,
            () = self.stop.cancelled() => Err(HandshakeError::Displaced),
        };
        match result {
            Ok((stream, peer, slot)) => self.run(stream, Some(dial), peer, slot).await,
            Err(error) => {
                self.drop_counts.count_some(error.cause());
                self.tell_version(&target, &error);
                tracing::debug!(?target, %error, "a dial failed");
                let proved = match error {
                    HandshakeError::KeyInUse => Some(PeerMismatch::OwnKey),
                    HandshakeError::RoomKey => Some(PeerMismatch::OtherRoomKey),
                    HandshakeError::UnexpectedId(_) => Some(PeerMismatch::UnexpectedId),
                    _ => None,
                };
                let answered = error.is_answer();
                let report = NetEvent::DialFailed { dial, error: error.to_string(), proved, answered };
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    _ = self.events.send(report) => {}
                }
            }
        }
    }

    async fn connect(
        &self,
        target: &DialTarget,
        expected: Option<NodeId>,
        is_given: bool,
    ) -> Result<(TlsStream<TcpStream>, Peer, ConnectionSlot), HandshakeError> {
        let (stream, address) = self.open(target, is_given).await.map_err(HandshakeError::Connect)?;
        prepare(&stream);
        let connector = TlsConnector::from(self.tls.client.clone());
        // With an address as the name, TLS sends no server name in the clear. The verifier ignores
        // it.
        let name = ServerName::IpAddress(address.into());
        let stream = connector.connect(name, stream).await.map_err(HandshakeError::Tls)?;
        let (_, state) = stream.get_ref();
        let value = exporter(|out, label, context| state.export_keying_material(out, label, context));
        let (stream, peer) = self.handshake(stream.into(), value, Role::Dialler, expected, address).await?;
        Ok((stream, peer, self.link_slot().await?))
    }

    /// Takes a slot for a link. Until then, the connection keeps its slot among the handshakes.
    async fn link_slot(&self) -> Result<ConnectionSlot, HandshakeError> {
        self.links.slot().await.ok_or(HandshakeError::Displaced)
    }

    /// Connects to a target. Looks its name up each time, and uses the first address that answers.
    async fn open(&self, target: &DialTarget, is_given: bool) -> io::Result<(TcpStream, IpAddr)> {
        let addresses: Vec<SocketAddr> = match target {
            DialTarget::Address(address) => vec![*address],
            DialTarget::Host(name, port) => tokio::net::lookup_host((name.as_str(), *port)).await?.collect(),
        };
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match self.open_one(address, is_given).await {
                Ok(stream) => return Ok((stream, address.ip())),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn open_one(&self, address: SocketAddr, is_given: bool) -> io::Result<TcpStream> {
        // Otherwise the system would try for seconds.
        if is_cut_off(address) {
            return Err(io::Error::new(io::ErrorKind::NetworkDown, "its network is down on this computer"));
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(host) = self.host {
            socket.bind(own_address(host))?;
        }
        if is_given {
            return socket.connect(address).await;
        }
        limit_syn(&SockRef::from(&socket), true);
        let connected = timeout(Duration::from_millis(DIAL_CONNECT_MS_MAX), socket.connect(address)).await;
        let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        limit_syn(&SockRef::from(&stream), false);
        Ok(stream)
    }

    /// Performs the handshake over an established TLS connection.
    async fn handshake(
        &self,
        mut stream: TlsStream<TcpStream>,
        exporter: Result<[u8; 32], rustls::Error>,
        role: Role,
        expected: Option<NodeId>,
        address: IpAddr,
    ) -> Result<(TlsStream<TcpStream>, Peer), HandshakeError> {
        let peer = identity(stream.get_ref().1).ok_or(HandshakeError::NotOurs)?;
        if expected.is_some_and(|expected| expected != peer) {
            return Err(HandshakeError::UnexpectedId(peer));
        }
        let exporter = exporter.map_err(|error| HandshakeError::Tls(io::Error::other(error)))?;
        let intro = self.intro(address);
        let (own, hello, secret) = (self.own, self.hello, &self.secret);
        let address = address.to_canonical();
        let keys = (&self.wrong_keys, address);
        let setup = HandshakeParams { role, own, peer, hello, secret, exporter, intro: &intro, keys };
        let (hello, intro) = handshake(&mut stream, &setup).await?;
        let (instance, dialled) = (hello.instance, role == Role::Dialler);
        // The handshake found a common one.
        let version = self.hello.versions.highest_common(hello.versions).unwrap_or(PROTOCOL_VERSIONS.lowest);
        Ok((stream, Peer { id: peer, instance, version, intro, address, dialled }))
    }

    /// The intro for a peer at `address`. Loopback addresses are sent only to peers on this
    /// machine.
    fn intro(&self, address: IpAddr) -> Intro {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_reachable = |listens: &SocketAddr| address.is_loopback() || !listens.ip().is_loopback();
        let listens =
            self.listens().into_iter().map(|(listens, _)| listens).filter(is_reachable).take(LISTENS_MAX).collect();
        Intro {
            name: self.name.borrow().clone(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            listens,
        }
    }

    /// Every address at which this node can be dialled now, IPv4 first and loopback last.
    /// Link-local IPv6 addresses come with their zone.
    pub(super) fn listens(&self) -> Vec<(SocketAddr, Option<String>)> {
        let interfaces = super::interfaces::list(self.host).unwrap_or_default();
        let mut listens = Vec::new();
        for interface in interfaces {
            let address = SocketAddr::new(interface.address, self.ports.tcp);
            match interface.address {
                IpAddr::V4(_) if self.ports.ipv4 => listens.push((address, None)),
                IpAddr::V6(ip) if self.ports.ipv6 => {
                    listens.push((address, ip.is_unicast_link_local().then_some(interface.name)));
                }
                IpAddr::V4(_) | IpAddr::V6(_) => {}
            }
        }
        listens
    }

    async fn run(
        self: Arc<Self>,
        stream: TlsStream<TcpStream>,
        dial: Option<DialId>,
        peer: Peer,
        slot: ConnectionSlot,
    ) {
        let local = stream.get_ref().0.local_addr().ok().map(|local| local.ip().to_canonical());
        let task = self.links.open(slot, local, &self.stop);
        let up = NetEvent::LinkUp { link: task.link, dial, peer };
        let Self { links, room, events, tracker, drop_counts, .. } = &*self;
        run(stream, task, up, LinkContext { links, room, events, tracker, drop_counts }).await;
    }
}

/// Sends small frames at once, and limits how much data can queue ahead of a new frame.
fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    // Failure only makes the link slower.
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(crate::proto::limits::TCP_NOTSENT_BYTES);
}

/// Limits the repeats of an unanswered SYN to one, or lifts the limit again.
///
/// `TCP_SYNCNT` does not work: Linux 6.5 and later send four repeats beyond it. The user timeout
/// counts from the first SYN. It must be lifted afterwards: it would end a link whose peer reads
/// slowly.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(unused_variables, reason = "Linux's own"))]
fn limit_syn(socket: &SockRef<'_>, is_limited: bool) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // On failure, the deadline still ends the dial.
        let _ = socket.set_tcp_user_timeout(is_limited.then_some(Duration::from_millis(DIAL_SYN_MS)));
    }
}

async fn with_deadline<T>(work: impl Future<Output = Result<T, HandshakeError>>) -> Result<T, HandshakeError> {
    timeout(Duration::from_millis(HANDSHAKE_MS_MAX), work).await.unwrap_or(Err(HandshakeError::TooSlow))
}
