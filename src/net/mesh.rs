//! Connections from both sides: listening, accepting, dialling, and the way from a bare connection to a link.

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

use super::handshake::{HandshakeError, Setup, greet};
use super::interfaces::{is_cut_off, own_address};
use super::link::{Links, Surroundings, run};
use super::pending::{Pending, Ticket};
use super::slots::Slot;
use super::tls::{Tls, exporter, identity};
use super::warnings::Warnings;
use super::wrong_keys::WrongKeys;
use super::{Event, Proved, Refusals};
use crate::proto::book::{Dial, Target};
use crate::proto::frame::{CloseReason, Hello, Intro, Peer};
use crate::proto::ids::{DialId, NodeId, RoomId};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::proto::limits::DIAL_SYN_MS;
use crate::proto::limits::{
    ACCEPT_BACKOFF_MS_MAX, ACCEPT_BACKOFF_MS_MIN, DIAL_CONNECT_MS_MAX, HANDSHAKE_MS_MAX, LISTENS_MAX,
};
use crate::proto::name::Name;
use crate::proto::refusal::Cause;
use crate::proto::session::Role;

/// Connections that the system keeps until they are accepted: a room of 250 may dial a newcomer at once.
const BACKLOG: i32 = 512;

/// Everything that a connection needs to become a link.
pub(super) struct Mesh {
    pub(super) own: NodeId,
    pub(super) room: RoomId,
    pub(super) hello: Hello,
    /// The room's key, or in an open room its name.
    pub(super) secret: Zeroizing<Vec<u8>>,
    pub(super) tls: Tls,
    pub(super) host: Option<IpAddr>,
    pub(super) started: Instant,
    pub(super) name: watch::Receiver<Name>,
    pub(super) ports: Ports,
    pub(super) pending: Pending,
    pub(super) wrong_keys: WrongKeys,
    /// Whether the user was told that somebody runs another version.
    pub(super) version_told: AtomicBool,
    pub(super) links: Links,
    pub(super) refusals: Refusals,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) stop: CancellationToken,
    pub(super) tracker: TaskTracker,
}

/// Where this node listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    /// UDP, for beacons.
    pub(super) udp: u16,
    /// TCP, for links; the same on all addresses.
    pub(super) tcp: u16,
    /// Whether IPv4 addresses are listened on.
    pub(super) ipv4: bool,
    /// Whether IPv6 addresses are.
    pub(super) ipv6: bool,
}

/// Opens the listeners: on `host`, else on all addresses of both families; on the port `udp` if it is free, else on any.
pub(super) fn listen(host: Option<IpAddr>, udp: u16) -> io::Result<(Vec<TcpListener>, Ports)> {
    let first = host.map_or((Ipv4Addr::UNSPECIFIED, 0).into(), own_address);
    let listener = open_listener(at(first, udp)).or_else(|_| open_listener(at(first, 0)))?;
    let tcp = listener.local_addr()?.port();
    let mut listeners = vec![listener];
    let mut ports = Ports { udp, tcp, ipv4: first.is_ipv4(), ipv6: first.is_ipv6() };
    if host.is_none() {
        // A machine without IPv6 is no reason to complain; nothing is listed there then.
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
    // So that a node can start again while connections of its last run still wait for their end.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Mesh {
    /// Accepts connections until the stop. Whatever goes wrong with one, or with the system, the next is waited for.
    pub(super) async fn accept_all(self: Arc<Self>, listener: TcpListener) {
        let mut warnings = Warnings::default();
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
                        self.refusals.count(Cause::WrongKey);
                        continue;
                    }
                    let ticket = self.pending.enter(ip, self.stop.child_token());
                    let Some(slot) = self.pending.slot(&ticket).await else {
                        self.refusals.count(Cause::Displaced);
                        continue;
                    };
                    let mesh = self.clone();
                    self.tracker.spawn(async move { mesh.accept(stream, address, ticket, slot).await });
                }
                Err(error) => {
                    warnings.warn("a connection could not be accepted", &error);
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
        ticket: Ticket,
        slot: OwnedSemaphorePermit,
    ) {
        let answered = async {
            // Waits for the first byte; readiness alone is told too early.
            if stream.peek(&mut [0]).await? == 0 {
                return Err(HandshakeError::HungUp);
            }
            ticket.heard();
            let (stream, peer) = self.answer(stream, address).await?;
            Ok((stream, peer, self.link_slot().await?))
        };
        let result = tokio::select! {
            result = within(answered) => result,
            () = ticket.taken() => Err(HandshakeError::Displaced),
        };
        drop((ticket, slot));
        match result {
            Ok((stream, peer, slot)) => self.run(stream, None, peer, slot).await,
            Err(error) => {
                self.refusals.count_some(error.cause());
                if matches!(error, HandshakeError::RoomKey) {
                    self.wrong_keys.warn(address.ip().to_canonical());
                }
                self.tell_version(&address, &error);
                tracing::debug!(%address, %error, "a connection became no link");
            }
        }
    }

    /// Tells the user of another version that is met, once: it will be met again and again until somebody updates.
    fn tell_version(&self, at: &dyn std::fmt::Display, error: &HandshakeError) {
        let is_version = matches!(
            error,
            HandshakeError::NewerVersion | HandshakeError::OlderVersion | HandshakeError::Refused(CloseReason::Version)
        );
        if is_version && !self.version_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("no link with the node at {at}: {error}");
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
        self.greet(stream.into(), value, Role::Acceptor, None, address.ip()).await
    }

    /// Dials, and reports either a link or why there is none.
    pub(super) async fn dial(self: Arc<Self>, Dial { dial, target, expected, is_given }: Dial) {
        let result = tokio::select! {
            result = within(self.connect(&target, expected, is_given)) => result,
            () = self.stop.cancelled() => Err(HandshakeError::Displaced),
        };
        match result {
            Ok((stream, peer, slot)) => self.run(stream, Some(dial), peer, slot).await,
            Err(error) => {
                self.refusals.count_some(error.cause());
                self.tell_version(&target, &error);
                tracing::debug!(?target, %error, "a dial failed");
                let proved = match error {
                    HandshakeError::KeyInUse => Some(Proved::OwnKey),
                    HandshakeError::RoomKey => Some(Proved::OtherRoomKey),
                    HandshakeError::SomebodyElse(_) => Some(Proved::SomebodyElse),
                    _ => None,
                };
                let answered = error.is_answer();
                let report = Event::DialFailed { dial, error: error.to_string(), proved, answered };
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    _ = self.events.send(report) => {}
                }
            }
        }
    }

    async fn connect(
        &self,
        target: &Target,
        expected: Option<NodeId>,
        is_given: bool,
    ) -> Result<(TlsStream<TcpStream>, Peer, Slot), HandshakeError> {
        let (stream, address) = self.open(target, is_given).await.map_err(HandshakeError::Connect)?;
        prepare(&stream);
        let connector = TlsConnector::from(self.tls.client.clone());
        // An address, since then no name is sent in the clear; nothing is compared with it.
        let name = ServerName::IpAddress(address.into());
        let stream = connector.connect(name, stream).await.map_err(HandshakeError::Tls)?;
        let (_, state) = stream.get_ref();
        let value = exporter(|out, label, context| state.export_keying_material(out, label, context));
        let (stream, peer) = self.greet(stream.into(), value, Role::Dialler, expected, address).await?;
        Ok((stream, peer, self.link_slot().await?))
    }

    /// A slot for a link. The connection keeps the one that it has until then.
    async fn link_slot(&self) -> Result<Slot, HandshakeError> {
        self.links.slot().await.ok_or(HandshakeError::Displaced)
    }

    /// A connection to a target, whose name is looked up anew each time; of several addresses the first that answers.
    async fn open(&self, target: &Target, is_given: bool) -> io::Result<(TcpStream, IpAddr)> {
        let addresses: Vec<SocketAddr> = match target {
            Target::Address(address) => vec![*address],
            Target::Host(name, port) => tokio::net::lookup_host((name.as_str(), *port)).await?.collect(),
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
        // The system would look for it for seconds.
        if is_cut_off(address) {
            return Err(io::Error::new(io::ErrorKind::NetworkDown, "its network is down here"));
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

    /// From TLS to a peer that is known.
    async fn greet(
        &self,
        mut stream: TlsStream<TcpStream>,
        exporter: Result<[u8; 32], rustls::Error>,
        role: Role,
        expected: Option<NodeId>,
        address: IpAddr,
    ) -> Result<(TlsStream<TcpStream>, Peer), HandshakeError> {
        let peer = identity(stream.get_ref().1).ok_or(HandshakeError::NotOurs)?;
        if expected.is_some_and(|expected| expected != peer) {
            return Err(HandshakeError::SomebodyElse(peer));
        }
        let exporter = exporter.map_err(|error| HandshakeError::Tls(io::Error::other(error)))?;
        let intro = self.intro(address);
        let (own, hello, secret) = (self.own, self.hello, &self.secret);
        let address = address.to_canonical();
        let keys = (&self.wrong_keys, address);
        let setup = Setup { role, own, peer, hello, secret, exporter, intro: &intro, keys };
        let (hello, intro) = greet(&mut stream, &setup).await?;
        let dialled = role == Role::Dialler;
        Ok((stream, Peer { id: peer, instance: hello.instance, intro, address, dialled }))
    }

    /// What is told to a member at `address`. Loopback addresses lead nowhere from another machine.
    fn intro(&self, address: IpAddr) -> Intro {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let told = |listens: &SocketAddr| address.is_loopback() || !listens.ip().is_loopback();
        let listens = self.listens().into_iter().map(|(listens, _)| listens).filter(told).take(LISTENS_MAX).collect();
        Intro {
            name: self.name.borrow().clone(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            listens,
        }
    }

    /// Every address where this node can be dialled now, IPv4 first and loopback last, and the zone of those of IPv6
    /// that need one.
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

    async fn run(self: Arc<Self>, stream: TlsStream<TcpStream>, dial: Option<DialId>, peer: Peer, slot: Slot) {
        let local = stream.get_ref().0.local_addr().ok().map(|local| local.ip().to_canonical());
        let seat = self.links.open(slot, local, &self.stop);
        let up = Event::LinkUp { link: seat.link, dial, peer };
        let Self { links, room, events, tracker, refusals, .. } = &*self;
        run(stream, seat, up, Surroundings { links, room, events, tracker, refusals }).await;
    }
}

/// What is said goes out at once, and what is said next never waits behind much.
fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    // Without these a link is slower, not wrong.
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(crate::proto::limits::TCP_NOTSENT_BYTES);
}

/// Limits an unanswered SYN to one repeat, or lifts the limit again.
///
/// `TCP_SYNCNT` would not do: Linux 6.5 and later send four repeats beyond it. The user timeout counts
/// from the first SYN. It must not stay: it would end a link whose peer is slow to read.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(unused_variables, reason = "Linux's own"))]
fn limit_syn(socket: &SockRef<'_>, is_limited: bool) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // Without it the deadline still ends the dial.
        let _ = socket.set_tcp_user_timeout(is_limited.then_some(Duration::from_millis(DIAL_SYN_MS)));
    }
}

async fn within<T>(work: impl Future<Output = Result<T, HandshakeError>>) -> Result<T, HandshakeError> {
    timeout(Duration::from_millis(HANDSHAKE_MS_MAX), work).await.unwrap_or(Err(HandshakeError::TooSlow))
}
