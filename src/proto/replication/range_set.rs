//! Sets of sequence numbers: ascending ranges that neither overlap nor touch.
//!
//! A range may carry more than its two ends, such as the hash of its last batch. Where two ranges
//! touch they become one, which keeps what is known of its two ends.

use crate::proto::ids::Seq;

/// A range of sequence numbers, with what is known of its ends.
pub trait SeqSpan: Copy {
    /// The first number in it.
    fn first(&self) -> Seq;

    /// The last number in it.
    fn last(&self) -> Seq;

    /// Joins it with a range that begins right behind it.
    fn join(self, next: Self) -> Self;
}

/// The numbers `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeqRange {
    /// The first number.
    pub first: Seq,
    /// The last number.
    pub last: Seq,
}

impl SeqSpan for SeqRange {
    fn first(&self) -> Seq {
        self.first
    }

    fn last(&self) -> Seq {
        self.last
    }

    fn join(self, next: Self) -> Self {
        Self { first: self.first, last: next.last }
    }
}

/// A set of sequence numbers, kept as ascending ranges of type `R`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSet<R> {
    ranges: Vec<R>,
}

impl<R> Default for RangeSet<R> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<R: SeqSpan> RangeSet<R> {
    /// A set of ranges that are ascending and apart already.
    pub fn new(ranges: Vec<R>) -> Self {
        Self { ranges }
    }

    /// The ranges, ascending.
    pub fn as_slice(&self) -> &[R] {
        &self.ranges
    }

    /// The ranges, ascending.
    pub fn into_vec(self) -> Vec<R> {
        self.ranges
    }

    /// Returns the range with the number, if it is in one.
    pub fn range_of(&self, seq: Seq) -> Option<&R> {
        self.ranges.iter().find(|range| range.first() <= seq && seq <= range.last())
    }

    /// Returns true if there is no number in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns true if the number is in one of the ranges.
    pub fn contains(&self, seq: Seq) -> bool {
        self.range_of(seq).is_some()
    }

    /// Returns true if all of the range is in the set.
    pub fn covers(&self, range: &R) -> bool {
        self.ranges.iter().any(|known| known.first() <= range.first() && range.last() <= known.last())
    }

    /// Returns the parts of `first..=last` that are not in it, ascending.
    pub fn missing(&self, first: Seq, last: Seq) -> Vec<SeqRange> {
        let mut gaps = Vec::new();
        let mut next = first;
        for range in self.ranges.iter().filter(|range| range.last() >= first) {
            if range.first() > last {
                break;
            }
            if range.first() > next {
                gaps.push(SeqRange { first: next, last: range.first() - 1 });
            }
            next = range.last() + 1;
        }
        if next <= last {
            gaps.push(SeqRange { first: next, last });
        }
        gaps
    }

    /// Inserts a range that overlaps none. It becomes one with those it touches.
    pub fn insert(&mut self, range: R) {
        let at = self.ranges.partition_point(|known| known.first() < range.first());
        self.ranges.insert(at, range);
        self.join_next(at);
        if let Some(before) = at.checked_sub(1) {
            self.join_next(before);
        }
    }

    /// Joins the range at `at` with the next one if they touch.
    fn join_next(&mut self, at: usize) {
        if let [range, next, ..] = self.ranges[at..]
            && range.last() + 1 == next.first()
        {
            self.ranges[at] = range.join(next);
            self.ranges.remove(at + 1);
        }
    }
}

impl RangeSet<SeqRange> {
    /// Adds `first..=last`, which may overlap others. Returns the parts of it that are new.
    pub fn add(&mut self, first: Seq, last: Seq) -> Vec<SeqRange> {
        let new = self.missing(first, last);
        new.iter().for_each(|part| self.insert(*part));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(Seq, Seq)]) -> RangeSet<SeqRange> {
        RangeSet::new(of(ranges))
    }

    fn of(ranges: &[(Seq, Seq)]) -> Vec<SeqRange> {
        ranges.iter().map(|(first, last)| SeqRange { first: *first, last: *last }).collect()
    }

    #[test]
    fn added_ranges_merge_and_return_what_is_new() {
        type Ranges<'a> = &'a [(Seq, Seq)];
        let table: [(Ranges<'_>, (Seq, Seq), Ranges<'_>, Ranges<'_>); 8] = [
            (&[], (3, 5), &[(3, 5)], &[(3, 5)]),
            (&[(3, 5)], (3, 5), &[(3, 5)], &[]),
            (&[(3, 5)], (6, 7), &[(3, 7)], &[(6, 7)]),
            (&[(3, 5)], (1, 2), &[(1, 5)], &[(1, 2)]),
            (&[(3, 5)], (7, 8), &[(3, 5), (7, 8)], &[(7, 8)]),
            (&[(3, 5), (8, 9)], (4, 8), &[(3, 9)], &[(6, 7)]),
            (&[(3, 5), (8, 9)], (1, 20), &[(1, 20)], &[(1, 2), (6, 7), (10, 20)]),
            (&[(3, 5)], (9, 8), &[(3, 5)], &[]),
        ];
        for (before, (first, last), after, new) in table {
            let mut set = set(before);
            assert_eq!(set.add(first, last), of(new), "{before:?} and {first}..={last}");
            assert_eq!(set.as_slice(), of(after), "{before:?} and {first}..={last}");
        }
    }

    #[test]
    fn missing_parts_are_those_between_the_ranges() {
        let set = set(&[(3, 5), (8, 9)]);
        assert_eq!(set.missing(1, 12), of(&[(1, 2), (6, 7), (10, 12)]));
        assert_eq!(set.missing(4, 8), of(&[(6, 7)]));
        assert_eq!(set.missing(3, 5), []);
        assert_eq!(set.missing(10, 9), []);
        assert!(set.contains(8) && !set.contains(7));
        assert!(set.covers(&SeqRange { first: 4, last: 5 }) && !set.covers(&SeqRange { first: 5, last: 6 }));
    }

    #[test]
    fn joined_range_keeps_what_is_known_of_its_ends() {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        struct Named(Seq, char, Seq, char);
        impl SeqSpan for Named {
            fn first(&self) -> Seq {
                self.0
            }

            fn last(&self) -> Seq {
                self.2
            }

            fn join(self, next: Self) -> Self {
                Self(self.0, self.1, next.2, next.3)
            }
        }
        let mut set = RangeSet::default();
        for range in [Named(7, 'e', 9, 'f'), Named(1, 'a', 3, 'b'), Named(4, 'c', 6, 'd')] {
            set.insert(range);
        }
        assert_eq!(set.as_slice(), [Named(1, 'a', 9, 'f')]);
    }
}
