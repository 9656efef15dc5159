//! The pure part of a handshake: which version two nodes speak, and the proof that a node knows the room's key.
//!
//! The proof binds the key to this one connection, to both ids and to what each side said first, so a recorded one is
//! worth nothing anywhere else. It does not encrypt and it does not say who somebody is: TLS and its certificates do.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::ids::NodeId;

/// The proof begins with this, so that no other HMAC under the same key can stand for it.
const PROOF_DOMAIN: &[u8] = b"roomful room proof 1\0";

/// A room proof: an HMAC-SHA-256.
pub type Proof = [u8; 32];

/// Who proves: so that no side can send back what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that opened the connection.
    Dialler,
    /// The side that accepted it.
    Acceptor,
}

impl Role {
    /// The side at the other end.
    pub fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// What both sides know of their connection before either proves anything.
#[derive(Clone, Copy, Debug)]
pub struct Transcript<'a> {
    /// The id in the dialler's certificate.
    pub dialler: NodeId,
    /// The id in the acceptor's certificate.
    pub acceptor: NodeId,
    /// The dialler's first frame as it was sent, with its four bytes of length.
    pub dialler_hello: &'a [u8],
    /// The acceptor's first frame as it was sent, with its four bytes of length.
    pub acceptor_hello: &'a [u8],
    /// The value that TLS exports for this connection alone.
    pub exporter: [u8; 32],
}

impl Transcript<'_> {
    /// What the side in `role` sends to show that it knows `key`: the room's key, or in an open room its name.
    pub fn prove(&self, key: &[u8], role: Role) -> Proof {
        self.mac(key, role).finalize().into_bytes().into()
    }

    /// Whether `proof` is what the side in `role` has to send. Takes the same time wherever they differ.
    pub fn check(&self, key: &[u8], role: Role, proof: &Proof) -> bool {
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
        // Each frame begins with its own length, so the two can't be cut differently.
        mac.update(self.dialler_hello);
        mac.update(self.acceptor_hello);
        mac.update(&self.exporter);
        mac
    }
}

/// The highest version that both speak, each given as lowest and highest; `None` if there is none.
pub fn common_version(ours: (u64, u64), theirs: (u64, u64)) -> Option<u64> {
    let highest = ours.1.min(theirs.1);
    let lowest = ours.0.max(theirs.0);
    (lowest <= highest).then_some(highest)
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

    #[test]
    fn versions_meet_at_the_highest_of_both() {
        assert_eq!(common_version((1, 1), (1, 1)), Some(1));
        assert_eq!(common_version((1, 3), (2, 5)), Some(3));
        assert_eq!(common_version((1, 2), (3, 4)), None);
        assert_eq!(common_version((3, 4), (1, 2)), None);
        assert_eq!(common_version((1, 1), (1, 0)), None);
    }
}
