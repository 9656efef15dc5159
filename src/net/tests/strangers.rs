//! Peers that violate the protocol: none gets a link, and none blocks other peers.

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::*;
use crate::net::auth_failures::AuthFailures;
use crate::net::handshake::{HandshakeError, HandshakeParams, handshake};
use crate::net::tls::{Tls, exporter};
use crate::proto::limits::{FRAME_BYTES_MAX, HANDSHAKES_MAX};
use crate::proto::links::room_proof::Role;
use crate::proto::links::version_range::{PROTOCOL_VERSIONS, VersionRange};
use crate::proto::replication::frame::Intro;
use crate::wire::frame::{Greeting, LENGTH_BYTES, decode, decode_greeting, encode, encode_hello, encode_proof};

/// A peer with the program's own TLS configuration that can send anything.
pub(super) async fn stranger(seed: u8, address: SocketAddr) -> (TlsStream<TcpStream>, [u8; 32]) {
    let tls = Tls::new(&key(seed)).expect("TLS");
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::IpAddress(address.ip().into());
    let stream = TlsConnector::from(tls.client).connect(name, stream).await.expect("TLS");
    let (_, state) = stream.get_ref();
    let value = exporter(|out, label, context| state.export_keying_material(out, label, context)).expect("exported");
    (stream.into(), value)
}

/// A peer that performs the handshake like a member, with its Hello changed by `change`.
async fn greeted(
    seed: u8,
    node: &NetNode,
    change: impl FnOnce(&mut Hello),
) -> (TlsStream<TcpStream>, Result<(Hello, Intro), HandshakeError>) {
    let (mut stream, exporter) = stranger(seed, node.address()).await;
    let mut hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance() };
    change(&mut hello);
    let intro = Intro { name: name("stranger"), uptime_ms: 1, wall_ms: 2, listens: Vec::new() };
    let (own, peer) = (id(seed), node.id);
    let (keys, address) = (AuthFailures::default(), IpAddr::from([127, 0, 0, 1]));
    let keys = (&keys, address);
    let setup =
        HandshakeParams { role: Role::Dialler, own, peer, hello, secret: b"lobby", exporter, intro: &intro, keys };
    let result = handshake(&mut stream, &setup).await;
    (stream, result)
}

async fn read_frame(stream: &mut TlsStream<TcpStream>) -> Frame {
    let bytes = Bytes::from(read(stream).await);
    decode(&bytes, &RoomId::new("lobby", b"")).expect("well-formed").expect("known")
}

pub(super) async fn read_greeting(stream: &mut TlsStream<TcpStream>) -> Greeting {
    decode_greeting(&read(stream).await, &id(1)).expect("a greeting")
}

/// The next frame, without its length.
async fn read(stream: &mut TlsStream<TcpStream>) -> Vec<u8> {
    let length = timeout(PATIENCE, stream.read_u32()).await.expect("in time").expect("a frame");
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await.expect("a whole frame");
    bytes
}

/// Waits until the other side has hung up, with or without a Close.
async fn hung_up(stream: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("hung up in time");
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
async fn without_a_common_version_there_is_no_link() {
    let mut a = node(1, 0);
    let (_, result) =
        greeted(3, &a, |hello| hello.versions = VersionRange::new(PROTOCOL_VERSIONS.highest + 1, u64::MAX)).await;
    assert!(matches!(result, Err(HandshakeError::Refused(CloseReason::Version))), "{result:?}");
    a.has_refused(&[(DropReason::WrongVersion, 1)]).await;
    a.still_works().await;
}

#[tokio::test]
async fn garbage_instead_of_tls_is_hung_up_on() {
    let mut a = node(1, 0);
    let mut stream = TcpStream::connect(a.address()).await.expect("connected");
    stream.write_all(&b"GET / HTTP/1.1\r\n\r\n".repeat(100)).await.expect("sent");
    hung_up(&mut stream).await;
    a.has_refused(&[(DropReason::NotOurs, 1)]).await;
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

/// Connects with another TLS configuration and expects to be rejected.
async fn turned_away(node: &NetNode, scheme: &'static rcgen::SignatureAlgorithm, alpn: &[u8]) {
    let pair = rcgen::KeyPair::generate_for(scheme).expect("a key");
    let params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    let chain = vec![params.self_signed(&pair).expect("a certificate").der().clone()];
    // The server's certificate is accepted as usual; only the client's configuration differs.
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
async fn other_tls_is_not_answered() {
    let mut a = node(1, 0);
    turned_away(&a, &rcgen::PKCS_ECDSA_P256_SHA256, b"roomful/1").await;
    turned_away(&a, &rcgen::PKCS_ED25519, b"h2").await;
    turned_away(&a, &rcgen::PKCS_ED25519, b"").await;
    a.still_works().await;
}

#[tokio::test]
async fn flood_of_silent_connections_evicts_itself() {
    let mut a = node(1, 0);
    let mut first = TcpStream::connect(a.address()).await.expect("connected");
    let mut flood = Vec::new();
    for _ in 0..HANDSHAKES_MAX {
        flood.push(TcpStream::connect(a.address()).await.expect("connected"));
    }
    // Far sooner than the handshake's timeout.
    timeout(Duration::from_secs(5), hung_up(&mut first)).await.expect("the first silent one goes");
    a.has_refused(&[(DropReason::Displaced, 1)]).await;
    a.still_works().await;
}

#[tokio::test]
async fn protocol_violation_is_answered_with_close() {
    let mut a = node(1, 0);
    let push = |author, room| encode(&Frame::Push(vec![batch_of("hello", author, room)])).to_vec();
    let (forged, strayed, mut altered) = (push(id(9), "lobby"), push(id(1), "attic"), push(id(1), "lobby"));
    *altered.last_mut().expect("not empty") ^= 1;
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).expect("small").to_be_bytes().to_vec();
    for bytes in [forged, strayed, altered, too_long, vec![0, 0, 0, 1, 0xff], vec![0, 0, 0, 3, 0x82, 0, 0xa0]] {
        let (mut stream, result) = greeted(3, &a, |_| ()).await;
        result.expect("a member");
        a.up().await;
        stream.write_all(&bytes).await.expect("sent");
        stream.flush().await.expect("sent");
        assert_eq!(read_frame(&mut stream).await, Frame::Close(CloseReason::Protocol), "{bytes:?}");
        assert_eq!(a.down().await, Some(CloseReason::Protocol));
    }
    a.has_refused(&[
        (DropReason::Malformed, 3),
        (DropReason::Forged, 1),
        (DropReason::Altered, 1),
        (DropReason::Strayed, 1),
    ])
    .await;
    a.still_works().await;
}

#[tokio::test]
async fn unknown_frame_type_is_ignored() {
    let mut a = node(1, 0);
    let (mut stream, result) = greeted(3, &a, |_| ()).await;
    result.expect("a member");
    a.up().await;
    // [99, {0: "new"}]
    let future = [0, 0, 0, 9, 0x82, 0x18, 99, 0xa1, 0, 0x63, b'n', b'e', b'w'];
    stream.write_all(&future).await.expect("sent");
    stream.write_all(&encode(&Frame::Pong { wall_ms: 1 })).await.expect("sent");
    stream.flush().await.expect("sent");
    assert_eq!(a.frame().await, Frame::Pong { wall_ms: 1 });

    // An unknown frame is a sign of life, reported once a second.
    let knock = async {
        loop {
            stream.write_all(&future).await.expect("sent");
            stream.flush().await.expect("sent");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let heard = a.next(|event| match event {
        NetEvent::Heard { .. } => Some(()),
        _ => None,
    });
    tokio::select! {
        () = knock => {}
        () = heard => {}
    }
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
    // The parts arrive further apart than reports, so at least one is reported before the frame is
    // complete.
    for part in most.chunks(frame.len() / 4) {
        stream.write_all(part).await.expect("sent");
        stream.flush().await.expect("sent");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    a.next(|event| match event {
        NetEvent::Heard { .. } => Some(()),
        NetEvent::Frame { .. } => panic!("not whole yet"),
        _ => None,
    })
    .await;
    stream.write_all(rest).await.expect("sent");
    stream.flush().await.expect("sent");
    assert!(matches!(a.frame().await, Frame::Push(batches) if batches.len() == 4));
}

#[tokio::test]
async fn man_in_the_middle_is_detected() {
    // A peer in place of `a` has only its own key to show.
    let (a, mut b) = (node(1, 0), node(2, 0));
    let between = node(66, 0);
    let error = b.refused(between.address(), Some(a.id)).await;
    assert!(error.contains(&id(66).short()), "{error}");
    b.has_refused(&[(DropReason::WrongId, 1)]).await;

    // A peer that forwards frames between two TLS connections fails: the proofs bind the ids and
    // the connection.
    let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance() };
    let intro = Intro { name: name("x"), uptime_ms: 1, wall_ms: 2, listens: Vec::new() };
    for (own, right_exporter) in [(b.id, true), (id(66), false)] {
        let (mut stream, exporter) = stranger(66, a.address()).await;
        let exporter = if right_exporter { exporter } else { [0; 32] };
        let keys = (&AuthFailures::default(), IpAddr::from([127, 0, 0, 1]));
        let setup = HandshakeParams {
            role: Role::Dialler,
            own,
            peer: a.id,
            hello,
            secret: b"lobby",
            exporter,
            intro: &intro,
            keys,
        };
        let error = handshake(&mut stream, &setup).await.expect_err("a proof for something else");
        assert!(matches!(error, HandshakeError::RoomKey), "{error}");
    }
}

#[tokio::test]
async fn wrong_proof_is_answered_with_close_only() {
    let mut a = node(1, 0);
    let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance() };
    for send_back in [false, true] {
        let (mut stream, _) = stranger(3, a.address()).await;
        stream.write_all(&encode_hello(&hello)).await.expect("sent");
        stream.flush().await.expect("sent");
        let theirs = read_greeting(&mut stream).await;
        assert!(matches!(theirs, Greeting::Hello(_)), "{theirs:?}");
        let Greeting::Proof(theirs) = read_greeting(&mut stream).await else { panic!("a proof") };
        let proof = if send_back { theirs } else { [0; 32] };
        stream.write_all(&encode_proof(&proof)).await.expect("sent");
        stream.flush().await.expect("sent");
        assert_eq!(read_frame(&mut stream).await, Frame::Close(CloseReason::Room));
    }
    a.has_refused(&[(DropReason::WrongKey, 2)]).await;
    a.still_works().await;
}
