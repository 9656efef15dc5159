//! What is held of one log: whole batches, in ranges without a gap, and whether another batch fits to them.

use super::batch::{Header, Verified};
use super::closed::Closed;
use super::fork::Fork;
use super::frame::Span;
use super::ids::{Hash, NodeId, Seq};
use super::limits::RANGES_PER_LOG_MAX;
use super::record::Run;

/// What is known of one log.
#[derive(Clone, Debug)]
pub struct Log {
    /// Who may hold it: none, the whole room.
    pub audience: Option<NodeId>,
    /// What the store has committed: told to others, counted in receipts.
    pub held: Ranges,
    /// That and what is on its way to the disk: what a further batch must fit to.
    pub taken: Ranges,
    /// Where the log ends for ever, if its author signed two things for one place.
    pub fork: Option<Fork>,
}

impl Log {
    /// A log of which nothing is held yet.
    pub fn new(audience: Option<NodeId>) -> Self {
        Self { audience, held: Ranges::default(), taken: Ranges::default(), fork: None }
    }

    /// The parts of `first..=last` that belong to the log and are neither held nor on their way, ascending.
    pub fn missing(&self, first: Seq, last: Seq) -> Vec<(Seq, Seq)> {
        let last = match self.fork.as_ref().map(Fork::end) {
            Some(end) if end.head.is_some() => last.min(end.seq),
            Some(end) => last.min(end.seq - 1),
            None => last,
        };
        self.taken.missing(first, last)
    }

    /// Whether there is anything to tell a peer about.
    pub fn is_of_note(&self) -> bool {
        !self.held.is_empty() || self.fork.is_some()
    }

    /// Whether the batch with which a forked log ends is still to be found.
    pub fn lacks_end(&self) -> bool {
        self.fork.as_ref().map(Fork::end).is_some_and(|end| end.head.is_some() && !self.taken.contains(end.seq))
    }
}

/// Ranges of whole batches, ascending, with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    runs: Vec<Run>,
    /// Of all batches in them.
    bytes: u64,
}

/// How a batch stands to what is held of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It goes on, fills a gap, or stands beyond one.
    Fits,
    /// It is held already.
    Held,
    /// Something is held for its place; only the store knows whether it is this.
    Inside,
    /// No honest author signs this beside what is held: another batch for the same place, or a time that does not grow. The
    /// store finds out where the log ends then.
    Contradicts,
    /// It is not taken: another audience than that of its log, or behind the end of the log.
    Refused,
    /// It would make more ranges than a log may have; it comes again when the gaps before it are filled.
    TooManyGaps,
    /// Nothing more of its author is taken now.
    Closed(Closed),
}

impl Ranges {
    /// The ranges as the store reported them, and how many bytes their batches have.
    pub fn new(runs: Vec<Run>, bytes: u64) -> Self {
        Self { runs, bytes }
    }

    /// The ranges as a store keeps them.
    pub fn runs(&self) -> Vec<Run> {
        self.runs.clone()
    }

    /// How many bytes the batches in them have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing is held.
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
            first_time: super::clock::Stamp(header.entries.first().map_or(0, |slot| slot.time)),
            last_time: header.last_time(),
        }
    }

    /// How a batch stands to these ranges.
    pub fn fit(&self, batch: &Verified) -> Fit {
        let new = Self::run(batch.header(), batch.hash());
        for run in &self.runs {
            if run.last < new.first {
                let linked = new.prev == Some(run.head);
                if (run.last + 1 == new.first && !linked) || run.last_time >= new.first_time {
                    return Fit::Contradicts;
                }
            } else if run.first > new.last {
                let linked = run.prev == Some(new.head);
                if (run.first == new.last + 1 && !linked) || new.last_time >= run.first_time {
                    return Fit::Contradicts;
                }
            } else {
                let inside = run.first <= new.first && new.last <= run.last;
                let same_start = run.first != new.first || run.prev == new.prev;
                return match (inside && same_start, run.last == new.last) {
                    (true, true) if run.head == new.head => Fit::Held,
                    (true, false) => Fit::Inside,
                    (true | false, _) => Fit::Contradicts,
                };
            }
        }
        let joins = self.runs.iter().any(|run| run.last + 1 == new.first || new.last + 1 == run.first);
        if !joins && new.first > 1 && self.runs.len() > RANGES_PER_LOG_MAX {
            return Fit::TooManyGaps;
        }
        Fit::Fits
    }

    /// Adds a batch that [`Fit::Fits`]; what touches becomes one range. Adding what is held changes nothing.
    pub fn add(&mut self, batch: &Verified) {
        let new = Self::run(batch.header(), batch.hash());
        let at = self.runs.partition_point(|run| run.first < new.first);
        let held = |run: &Run| run.first <= new.first && new.last <= run.last;
        if self.runs.get(at).is_some_and(held) || at.checked_sub(1).is_some_and(|before| held(&self.runs[before])) {
            return;
        }
        self.bytes += batch.bytes().len() as u64;
        self.runs.insert(at, new);
        self.join(at);
        if at > 0 {
            self.join(at - 1);
        }
    }

    /// Joins the range at `at` with the next one if they touch.
    fn join(&mut self, at: usize) {
        let Some(next) = self.runs.get(at + 1).copied() else { return };
        if self.runs[at].last + 1 == next.first {
            let run = &mut self.runs[at];
            (run.last, run.head, run.last_time) = (next.last, next.head, next.last_time);
            self.runs.remove(at + 1);
        }
    }

    /// The ranges as they are told to a peer.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = Span> {
        self.runs.iter().map(|run| Span { first: run.first, last: run.last, head: run.head })
    }

    /// Whether the entry is in one of the ranges.
    pub fn contains(&self, seq: Seq) -> bool {
        self.runs.iter().any(|run| run.first <= seq && seq <= run.last)
    }

    /// The parts of `first..=last` that are not held, ascending.
    pub fn missing(&self, first: Seq, last: Seq) -> Vec<(Seq, Seq)> {
        let mut gaps = Vec::new();
        let mut next = first;
        for run in &self.runs {
            if run.last < next {
                continue;
            }
            if run.first > last {
                break;
            }
            if run.first > next {
                gaps.push((next, run.first - 1));
            }
            next = run.last + 1;
        }
        if next <= last {
            gaps.push((next, last));
        }
        gaps
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::proto::batch::{HEADER_VERSION, sign, slot};
    use crate::proto::body::{Body, SALT_BYTES};
    use crate::proto::clock::Stamp;
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
                let body = Body::Say { text: format!("{text} {seq}"), channel: None, reply_to: None };
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

    fn ranges(batches: &[&Verified]) -> Ranges {
        let mut ranges = Ranges::default();
        for batch in batches {
            assert_eq!(ranges.fit(batch), Fit::Fits);
            ranges.add(batch);
        }
        ranges
    }

    #[track_caller]
    fn check_spans(ranges: &Ranges, expected: &[(Seq, Seq)]) {
        let spans: Vec<_> = ranges.spans().map(|span| (span.first, span.last)).collect();
        assert_eq!(spans, expected);
    }

    #[test]
    fn any_order_ends_in_one_range() {
        let c = chain(4);
        let expected = ranges(&[&c[0], &c[1], &c[2], &c[3]]);
        assert_eq!(ranges(&[&c[3], &c[1], &c[0], &c[2]]), expected);
        assert_eq!(ranges(&[&c[2], &c[3], &c[1], &c[0]]), expected);
        check_spans(&expected, &[(1, 4)]);
    }

    #[test]
    fn what_is_held_is_known() {
        let c = chain(5);
        let ranges = ranges(&[&c[0], &c[1], &c[3]]);
        check_spans(&ranges, &[(1, 2), (4, 4)]);
        assert_eq!(ranges.fit(&c[1]), Fit::Held);
        assert_eq!(ranges.fit(&c[0]), Fit::Inside);
        assert_eq!(ranges.fit(&c[2]), Fit::Fits);
        assert_eq!(ranges.missing(1, 9), [(3, 3), (5, 9)]);
        assert_eq!(ranges.missing(4, 4), []);
        let mut again = ranges.clone();
        again.add(&c[0]);
        assert_eq!(again, ranges);
    }

    #[test]
    fn two_things_for_one_place_contradict_each_other() {
        let c = chain(3);
        let other = branch(&c[..1], 2, "y");
        let ranges = ranges(&[&c[0], &c[1]]);
        assert_eq!(ranges.fit(&other[0]), Fit::Contradicts);
        assert_eq!(ranges.fit(&other[1]), Fit::Contradicts);
    }

    #[test]
    fn gaps_are_bounded() {
        let c = chain(40);
        let mut ranges = Ranges::default();
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
