//! The token, the bearer of this run, and the proofs that both sides of a socket make of the token.
//!
//! Nothing here is ever printed, logged or compared in a time that depends on the secret.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// 32 secret bytes, in text 64 hex digits.
#[derive(Clone)]
pub struct Token(Zeroizing<[u8; 32]>);

/// A nonce, or a proof: 32 bytes, in text 64 hex digits.
pub(super) type Bytes32 = [u8; 32];

impl Token {
    /// These bits.
    pub fn new(bits: [u8; 32]) -> Self {
        Self(Zeroizing::new(bits))
    }

    /// A new one.
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Reads 64 hex digits, of either case.
    pub fn from_hex(text: &str) -> Option<Self> {
        read_hex(text).map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// As the token's file and the page's link have it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.0))
    }

    fn is(&self, other: &Self) -> bool {
        // A BLAKE3 hash compares in constant time.
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

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

pub(super) fn read_hex(text: &str) -> Option<Bytes32> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// What opens the page's doors now: the token, and the bearer of this run. Shared; both change together.
#[derive(Clone)]
pub struct Keys(Arc<RwLock<Ring>>);

struct Ring {
    token: Token,
    bearer: Token,
    /// Grows with every rotation, so that who came in before can be told.
    generation: u64,
}

impl Keys {
    /// Keys with this token and a new bearer.
    pub fn new(token: Token) -> Self {
        Self(Arc::new(RwLock::new(Ring { token, bearer: Token::random(), generation: 0 })))
    }

    /// From now on only this token opens, and every bearer is void.
    pub fn rotate(&self, token: Token) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *ring = Ring { token, bearer: Token::random(), generation: ring.generation + 1 };
    }

    /// The token that opens now.
    pub fn token(&self) -> Token {
        self.read(|ring| ring.token.clone())
    }

    pub(super) fn bearer(&self) -> Token {
        self.read(|ring| ring.bearer.clone())
    }

    pub(super) fn generation(&self) -> u64 {
        self.read(|ring| ring.generation)
    }

    /// Whether `text` is the token or the bearer.
    pub(super) fn admit(&self, text: &str) -> bool {
        let Some(shown) = Token::from_hex(text) else { return false };
        self.read(|ring| ring.token.is(&shown) | ring.bearer.is(&shown))
    }

    /// Whether `text` is the token itself, which a socket's hello must be.
    pub(super) fn is_token(&self, text: &str) -> bool {
        Token::from_hex(text).is_some_and(|shown| self.read(|ring| ring.token.is(&shown)))
    }

    /// What the node proves itself with.
    pub(super) fn node_proof(&self, a: &Bytes32, b: &Bytes32) -> String {
        let hmac = self.read(|ring| ring.token.hmac("node", a, b));
        HEXLOWER.encode(&hmac.finalize().into_bytes())
    }

    /// Whether `proof` is what the page proves itself with.
    pub(super) fn is_page_proof(&self, a: &Bytes32, b: &Bytes32, proof: &str) -> bool {
        let hmac = self.read(|ring| ring.token.hmac("page", a, b));
        read_hex(proof).is_some_and(|proof| hmac.verify_slice(&proof).is_ok())
    }

    fn read<T>(&self, with: impl FnOnce(&Ring) -> T) -> T {
        with(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_opens() {
        let keys = Keys::new(Token::random());
        let (token, bearer) = (keys.token().to_hex(), keys.bearer().to_hex());
        assert!(keys.admit(&token) && keys.admit(&bearer) && keys.is_token(&token));
        assert!(!keys.is_token(&bearer) && !keys.admit("") && !keys.admit(&token[1..]) && !keys.admit(&"0".repeat(64)));
        keys.rotate(Token::random());
        assert!(!keys.admit(&token) && !keys.admit(&bearer));
        assert_eq!(keys.generation(), 1);
    }

    #[test]
    fn a_proof_is_of_one_side_and_both_nonces() {
        let keys = Keys::new(Token(Zeroizing::new([7; 32])));
        let (a, b) = ([1; 32], [2; 32]);
        // Python: hmac.new(b"\x07"*32, b"node"+b"\x01"*32+b"\x02"*32, "sha256").hexdigest()
        assert_eq!(keys.node_proof(&a, &b), "0d96855af28464646b50c9c095778cff2a2b230941a7e06f2b9b0fea4ff10c24");
        let page = HEXLOWER.encode(&keys.token().hmac("page", &a, &b).finalize().into_bytes());
        assert!(keys.is_page_proof(&a, &b, &page));
        assert!(!keys.is_page_proof(&b, &a, &page));
        assert!(!keys.is_page_proof(&a, &b, &keys.node_proof(&a, &b)));
    }
}
