//! Pushes batches to peers at once, as far as each has receipted what came before.

use std::collections::{BTreeMap, VecDeque};

use super::link_table::LinkTable;
use crate::proto::engine::ctx::{Ctx, Event};
use crate::proto::entries::batch::Verified;
use crate::proto::ids::{LinkId, LogId, NodeId, Seq};
use crate::proto::limits::{PAGE_BYTES_MAX, PUSH_UNRECEIPTED_BYTES_MAX};
use crate::proto::replication::frame::{Frame, Receipt};
use crate::proto::replication::frontier::Frontier;

/// The batches that were pushed on a link and have no receipt yet.
#[derive(Debug, Default)]
struct Window {
    /// Log, last entry and bytes of each batch.
    unreceipted: VecDeque<(LogId, Seq, usize)>,
    bytes: usize,
    /// True while the peer has to fetch what it lacks, since too much waits for its receipts.
    is_behind: bool,
}

impl Window {
    /// Returns true if these batches may be sent now. If they are too much, the link is behind.
    fn reserve(&mut self, batches: &[Verified]) -> bool {
        let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
        self.is_behind |= self.bytes + bytes > PUSH_UNRECEIPTED_BYTES_MAX;
        if self.is_behind {
            return false;
        }
        self.bytes += bytes;
        for batch in batches {
            self.unreceipted.push_back((batch.header().log, batch.header().last_seq(), batch.bytes().len()));
        }
        true
    }
}

/// The windows of all links on which something was pushed.
#[derive(Debug, Default)]
pub(crate) struct FlowControl {
    windows: BTreeMap<LinkId, Window>,
}

impl FlowControl {
    /// Sends own batches to every linked peer they are for.
    pub(crate) fn push(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        frontier: &Frontier,
        audience: Option<NodeId>,
        batches: &[Verified],
    ) {
        let peers: Vec<NodeId> = match audience {
            Some(to) => vec![to],
            None => links.peers().collect(),
        };
        let open = peers.into_iter().filter(|peer| !frontier.is_limited_by(*peer));
        let links: Vec<LinkId> = open.filter_map(|peer| links.primary_id(peer)).collect();
        self.push_on(ctx, &links, batches);
    }

    /// Sends batches on these links, as far as what waits for receipts allows.
    ///
    /// One that is longer because of deletions in it is left out: a peer of an earlier version
    /// refuses it, and the others fetch it.
    pub(crate) fn push_on(&mut self, ctx: &mut Ctx, links: &[LinkId], batches: &[Verified]) {
        let batches: Vec<_> = batches.iter().filter(|batch| !batch.is_extended()).cloned().collect();
        let mut rest = &batches[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |batch: &&Verified| {
                bytes += batch.bytes().len();
                bytes <= PAGE_BYTES_MAX
            };
            let many = rest.iter().take_while(fits).count().max(1);
            let (page, more) = rest.split_at(many);
            rest = more;
            let may_send = |link: &LinkId| self.windows.entry(*link).or_default().reserve(page);
            let ready: Vec<LinkId> = links.iter().copied().filter(may_send).collect();
            if !ready.is_empty() {
                ctx.send_all(ready, Frame::Push(page.to_vec()));
            }
        }
    }

    /// Pushed batches are on the peer's disk: there is room for more.
    pub(crate) fn on_receipts(&mut self, ctx: &mut Ctx, link: LinkId, receipts: &[Receipt]) {
        let Some(window) = self.windows.get_mut(&link) else { return };
        let is_named = |(log, last, _): &(LogId, Seq, usize)| {
            receipts.iter().any(|receipt| receipt.log == *log && receipt.first <= *last && *last <= receipt.last)
        };
        window.unreceipted.retain(|pushed| !is_named(pushed));
        window.bytes = window.unreceipted.iter().map(|(_, _, bytes)| bytes).sum();
        if window.is_behind && window.bytes <= PUSH_UNRECEIPTED_BYTES_MAX / 2 {
            window.is_behind = false;
            // The peer sees from the comparison that it lacks something, and fetches it.
            ctx.emit(Event::CompareDue(link));
        }
    }

    /// The bytes that were pushed on a link and have no receipt yet.
    pub(crate) fn unreceipted_bytes(&self, link: LinkId) -> usize {
        self.windows.get(&link).map_or(0, |window| window.bytes)
    }

    /// A link is gone.
    pub(crate) fn remove(&mut self, link: LinkId) {
        self.windows.remove(&link);
    }
}
