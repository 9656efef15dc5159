//! Forks: two batches signed for one position of a log. What proves a fork, and where the log ends
//! then, alike on all nodes.
//!
//! An honest node never signs two headers for one position, unless its machine was put back to an
//! earlier state while it ran. In whatever order the two headers come: of two that claim the same
//! entry the one with the smaller hash stays, and the log ends with it. Of several such positions
//! the first counts. So the outcome is the least of all [`ForkPoint`]s that any two headers give,
//! and nodes that tell each other their least one agree.
//!
//! Nothing here knows what is stored; [`BatchLookup`] is asked.

use std::sync::Arc;

use bytes::Bytes;
use minicbor::{Decoder, Encoder};

use crate::proto::entries::batch::{BatchError, Header, Verified, read_header};
use crate::proto::ids::{Hash, LogKey, RoomId, Seq};

/// A header with its signature, which was verified: a batch without its bodies.
///
/// Cheap to clone: the bytes are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    bytes: Bytes,
    header: Header,
    hash: Hash,
}

impl SignedHeader {
    /// The first two parts of a batch.
    pub fn of(batch: &Verified) -> Self {
        let mut parts = Decoder::new(batch.bytes());
        let mut encoder = Encoder::new(Vec::new());
        let mut copy = || -> Result<(), Box<dyn std::error::Error>> {
            parts.array()?;
            encoder.array(2)?.bytes(parts.bytes()?)?.bytes(parts.bytes()?)?;
            Ok(())
        };
        copy().expect("a verified batch has a header and a signature");
        Self { bytes: encoder.into_writer().into(), header: batch.header().clone(), hash: batch.hash() }
    }

    /// Checks a header and its signature from anywhere: the CBOR array of the two.
    pub fn verify(bytes: &Bytes, room: &RoomId) -> Result<Self, BatchError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array()?;
        let (header, hash) = read_header(&mut decoder, room)?;
        if parts != Some(2) {
            return Err(BatchError::Malformed("a signed header has two parts"));
        }
        if decoder.position() != bytes.len() {
            return Err(BatchError::Malformed("something follows the header"));
        }
        Ok(Self { bytes: bytes.clone(), header, hash })
    }

    /// The CBOR array of header and signature.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The signed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// BLAKE3 of the header's bytes.
    pub fn hash(&self) -> Hash {
        self.hash
    }
}

/// The end of a forked log. Of two ends the lesser one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForkPoint {
    /// The entry that was claimed twice.
    pub seq: Seq,
    /// The last batch of the log: the one of the two that stays. None: neither can stay.
    pub head: Option<Hash>,
}

impl ForkPoint {
    /// Returns true if a batch may still be part of the log.
    pub fn admits(&self, header: &Header, hash: Hash) -> bool {
        self.head == Some(hash) || header.last_seq() < self.seq
    }

    /// Returns the end that two headers prove, if no honest author signs both.
    fn of(one: &SignedHeader, other: &SignedHeader) -> Option<Self> {
        let (mut x, mut y) = (one, other);
        if x.hash == y.hash || x.header.key() != y.header.key() || x.header.audience != y.header.audience {
            return None;
        }
        if y.header.first_seq < x.header.first_seq {
            (x, y) = (y, x);
        }
        let (first, last) = (y.header.first_seq, x.header.last_seq());
        if x.header.first_seq == first {
            if x.header.prev == y.header.prev {
                return Some(Self { seq: first, head: Some(x.hash.min(y.hash)) });
            }
            // They stand on different batches, which both claim the entry before.
            return Some(Self { seq: first - 1, head: x.header.prev.min(y.header.prev) });
        }
        if last >= first - 1 && y.header.prev != Some(x.hash) {
            return Some(Self { seq: first - 1, head: Some(x.hash).min(y.header.prev) });
        }
        let time = y.header.entries.first().map_or(0, |slot| slot.time);
        (last >= first || x.header.last_time().0 >= time).then_some(Self { seq: first, head: None })
    }
}

/// A log that was forked: where it ends, and the two headers that prove it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    end: ForkPoint,
    proof: Arc<[SignedHeader; 2]>,
}

impl Fork {
    /// `None` if an honest author can have signed both.
    pub fn new(one: SignedHeader, other: SignedHeader) -> Option<Self> {
        Some(Self { end: ForkPoint::of(&one, &other)?, proof: Arc::new([one, other]) })
    }

    /// The end of the log.
    pub fn end(&self) -> ForkPoint {
        self.end
    }

    /// The two headers.
    pub fn proof(&self) -> &[SignedHeader; 2] {
        &self.proof
    }

    /// The log and its author.
    pub fn key(&self) -> LogKey {
        self.proof[0].header.key()
    }
}

/// The look-ups and the truncation that the rule needs. The store implements them in SQL, tests in
/// maps.
pub trait BatchLookup {
    /// The error of a look-up.
    type Error;
    /// Of the batches held of the log: the last one that begins before `seq`, the one that begins
    /// there, and the first one that begins behind it.
    fn neighbours(&mut self, seq: Seq) -> Result<Vec<SignedHeader>, Self::Error>;
    /// Removes the batches that the end does not admit.
    fn cut(&mut self, end: ForkPoint) -> Result<(), Self::Error>;
}

/// Compares a signed header with what is held. If the two make a fork, or an earlier one than
/// `known`, truncates the log and returns the fork.
pub fn detect<H: BatchLookup>(
    held: &mut H,
    known: Option<Fork>,
    signed: &SignedHeader,
) -> Result<Option<Fork>, H::Error> {
    let mut fork = known;
    if !narrow(held, &mut fork, signed)? {
        return Ok(None);
    }
    apply(held, fork)
}

/// Applies a fork that another node found. Returns none if that changes nothing.
pub fn adopt<H: BatchLookup>(held: &mut H, known: Option<Fork>, fork: Fork) -> Result<Option<Fork>, H::Error> {
    if known.is_some_and(|known| known.end <= fork.end) {
        return Ok(None);
    }
    apply(held, Some(fork))
}

/// Truncates, and compares what is left with the proof itself: it may show that the log was forked
/// earlier.
fn apply<H: BatchLookup>(held: &mut H, mut fork: Option<Fork>) -> Result<Option<Fork>, H::Error> {
    while let Some(Fork { end, proof }) = fork.clone() {
        held.cut(end)?;
        let mut earlier = false;
        for signed in proof.iter() {
            earlier |= narrow(held, &mut fork, signed)?;
        }
        if !earlier {
            break;
        }
    }
    Ok(fork)
}

/// Returns the lesser fork that a signed header makes with a held batch, if there is one.
fn narrow<H: BatchLookup>(held: &mut H, fork: &mut Option<Fork>, signed: &SignedHeader) -> Result<bool, H::Error> {
    let mut lowered = false;
    for other in held.neighbours(signed.header.first_seq)? {
        let Some(found) = Fork::new(other, signed.clone()) else { continue };
        if fork.as_ref().is_none_or(|known| found.end < known.end) {
            *fork = Some(found);
            lowered = true;
        }
    }
    Ok(lowered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::replication::log::tests::{branch, chain};
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    /// A node that holds some of a log, as far as this rule sees it.
    #[derive(Clone, Default)]
    struct LogFixture {
        batches: BTreeMap<Seq, SignedHeader>,
        fork: Option<Fork>,
    }

    impl BatchLookup for LogFixture {
        type Error = Infallible;

        fn neighbours(&mut self, seq: Seq) -> Result<Vec<SignedHeader>, Infallible> {
            let before = self.batches.range(..seq).next_back();
            let behind = self.batches.range(seq + 1..).next();
            let all = before.into_iter().chain(self.batches.get_key_value(&seq)).chain(behind);
            Ok(all.map(|(_, signed)| signed.clone()).collect())
        }

        fn cut(&mut self, end: ForkPoint) -> Result<(), Infallible> {
            self.batches.retain(|_, signed| end.admits(&signed.header, signed.hash));
            Ok(())
        }
    }

    impl LogFixture {
        fn hear(&mut self, batch: &Verified) {
            let signed = SignedHeader::of(batch);
            let Ok(fork) = detect(self, self.fork.clone(), &signed);
            self.fork = fork.or(self.fork.take());
            let admits = self.fork.as_ref().is_none_or(|fork| fork.end.admits(&signed.header, signed.hash));
            if admits {
                self.batches.insert(signed.header.first_seq, signed);
            }
        }

        fn meet(&mut self, other: &Self) {
            if let Some(fork) = other.fork.clone() {
                let Ok(fork) = adopt(self, self.fork.clone(), fork);
                self.fork = fork.or(self.fork.take());
            }
        }

        fn hashes(&self) -> Vec<Hash> {
            self.batches.values().map(|signed| signed.hash).collect()
        }
    }

    /// Every order of a few things.
    fn orders<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
        if things.len() <= 1 {
            return vec![things.to_vec()];
        }
        let each = 0..things.len();
        each.flat_map(|first| {
            let mut rest = things.to_vec();
            let head = rest.remove(first);
            orders(&rest).into_iter().map(move |tail| [vec![head.clone()], tail].concat())
        })
        .collect()
    }

    #[test]
    fn a_signed_header_survives_bytes() {
        let signed = SignedHeader::of(&chain(1)[0]);
        assert_eq!(SignedHeader::verify(signed.bytes(), &signed.header().room), Ok(signed.clone()));
        let mut bytes = signed.bytes().to_vec();
        bytes[40] ^= 1;
        assert!(SignedHeader::verify(&bytes.into(), &signed.header().room).is_err());
    }

    #[test]
    fn an_honest_log_makes_no_fork() {
        let c = chain(4);
        for one in &c {
            for other in &c {
                assert_eq!(Fork::new(SignedHeader::of(one), SignedHeader::of(other)), None);
            }
        }
    }

    #[test]
    fn log_ends_with_the_smaller_hash_in_any_order() {
        let trunk = chain(2);
        let a: Vec<_> = trunk.iter().cloned().chain(branch(&trunk, 2, "a")).collect();
        let b: Vec<_> = trunk.iter().cloned().chain(branch(&trunk, 2, "b")).collect();
        let winner = a[2].hash().min(b[2].hash());
        let expected = vec![trunk[0].hash(), trunk[1].hash(), winner];
        let all = [a[0].clone(), a[1].clone(), a[2].clone(), a[3].clone(), b[2].clone(), b[3].clone()];
        for order in orders(&all) {
            let mut node = LogFixture::default();
            order.iter().for_each(|batch| node.hear(batch));
            assert_eq!(node.fork.as_ref().map(Fork::end), Some(ForkPoint { seq: 3, head: Some(winner) }));
            // Batches that it removed before it knew better come again from others.
            order.iter().for_each(|batch| node.hear(batch));
            assert_eq!(node.hashes(), expected);
        }
    }

    #[test]
    fn logs_agree_after_forks_are_exchanged() {
        let trunk = chain(2);
        let a: Vec<_> = trunk.iter().cloned().chain(branch(&trunk, 3, "a")).collect();
        let b: Vec<_> = trunk.iter().cloned().chain(branch(&trunk, 3, "b")).collect();
        // One saw only the end of the other branch, the other one only the beginning.
        let (mut one, mut other) = (LogFixture::default(), LogFixture::default());
        a.iter().chain([&b[4]]).for_each(|batch| one.hear(batch));
        b.iter().chain([&a[2]]).for_each(|batch| other.hear(batch));
        assert_ne!(one.fork.as_ref().map(Fork::end), other.fork.as_ref().map(Fork::end));
        one.meet(&other);
        other.meet(&one);
        assert_eq!(one.fork.as_ref().map(Fork::end), other.fork.as_ref().map(Fork::end));
        for batch in a.iter().chain(&b) {
            one.hear(batch);
            other.hear(batch);
        }
        assert_eq!(one.hashes(), other.hashes());
        assert_eq!(one.hashes().last(), Some(&a[2].hash().min(b[2].hash())));
    }

    #[test]
    fn unknown_prev_costs_only_the_place_before() {
        let c = chain(3);
        let stray = branch(
            &branch(&c[..2], 1, "unseen").into_iter().fold(c[..2].to_vec(), |mut all, batch| {
                all.push(batch);
                all
            }),
            1,
            "stray",
        );
        let ends: Vec<_> = [[&c[2], &stray[0]], [&stray[0], &c[2]]]
            .into_iter()
            .map(|order| {
                let mut node = LogFixture::default();
                c[..2].iter().chain(order).for_each(|batch| node.hear(batch));
                node.fork.map(|fork| fork.end)
            })
            .collect();
        assert_eq!(ends[0], ends[1]);
        assert_eq!(ends[0].map(|end| end.seq), Some(3));
    }
}
