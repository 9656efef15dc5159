//! Receipts: those that this node owes the authors of what it stored, and those for its own
//! messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ctx::Ctx;
use super::io::UiEvent;
use super::peers::link_table::LinkTable;
use crate::proto::ids::{EntryId, LinkId, LogKey, NodeId};
use crate::proto::limits::{FRAME_RECEIPTS_MAX, RECEIPT_GATHER_MS};
use crate::proto::replication::frame::{Frame, Receipt};
use crate::proto::replication::frontier::Frontier;
use crate::proto::replication::receipts::ReceiptTracker;
use crate::proto::replication::store_api::{MemberReceipt, Write};

/// The receipts to be sent on a link.
#[derive(Debug, Default)]
struct Owed {
    to_peer: Vec<Receipt>,
    /// For these authors, to be carried by the peer.
    through_peer: BTreeMap<NodeId, Vec<Receipt>>,
}

/// Receipts owed by this node, by link, and the delivery of its own messages.
#[derive(Debug)]
pub(super) struct ReceiptExchange {
    tracker: ReceiptTracker,
    owed: BTreeMap<LinkId, Owed>,
    /// When the gathered receipts go out.
    due_ms: Option<u64>,
}

impl ReceiptExchange {
    pub(super) fn new(tracker: ReceiptTracker) -> Self {
        Self { tracker, owed: BTreeMap::new(), due_ms: None }
    }

    /// The author of a stored batch has to get a receipt: on its link, or carried by the peer that
    /// reaches it (`route`). `only_on`: no receipt is due unless this link is one of the two.
    pub(super) fn on_due(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        route: Option<LinkId>,
        author: NodeId,
        receipt: Receipt,
        only_on: Option<LinkId>,
    ) {
        let direct = links.primary_id(author);
        let leads_there =
            |link: LinkId| route == Some(link) || links.get(link).is_some_and(|entry| entry.peer.id == author);
        let Some(link) = direct.or(route).filter(|_| only_on.is_none_or(leads_there)) else { return };
        let is_direct = direct.is_some();
        let owed = self.owed.entry(link).or_default();
        let owed = if is_direct { &mut owed.to_peer } else { owed.through_peer.entry(author).or_default() };
        match owed.last_mut() {
            Some(last) if last.log == receipt.log && last.last + 1 == receipt.first => last.last = receipt.last,
            _ => owed.push(receipt),
        }
        if self.due_ms.is_none() {
            self.due_ms = Some(ctx.mono_ms() + RECEIPT_GATHER_MS);
            ctx.wake_at(ctx.mono_ms() + RECEIPT_GATHER_MS);
        }
    }

    /// Sends the receipts that have gathered.
    pub(super) fn poll(&mut self, ctx: &mut Ctx) {
        let Some(due_ms) = self.due_ms else { return };
        if ctx.mono_ms() < due_ms {
            ctx.wake_at(due_ms);
            return;
        }
        self.due_ms = None;
        for (link, Owed { to_peer, through_peer }) in std::mem::take(&mut self.owed) {
            for receipts in to_peer.chunks(FRAME_RECEIPTS_MAX) {
                ctx.send(link, Frame::Receipt(receipts.to_vec()));
            }
            for (author, receipts) in through_peer {
                for receipts in receipts.chunks(FRAME_RECEIPTS_MAX) {
                    ctx.send(link, Frame::Carry { author, from: ctx.own, receipts: receipts.to_vec() });
                }
            }
        }
    }

    /// A member has stored own entries. Of receipts for entries that this node has really written,
    /// the new ones go to the disk; they count once they are there.
    pub(super) fn on_held(&mut self, ctx: &mut Ctx, frontier: &Frontier, member: NodeId, receipts: &[Receipt]) {
        let is_written = |receipt: &Receipt| {
            let key = LogKey { author: ctx.own, log: receipt.log };
            frontier.contains(key, receipt.first) && frontier.contains(key, receipt.last)
        };
        let new = receipts.iter().filter(|receipt| is_written(receipt) && self.tracker.is_new(member, **receipt));
        let new: BTreeSet<Receipt> = new.copied().collect();
        if !new.is_empty() {
            let kept = new.into_iter().map(|Receipt { log, first, last }| MemberReceipt { member, log, first, last });
            let kept: Vec<MemberReceipt> = kept.collect();
            kept.iter().for_each(|receipt| self.tracker.mark_pending(*receipt));
            ctx.write(Write::Receipts(kept));
        }
    }

    /// Receipts for own entries are on the disk: tells the pages what is held by more members now.
    pub(super) fn on_stored(&mut self, ctx: &mut Ctx, receipts: Vec<MemberReceipt>) {
        for receipt in receipts {
            let grown = self.tracker.add(receipt, ctx.now.wall_ms);
            grown.into_iter().for_each(|(id, held)| ctx.show(UiEvent::Held { id, held }));
        }
    }

    /// An own message is on the disk, and to be stored by `of`.
    pub(super) fn track(&mut self, id: EntryId, of: Arc<[NodeId]>) {
        self.tracker.track(id, of);
    }

    /// Receipts that were on their way to the disk are taken again: the disk may have failed.
    pub(super) fn clear_pending(&mut self) {
        self.tracker.clear_pending();
    }

    /// See [`super::Engine::held_since`].
    pub(super) fn since(&self, id: EntryId) -> Vec<(NodeId, u64)> {
        self.tracker.since(id)
    }

    /// A link is gone.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.owed.remove(&link);
    }
}
