//! The room proof: a MAC that shows that a node knows the room's key. Also the choice of the
//! protocol version.
//!
//! The proof covers the connection, both ids and both first frames, so a recorded proof is
//! worthless elsewhere. It neither encrypts nor identifies a node: TLS and its certificates do.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::proto::ids::NodeId;

/// Prefix of the proof's input, so that no other HMAC under the same key can serve as one.
const PROOF_DOMAIN: &[u8] = b"roomful room proof 1\0";

/// A room proof: an HMAC-SHA-256.
pub type RoomProof = [u8; 32];

/// The side that proves. Part of the MAC, so that a side cannot send back the other's proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that opened the connection.
    Dialler,
    /// The side that accepted it.
    Acceptor,
}

impl Role {
    /// The role of the other side.
    pub fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// What both sides know of their connection before the proofs.
#[derive(Clone, Copy, Debug)]
pub struct Transcript<'a> {
    /// The id in the dialler's certificate.
    pub dialler: NodeId,
    /// The id in the acceptor's certificate.
    pub acceptor: NodeId,
    /// The dialler's first frame as sent, with its four bytes of length.
    pub dialler_hello: &'a [u8],
    /// The acceptor's first frame as sent, with its four bytes of length.
    pub acceptor_hello: &'a [u8],
    /// The value that TLS exports for this connection alone.
    pub exporter: [u8; 32],
}

impl Transcript<'_> {
    /// Computes the proof of the side in `role`. `key` is the room's key; in an open room, its
    /// name.
    pub fn prove(&self, key: &[u8], role: Role) -> RoomProof {
        self.mac(key, role).finalize().into_bytes().into()
    }

    /// Returns true if `proof` is the one of the side in `role`. Compares in constant time.
    pub fn check(&self, key: &[u8], role: Role, proof: &RoomProof) -> bool {
        self.mac(key, role).verify_slice(proof).is_ok()
    }

    fn mac(&self, key: &[u8], role: Role) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(PROOF_DOMAIN);
        mac.update(&[match role {
            Role::Dialler => 0,
            Role::Acceptor => 1,
        }]);
        mac.update(&self.dialler.0);
        mac.update(&self.acceptor.0);
        // Each frame begins with its length, so the boundary between the two is unambiguous.
        mac.update(self.dialler_hello);
        mac.update(self.acceptor_hello);
        mac.update(&self.exporter);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"lobby";

    fn transcript() -> Transcript<'static> {
        Transcript {
            dialler: NodeId([1; 32]),
            acceptor: NodeId([2; 32]),
            dialler_hello: b"\0\0\0\x01a",
            acceptor_hello: b"\0\0\0\x01b",
            exporter: [3; 32],
        }
    }

    #[test]
    fn the_right_proof_is_accepted() {
        for role in [Role::Dialler, Role::Acceptor] {
            assert!(transcript().check(KEY, role, &transcript().prove(KEY, role)));
            assert!(!transcript().check(KEY, role.other(), &transcript().prove(KEY, role)), "sent back");
        }
    }

    #[test]
    fn everything_it_binds_counts() {
        let proof = transcript().prove(KEY, Role::Dialler);
        let refused = |changed: Transcript<'_>| !changed.check(KEY, Role::Dialler, &proof);
        assert!(!transcript().check(b"another", Role::Dialler, &proof));
        assert!(refused(Transcript { dialler: NodeId([9; 32]), ..transcript() }));
        assert!(refused(Transcript { acceptor: NodeId([9; 32]), ..transcript() }));
        assert!(refused(Transcript { dialler_hello: b"\0\0\0\x01c", ..transcript() }));
        assert!(refused(Transcript { acceptor_hello: b"\0\0\0\x01c", ..transcript() }));
        assert!(refused(Transcript { exporter: [9; 32], ..transcript() }));
    }
}
