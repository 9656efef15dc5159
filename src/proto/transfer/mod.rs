//! Which parts of wanted content are asked of which holder.
//!
//! Content comes from every linked peer that holds some of it. Each link has a window of requested
//! bytes that follows its speed. A part that few hold is asked for first, so that peers that fetch
//! the same content soon hold different parts and feed each other.
//!
//! Nothing here is verified or stored: the caller does both, and reports the result.

pub mod day_budget;
pub mod eviction;
mod links;
mod pick;
mod request;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeMap;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom as _;

use self::links::HolderLink;
use self::pick::pick;
use self::request::PartRequest;
pub use self::wanted::NewTransfer;
use self::wanted::Transfer;
use crate::proto::files::file_frame::FileFrame;
use crate::proto::files::group_set::GroupSet;
use crate::proto::files::status::FileState;
use crate::proto::ids::{Hash, LinkId, NodeId};
use crate::proto::limits::{
    GROUP_BYTES, TRANSFER_HOLDERS_MAX, TRANSFER_IN_FLIGHT_BYTES_MAX, TRANSFER_PEERS_MAX, TRANSFER_STALL_ALONE_MS,
    TRANSFER_STALL_MS,
};

/// Something to be done for a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferAction {
    /// Send a frame on a link.
    Send {
        /// The link.
        link: LinkId,
        /// The frame.
        frame: FileFrame,
    },
    /// The state of some content may be another.
    Changed(Hash),
}

/// The transfers of a node, and the links that they use.
#[derive(Debug)]
pub struct Transfers {
    links: BTreeMap<LinkId, HolderLink>,
    wanted: BTreeMap<Hash, Transfer>,
    /// Requested bytes on all links.
    in_flight: u64,
    rng: StdRng,
    out: Vec<TransferAction>,
}

impl Transfers {
    /// No transfers. `seed` decides between parts that are equally rare.
    pub fn new(seed: [u8; 32]) -> Self {
        let rng = StdRng::from_seed(seed);
        Self { links: BTreeMap::new(), wanted: BTreeMap::new(), in_flight: 0, rng, out: Vec::new() }
    }

    /// Returns the actions since the last call.
    pub fn take_actions(&mut self) -> Vec<TransferAction> {
        std::mem::take(&mut self.out)
    }

    /// Returns true while any content is wanted.
    pub fn is_active(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The number of contents that are wanted.
    pub fn count(&self) -> usize {
        self.wanted.len()
    }

    /// Returns true if some content is wanted.
    pub fn is_wanted(&self, content: &Hash) -> bool {
        self.wanted.contains_key(content)
    }

    /// The verified units of wanted content.
    pub fn held(&self, content: &Hash) -> Option<&GroupSet> {
        self.wanted.get(content).map(|transfer| &transfer.held)
    }

    /// The state of wanted content, and the linked peers that hold all of it.
    pub fn state(&self, content: &Hash, now_ms: u64) -> Option<(FileState, u64)> {
        let transfer = self.wanted.get(content)?;
        let whole = transfer.holders.values().filter(|holder| holder.is_whole).count() as u64;
        let is_moving = self.links.values().any(|link| link.is_fetching(content, now_ms));
        let state = match is_moving {
            true => FileState::Fetching,
            false if transfer.is_gone(&self.links) => FileState::Gone,
            false => FileState::Waiting,
        };
        Some((state, whole))
    }

    /// Begins to fetch some content, or changes the readers for whom it is fetched.
    pub fn want(&mut self, now_ms: u64, content: Hash, new: NewTransfer) {
        match self.wanted.get_mut(&content) {
            Some(transfer) => transfer.set_readers(new),
            None => _ = self.wanted.insert(content, Transfer::new(new)),
        }
        self.leave_others(&content);
        self.ask_more(content);
        self.out.push(TransferAction::Changed(content));
        self.pump_all(now_ms);
    }

    /// Asks authors which parts of some content they hold, and a few more readers by chance.
    fn ask_more(&mut self, content: Hash) {
        let Some(transfer) = self.wanted.get(&content) else { return };
        let is_new =
            |(link, source): &(&LinkId, &HolderLink)| transfer.is_source(source.peer) && !transfer.asked.contains(link);
        let is_author = |(_, source): &(&LinkId, &HolderLink)| transfer.is_author(source.peer);
        let (authors, others): (Vec<_>, Vec<_>) = self.links.iter().filter(is_new).partition(is_author);
        let others = others.into_iter().sample(&mut self.rng, TRANSFER_PEERS_MAX);
        let chosen: Vec<LinkId> = authors.into_iter().chain(others).map(|(link, _)| *link).collect();
        chosen.into_iter().for_each(|link| self.ask(content, link));
    }

    /// Leaves the links of peers that may not be asked any more.
    fn leave_others(&mut self, content: &Hash) {
        let Some(transfer) = self.wanted.get_mut(content) else { return };
        let is_source = |link: &&LinkId| self.links.get(link).is_some_and(|source| transfer.is_source(source.peer));
        let left: Vec<LinkId> = transfer.asked.iter().filter(|link| !is_source(link)).copied().collect();
        for link in left {
            transfer.forget_link(link);
            self.out.push(TransferAction::Send { link, frame: FileFrame::Want { content: *content, on: false } });
            let Some(source) = self.links.get_mut(&link) else { continue };
            for request in source.take_requests_of(content) {
                self.in_flight -= request.bytes();
                transfer.requested.remove(request.first, request.count);
            }
        }
    }

    /// Stops fetching some content. Returns true if it was being fetched.
    pub fn cancel(&mut self, now_ms: u64, content: &Hash) -> bool {
        let Some(transfer) = self.wanted.remove(content) else { return false };
        for link in transfer.asked {
            self.send(link, FileFrame::Want { content: *content, on: false });
        }
        for link in self.links.values_mut() {
            self.in_flight -= link.forget(content);
        }
        self.out.push(TransferAction::Changed(*content));
        self.pump_all(now_ms);
        true
    }

    /// A peer has a link.
    pub fn on_link_up(&mut self, link: LinkId, peer: NodeId) {
        self.links.insert(link, HolderLink::new(peer));
        let asks = |transfer: &Transfer| {
            transfer.asked.len() < TRANSFER_PEERS_MAX || transfer.holders.is_empty() || transfer.is_author(peer)
        };
        let wanted = self.wanted.iter().filter(|(_, transfer)| asks(transfer)).map(|(content, _)| *content);
        wanted.collect::<Vec<_>>().into_iter().for_each(|content| self.ask(content, link));
    }

    /// A link has ended: what was asked of it is asked of others.
    pub fn on_link_down(&mut self, now_ms: u64, link: LinkId) {
        let Some(mut gone) = self.links.remove(&link) else { return };
        self.release(gone.take_requests());
        for (content, transfer) in &mut self.wanted {
            if transfer.forget_link(link) {
                self.out.push(TransferAction::Changed(*content));
            }
        }
        self.pump_all(now_ms);
    }

    /// A peer tells which parts it holds.
    pub fn on_have(&mut self, now_ms: u64, link: LinkId, content: Hash, size: Option<u64>, parts: Vec<u8>) {
        let Some(transfer) = self.wanted.get_mut(&content).filter(|transfer| transfer.asked.contains(&link)) else {
            return;
        };
        let Some(peer) = self.links.get(&link).map(|source| source.peer) else { return };
        transfer.on_have((link, peer), size, parts);
        self.out.push(TransferAction::Changed(content));
        self.pump(now_ms, link);
    }

    /// Data came in. Returns true if it was asked for and is still missing: then it is to be
    /// verified.
    pub fn on_data(&mut self, now_ms: u64, link: LinkId, content: &Hash, first: u64, count: u64) -> bool {
        let Some(source) = self.links.get_mut(&link) else { return false };
        let Some(freed) = source.on_data(now_ms, content, first, count) else { return false };
        self.in_flight -= freed;
        let is_missing = self.wanted.get(content).is_some_and(|transfer| !transfer.held.contains_all(first, count));
        self.pump(now_ms, link);
        is_missing
    }

    /// Data was verified and stored.
    pub fn on_stored(&mut self, content: &Hash, first: u64, count: u64) {
        if let Some(transfer) = self.wanted.get_mut(content) {
            transfer.held.insert(first, count);
            self.out.push(TransferAction::Changed(*content));
        }
    }

    /// A peer sent data that does not verify: it is asked for this content no more.
    pub fn on_bad_data(&mut self, now_ms: u64, link: LinkId, content: &Hash, first: u64, count: u64) {
        if let Some(transfer) = self.wanted.get_mut(content) {
            transfer.requested.remove(first, count);
            if let Some(source) = self.links.get(&link) {
                transfer.ban(link, source.peer);
            }
            self.out.push(TransferAction::Changed(*content));
        }
        if let Some(source) = self.links.get_mut(&link) {
            let requests = source.take_requests_of(content);
            self.release(requests);
        }
        self.pump_all(now_ms);
    }

    /// A peer does not send units. One that is busy is left alone for a while; one that does not
    /// hold them has told another list of parts, or will.
    pub fn on_refuse(&mut self, now_ms: u64, link: LinkId, content: &Hash, first: u64, busy: bool) {
        let Some(source) = self.links.get_mut(&link) else { return };
        let Some(request) = source.take_request(content, first) else { return };
        source.back_off(now_ms);
        self.release(vec![request]);
        if !busy && let Some(transfer) = self.wanted.get_mut(content) {
            transfer.remove_holder(link);
        }
        self.pump_all(now_ms);
    }

    /// Units of a peer that is silent are asked of others. More peers are asked for content without
    /// a holder.
    pub fn poll(&mut self, now_ms: u64) {
        let lonely = self.wanted.iter().filter(|(_, transfer)| transfer.holders.is_empty());
        lonely.map(|(content, _)| *content).collect::<Vec<_>>().into_iter().for_each(|content| self.ask_more(content));
        let silent: Vec<LinkId> = self.links.keys().copied().filter(|link| self.is_silent(now_ms, *link)).collect();
        for link in silent {
            let Some(source) = self.links.get_mut(&link) else { continue };
            let requests = source.set_late(now_ms);
            self.release(requests);
        }
        self.pump_all(now_ms);
    }

    /// Returns true if a link has sent nothing of what it was asked for. It gets more time if no
    /// other link has the content.
    fn is_silent(&self, now_ms: u64, link: LinkId) -> bool {
        let Some(source) = self.links.get(&link) else { return false };
        let Some((content, since_ms)) = source.waits_for() else { return false };
        let is_other = |other: &LinkId| *other != link && self.links.get(other).is_some_and(|it| it.is_open(now_ms));
        let transfer = self.wanted.get(&content);
        let has_other = transfer.is_some_and(|transfer| transfer.holders.keys().any(is_other));
        let patience_ms = if has_other { TRANSFER_STALL_MS } else { TRANSFER_STALL_ALONE_MS };
        now_ms.saturating_sub(since_ms) >= patience_ms
    }

    /// Asks a link which parts it holds, if its peer is a reader of the content.
    fn ask(&mut self, content: Hash, link: LinkId) {
        let Some(peer) = self.links.get(&link).map(|source| source.peer) else { return };
        let Some(transfer) = self.wanted.get_mut(&content) else { return };
        if transfer.is_source(peer) && transfer.asked.insert(link) {
            self.send(link, FileFrame::Want { content, on: true });
        }
    }

    /// Frees units that were requested and did not come.
    fn release(&mut self, requests: Vec<PartRequest>) {
        for request in requests {
            self.in_flight -= request.bytes();
            if let Some(transfer) = self.wanted.get_mut(&request.content) {
                transfer.requested.remove(request.first, request.count);
            }
        }
    }

    fn pump_all(&mut self, now_ms: u64) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.pump(now_ms, link));
    }

    /// Sends requests on a link until its window is full.
    fn pump(&mut self, now_ms: u64, link: LinkId) {
        loop {
            let Some(source) = self.links.get(&link).filter(|source| source.is_open(now_ms)) else { return };
            let free = source.free_bytes().min(TRANSFER_IN_FLIGHT_BYTES_MAX.saturating_sub(self.in_flight));
            if free < GROUP_BYTES {
                return;
            }
            let Some(request) = self.next_request(now_ms, link, free / GROUP_BYTES) else { return };
            self.in_flight += request.bytes();
            let PartRequest { content, first, count, .. } = request;
            if let Some(source) = self.links.get_mut(&link) {
                source.on_request(request);
            }
            if let Some(transfer) = self.wanted.get_mut(&content) {
                transfer.requested.insert(first, count);
            }
            self.send(link, FileFrame::Request { content, first, count });
            self.out.push(TransferAction::Changed(content));
        }
    }

    /// Chooses what to ask a link for next: of the smallest content that it has something of.
    fn next_request(&mut self, now_ms: u64, link: LinkId, groups_max: u64) -> Option<PartRequest> {
        let of_link = |(_, transfer): &(&Hash, &Transfer)| transfer.holders.contains_key(&link);
        let mut offered: Vec<(u64, Hash)> =
            self.wanted.iter().filter(of_link).map(|(content, transfer)| (transfer.held.size(), *content)).collect();
        offered.sort_unstable();
        for (_, content) in offered {
            let users = self.links.values().filter(|other| other.has_request_of(&content)).count();
            let is_user = self.links.get(&link).is_some_and(|source| source.has_request_of(&content));
            if users >= TRANSFER_HOLDERS_MAX && !is_user {
                continue;
            }
            let Some(transfer) = self.wanted.get(&content) else { continue };
            let working_on = self.links.get(&link).and_then(|source| source.last_part_of(&content));
            let found = pick(transfer, link, working_on, groups_max, &mut self.rng);
            if let Some((first, count)) = found.or_else(|| self.overdue(now_ms, link, &content, groups_max)) {
                return Some(PartRequest { content, first, count, asked_ms: now_ms });
            }
        }
        None
    }

    /// Near the end, finds units that a slower link was asked for a while ago.
    fn overdue(&self, now_ms: u64, link: LinkId, content: &Hash, groups_max: u64) -> Option<(u64, u64)> {
        let transfer = self.wanted.get(content)?;
        let own = self.links.get(&link)?;
        let slower = self.links.iter().filter(|(other, source)| **other != link && source.is_slower_than(own, now_ms));
        let requests = slower.flat_map(|(_, source)| source.requests.iter());
        let mut overdue = requests.filter(|request| request.content == *content && request.is_overdue(now_ms));
        let fits = |request: &&PartRequest| {
            transfer.is_held_by(link, request.first) && !own.has_request(content, request.first)
        };
        overdue.find(fits).map(|request| (request.first, request.count.min(groups_max)))
    }

    fn send(&mut self, link: LinkId, frame: FileFrame) {
        self.out.push(TransferAction::Send { link, frame });
    }
}
