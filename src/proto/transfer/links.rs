//! A link as a source of content: what it was asked for, and how much it moves.

use std::collections::VecDeque;

use super::request::PartRequest;
use crate::proto::ids::{Hash, NodeId};
use crate::proto::limits::{
    GROUP_BYTES, TRANSFER_BACKOFF_MS, TRANSFER_FAST_MS, TRANSFER_LATE_MAX, TRANSFER_OVERDUE_MS, TRANSFER_SLOW_MS,
    TRANSFER_WINDOW_BYTES,
};

/// What one link was asked for, and how much it has sent.
#[derive(Debug)]
pub(super) struct HolderLink {
    pub(super) peer: NodeId,
    pub(super) requests: VecDeque<PartRequest>,
    /// Requests that were given to others, and may still be answered.
    late: VecDeque<PartRequest>,
    /// What was asked for last.
    last: Option<PartRequest>,
    /// The bytes that may be requested at a time.
    window: u64,
    /// When data last came in.
    heard_ms: u64,
    /// Failures in a row.
    failures: u32,
    /// Nothing is asked before.
    open_at_ms: u64,
}

impl HolderLink {
    pub(super) fn new(peer: NodeId) -> Self {
        let (requests, late) = (VecDeque::new(), VecDeque::new());
        let (_, window, _) = TRANSFER_WINDOW_BYTES;
        Self { peer, requests, late, last: None, window, heard_ms: 0, failures: 0, open_at_ms: 0 }
    }

    /// Returns true if the link may be asked for something.
    pub(super) fn is_open(&self, now_ms: u64) -> bool {
        now_ms >= self.open_at_ms
    }

    /// The bytes that may still be requested.
    pub(super) fn free_bytes(&self) -> u64 {
        self.window.saturating_sub(self.requests.iter().map(PartRequest::bytes).sum())
    }

    /// Returns true if something of some content was asked for.
    pub(super) fn has_request_of(&self, content: &Hash) -> bool {
        self.requests.iter().any(|request| request.content == *content)
    }

    /// Returns true if this unit was asked for.
    pub(super) fn has_request(&self, content: &Hash, group: u64) -> bool {
        let covers = |request: &PartRequest| (request.first..request.first + request.count).contains(&group);
        self.requests.iter().any(|request| request.content == *content && covers(request))
    }

    /// The part of some content that was asked for last.
    pub(super) fn last_part_of(&self, content: &Hash) -> Option<u64> {
        self.last.filter(|last| last.content == *content).map(|last| last.part())
    }

    /// Units are asked for.
    pub(super) fn on_request(&mut self, request: PartRequest) {
        self.last = Some(request);
        self.requests.push_back(request);
    }

    /// Returns true while data of some content is on its way.
    pub(super) fn is_fetching(&self, content: &Hash, now_ms: u64) -> bool {
        let is_fresh = |request: &PartRequest| now_ms.saturating_sub(request.asked_ms) < TRANSFER_OVERDUE_MS;
        let is_heard = now_ms.saturating_sub(self.heard_ms) < TRANSFER_OVERDUE_MS;
        self.requests.iter().any(|request| request.content == *content && (is_heard || is_fresh(request)))
    }

    /// The content that is expected next, and since when nothing came.
    pub(super) fn waits_for(&self) -> Option<(Hash, u64)> {
        self.requests.front().map(|request| (request.content, self.heard_ms.max(request.asked_ms)))
    }

    /// Returns true if this link takes longer than another one.
    pub(super) fn is_slower_than(&self, other: &Self, now_ms: u64) -> bool {
        self.window < other.window || now_ms.saturating_sub(self.heard_ms) >= TRANSFER_OVERDUE_MS
    }

    /// Data came in. Returns the bytes that are not in flight any more, or none if the data was not
    /// asked for.
    pub(super) fn on_data(&mut self, now_ms: u64, content: &Hash, first: u64, count: u64) -> Option<u64> {
        let is_it = |request: &&mut PartRequest| {
            request.content == *content && request.first == first && request.count >= count
        };
        let freed = match self.requests.iter_mut().find(is_it) {
            Some(request) => {
                (request.first, request.count) = (first + count, request.count - count);
                count * GROUP_BYTES
            }
            None => {
                let request = self.late.iter_mut().find(is_it)?;
                (request.first, request.count) = (first + count, request.count - count);
                0
            }
        };
        (self.heard_ms, self.failures, self.open_at_ms) = (now_ms, 0, 0);
        let (least, _, most) = TRANSFER_WINDOW_BYTES;
        if let Some(done) = self.requests.iter().position(|request| request.count == 0)
            && let Some(request) = self.requests.remove(done)
        {
            // As much is in flight as the link moves in about 250 ms.
            let took_ms = now_ms.saturating_sub(request.asked_ms);
            if took_ms < TRANSFER_FAST_MS {
                self.window = (self.window + self.window / 4).min(most);
            } else if took_ms > TRANSFER_SLOW_MS {
                self.window = (self.window - self.window / 4).max(least);
            }
        }
        self.late.retain(|request| request.count > 0);
        Some(freed)
    }

    /// Leaves the link alone for a while, longer after each failure.
    pub(super) fn back_off(&mut self, now_ms: u64) {
        let (least, most) = TRANSFER_BACKOFF_MS;
        self.open_at_ms = now_ms + (least << self.failures.min(16)).min(most);
        self.failures += 1;
    }

    /// The link is silent. Returns its requests, which are given to others; what it sends of them
    /// later still counts.
    pub(super) fn set_late(&mut self, now_ms: u64) -> Vec<PartRequest> {
        self.back_off(now_ms);
        let (least, _, _) = TRANSFER_WINDOW_BYTES;
        self.window = least;
        let requests = self.take_requests();
        self.late.extend(&requests);
        while self.late.len() > TRANSFER_LATE_MAX {
            self.late.pop_front();
        }
        requests
    }

    /// Takes all requests.
    pub(super) fn take_requests(&mut self) -> Vec<PartRequest> {
        self.requests.drain(..).collect()
    }

    /// Takes the requests for some content.
    pub(super) fn take_requests_of(&mut self, content: &Hash) -> Vec<PartRequest> {
        let (taken, kept): (VecDeque<_>, VecDeque<_>) =
            self.requests.drain(..).partition(|request| request.content == *content);
        self.requests = kept;
        self.late.retain(|request| request.content != *content);
        Vec::from(taken)
    }

    /// Takes the request that begins at a unit.
    pub(super) fn take_request(&mut self, content: &Hash, first: u64) -> Option<PartRequest> {
        let at = self.requests.iter().position(|request| request.content == *content && request.first == first)?;
        self.requests.remove(at)
    }

    /// Forgets the requests for some content. Returns their bytes.
    pub(super) fn forget(&mut self, content: &Hash) -> u64 {
        self.take_requests_of(content).iter().map(PartRequest::bytes).sum()
    }
}
