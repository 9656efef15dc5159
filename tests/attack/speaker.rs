//! A client of the protocol that can violate it: its own TLS, its own handshake, any bytes in any
//! order. Only the forms of frames come from the program.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ed25519_dalek::SigningKey;
use roomful::proto::ids::{Instance, NodeId, RoomId, RoomTag};
use roomful::proto::links::room_proof::{Role, Transcript};
use roomful::proto::links::version_range::VersionRange;
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::{Beacon, CloseReason, Frame, Hello, Intro};
use roomful::wire;
use roomful::wire::frame::{Greeting, LENGTH_BYTES};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::accept_any_tls::Anybody;
use support::{Context, Result, bail, ensure};

/// How long an answer may take. Far above what is promised: a busy machine is no defect.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A peer with its own key.
#[derive(Clone)]
pub(crate) struct Speaker {
    pub(crate) key: SigningKey,
    pub(crate) instance: Instance,
    room: String,
    /// The lowest and highest version that it claims to speak.
    pub(crate) versions: VersionRange,
    /// What it proves that it knows: the room's name, a room key, or something else.
    pub(crate) secret: Vec<u8>,
    /// What it says of itself.
    pub(crate) intro: Intro,
    /// The address that it dials from; none: the system's choice.
    pub(crate) source: Option<Ipv4Addr>,
}

/// A connection that is through TLS, and the rest is up to us.
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    room: RoomId,
    own: NodeId,
    /// Who is at the other end, by its certificate.
    pub(crate) peer: NodeId,
    exporter: [u8; 32],
}

impl Speaker {
    /// One who would be a member of the open room of this name.
    pub(crate) fn new(seed: u16, room: &str) -> Self {
        let mut secret = [9; 32];
        secret[..2].copy_from_slice(&seed.to_be_bytes());
        let key = SigningKey::from_bytes(&secret);
        let intro = Intro {
            name: Name::from_lossy(&format!("mallory {seed}"), "?"),
            uptime_ms: 5,
            wall_ms: wall_ms(),
            listens: Vec::new(),
        };
        Self {
            key,
            instance: Instance(u64::from(seed)),
            room: room.to_owned(),
            versions: VersionRange::new(1, 1),
            secret: room.into(),
            intro,
            source: None,
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        NodeId(self.key.verifying_key().to_bytes())
    }

    /// The open room.
    pub(crate) fn room(&self) -> RoomId {
        RoomId::new(&self.room, b"")
    }

    /// Its own beacon, true but for what the caller changes.
    pub(crate) fn beacon(&self, port: u16) -> Beacon {
        let (room, name) = (RoomTag::new(&self.room), self.intro.name.clone());
        Beacon { room, id: self.id(), instance: self.instance, port, name }
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello { versions: self.versions, room: RoomTag::new(&self.room), instance: self.instance }
    }

    /// Connects, with TLS, and says nothing yet.
    pub(crate) async fn connect(&self, to: SocketAddr) -> Result<Line> {
        let socket = TcpSocket::new_v4()?;
        if let Some(source) = self.source {
            socket.bind((source, 0).into())?;
        }
        let stream = timeout(ANSWER_WITHIN, socket.connect(to)).await??;
        let connector = TlsConnector::from(Arc::new(client(&self.key)?));
        let stream = timeout(ANSWER_WITHIN, connector.connect(ServerName::IpAddress(to.ip().into()), stream)).await??;
        self.line(stream.into())
    }

    /// The same as the accepting side.
    pub(crate) async fn answer(&self, stream: TcpStream) -> Result<Line> {
        let acceptor = TlsAcceptor::from(Arc::new(server(&self.key)?));
        let stream = timeout(ANSWER_WITHIN, acceptor.accept(stream)).await??;
        self.line(stream.into())
    }

    fn line(&self, stream: TlsStream<TcpStream>) -> Result<Line> {
        let state = stream.get_ref().1;
        let chain = state.peer_certificates().context("a certificate")?;
        let der = chain.first().context("a certificate")?.as_ref();
        // The key stands behind the name of its algorithm (RFC 8410).
        let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let at = der.windows(prefix.len()).position(|window| window == prefix).context("an Ed25519 key")?;
        let peer = NodeId(der[at + prefix.len()..][..32].try_into()?);
        let label = b"EXPORTER-roomful-room-proof";
        let exporter = match &stream {
            TlsStream::Client(stream) => stream.get_ref().1.export_keying_material([0; 32], label, None)?,
            TlsStream::Server(stream) => stream.get_ref().1.export_keying_material([0; 32], label, None)?,
        };
        Ok(Line { stream, buffer: BytesMut::new(), room: self.room(), own: self.id(), peer, exporter })
    }

    /// Connects and completes the handshake.
    pub(crate) async fn join(&self, to: SocketAddr) -> Result<Line> {
        let mut line = self.connect(to).await?;
        self.greet(&mut line).await?;
        Ok(line)
    }

    /// The dialler's half of the greeting.
    pub(crate) async fn greet(&self, line: &mut Line) -> Result<()> {
        let ours = wire::frame::encode_hello(&self.hello());
        line.send(&ours).await?;
        let theirs = line.receive().await?;
        let whole = [&u32::try_from(theirs.len())?.to_be_bytes()[..], &theirs].concat();
        let Greeting::Hello(_) = line.greeting(&theirs)? else { bail!("no hello: {theirs:?}") };
        let proof = line.receive().await?;
        let Greeting::Proof(_) = line.greeting(&proof)? else { bail!("no proof: {proof:?}") };
        let transcript = Transcript {
            dialler: line.own,
            acceptor: line.peer,
            dialler_hello: &ours,
            acceptor_hello: &whole,
            exporter: line.exporter,
        };
        line.send(&wire::frame::encode_proof(&transcript.prove(&self.secret, Role::Dialler))).await?;
        line.send(&wire::frame::encode_intro(&self.intro)).await?;
        let last = line.receive().await?;
        match line.greeting(&last)? {
            Greeting::Intro(_) => Ok(()),
            other => bail!("refused: {other:?}"),
        }
    }
}

impl Line {
    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(ANSWER_WITHIN, self.stream.write_all(bytes)).await??;
        Ok(timeout(ANSWER_WITHIN, self.stream.flush()).await??)
    }

    /// Sends a record that TLS can make nothing of, past it.
    pub(crate) async fn garble(&mut self) -> Result<()> {
        let record = [&[0x17, 3, 3, 0, 32][..], &[0; 32]].concat();
        Ok(timeout(ANSWER_WITHIN, self.stream.get_mut().0.write_all(&record)).await??)
    }

    /// Sends a frame as it was received elsewhere, without its length.
    pub(crate) async fn pass_on(&mut self, frame: &[u8]) -> Result<()> {
        let length = u32::try_from(frame.len())?.to_be_bytes();
        self.send(&[&length, frame].concat()).await
    }

    /// Sends a frame.
    pub(crate) async fn say(&mut self, frame: &Frame) -> Result<()> {
        self.send(&wire::frame::encode(frame)).await
    }

    fn greeting(&self, bytes: &[u8]) -> Result<Greeting> {
        Ok(wire::frame::decode_greeting(bytes, &self.peer)?)
    }

    /// The next frame's bytes, without their length.
    pub(crate) async fn receive(&mut self) -> Result<Bytes> {
        loop {
            if let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() {
                let length = u32::from_be_bytes(*length) as usize;
                if self.buffer.len() >= LENGTH_BYTES + length {
                    return Ok(self.buffer.split_to(LENGTH_BYTES + length).freeze().slice(LENGTH_BYTES..));
                }
            }
            let count = timeout(ANSWER_WITHIN, self.stream.read_buf(&mut self.buffer)).await.context("no answer")??;
            ensure!(count > 0, "hung up");
        }
    }

    /// The next frame that follows a greeting.
    pub(crate) async fn hear(&mut self) -> Result<Frame> {
        loop {
            let bytes = self.receive().await?;
            if let Some(frame) = wire::frame::decode(&bytes, &self.room)? {
                return Ok(frame);
            }
        }
    }

    /// Reads what has come by now and forgets it, so that the other side can go on writing.
    pub(crate) async fn drain(&mut self) -> Result<()> {
        while let Ok(count) = timeout(Duration::from_millis(1), self.stream.read_buf(&mut self.buffer)).await {
            ensure!(count? > 0, "hung up");
            self.buffer.clear();
        }
        Ok(())
    }

    /// Keeps the link alive and answers pings until it ends. Returns the reason, if one was sent.
    pub(crate) async fn until_closed(&mut self) -> Option<CloseReason> {
        loop {
            match self.hear().await {
                Ok(Frame::Close(reason)) => return Some(reason),
                Ok(Frame::Ping { wall_ms }) => self.say(&Frame::Pong { wall_ms }).await.ok()?,
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

/// The wall clock in milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn certificate(key: &SigningKey) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let private = PrivatePkcs8KeyDer::from([&prefix[..], key.as_bytes()].concat());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&private, &rcgen::PKCS_ED25519)?;
    let certificate = rcgen::CertificateParams::new(Vec::new())?.self_signed(&pair)?;
    Ok((vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(private)))
}

fn client(key: &SigningKey) -> Result<ClientConfig> {
    let (chain, private) = certificate(key)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(chain, private)?;
    config.alpn_protocols = vec![b"roomful/1".to_vec()];
    Ok(config)
}

fn server(key: &SigningKey) -> Result<ServerConfig> {
    let (chain, private) = certificate(key)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"roomful/1".to_vec()];
    Ok(config)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
