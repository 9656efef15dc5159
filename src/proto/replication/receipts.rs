//! Counts which members hold an own message: "held by 3 of 4". The count never decreases.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::frame::Receipt;
use super::range_set::{RangeSet, SeqRange};
use super::store_api::{MemberReceipt, TrackedMessage};
use crate::proto::entries::timeline::Delivery;
use crate::proto::ids::{EntryId, LogId, NodeId, Seq};
use crate::proto::limits::OWN_LINES_FOLLOWED_MAX;

/// A tracked message.
#[derive(Debug)]
struct TrackedEntry {
    id: EntryId,
    of: Arc<[NodeId]>,
    /// The members that count, and when their receipt came, by this node's wall clock in
    /// milliseconds since 1970. 0: in an earlier run.
    holders: Vec<(NodeId, u64)>,
}

impl TrackedEntry {
    /// Counts one more holder, if it was in reach when the message was sent. If no member was, all
    /// count.
    fn count(&mut self, member: NodeId, wall_ms: u64) -> bool {
        let counts = self.of.is_empty() || self.of.contains(&member);
        if counts {
            self.holders.push((member, wall_ms));
        }
        counts
    }

    fn held(&self) -> Delivery {
        let held_by = self.holders.len();
        Delivery { held_by, of: if self.of.is_empty() { held_by } else { self.of.len() } }
    }
}

/// The receipts for this node's own logs, and the newest own messages that they are counted for.
#[derive(Debug, Default)]
pub struct ReceiptTracker {
    stored: BTreeMap<(LogId, NodeId), RangeSet<SeqRange>>,
    /// Receipts on their way to the disk, where they may not arrive.
    asked: BTreeMap<(LogId, NodeId), RangeSet<SeqRange>>,
    lines: BTreeMap<(LogId, Seq), TrackedEntry>,
    /// The tracked messages, oldest first.
    ages: std::collections::VecDeque<(LogId, Seq)>,
}

impl ReceiptTracker {
    /// Takes over what the store knows at the start.
    pub fn new(receipts: &[MemberReceipt], lines: Vec<TrackedMessage>) -> Self {
        let mut new = Self::default();
        for receipt in receipts {
            new.stored.entry((receipt.log, receipt.member)).or_default().add(receipt.first, receipt.last);
        }
        for line in lines {
            new.track(line.id, line.of.into());
        }
        new
    }

    /// Tracks a message that was just stored.
    pub fn track(&mut self, id: EntryId, of: Arc<[NodeId]>) {
        let mut line = TrackedEntry { id, of, holders: Vec::new() };
        for ((_, member), seqs) in self.stored.range((id.log, NodeId([0; 32]))..=(id.log, NodeId([0xff; 32]))) {
            if seqs.contains(id.seq) {
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

    /// Returns true if a receipt tells of entries that are neither counted yet nor about to be.
    pub fn is_new(&self, member: NodeId, receipt: Receipt) -> bool {
        let Receipt { log, first, last } = receipt;
        let counted = |seqs: &RangeSet<SeqRange>| seqs.covers(&SeqRange { first, last });
        let known = [&self.stored, &self.asked].into_iter().filter_map(|of| of.get(&(log, member)));
        0 < first && first <= last && last <= i64::MAX as u64 && !known.into_iter().any(counted)
    }

    /// A receipt is on its way to the disk: until it is there, or until [`Self::clear_pending`],
    /// the same again is not new.
    pub fn mark_pending(&mut self, receipt: MemberReceipt) {
        self.asked.entry((receipt.log, receipt.member)).or_default().add(receipt.first, receipt.last);
    }

    /// Receipts on their way may have been lost to a full disk: they are taken again.
    pub fn clear_pending(&mut self) {
        self.asked.clear();
    }

    /// Since when members hold a message, by this node's wall clock, as far as their receipts came
    /// in this run.
    pub fn since(&self, id: EntryId) -> Vec<(NodeId, u64)> {
        let holders = self.lines.get(&(id.log, id.seq)).filter(|line| line.id == id).map(|line| &line.holders);
        holders.into_iter().flatten().copied().filter(|(_, wall_ms)| *wall_ms > 0).collect()
    }

    /// Counts a receipt that is on the disk and came at `wall_ms`. Returns the messages whose count
    /// grew.
    pub fn add(&mut self, receipt: MemberReceipt, wall_ms: u64) -> Vec<(EntryId, Delivery)> {
        let MemberReceipt { member, log, first, last } = receipt;
        let mut grown = Vec::new();
        for SeqRange { first, last } in self.stored.entry((log, member)).or_default().add(first, last) {
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

    fn add(receipts: &mut ReceiptTracker, who: u8, first: Seq, last: Seq) -> Vec<(Seq, usize, usize)> {
        if !receipts.is_new(member(who), Receipt { log: LOG, first, last }) {
            return Vec::new();
        }
        let grown = receipts.add(MemberReceipt { member: member(who), log: LOG, first, last }, 1_000 + u64::from(who));
        grown.into_iter().map(|(id, held)| (id.seq, held.held_by, held.of)).collect()
    }

    #[test]
    fn receipts_count_each_member_once() {
        let mut receipts = ReceiptTracker::default();
        receipts.track(id(1), [member(1), member(2)].into());
        receipts.track(id(2), [member(1), member(2)].into());
        assert_eq!(add(&mut receipts, 1, 1, 2), [(1, 1, 2), (2, 1, 2)]);
        assert_eq!(add(&mut receipts, 1, 1, 2), []);
        assert_eq!(add(&mut receipts, 3, 1, 2), []);
        assert_eq!(add(&mut receipts, 2, 2, 3), [(2, 2, 2)]);
    }

    #[test]
    fn without_members_in_reach_later_receipts_count() {
        let mut receipts = ReceiptTracker::default();
        receipts.track(id(1), [].into());
        assert_eq!(add(&mut receipts, 1, 1, 1), [(1, 1, 1)]);
        assert_eq!(add(&mut receipts, 2, 1, 1), [(1, 2, 2)]);
    }

    #[test]
    fn receipt_time_is_reported() {
        let known = MemberReceipt { member: member(3), log: LOG, first: 1, last: 1 };
        let of = vec![member(1), member(2), member(3)];
        let mut receipts = ReceiptTracker::new(&[known], vec![TrackedMessage { id: id(1), of }]);
        add(&mut receipts, 2, 1, 1);
        add(&mut receipts, 4, 1, 1);
        assert_eq!(receipts.since(id(1)), [(member(2), 1_002)], "3 from before the start, 4 does not count");
        assert_eq!(receipts.since(EntryId { check: [1; 16], ..id(1) }), []);
    }

    #[test]
    fn pending_receipts_are_requested_once() {
        let mut receipts = ReceiptTracker::default();
        let said = |first, last| Receipt { log: LOG, first, last };
        receipts.mark_pending(MemberReceipt { member: member(1), log: LOG, first: 1, last: 4 });
        assert!(!receipts.is_new(member(1), said(1, 4)) && !receipts.is_new(member(1), said(2, 3)));
        assert!(receipts.is_new(member(1), said(4, 5)) && receipts.is_new(member(2), said(1, 4)));
        receipts.clear_pending();
        assert!(receipts.is_new(member(1), said(1, 4)), "it may not have got there");
    }

    #[test]
    fn invalid_receipts_are_ignored() {
        let mut receipts = ReceiptTracker::default();
        receipts.track(id(1), [member(1)].into());
        assert_eq!(add(&mut receipts, 1, 0, 5), []);
        assert_eq!(add(&mut receipts, 1, 5, 1), []);
        assert_eq!(add(&mut receipts, 1, 1, u64::MAX), []);
    }
}
