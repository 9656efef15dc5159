//! TLS between nodes: version 1.3 with Ed25519 only. The key in the certificate is the node's
//! identity.
//!
//! Names, dates and issuers in a certificate are ignored: only its key identifies a node. Session
//! resumption and early data are disabled, so every connection proves both keys anew.

use std::sync::Arc;

use ed25519_dalek::{SigningKey, VerifyingKey};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, ServerConfig,
    SignatureScheme,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::proto::ids::NodeId;

/// The ALPN protocol that both sides must name. A peer that speaks another one is rejected during
/// the TLS handshake.
pub(super) const ALPN: &[u8] = b"roomful/1";

/// The label of the exported value that the room proof covers.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-roomful-room-proof";

/// The prefix of an Ed25519 public key in a certificate (RFC 8410). The 32 bytes of the key follow,
/// and nothing else.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The prefix of an Ed25519 private key in PKCS #8 (RFC 8410). The 32 bytes of the seed follow.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The node's certificate could not be made.
    #[error("no certificate could be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library rejected the configuration.
    #[error("TLS could not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The client and server configurations, made once for a node.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Tls {
    /// Creates the configurations for the node with this key.
    pub(super) fn new(key: &SigningKey) -> Result<Self, TlsError> {
        let (chain, private) = certificate(key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = Arc::new(KeyVerifier { provider: provider.clone() });

        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_auth_cert(chain.clone(), private.clone_key())?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, private)?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;

        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// Returns the peer's id after a finished TLS handshake.
///
/// Returns `None` if no ALPN was negotiated. The verifiers have already rejected any certificate
/// without an Ed25519 key.
pub(super) fn identity(state: &CommonState) -> Option<NodeId> {
    if state.alpn_protocol() != Some(ALPN) {
        return None;
    }
    key_of(state.peer_certificates()?.first()?)
}

/// Exports the value that is unique to this connection.
pub(super) fn exporter(
    export: impl FnOnce([u8; 32], &[u8], Option<&[u8]>) -> Result<[u8; 32], rustls::Error>,
) -> Result<[u8; 32], rustls::Error> {
    export([0; 32], EXPORTER_LABEL, None)
}

/// Makes a self-signed certificate with the node's key, and the private key in the library's form.
fn certificate(key: &SigningKey) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let private = PrivatePkcs8KeyDer::from([PKCS8_PREFIX.as_slice(), key.as_bytes()].concat());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&private, &rcgen::PKCS_ED25519)?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let certificate = params.self_signed(&pair)?;
    Ok((vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(private)))
}

/// Extracts the Ed25519 key of a certificate. Returns `None` for other certificates, and for weak
/// keys, for which anyone can forge signatures.
fn key_of(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let info = parsed.subject_public_key_info();
    let key: [u8; 32] = info.strip_prefix(&ED25519_PREFIX)?.try_into().ok()?;
    let point = VerifyingKey::from_bytes(&key).ok()?;
    (!point.is_weak()).then_some(NodeId(key))
}

/// Accepts every certificate with an Ed25519 key whose owner signed the handshake, on both sides.
#[derive(Debug)]
struct KeyVerifier {
    provider: Arc<CryptoProvider>,
}

impl KeyVerifier {
    fn check_certificate(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        match key_of(certificate) {
            Some(_) => Ok(()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if signature.scheme != SignatureScheme::ED25519 {
            return Err(CertificateError::BadSignature.into());
        }
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }
}

/// The error for TLS 1.2, which is never offered.
fn too_old() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::PeerIncompatible::Tls12NotOffered.into())
}

impl ServerCertVerifier for KeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check_certificate(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for KeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check_certificate(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Reads and discards what still arrives, until the peer hangs up.
///
/// Closing a socket with unread data makes the system reset the connection, and the peer would lose
/// the last frame. The data is read below TLS, since nothing could be answered anyway.
pub(super) async fn drain(stream: &mut TlsStream<TcpStream>) {
    let (tcp, _) = stream.get_mut();
    let mut sink = [0; 4096];
    while tcp.read(&mut sink).await.is_ok_and(|count| count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_certificate_yields_the_key() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let (chain, _) = certificate(&key).expect("a certificate");
        assert_eq!(key_of(&chain[0]), Some(NodeId(key.verifying_key().to_bytes())));
    }

    #[test]
    fn other_certificates_have_no_key() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        let certificate = params.self_signed(&pair).expect("a certificate");
        assert_eq!(key_of(certificate.der()), None);
        assert_eq!(key_of(&CertificateDer::from(&b"no certificate"[..])), None);
    }
}
