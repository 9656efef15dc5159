//! The first frames on a link, once TLS stands: Hello and Proof in both directions, then who one is.
//!
//! It decides nothing but whether the protocol was kept: which links stay is the engine's business. What goes wrong
//! is said to the other side in a Close, as far as it can be reached, and to the caller as a sentence.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::tls::read_away;
use super::wrong_keys::WrongKeys;
use crate::proto::frame::{CloseReason, Hello, Intro};
use crate::proto::ids::NodeId;
use crate::proto::limits::{FAREWELL_MS, FIRST_FRAME_BYTES_MAX};
use crate::proto::refusal::Cause;
use crate::proto::session::{Proof, Role, Transcript, common_version};
use crate::system::said;
use crate::wire::WireError;
use crate::wire::frame::{
    Greeting, LENGTH_BYTES, decode_greeting, encode_close, encode_hello, encode_intro, encode_proof,
};

/// Why there is no link. Printed, it is a sentence for the user who looks why two nodes don't meet.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("nobody answers there ({})", said(.0))]
    Connect(io::Error),
    #[error("no answer within 10 seconds")]
    TooSlow,
    #[error("TLS failed: no node of ours listens there, or something stands between ({})", said(.0))]
    Tls(io::Error),
    #[error("it speaks TLS, but not the protocol of this program")]
    NotOurs,
    #[error("somebody else answers there: {}", .0.short())]
    SomebodyElse(NodeId),
    #[error("that is this node itself")]
    OwnNode,
    #[error("another node runs with the key of this one; give it a data directory of its own")]
    KeyInUse,
    #[error("it runs a newer version than this one understands; update this one")]
    NewerVersion,
    #[error("it runs an older version than this one understands; update that one")]
    OlderVersion,
    #[error("it is in another room")]
    Room,
    #[error("it has another room key, or none, or only one of you has")]
    RoomKey,
    #[error("it broke the protocol: {0}")]
    Wire(#[from] WireError),
    #[error("it hung up during the greeting")]
    HungUp,
    #[error("the connection broke ({})", said(.0))]
    Broken(io::Error),
    #[error("it refused: {}", sentence(*.0))]
    Refused(CloseReason),
    #[error("this node is stopping or has too many unfinished connections")]
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
    /// What the other side is told; nothing where nobody is there to hear it.
    fn reason(&self) -> Option<CloseReason> {
        match self {
            Self::OwnNode => Some(CloseReason::Duplicate),
            Self::KeyInUse => Some(CloseReason::KeyInUse),
            Self::NewerVersion | Self::OlderVersion => Some(CloseReason::Version),
            Self::Room | Self::RoomKey => Some(CloseReason::Room),
            Self::Wire(_) => Some(CloseReason::Protocol),
            Self::Connect(_) | Self::TooSlow | Self::Tls(_) | Self::NotOurs | Self::SomebodyElse(_) => None,
            Self::HungUp | Self::Broken(_) | Self::Refused(_) | Self::Displaced => None,
        }
    }
}

impl HandshakeError {
    /// Whether whoever is there had its say.
    pub(super) fn is_answer(&self) -> bool {
        !matches!(self, Self::Connect(_) | Self::TooSlow | Self::HungUp | Self::Broken(_) | Self::Displaced)
    }

    /// Under which cause it is counted; none where nothing was refused: nobody answered, or it was this node itself.
    pub(super) fn cause(&self) -> Option<Cause> {
        Some(match self {
            Self::Connect(_) | Self::OwnNode => return None,
            Self::Refused(_) | Self::TooSlow | Self::HungUp | Self::Broken(_) => Cause::Unfinished,
            Self::Tls(_) | Self::NotOurs => Cause::NotOurs,
            Self::SomebodyElse(_) => Cause::WrongId,
            Self::KeyInUse => Cause::OwnKey,
            Self::NewerVersion | Self::OlderVersion => Cause::WrongVersion,
            Self::Room => Cause::WrongRoom,
            Self::RoomKey => Cause::WrongKey,
            Self::Wire(_) => Cause::Malformed,
            Self::Displaced => Cause::Displaced,
        })
    }
}

fn sentence(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Stopping => "it is stopping",
        CloseReason::Duplicate => "there is a link already",
        CloseReason::KeyInUse => "the key of this node is in use on another machine",
        CloseReason::Version => "no version of the protocol that both speak; update the older one",
        CloseReason::Room => "it is in another room, or has another room key",
        CloseReason::Protocol => "it says that this node broke the protocol",
        CloseReason::Silent => "it heard nothing for too long",
        CloseReason::Busy => "it has too many links",
        CloseReason::Other => "for a reason that this version does not know",
    }
}

/// What a side brings to a handshake.
pub(super) struct Setup<'a> {
    /// Which side this is.
    pub(super) role: Role,
    /// The own id.
    pub(super) own: NodeId,
    /// The id in the other side's certificate.
    pub(super) peer: NodeId,
    /// What this side says first.
    pub(super) hello: Hello,
    /// The room's key, or in an open room its name.
    pub(super) secret: &'a [u8],
    /// What TLS exports for this connection.
    pub(super) exporter: [u8; 32],
    /// What is told once the other side's proof was right.
    pub(super) intro: &'a Intro,
    /// Where wrong proofs are counted, and from which address this one comes.
    pub(super) keys: (&'a WrongKeys, IpAddr),
}

/// Greets the other side. `Ok` means: it holds the room's key, speaks a version that we speak, and is another node.
pub(super) async fn greet(
    stream: &mut TlsStream<TcpStream>,
    setup: &Setup<'_>,
) -> Result<(Hello, Intro), HandshakeError> {
    let result = match setup.role {
        Role::Dialler => dial(stream, setup).await,
        Role::Acceptor => accept(stream, setup).await,
    };
    if let Some(reason) = result.as_ref().err().and_then(HandshakeError::reason) {
        // Whether it arrives is not ours to enforce: the caller hears what was wrong either way.
        let _ = timeout(Duration::from_millis(FAREWELL_MS), say_why(stream, reason)).await;
    }
    result
}

async fn dial<S>(stream: &mut S, setup: &Setup<'_>) -> Result<(Hello, Intro), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ours = encode_hello(&setup.hello);
    send(stream, &ours).await?;
    let (hello, theirs) = read_hello(stream, setup).await?;
    let transcript = setup.transcript(&ours, &theirs);
    check_proof(stream, setup, &transcript).await?;
    let proof = encode_proof(&transcript.prove(setup.secret, setup.role));
    send(stream, &[proof, encode_intro(setup.intro)].concat()).await?;
    Ok((hello, read_intro(stream, setup).await?))
}

async fn accept<S>(stream: &mut S, setup: &Setup<'_>) -> Result<(Hello, Intro), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (hello, theirs) = read_hello(stream, setup).await?;
    let ours = encode_hello(&setup.hello);
    let transcript = setup.transcript(&theirs, &ours);
    let proof = encode_proof(&transcript.prove(setup.secret, setup.role));
    send(stream, &[ours.clone(), proof].concat()).await?;
    check_proof(stream, setup, &transcript).await?;
    let intro = read_intro(stream, setup).await?;
    send(stream, &encode_intro(setup.intro)).await?;
    Ok((hello, intro))
}

impl Setup<'_> {
    fn transcript<'b>(&self, dialler_hello: &'b [u8], acceptor_hello: &'b [u8]) -> Transcript<'b> {
        let (dialler, acceptor) = match self.role {
            Role::Dialler => (self.own, self.peer),
            Role::Acceptor => (self.peer, self.own),
        };
        Transcript { dialler, acceptor, dialler_hello, acceptor_hello, exporter: self.exporter }
    }
}

/// The other side's first frame, and its bytes as they came; everything that speaks against a link at this point.
async fn read_hello<S>(stream: &mut S, setup: &Setup<'_>) -> Result<(Hello, Bytes), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let bytes = read(stream).await?;
    let Greeting::Hello(hello) = expect(&bytes, setup)? else { return Err(unexpected()) };
    if common_version(setup.hello.versions, hello.versions).is_none() {
        let is_newer = hello.versions.0 > setup.hello.versions.1;
        return Err(if is_newer { HandshakeError::NewerVersion } else { HandshakeError::OlderVersion });
    }
    if hello.room != setup.hello.room {
        return Err(HandshakeError::Room);
    }
    if setup.peer == setup.own && hello.instance == setup.hello.instance {
        return Err(HandshakeError::OwnNode);
    }
    if setup.peer == setup.own {
        return Err(HandshakeError::KeyInUse);
    }
    Ok((hello, bytes))
}

async fn check_proof<S>(stream: &mut S, setup: &Setup<'_>, transcript: &Transcript<'_>) -> Result<(), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let bytes = read(stream).await?;
    let (keys, address) = setup.keys;
    let proof: Proof = match expect(&bytes, setup) {
        Ok(Greeting::Proof(proof)) => proof,
        Ok(Greeting::Hello(_) | Greeting::Intro(_) | Greeting::Close(_)) => return Err(unexpected()),
        // It knows our room's name, and found our proof wrong.
        Err(HandshakeError::Refused(CloseReason::Room)) => {
            keys.refused(address);
            return Err(HandshakeError::RoomKey);
        }
        Err(error) => return Err(error),
    };
    let is_right = || transcript.check(setup.secret, setup.role.other(), &proof);
    // Who was dialled did not come to try keys.
    let right = match setup.role {
        Role::Dialler => is_right(),
        Role::Acceptor => keys.check(address, is_right),
    };
    if right { Ok(()) } else { Err(HandshakeError::RoomKey) }
}

async fn read_intro<S>(stream: &mut S, setup: &Setup<'_>) -> Result<Intro, HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let bytes = read(stream).await?;
    match expect(&bytes, setup)? {
        Greeting::Intro(intro) => Ok(intro),
        Greeting::Hello(_) | Greeting::Proof(_) | Greeting::Close(_) => Err(unexpected()),
    }
}

/// Reads a greeting; a Close in its place is an error of its own.
fn expect(bytes: &[u8], setup: &Setup<'_>) -> Result<Greeting, HandshakeError> {
    match decode_greeting(&bytes[LENGTH_BYTES..], &setup.peer)? {
        // Who has our own key is the first to notice, and says what it is.
        Greeting::Close(CloseReason::Duplicate) if setup.peer == setup.own => Err(HandshakeError::OwnNode),
        Greeting::Close(CloseReason::KeyInUse) if setup.peer == setup.own => Err(HandshakeError::KeyInUse),
        Greeting::Close(reason) => Err(HandshakeError::Refused(reason)),
        greeting => Ok(greeting),
    }
}

fn unexpected() -> HandshakeError {
    HandshakeError::Wire(WireError::Malformed("another frame than the greeting has at this point"))
}

/// One frame with its length, which is checked before memory is taken.
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

/// Sends a Close and waits until the other side has hung up.
async fn say_why(stream: &mut TlsStream<TcpStream>, reason: CloseReason) -> io::Result<()> {
    send(stream, &encode_close(reason)).await?;
    stream.shutdown().await?;
    read_away(stream).await;
    Ok(())
}
