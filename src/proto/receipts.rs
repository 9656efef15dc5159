//! Who holds what this node's user wrote: "held by 3 of 4", which never goes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::frame::Receipt;
use super::ids::{EntryId, LogId, NodeId, Seq};
use super::limits::OWN_LINES_FOLLOWED_MAX;
use super::record::{MemberReceipt, OwnLine};
use super::timeline::Held;

/// Ranges of sequence numbers, ascending, never touching.
#[derive(Debug, Default)]
struct Seqs(Vec<(Seq, Seq)>);

impl Seqs {
    /// Adds a range and returns the parts of it that are new.
    fn add(&mut self, first: Seq, last: Seq) -> Vec<(Seq, Seq)> {
        let mut new = Vec::new();
        let (mut low, mut high, mut next) = (first, last, first);
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        for &(from, to) in &self.0 {
            if to + 1 < first || from > last + 1 {
                rest.push((from, to));
                continue;
            }
            if from > next {
                new.push((next, (from - 1).min(last)));
            }
            next = next.max(to + 1);
            (low, high) = (low.min(from), high.max(to));
        }
        if next <= last {
            new.push((next, last));
        }
        rest.push((low, high));
        rest.sort_unstable();
        self.0 = rest;
        new
    }
}

/// A followed message.
#[derive(Debug)]
struct Followed {
    id: EntryId,
    of: Arc<[NodeId]>,
    /// Those that count, and when this node heard of it by its wall clock, in milliseconds since 1970; 0: before it
    /// was started.
    holders: Vec<(NodeId, u64)>,
}

impl Followed {
    /// Counts one more holder, if it is one that counts. If nobody was in reach, everybody does.
    fn count(&mut self, member: NodeId, wall_ms: u64) -> bool {
        let counts = self.of.is_empty() || self.of.contains(&member);
        if counts {
            self.holders.push((member, wall_ms));
        }
        counts
    }

    fn held(&self) -> Held {
        let held_by = self.holders.len();
        Held { held_by, of: if self.of.is_empty() { held_by } else { self.of.len() } }
    }
}

/// The receipts of this node's own logs, and the newest own messages that they are counted for.
#[derive(Debug, Default)]
pub struct Receipts {
    stored: BTreeMap<(LogId, NodeId), Seqs>,
    /// Those that are on their way to the disk, where they may not arrive.
    asked: BTreeMap<(LogId, NodeId), Seqs>,
    lines: BTreeMap<(LogId, Seq), Followed>,
    /// Oldest first, to know which line to stop following.
    ages: std::collections::VecDeque<(LogId, Seq)>,
}

impl Receipts {
    /// What the store knew at the start.
    pub fn new(receipts: &[MemberReceipt], lines: Vec<OwnLine>) -> Self {
        let mut new = Self::default();
        for receipt in receipts {
            new.stored.entry((receipt.log, receipt.member)).or_default().add(receipt.first, receipt.last);
        }
        for line in lines {
            new.follow(line.id, line.of.into());
        }
        new
    }

    /// Follows a message that was just stored.
    pub fn follow(&mut self, id: EntryId, of: Arc<[NodeId]>) {
        let mut line = Followed { id, of, holders: Vec::new() };
        for ((_, member), seqs) in self.stored.range((id.log, NodeId([0; 32]))..=(id.log, NodeId([0xff; 32]))) {
            if seqs.0.iter().any(|&(first, last)| first <= id.seq && id.seq <= last) {
                line.count(*member, 0);
            }
        }
        self.lines.insert((id.log, id.seq), line);
        self.ages.push_back((id.log, id.seq));
        if self.ages.len() > OWN_LINES_FOLLOWED_MAX
            && let Some(oldest) = self.ages.pop_front()
        {
            self.lines.remove(&oldest);
        }
    }

    /// Whether a member's word that it stored entries says something that is neither counted yet nor about to be.
    pub fn is_news(&self, member: NodeId, receipt: Receipt) -> bool {
        let Receipt { log, first, last } = receipt;
        let counted = |seqs: &Seqs| seqs.0.iter().any(|&(from, to)| from <= first && last <= to);
        let known = [&self.stored, &self.asked].into_iter().filter_map(|of| of.get(&(log, member)));
        0 < first && first <= last && last <= i64::MAX as u64 && !known.into_iter().any(counted)
    }

    /// The store is asked to keep a member's word: until it has, or [`Receipts::forget_asked`], the same again is no news.
    pub fn asks(&mut self, receipt: MemberReceipt) {
        self.asked.entry((receipt.log, receipt.member)).or_default().add(receipt.first, receipt.last);
    }

    /// What was asked for and is not counted may have been lost, with a full disk: whoever says it again is heard.
    pub fn forget_asked(&mut self) {
        self.asked.clear();
    }

    /// Since when members hold a message, by this node's wall clock: those of whom it heard since it was started.
    pub fn since(&self, id: EntryId) -> Vec<(NodeId, u64)> {
        let holders = self.lines.get(&(id.log, id.seq)).filter(|line| line.id == id).map(|line| &line.holders);
        holders.into_iter().flatten().copied().filter(|(_, wall_ms)| *wall_ms > 0).collect()
    }

    /// Counts a member's word that it stored entries, once that is kept, at `wall_ms`. Returns the messages whose count
    /// grew.
    pub fn add(&mut self, receipt: MemberReceipt, wall_ms: u64) -> Vec<(EntryId, Held)> {
        let MemberReceipt { member, log, first, last } = receipt;
        let mut grown = Vec::new();
        for (first, last) in self.stored.entry((log, member)).or_default().add(first, last) {
            for line in self.lines.range_mut((log, first)..=(log, last)).map(|(_, line)| line) {
                if line.count(member, wall_ms) {
                    grown.push((line.id, line.held()));
                }
            }
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId(1);

    fn id(seq: Seq) -> EntryId {
        EntryId { log: LOG, seq, check: [0; 16] }
    }

    fn member(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    fn add(receipts: &mut Receipts, who: u8, first: Seq, last: Seq) -> Vec<(Seq, usize, usize)> {
        if !receipts.is_news(member(who), Receipt { log: LOG, first, last }) {
            return Vec::new();
        }
        let grown = receipts.add(MemberReceipt { member: member(who), log: LOG, first, last }, 1_000 + u64::from(who));
        grown.into_iter().map(|(id, held)| (id.seq, held.held_by, held.of)).collect()
    }

    #[test]
    fn counts_each_member_once() {
        let mut receipts = Receipts::default();
        receipts.follow(id(1), [member(1), member(2)].into());
        receipts.follow(id(2), [member(1), member(2)].into());
        assert_eq!(add(&mut receipts, 1, 1, 2), [(1, 1, 2), (2, 1, 2)]);
        assert_eq!(add(&mut receipts, 1, 1, 2), []);
        assert_eq!(add(&mut receipts, 3, 1, 2), []);
        assert_eq!(add(&mut receipts, 2, 2, 3), [(2, 2, 2)]);
    }

    #[test]
    fn if_nobody_was_in_reach_everybody_counts_later() {
        let mut receipts = Receipts::default();
        receipts.follow(id(1), [].into());
        assert_eq!(add(&mut receipts, 1, 1, 1), [(1, 1, 1)]);
        assert_eq!(add(&mut receipts, 2, 1, 1), [(1, 2, 2)]);
    }

    #[test]
    fn tells_since_when_a_message_is_held() {
        let known = MemberReceipt { member: member(3), log: LOG, first: 1, last: 1 };
        let of = vec![member(1), member(2), member(3)];
        let mut receipts = Receipts::new(&[known], vec![OwnLine { id: id(1), of }]);
        add(&mut receipts, 2, 1, 1);
        add(&mut receipts, 4, 1, 1);
        assert_eq!(receipts.since(id(1)), [(member(2), 1_002)], "3 from before the start, 4 does not count");
        assert_eq!(receipts.since(EntryId { check: [1; 16], ..id(1) }), []);
    }

    #[test]
    fn what_is_on_its_way_to_the_disk_is_asked_for_once() {
        let mut receipts = Receipts::default();
        let said = |first, last| Receipt { log: LOG, first, last };
        receipts.asks(MemberReceipt { member: member(1), log: LOG, first: 1, last: 4 });
        assert!(!receipts.is_news(member(1), said(1, 4)) && !receipts.is_news(member(1), said(2, 3)));
        assert!(receipts.is_news(member(1), said(4, 5)) && receipts.is_news(member(2), said(1, 4)));
        receipts.forget_asked();
        assert!(receipts.is_news(member(1), said(1, 4)), "it may not have got there");
    }

    #[test]
    fn ranges_merge_and_report_what_is_new() {
        let mut seqs = Seqs::default();
        assert_eq!(seqs.add(3, 4), [(3, 4)]);
        assert_eq!(seqs.add(7, 8), [(7, 8)]);
        assert_eq!(seqs.add(1, 9), [(1, 2), (5, 6), (9, 9)]);
        assert_eq!(seqs.0, [(1, 9)]);
        assert_eq!(seqs.add(10, 10), [(10, 10)]);
        assert_eq!(seqs.0, [(1, 10)]);
    }

    #[test]
    fn receipts_that_make_no_sense_are_passed_over() {
        let mut receipts = Receipts::default();
        receipts.follow(id(1), [member(1)].into());
        assert_eq!(add(&mut receipts, 1, 0, 5), []);
        assert_eq!(add(&mut receipts, 1, 5, 1), []);
        assert_eq!(add(&mut receipts, 1, 1, u64::MAX), []);
    }
}
