//! What is held of one log: ranges of whole batches, and the check whether another batch fits to
//! them.

use super::author_limits::LimitReason;
use super::fork::Fork;
use super::frame::HeldRange;
use super::range_set::{RangeSet, SeqRange, SeqSpan};
use super::store_api::Run;
use crate::proto::entries::batch::{Header, Verified};
use crate::proto::ids::{Hash, NodeId, Seq};
use crate::proto::limits::RANGES_PER_LOG_MAX;

/// The state of one log.
#[derive(Clone, Debug)]
pub struct LogState {
    /// The only member besides the author that may hold it. None: the whole room.
    pub audience: Option<NodeId>,
    /// The committed batches: those told to peers and receipted.
    pub held: HeldBatches,
    /// The same with what is on its way to the disk. Another batch has to fit to this.
    pub taken: HeldBatches,
    /// The fork that ends the log for ever, if its author signed two batches for one position.
    pub fork: Option<Fork>,
}

impl LogState {
    /// A log of which nothing is held yet.
    pub fn new(audience: Option<NodeId>) -> Self {
        Self { audience, held: HeldBatches::default(), taken: HeldBatches::default(), fork: None }
    }

    /// The parts of `first..=last` that belong to the log and are neither held nor on their way,
    /// ascending.
    pub fn missing(&self, first: Seq, last: Seq) -> Vec<SeqRange> {
        let last = match self.fork.as_ref().map(Fork::end) {
            Some(end) if end.head.is_some() => last.min(end.seq),
            Some(end) => last.min(end.seq - 1),
            None => last,
        };
        self.taken.missing(first, last)
    }

    /// Returns true if there is anything to tell a peer about.
    pub fn has_anything_to_report(&self) -> bool {
        !self.held.is_empty() || self.fork.is_some()
    }

    /// Returns true if the last batch of a forked log is still to be found.
    pub fn is_missing_fork_head(&self) -> bool {
        self.fork.as_ref().map(Fork::end).is_some_and(|end| end.head.is_some() && !self.taken.contains(end.seq))
    }
}

/// The batches held of a log, as ranges without a gap, and their size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBatches {
    runs: RangeSet<Run>,
    /// The bytes of all batches in them.
    bytes: u64,
}

impl SeqSpan for Run {
    fn first(&self) -> Seq {
        self.first
    }

    fn last(&self) -> Seq {
        self.last
    }

    fn join(self, next: Self) -> Self {
        Self { last: next.last, head: next.head, last_time: next.last_time, ..self }
    }
}

/// The relation of a batch to what is held of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It goes on, fills a gap, or stands beyond one.
    Fits,
    /// It is held already.
    Held,
    /// Entries are held in its place. Only the store can tell if they are the same.
    Overlaps,
    /// No honest author signs this beside what is held: another batch for the same position, or a
    /// time that does not grow. The store finds out where the log ends then.
    Conflicts,
    /// It has another audience than its log, or is behind the end of the log.
    Refused,
    /// It would make more ranges than a log may have. It comes again when the gaps before it are
    /// filled.
    TooManyGaps,
    /// No more of its author is taken now.
    Closed(LimitReason),
}

impl HeldBatches {
    /// The ranges as the store reported them, and the bytes of their batches.
    pub fn new(runs: Vec<Run>, bytes: u64) -> Self {
        Self { runs: RangeSet::new(runs), bytes }
    }

    /// The ranges as a store keeps them.
    pub fn runs(&self) -> Vec<Run> {
        self.runs.as_slice().to_vec()
    }

    /// The bytes of all batches.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The batches take so many bytes more, or fewer.
    pub fn resize(&mut self, bytes: i64) {
        self.bytes = self.bytes.saturating_add_signed(bytes);
    }

    /// Returns true if nothing is held.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The range of one batch.
    fn run(header: &Header, hash: Hash) -> Run {
        Run {
            first: header.first_seq,
            prev: header.prev,
            last: header.last_seq(),
            head: hash,
            first_time: crate::proto::clock::Stamp(header.entries.first().map_or(0, |slot| slot.time)),
            last_time: header.last_time(),
        }
    }

    /// Returns how a batch fits to these ranges.
    pub fn fit(&self, batch: &Verified) -> Fit {
        let new = Self::run(batch.header(), batch.hash());
        for run in self.runs.as_slice() {
            if run.last < new.first {
                let linked = new.prev == Some(run.head);
                if (run.last + 1 == new.first && !linked) || run.last_time >= new.first_time {
                    return Fit::Conflicts;
                }
            } else if run.first > new.last {
                let linked = run.prev == Some(new.head);
                if (run.first == new.last + 1 && !linked) || new.last_time >= run.first_time {
                    return Fit::Conflicts;
                }
            } else {
                let inside = run.first <= new.first && new.last <= run.last;
                let same_start = run.first != new.first || run.prev == new.prev;
                return match (inside && same_start, run.last == new.last) {
                    (true, true) if run.head == new.head => Fit::Held,
                    (true, false) => Fit::Overlaps,
                    (true | false, _) => Fit::Conflicts,
                };
            }
        }
        let joins = self.runs.as_slice().iter().any(|run| run.last + 1 == new.first || new.last + 1 == run.first);
        if !joins && new.first > 1 && self.runs.as_slice().len() > RANGES_PER_LOG_MAX {
            return Fit::TooManyGaps;
        }
        Fit::Fits
    }

    /// Adds a batch that [`Fit::Fits`]. Adding a held one changes nothing.
    pub fn add(&mut self, batch: &Verified) {
        let new = Self::run(batch.header(), batch.hash());
        if !self.runs.covers(&new) {
            self.bytes += batch.bytes().len() as u64;
            self.runs.insert(new);
        }
    }

    /// The ranges as they are told to a peer.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = HeldRange> {
        self.runs.as_slice().iter().map(|run| HeldRange { first: run.first, last: run.last, head: run.head })
    }

    /// Returns true if the entry is in one of the ranges.
    pub fn contains(&self, seq: Seq) -> bool {
        self.runs.contains(seq)
    }

    /// Returns the parts of `first..=last` that are not held, ascending.
    pub fn missing(&self, first: Seq, last: Seq) -> Vec<SeqRange> {
        self.runs.missing(first, last)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::proto::clock::Stamp;
    use crate::proto::entries::batch::{HEADER_VERSION, sign, slot};
    use crate::proto::entries::body::{Body, SALT_BYTES};
    use crate::proto::ids::{LogId, RoomId};
    use ed25519_dalek::SigningKey;

    /// A chain of batches with one entry each, from sequence number 1.
    pub(crate) fn chain(length: u64) -> Vec<Verified> {
        branch(&[], length, "x")
    }

    /// Goes on after `before`, saying `text`.
    pub(crate) fn branch(before: &[Verified], length: u64, text: &str) -> Vec<Verified> {
        let key = SigningKey::from_bytes(&[3; 32]);
        let mut prev = before.last().map(Verified::hash);
        let begun = before.len() as u64;
        (begun + 1..=begun + length)
            .map(|seq| {
                let body = Body::say(format!("{text} {seq}"), None, None);
                let bodies = [body.encode([0; SALT_BYTES])];
                let header = Header {
                    version: HEADER_VERSION,
                    room: RoomId::new("lobby", b""),
                    author: NodeId(key.verifying_key().to_bytes()),
                    audience: None,
                    log: LogId(1),
                    first_seq: seq,
                    prev,
                    after: None,
                    entries: vec![slot(Stamp::from_ms(seq * 10), &bodies[0])],
                };
                let batch = sign(&key, header, &bodies);
                prev = Some(batch.hash());
                batch
            })
            .collect()
    }

    fn ranges(batches: &[&Verified]) -> HeldBatches {
        let mut ranges = HeldBatches::default();
        for batch in batches {
            assert_eq!(ranges.fit(batch), Fit::Fits);
            ranges.add(batch);
        }
        ranges
    }

    #[track_caller]
    fn check_spans(ranges: &HeldBatches, expected: &[(Seq, Seq)]) {
        let spans: Vec<_> = ranges.spans().map(|span| (span.first, span.last)).collect();
        assert_eq!(spans, expected);
    }

    #[test]
    fn ranges_merge_in_any_order() {
        let c = chain(4);
        let expected = ranges(&[&c[0], &c[1], &c[2], &c[3]]);
        assert_eq!(ranges(&[&c[3], &c[1], &c[0], &c[2]]), expected);
        assert_eq!(ranges(&[&c[2], &c[3], &c[1], &c[0]]), expected);
        check_spans(&expected, &[(1, 4)]);
    }

    #[test]
    fn held_entries_are_contained() {
        let c = chain(5);
        let ranges = ranges(&[&c[0], &c[1], &c[3]]);
        check_spans(&ranges, &[(1, 2), (4, 4)]);
        assert_eq!(ranges.fit(&c[1]), Fit::Held);
        assert_eq!(ranges.fit(&c[0]), Fit::Overlaps);
        assert_eq!(ranges.fit(&c[2]), Fit::Fits);
        assert_eq!(ranges.missing(1, 9), [SeqRange { first: 3, last: 3 }, SeqRange { first: 5, last: 9 }]);
        assert_eq!(ranges.missing(4, 4), []);
        let mut again = ranges.clone();
        again.add(&c[0]);
        assert_eq!(again, ranges);
    }

    #[test]
    fn two_batches_for_one_position_conflict() {
        let c = chain(3);
        let other = branch(&c[..1], 2, "y");
        let ranges = ranges(&[&c[0], &c[1]]);
        assert_eq!(ranges.fit(&other[0]), Fit::Conflicts);
        assert_eq!(ranges.fit(&other[1]), Fit::Conflicts);
    }

    #[test]
    fn gaps_are_bounded() {
        let c = chain(40);
        let mut ranges = HeldBatches::default();
        ranges.add(&c[0]);
        for n in 1..=RANGES_PER_LOG_MAX {
            assert_eq!(ranges.fit(&c[2 * n]), Fit::Fits);
            ranges.add(&c[2 * n]);
        }
        assert_eq!(ranges.fit(&c[30]), Fit::TooManyGaps);
        assert_eq!(ranges.fit(&c[1]), Fit::Fits);
        assert_eq!(ranges.fit(&c[2 * RANGES_PER_LOG_MAX + 1]), Fit::Fits);
    }
}
