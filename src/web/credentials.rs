//! The credentials of the page: the token, the bearer of this run, and the proofs of the WebSocket
//! handshake.
//!
//! Secrets are never printed or logged, and they are compared in constant time.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// 32 secret bytes, written as 64 hex digits.
#[derive(Clone)]
pub struct PageToken(Zeroizing<[u8; 32]>);

/// A nonce or a proof: 32 bytes, written as 64 hex digits.
pub(super) type Bytes32 = [u8; 32];

impl PageToken {
    /// Makes a token of its bits.
    pub fn new(bits: [u8; 32]) -> Self {
        Self(Zeroizing::new(bits))
    }

    /// Makes a random token.
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Reads 64 hex digits of either case.
    pub fn from_hex(text: &str) -> Option<Self> {
        read_hex(text).map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Returns the hex digits, as in the token's file and the page's link.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.0))
    }

    fn ct_eq(&self, other: &Self) -> bool {
        // Comparing BLAKE3 hashes takes constant time.
        blake3::hash(&*self.0) == blake3::hash(&*other.0)
    }

    fn hmac(&self, side: &str, a: &Bytes32, b: &Bytes32) -> Hmac<Sha256> {
        let mut hmac = Hmac::new_from_slice(&*self.0).expect("HMAC takes keys of any length");
        hmac.update(side.as_bytes());
        hmac.update(a);
        hmac.update(b);
        hmac
    }
}

impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

pub(super) fn read_hex(text: &str) -> Option<Bytes32> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The valid credentials. Clones share their state. Token and bearer change together.
#[derive(Clone)]
pub struct Credentials(Arc<RwLock<CredentialState>>);

struct CredentialState {
    token: PageToken,
    bearer: PageToken,
    /// Grows with every rotation, so that sockets of an earlier generation are recognized.
    generation: u64,
}

impl Credentials {
    /// Makes credentials of this token and a random bearer.
    pub fn new(token: PageToken) -> Self {
        Self(Arc::new(RwLock::new(CredentialState { token, bearer: PageToken::random(), generation: 0 })))
    }

    /// Replaces the token and the bearer. The old ones become invalid at once.
    pub fn rotate(&self, token: PageToken) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *ring = CredentialState { token, bearer: PageToken::random(), generation: ring.generation + 1 };
    }

    /// Returns the valid token.
    pub fn token(&self) -> PageToken {
        self.read(|ring| ring.token.clone())
    }

    pub(super) fn bearer(&self) -> PageToken {
        self.read(|ring| ring.bearer.clone())
    }

    pub(super) fn generation(&self) -> u64 {
        self.read(|ring| ring.generation)
    }

    /// Returns true if `text` is the token or the bearer.
    pub(super) fn admit(&self, text: &str) -> bool {
        let Some(shown) = PageToken::from_hex(text) else { return false };
        self.read(|ring| ring.token.ct_eq(&shown) | ring.bearer.ct_eq(&shown))
    }

    /// Returns true if `text` is the token itself, as a hello needs it.
    pub(super) fn is_token(&self, text: &str) -> bool {
        PageToken::from_hex(text).is_some_and(|shown| self.read(|ring| ring.token.ct_eq(&shown)))
    }

    /// Returns the node's proof over both nonces.
    pub(super) fn node_proof(&self, a: &Bytes32, b: &Bytes32) -> String {
        let hmac = self.read(|ring| ring.token.hmac("node", a, b));
        HEXLOWER.encode(&hmac.finalize().into_bytes())
    }

    /// Returns true if `proof` is the page's proof over both nonces.
    pub(super) fn is_page_proof(&self, a: &Bytes32, b: &Bytes32, proof: &str) -> bool {
        let hmac = self.read(|ring| ring.token.hmac("page", a, b));
        read_hex(proof).is_some_and(|proof| hmac.verify_slice(&proof).is_ok())
    }

    fn read<T>(&self, with: impl FnOnce(&CredentialState) -> T) -> T {
        with(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_issued_tokens_are_accepted() {
        let keys = Credentials::new(PageToken::random());
        let (token, bearer) = (keys.token().to_hex(), keys.bearer().to_hex());
        assert!(keys.admit(&token) && keys.admit(&bearer) && keys.is_token(&token));
        assert!(!keys.is_token(&bearer) && !keys.admit("") && !keys.admit(&token[1..]) && !keys.admit(&"0".repeat(64)));
        keys.rotate(PageToken::random());
        assert!(!keys.admit(&token) && !keys.admit(&bearer));
        assert_eq!(keys.generation(), 1);
    }

    #[test]
    fn proof_covers_the_side_and_both_nonces() {
        let keys = Credentials::new(PageToken(Zeroizing::new([7; 32])));
        let (a, b) = ([1; 32], [2; 32]);
        // Python: hmac.new(b"\x07"*32, b"node"+b"\x01"*32+b"\x02"*32, "sha256").hexdigest()
        assert_eq!(keys.node_proof(&a, &b), "0d96855af28464646b50c9c095778cff2a2b230941a7e06f2b9b0fea4ff10c24");
        let page = HEXLOWER.encode(&keys.token().hmac("page", &a, &b).finalize().into_bytes());
        assert!(keys.is_page_proof(&a, &b, &page));
        assert!(!keys.is_page_proof(&b, &a, &page));
        assert!(!keys.is_page_proof(&a, &b, &keys.node_proof(&a, &b)));
    }
}
