//! Whole network sides with real sockets on loopback, and strangers that don't keep to the protocol.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use super::handshake::{HandshakeError, Setup, greet};
use super::tls::{Tls, exporter};
use super::*;
use crate::proto::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::body::Body;
use crate::proto::book::Target;
use crate::proto::clock::Stamp;
use crate::proto::frame::Intro;
use crate::proto::ids::LogId;
use crate::proto::limits::{FRAME_BYTES_MAX, HANDSHAKES_MAX};
use crate::proto::session::Role;
use crate::wire::frame::{LENGTH_BYTES, decode, encode};

/// Longer than anything here takes on a busy machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

static INSTANCES: AtomicU64 = AtomicU64::new(1);

fn instance() -> Instance {
    Instance(INSTANCES.fetch_add(1, Ordering::Relaxed))
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn id(seed: u8) -> NodeId {
    NodeId(key(seed).verifying_key().to_bytes())
}

fn dial(number: u64, address: SocketAddr, expected: Option<NodeId>) -> Dial {
    Dial { dial: DialId(number), target: Target::Address(address), expected }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

struct Node {
    net: Net,
    id: NodeId,
    instance: Instance,
    room: RoomTag,
    events: mpsc::Receiver<Event>,
    stop: CancellationToken,
    tracker: TaskTracker,
    _name: watch::Sender<Name>,
}

/// A node on 127.0.0.`seed`, whose key, name and address follow from `seed`.
fn node(seed: u8, port: u16) -> Node {
    node_in(seed, port, "lobby", b"")
}

fn node_in(seed: u8, port: u16, room: &str, room_key: &[u8]) -> Node {
    try_node(seed, IpAddr::from([127, 0, 0, seed]), port, room, room_key).expect("a network side")
}

fn try_node(seed: u8, host: IpAddr, port: u16, room: &str, room_key: &[u8]) -> Result<Node, NetError> {
    let instance = instance();
    let room_key = Zeroizing::new(room_key.to_vec());
    let settings = Settings { host: Some(host), port, room: name(room), room_key, key: key(seed), instance };
    let (_name, watched) = watch::channel(name(&format!("node {seed}")));
    let (sender, events) = mpsc::channel(64);
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let net = Net::start(settings, watched, sender, stop.clone(), tracker.clone())?;
    Ok(Node { net, id: id(seed), instance, room: RoomTag::new(room), events, stop, tracker, _name })
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    fn address(&self) -> SocketAddr {
        self.net.tcp_addresses()[0].parse().expect("an address")
    }

    fn beacon(&self) -> Beacon {
        let (room, name) = (self.room, name("node"));
        Beacon { room, id: self.id, instance: self.instance, port: self.net.tcp_port(), name }
    }

    /// The next event for which `pick` has something; what comes before is passed over.
    async fn next<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the network side runs");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("in time")
    }

    async fn up(&mut self) -> (LinkId, Peer) {
        self.next(|event| match event {
            Event::LinkUp { link, peer, .. } => Some((link, peer)),
            Event::LinkDown { .. } | Event::DialFailed { .. } => panic!("no link: {event:?}"),
            _ => None,
        })
        .await
    }

    async fn down(&mut self) -> Option<CloseReason> {
        self.next(|event| match event {
            Event::LinkDown { reason, .. } => Some(reason),
            _ => None,
        })
        .await
    }

    async fn frame(&mut self) -> Frame {
        self.next(|event| match event {
            Event::Frame { frame, .. } => Some(frame),
            Event::LinkDown { .. } => panic!("the link is gone"),
            _ => None,
        })
        .await
    }

    /// Why a dial to `address` comes to nothing.
    async fn refused(&mut self, address: SocketAddr, expected: Option<NodeId>) -> String {
        self.net.dial(dial(7, address, expected));
        self.next(|event| match event {
            Event::DialFailed { dial: DialId(7), error } => Some(error),
            Event::LinkUp { .. } => panic!("a link came up"),
            _ => None,
        })
        .await
    }

    /// Whether somebody who keeps to the protocol still gets in.
    async fn still_works(&mut self) {
        let mut other = node(200, 0);
        other.net.dial(dial(1, self.address(), Some(self.id)));
        other.up().await;
        self.up().await;
    }
}

/// Two nodes on one UDP port with a link between them, dialled by the first.
async fn linked() -> (Node, LinkId, Node, LinkId) {
    let mut a = node(1, 0);
    let mut b = node(2, a.net.udp_port());
    a.net.dial(dial(1, b.address(), Some(b.id)));
    let (a_link, _) = a.up().await;
    let (b_link, _) = b.up().await;
    (a, a_link, b, b_link)
}

fn batch(text: &str) -> Verified {
    let body = Body::Say { text: text.to_owned(), channel: None, reply_to: None }.encode([1; 16]);
    let header = Header {
        version: HEADER_VERSION,
        room: RoomId::new("lobby", b""),
        author: id(1),
        audience: None,
        log: LogId(5),
        first_seq: 1,
        prev: None,
        after: None,
        entries: vec![slot(Stamp(100), &body)],
    };
    sign(&key(1), header, &[body])
}

/// A stranger with the program's own TLS settings, at liberty to say what it likes.
async fn stranger(seed: u8, address: SocketAddr) -> (TlsStream<TcpStream>, [u8; 32]) {
    let tls = Tls::new(&key(seed)).expect("TLS");
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::IpAddress(address.ip().into());
    let stream = TlsConnector::from(tls.client).connect(name, stream).await.expect("TLS");
    let (_, state) = stream.get_ref();
    let value = exporter(|out, label, context| state.export_keying_material(out, label, context)).expect("exported");
    (stream.into(), value)
}

/// A stranger that greets as a member does, but for what `change` makes of its first frame.
async fn greeted(
    seed: u8,
    node: &Node,
    change: impl FnOnce(&mut Hello),
) -> (TlsStream<TcpStream>, Result<(Hello, Intro), HandshakeError>) {
    let (mut stream, exporter) = stranger(seed, node.address()).await;
    let mut hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance() };
    change(&mut hello);
    let intro = Intro { name: name("stranger"), uptime_ms: 1, wall_ms: 2, listens: Vec::new() };
    let (own, peer) = (id(seed), node.id);
    let setup = Setup { role: Role::Dialler, own, peer, hello, secret: b"lobby", exporter, intro: &intro };
    let result = greet(&mut stream, &setup).await;
    (stream, result)
}

async fn read_frame(stream: &mut TlsStream<TcpStream>) -> Frame {
    let length = timeout(PATIENCE, stream.read_u32()).await.expect("in time").expect("a frame");
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await.expect("a whole frame");
    decode(&Bytes::from(bytes), &RoomId::new("lobby", b"")).expect("well-formed").expect("known")
}

/// Waits until the other side has hung up, with or without a word.
async fn hung_up(stream: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("hung up in time");
}

#[tokio::test]
async fn nodes_meet_by_beacon_and_talk() {
    let mut a = node(1, 0);
    let mut b = node(2, a.net.udp_port());
    a.net.announce(a.beacon());
    let (source, beacon) = b
        .next(|event| match event {
            Event::Beacon { source, beacon } => Some((source, beacon)),
            _ => None,
        })
        .await;
    assert_eq!(beacon, a.beacon());
    assert_eq!(source.ip(), IpAddr::from([127, 0, 0, 1]), "the source is the address to dial");

    b.net.dial(dial(3, SocketAddr::new(source.ip(), beacon.port), Some(beacon.id)));
    let (b_link, peer) = b.up().await;
    assert!(peer.dialled && peer.id == a.id && peer.instance == a.instance);
    assert_eq!(peer.intro.name, name("node 1"));
    assert_eq!(peer.intro.listens, [a.address()]);
    let (a_link, peer) = a.up().await;
    assert!(!peer.dialled && peer.id == b.id && peer.address == IpAddr::from([127, 0, 0, 2]));

    b.net.send(b_link, encode(&Frame::Ping { wall_ms: 5 }));
    assert_eq!(a.frame().await, Frame::Ping { wall_ms: 5 });
    let push = Frame::Push(vec![batch("hello"), batch(&"long ".repeat(6000))]);
    a.net.send(a_link, encode(&push));
    assert_eq!(b.frame().await, push);
}

#[tokio::test]
async fn an_announcement_is_reported_and_counted() {
    let mut a = node(1, 0);
    let mut b = node(2, a.net.udp_port());
    let addresses = a
        .next(|event| match event {
            Event::Network { addresses } => Some(addresses),
            _ => None,
        })
        .await;
    assert_eq!(addresses, [IpAddr::from([127, 0, 0, 1])]);
    a.net.announce(a.beacon());
    let sent = a
        .next(|event| match event {
            Event::Announced(sent) => Some(sent),
            Event::Beacon { .. } => panic!("an echo of the own beacon"),
            _ => None,
        })
        .await;
    let target = SocketAddr::from(([127, 255, 255, 255], a.net.udp_port()));
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].source, sent[0].target, &sent[0].error), (IpAddr::from([127, 0, 0, 1]), target, &None));
    b.next(|event| matches!(event, Event::Beacon { .. }).then_some(())).await;
    assert_eq!(b.net.counters()["lo"], Counts { sent: 0, heard: 1, refused: 0 });
    assert_eq!(a.net.counters()["lo"].sent, 1);

    // What is no beacon is counted; the good one behind it says when.
    let socket = tokio::net::UdpSocket::bind("127.0.0.3:0").await.expect("a socket");
    socket.set_broadcast(true).expect("allowed");
    for packet in [&b"ROOMFUL\x02"[..], b"", &[7; 1400]] {
        socket.send_to(packet, target).await.expect("sent");
    }
    a.net.announce(a.beacon());
    b.next(|event| matches!(event, Event::Beacon { .. }).then_some(())).await;
    assert_eq!(b.net.counters()["lo"], Counts { sent: 0, heard: 2, refused: 3 });
}

#[tokio::test]
async fn a_goodbye_arrives_behind_what_was_said() {
    let (mut a, a_link, mut b, _) = linked().await;
    for wall_ms in 0..500 {
        a.net.send(a_link, encode(&Frame::Ping { wall_ms }));
    }
    a.net.close(a_link, CloseReason::Duplicate);
    for wall_ms in 0..500 {
        assert_eq!(b.frame().await, Frame::Ping { wall_ms });
    }
    assert_eq!(b.down().await, Some(CloseReason::Duplicate));
    assert_eq!(a.down().await, None);
}

#[tokio::test]
async fn a_stop_says_goodbye_and_ends_every_task() {
    let (a, _, mut b, _) = linked().await;
    a.stop.cancel();
    assert_eq!(b.down().await, Some(CloseReason::Stopping));
    a.tracker.close();
    timeout(PATIENCE, a.tracker.wait()).await.expect("all tasks end");
}

#[tokio::test]
async fn a_cut_connection_is_a_link_without_a_goodbye() {
    let mut a = node(1, 0);
    let (stream, result) = greeted(3, &a, |_| ()).await;
    result.expect("a member");
    a.up().await;
    drop(stream);
    assert_eq!(a.down().await, None);
}

#[tokio::test]
async fn only_members_of_the_room_get_in() {
    let mut a = node_in(1, 0, "lobby", b"0123456789abcdef");
    let wrong = "another room, or has another room key";
    for (room, room_key) in [("lobby", &b""[..]), ("lobby", b"0123456789abcdeX"), ("other", b"0123456789abcdef")] {
        let mut b = node_in(2, 0, room, room_key);
        let (a_address, b_address) = (a.address(), b.address());
        let error = b.refused(a_address, None).await;
        assert!(error.contains(wrong), "{room}: {error}");
        let error = a.refused(b_address, None).await;
        assert!(error.contains(wrong), "{room}: {error}");
    }
    let mut c = node_in(3, 0, "lobby", b"0123456789abcdef");
    c.net.dial(dial(1, a.address(), None));
    c.up().await;
    a.up().await;
}

#[tokio::test]
async fn the_id_must_be_the_expected_one() {
    let (a, mut b) = (node(1, 0), node(2, 0));
    let error = b.refused(a.address(), Some(id(9))).await;
    assert!(error.contains("somebody else answers there"), "{error}");
}

#[tokio::test]
async fn a_node_does_not_link_with_itself() {
    let mut a = node(1, 0);
    let error = a.refused(a.address(), None).await;
    assert!(error.contains("this node itself"), "{error}");
    let copy = try_node(1, IpAddr::from([127, 0, 0, 9]), 0, "lobby", b"").expect("a network side");
    let error = a.refused(copy.address(), None).await;
    assert!(error.contains("with the key of this one"), "{error}");
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let (mut a, b) = (node(1, 0), node(2, 0));
    let target = Target::Host("127.0.0.2".to_owned(), b.net.tcp_port());
    a.net.dial(Dial { dial: DialId(1), target, expected: Some(b.id) });
    a.up().await;
}

#[tokio::test]
async fn a_dial_says_when_nobody_is_there() {
    let mut a = node(1, 0);
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let error = a.refused(free, None).await;
    assert!(error.contains("nobody answers"), "{error}");
}

#[tokio::test]
async fn without_a_common_version_there_is_no_link() {
    let mut a = node(1, 0);
    let (_, result) = greeted(3, &a, |hello| hello.versions = (PROTOCOL_VERSIONS.1 + 1, u64::MAX)).await;
    assert!(matches!(result, Err(HandshakeError::Refused(CloseReason::Version))), "{result:?}");
    a.still_works().await;
}

#[tokio::test]
async fn garbage_instead_of_tls_is_hung_up_on() {
    let mut a = node(1, 0);
    let mut stream = TcpStream::connect(a.address()).await.expect("connected");
    stream.write_all(&b"GET / HTTP/1.1\r\n\r\n".repeat(100)).await.expect("sent");
    hung_up(&mut stream).await;
    a.still_works().await;
}

#[tokio::test]
async fn a_first_frame_that_is_too_long_is_refused() {
    let mut a = node(1, 0);
    let (mut stream, _) = stranger(3, a.address()).await;
    stream.write_all(&u32::MAX.to_be_bytes()).await.expect("sent");
    assert_eq!(read_frame(&mut stream).await, Frame::Close(CloseReason::Protocol));
    a.still_works().await;
}

/// Connects with other TLS settings than the program's own, and expects to be turned away.
async fn turned_away(node: &Node, scheme: &'static rcgen::SignatureAlgorithm, alpn: &[u8]) {
    let pair = rcgen::KeyPair::generate_for(scheme).expect("a key");
    let params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    let chain = vec![params.self_signed(&pair).expect("a certificate").der().clone()];
    // The server's certificate is accepted as the program does; only what the client shows differs.
    let mut config = (*Tls::new(&key(3)).expect("TLS").client).clone();
    let private = PrivatePkcs8KeyDer::from(pair.serialize_der());
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private.into()).expect("a key");
    config.client_auth_cert_resolver =
        Arc::new(rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, signer)));
    config.alpn_protocols = if alpn.is_empty() { Vec::new() } else { vec![alpn.to_vec()] };
    let stream = TcpStream::connect(node.address()).await.expect("connected");
    let name = ServerName::IpAddress(node.address().ip().into());
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else { return };
    let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance() };
    let _ = stream.write_all(&crate::wire::frame::encode_hello(&hello)).await;
    let answer = timeout(PATIENCE, stream.read_u8()).await.expect("in time");
    assert!(answer.is_err(), "it was answered");
}

#[tokio::test]
async fn only_our_own_tls_is_answered() {
    let mut a = node(1, 0);
    turned_away(&a, &rcgen::PKCS_ECDSA_P256_SHA256, b"roomful/1").await;
    turned_away(&a, &rcgen::PKCS_ED25519, b"h2").await;
    turned_away(&a, &rcgen::PKCS_ED25519, b"").await;
    a.still_works().await;
}

#[tokio::test]
async fn a_flood_of_silent_connections_displaces_itself() {
    let mut a = node(1, 0);
    let mut first = TcpStream::connect(a.address()).await.expect("connected");
    let mut flood = Vec::new();
    for _ in 0..HANDSHAKES_MAX {
        flood.push(TcpStream::connect(a.address()).await.expect("connected"));
    }
    // Far sooner than a handshake's own time is over.
    timeout(Duration::from_secs(5), hung_up(&mut first)).await.expect("the first silent one goes");
    a.still_works().await;
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_so() {
    let mut a = node(1, 0);
    let mut forged = encode(&Frame::Push(vec![batch("hello")])).to_vec();
    *forged.last_mut().expect("not empty") ^= 1;
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).expect("small").to_be_bytes().to_vec();
    for bytes in [forged, too_long, vec![0, 0, 0, 1, 0xff], vec![0, 0, 0, 3, 0x82, 0, 0xa0]] {
        let (mut stream, result) = greeted(3, &a, |_| ()).await;
        result.expect("a member");
        a.up().await;
        stream.write_all(&bytes).await.expect("sent");
        stream.flush().await.expect("sent");
        assert_eq!(read_frame(&mut stream).await, Frame::Close(CloseReason::Protocol), "{bytes:?}");
        assert_eq!(a.down().await, None);
    }
    a.still_works().await;
}

#[tokio::test]
async fn a_frame_from_the_future_is_passed_over() {
    let mut a = node(1, 0);
    let (mut stream, result) = greeted(3, &a, |_| ()).await;
    result.expect("a member");
    a.up().await;
    // [99, {0: "new"}]
    stream.write_all(&[0, 0, 0, 9, 0x82, 0x18, 99, 0xa1, 0, 0x63, b'n', b'e', b'w']).await.expect("sent");
    stream.write_all(&encode(&Frame::Pong { wall_ms: 1 })).await.expect("sent");
    stream.flush().await.expect("sent");
    assert_eq!(a.frame().await, Frame::Pong { wall_ms: 1 });
}

#[tokio::test]
async fn a_peer_that_reads_nothing_costs_a_bounded_queue() {
    let mut a = node(1, 0);
    let (stream, result) = greeted(3, &a, |_| ()).await;
    result.expect("a member");
    let (link, _) = a.up().await;
    let page = encode(&Frame::Push(vec![batch(&"x".repeat(30_000)); 8]));
    for _ in 0..200 {
        a.net.send(link, page.clone());
    }
    assert_eq!(a.down().await, None);
    drop(stream);
    a.still_works().await;
}

#[tokio::test]
async fn a_long_frame_that_trickles_in_is_a_sign_of_life() {
    let mut a = node(1, 0);
    let (mut stream, result) = greeted(3, &a, |_| ()).await;
    result.expect("a member");
    a.up().await;
    let frame = encode(&Frame::Push(vec![batch(&"x".repeat(30_000)); 4]));
    let (most, rest) = frame.split_at(frame.len() - LENGTH_BYTES);
    // The parts come further apart than reports do, so at least one part is reported before the whole is there.
    for part in most.chunks(frame.len() / 4) {
        stream.write_all(part).await.expect("sent");
        stream.flush().await.expect("sent");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    a.next(|event| match event {
        Event::Heard { .. } => Some(()),
        Event::Frame { .. } => panic!("not whole yet"),
        _ => None,
    })
    .await;
    stream.write_all(rest).await.expect("sent");
    stream.flush().await.expect("sent");
    assert!(matches!(a.frame().await, Frame::Push(batches) if batches.len() == 4));
}

#[tokio::test]
async fn what_hinders_a_start_is_said() {
    let foreign = IpAddr::from([192, 0, 2, 1]);
    let error = try_node(1, foreign, 0, "lobby", b"").err().expect("not our address").to_string();
    assert!(error.contains("192.0.2.1 is not an address of this machine") && error.contains("127.0.0.1"), "{error}");
    let taken = std::net::UdpSocket::bind("0.0.0.0:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = try_node(1, IpAddr::from([127, 0, 0, 1]), port, "lobby", b"").err().expect("taken").to_string();
    assert!(error.contains(&port.to_string()) && error.contains("--port"), "{error}");
}

#[tokio::test]
async fn a_taken_tcp_port_is_replaced() {
    let a = node(1, 0);
    let again = try_node(2, IpAddr::from([127, 0, 0, 1]), a.net.udp_port(), "lobby", b"").expect("a network side");
    assert_eq!(again.net.udp_port(), a.net.udp_port());
    assert_ne!(again.net.tcp_port(), a.net.tcp_port());
}
