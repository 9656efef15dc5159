//! What was written goes to those it is for at once, as far as each has said that it stored what came before.

use super::{Action, Engine};
use crate::proto::batch::Verified;
use crate::proto::frame::Frame;
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{PAGE_BYTES_MAX, PUSH_UNRECEIPTED_BYTES_MAX};

impl Engine {
    /// Sends own batches to every linked peer they are for.
    pub(super) fn push(&mut self, audience: Option<NodeId>, batches: &[Verified], out: &mut Vec<Action>) {
        let peers: Vec<NodeId> = match audience {
            Some(to) => vec![to],
            None => self.links.peers().collect(),
        };
        let open = peers.into_iter().filter(|peer| !self.frontier.is_closed_by(*peer));
        let links: Vec<LinkId> = open.filter_map(|peer| self.links.primary_id(peer)).collect();
        self.push_on(&links, batches, out);
    }

    /// Sends batches on these links, as far as what waits for receipts allows.
    pub(super) fn push_on(&mut self, links: &[LinkId], batches: &[Verified], out: &mut Vec<Action>) {
        let mut rest = batches;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |batch: &&Verified| {
                bytes += batch.bytes().len();
                bytes <= PAGE_BYTES_MAX
            };
            let many = rest.iter().take_while(fits).count().max(1);
            let (page, more) = rest.split_at(many);
            rest = more;
            let ready: Vec<LinkId> = links.iter().copied().filter(|link| self.reserve(*link, page)).collect();
            if !ready.is_empty() {
                out.push(Action::Send { links: ready, frame: Frame::Push(page.to_vec()) });
            }
        }
    }

    /// Whether a link may be sent these batches now; one that has too much without a receipt is behind.
    fn reserve(&mut self, link: LinkId, batches: &[Verified]) -> bool {
        let Some(link) = self.links.get_mut(link) else { return false };
        let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
        link.behind |= link.unreceipted_bytes + bytes > PUSH_UNRECEIPTED_BYTES_MAX;
        if link.behind {
            return false;
        }
        link.unreceipted_bytes += bytes;
        for batch in batches {
            link.unreceipted.push_back((batch.header().log, batch.header().last_seq(), batch.bytes().len()));
        }
        true
    }
}
