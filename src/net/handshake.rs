//! The handshake over an established TLS connection: Hello, Proof and Intro in both directions.
//!
//! It checks only the protocol; the engine decides which links stay. An error is told to the peer
//! in a Close where possible, and to the caller as a sentence.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::auth_failures::AuthFailures;
use super::tls::drain;
use crate::proto::ids::NodeId;
use crate::proto::limits::{FAREWELL_MS, FIRST_FRAME_BYTES_MAX};
use crate::proto::links::room_proof::{Role, RoomProof, Transcript};
use crate::proto::replication::drop_reason::DropReason;
use crate::proto::replication::frame::{CloseReason, Hello, Intro};
use crate::system::io_error_text;
use crate::wire::WireError;
use crate::wire::frame::{
    Greeting, LENGTH_BYTES, decode_greeting, encode_close, encode_hello, encode_intro, encode_proof,
};

/// Why there is no link. Its text is a sentence for a user who asks why two nodes do not connect.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("no answer ({})", io_error_text(.0))]
    Connect(io::Error),
    #[error("no answer within 10 seconds")]
    TooSlow,
    #[error("TLS failed: another program listens there, or something intercepts the connection ({})", io_error_text(.0))]
    Tls(io::Error),
    #[error("it speaks TLS, but it isn't Roomful")]
    NotOurs,
    #[error("another node answers there: {}", .0.short())]
    UnexpectedId(NodeId),
    #[error("this is your own node")]
    OwnNode,
    #[error("another node has the same identity; give it its own data directory")]
    KeyInUse,
    #[error("it runs a newer version than this one supports; update this one")]
    NewerVersion,
    #[error("it runs an older version than this one supports; update that one")]
    OlderVersion,
    #[error("it is in another room")]
    Room,
    #[error("it has a different room key, or only one of you has one")]
    RoomKey,
    #[error("it broke the protocol: {0}")]
    Wire(#[from] WireError),
    #[error("it closed the connection during the handshake")]
    HungUp,
    #[error("the connection was lost ({})", io_error_text(.0))]
    Broken(io::Error),
    #[error("it refused: {}", sentence(*.0))]
    Refused(CloseReason),
    #[error("this node is stopping or has too many pending connections")]
    Displaced,
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::HungUp,
            _ => Self::Broken(error),
        }
    }
}

impl HandshakeError {
    /// The reason that the peer is told. `None` if no peer is there to read it.
    fn reason(&self) -> Option<CloseReason> {
        match self {
            Self::OwnNode => Some(CloseReason::Duplicate),
            Self::KeyInUse => Some(CloseReason::KeyInUse),
            Self::NewerVersion | Self::OlderVersion => Some(CloseReason::Version),
            Self::Room | Self::RoomKey => Some(CloseReason::Room),
            Self::Wire(_) => Some(CloseReason::Protocol),
            Self::Connect(_) | Self::TooSlow | Self::Tls(_) | Self::NotOurs | Self::UnexpectedId(_) => None,
            Self::HungUp | Self::Broken(_) | Self::Refused(_) | Self::Displaced => None,
        }
    }
}

impl HandshakeError {
    /// Returns true if a peer answered, so that the address is not dead.
    pub(super) fn is_answer(&self) -> bool {
        !matches!(self, Self::Connect(_) | Self::TooSlow | Self::HungUp | Self::Broken(_) | Self::Displaced)
    }

    /// The counter for this failure. `None` if nothing was refused: no peer answered, or this node
    /// met itself.
    pub(super) fn cause(&self) -> Option<DropReason> {
        Some(match self {
            Self::Connect(_) | Self::OwnNode => return None,
            Self::Refused(_) | Self::TooSlow | Self::HungUp | Self::Broken(_) => DropReason::Unfinished,
            Self::Tls(_) | Self::NotOurs => DropReason::NotOurs,
            Self::UnexpectedId(_) => DropReason::WrongId,
            Self::KeyInUse => DropReason::OwnKey,
            Self::NewerVersion | Self::OlderVersion => DropReason::WrongVersion,
            Self::Room => DropReason::WrongRoom,
            Self::RoomKey => DropReason::WrongKey,
            Self::Wire(_) => DropReason::Malformed,
            Self::Displaced => DropReason::Displaced,
        })
    }
}

fn sentence(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Stopping => "it is stopping",
        CloseReason::Duplicate => "already connected",
        CloseReason::KeyInUse => "this node's identity is in use on another computer",
        CloseReason::Version => "incompatible versions; update the older one",
        CloseReason::Room => "it is in another room, or has a different room key",
        CloseReason::Protocol => "it reports a protocol error",
        CloseReason::Silent => "it received nothing for too long",
        CloseReason::Busy => "it has too many connections",
        CloseReason::Other => "for a reason this version doesn't know",
    }
}

/// The inputs of a handshake.
pub(super) struct HandshakeParams<'a> {
    /// This side's role.
    pub(super) role: Role,
    /// This node's id.
    pub(super) own: NodeId,
    /// The id in the peer's certificate.
    pub(super) peer: NodeId,
    /// This side's Hello.
    pub(super) hello: Hello,
    /// The room's key; in an open room, its name.
    pub(super) secret: &'a [u8],
    /// The value that TLS exports for this connection.
    pub(super) exporter: [u8; 32],
    /// This side's Intro, sent once the peer's proof was right.
    pub(super) intro: &'a Intro,
    /// The counter of wrong proofs, and the peer's address.
    pub(super) keys: (&'a AuthFailures, IpAddr),
}

/// Performs the handshake. `Ok` means that the peer is another node, holds the room's key and
/// speaks a common version.
pub(super) async fn handshake(
    stream: &mut TlsStream<TcpStream>,
    params: &HandshakeParams<'_>,
) -> Result<(Hello, Intro), HandshakeError> {
    let result = match params.role {
        Role::Dialler => dial(stream, params).await,
        Role::Acceptor => accept(stream, params).await,
    };
    if let Some(reason) = result.as_ref().err().and_then(HandshakeError::reason) {
        // The Close is best effort. The caller gets the error either way.
        let _ = timeout(Duration::from_millis(FAREWELL_MS), send_close(stream, reason)).await;
    }
    result
}

async fn dial<S>(stream: &mut S, params: &HandshakeParams<'_>) -> Result<(Hello, Intro), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let own_hello = encode_hello(&params.hello);
    send(stream, &own_hello).await?;
    let (hello, peer_hello) = read_hello(stream, params).await?;
    let transcript = params.transcript(&own_hello, &peer_hello);
    check_proof(stream, params, &transcript).await?;
    let proof = encode_proof(&transcript.prove(params.secret, params.role));
    send(stream, &[proof, encode_intro(params.intro)].concat()).await?;
    Ok((hello, read_intro(stream, params).await?))
}

async fn accept<S>(stream: &mut S, params: &HandshakeParams<'_>) -> Result<(Hello, Intro), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (hello, peer_hello) = read_hello(stream, params).await?;
    let own_hello = encode_hello(&params.hello);
    let transcript = params.transcript(&peer_hello, &own_hello);
    let proof = encode_proof(&transcript.prove(params.secret, params.role));
    send(stream, &[own_hello.clone(), proof].concat()).await?;
    check_proof(stream, params, &transcript).await?;
    let intro = read_intro(stream, params).await?;
    send(stream, &encode_intro(params.intro)).await?;
    Ok((hello, intro))
}

impl HandshakeParams<'_> {
    fn transcript<'b>(&self, dialler_hello: &'b [u8], acceptor_hello: &'b [u8]) -> Transcript<'b> {
        let (dialler, acceptor) = match self.role {
            Role::Dialler => (self.own, self.peer),
            Role::Acceptor => (self.peer, self.own),
        };
        Transcript { dialler, acceptor, dialler_hello, acceptor_hello, exporter: self.exporter }
    }
}

/// Reads the peer's Hello, with its bytes as received. Fails if version, room or id rule out a
/// link.
async fn read_hello<S>(stream: &mut S, params: &HandshakeParams<'_>) -> Result<(Hello, Bytes), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let bytes = read(stream).await?;
    let Greeting::Hello(hello) = expect(&bytes, params)? else { return Err(unexpected()) };
    if params.hello.versions.highest_common(hello.versions).is_none() {
        let is_newer = hello.versions.lowest > params.hello.versions.highest;
        return Err(if is_newer { HandshakeError::NewerVersion } else { HandshakeError::OlderVersion });
    }
    if hello.room != params.hello.room {
        return Err(HandshakeError::Room);
    }
    if params.peer == params.own && hello.instance == params.hello.instance {
        return Err(HandshakeError::OwnNode);
    }
    if params.peer == params.own {
        return Err(HandshakeError::KeyInUse);
    }
    Ok((hello, bytes))
}

async fn check_proof<S>(
    stream: &mut S,
    params: &HandshakeParams<'_>,
    transcript: &Transcript<'_>,
) -> Result<(), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let bytes = read(stream).await?;
    let (keys, address) = params.keys;
    let proof: RoomProof = match expect(&bytes, params) {
        Ok(Greeting::Proof(proof)) => proof,
        Ok(Greeting::Hello(_) | Greeting::Intro(_) | Greeting::Close(_)) => return Err(unexpected()),
        // The peer knows the room's name and rejected our proof.
        Err(HandshakeError::Refused(CloseReason::Room)) => {
            keys.refused(address);
            return Err(HandshakeError::RoomKey);
        }
        Err(error) => return Err(error),
    };
    let is_right = || transcript.check(params.secret, params.role.other(), &proof);
    // A node that was dialled is not guessing keys, so its failures are not counted.
    let right = match params.role {
        Role::Dialler => is_right(),
        Role::Acceptor => keys.check(address, is_right),
    };
    if right { Ok(()) } else { Err(HandshakeError::RoomKey) }
}

async fn read_intro<S>(stream: &mut S, params: &HandshakeParams<'_>) -> Result<Intro, HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let bytes = read(stream).await?;
    match expect(&bytes, params)? {
        Greeting::Intro(intro) => Ok(intro),
        Greeting::Hello(_) | Greeting::Proof(_) | Greeting::Close(_) => Err(unexpected()),
    }
}

/// Decodes a greeting. A Close in its place is returned as an error.
fn expect(bytes: &[u8], params: &HandshakeParams<'_>) -> Result<Greeting, HandshakeError> {
    match decode_greeting(&bytes[LENGTH_BYTES..], &params.peer)? {
        // A peer with our own key that notices it first sends one of these.
        Greeting::Close(CloseReason::Duplicate) if params.peer == params.own => Err(HandshakeError::OwnNode),
        Greeting::Close(CloseReason::KeyInUse) if params.peer == params.own => Err(HandshakeError::KeyInUse),
        Greeting::Close(reason) => Err(HandshakeError::Refused(reason)),
        greeting => Ok(greeting),
    }
}

fn unexpected() -> HandshakeError {
    HandshakeError::Wire(WireError::Malformed("another frame than the greeting has at this point"))
}

/// Reads one frame, length included. The length is checked before memory is allocated.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Bytes, HandshakeError> {
    let mut prefix = [0; LENGTH_BYTES];
    stream.read_exact(&mut prefix).await?;
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > FIRST_FRAME_BYTES_MAX {
        return Err(WireError::TooLong.into());
    }
    let mut bytes = BytesMut::zeroed(LENGTH_BYTES + length);
    bytes[..LENGTH_BYTES].copy_from_slice(&prefix);
    stream.read_exact(&mut bytes[LENGTH_BYTES..]).await?;
    Ok(bytes.freeze())
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Sends a Close and waits until the peer has hung up.
async fn send_close(stream: &mut TlsStream<TcpStream>, reason: CloseReason) -> io::Result<()> {
    send(stream, &encode_close(reason)).await?;
    stream.shutdown().await?;
    drain(stream).await;
    Ok(())
}
