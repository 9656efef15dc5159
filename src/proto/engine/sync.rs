//! Keeps what this node holds whole: when it compares with whom (`compare`), what it then asks for (`fetch`), and what it
//! serves to others (`serving`).
//!
//! Each node looks after itself: it compares, learns what the other holds, and fetches what it lacks. What is new is
//! fetched before what is old.

use std::collections::BTreeMap;

use super::compare::{Comparing, Question};
use super::fetch::{Fetches, Standing};
use super::ranking::{Failure, PeerRanking};
use super::rotation::Rotation;
use super::serving::Serving;
use super::{Action, Engine, WriteAction};
use crate::proto::address_group::AddressGroup;
use crate::proto::batch::Verified;
use crate::proto::clock::Now;
use crate::proto::frame::{Fetch, Frame, Holding, Receipt, Span};
use crate::proto::ids::{LinkId, LogKey, NodeId};
use crate::proto::limits::{
    COMPARE_EVERY_MS, COMPARE_ROUND_MAX, FETCH_PATIENCE_MS, FORK_SPREAD_EVERY_MS, PAGE_BYTES_MAX, PAGE_BYTES_MIN,
};
use crate::proto::record::{HistoryPage, Write};

/// See the module.
#[derive(Debug)]
pub(super) struct Sync {
    pub(super) comparing: Comparing,
    pub(super) fetches: Fetches,
    pub(super) ranking: PeerRanking,
    serving: Serving,
    next_round_ms: u64,
    /// Whom each round compares with in any case.
    in_turn: Rotation,
    /// Whom it compares with since they may hold something else.
    differing: Rotation,
    /// When to compare with all peers because of a fork; none: no need.
    spread_ms: Option<u64>,
    /// When that may be next, because of the fork of another author.
    next_spread_ms: u64,
}

impl Sync {
    pub(super) fn new(mono_ms: u64) -> Self {
        Self {
            comparing: Comparing::default(),
            fetches: Fetches::default(),
            ranking: PeerRanking::default(),
            serving: Serving::default(),
            next_round_ms: mono_ms + COMPARE_EVERY_MS,
            in_turn: Rotation::default(),
            differing: Rotation::default(),
            spread_ms: None,
            next_spread_ms: 0,
        }
    }
}

impl Engine {
    pub(super) fn sync_link_gone(&mut self, link: LinkId, peer: NodeId) {
        self.sync.serving.remove(link);
        self.sync.fetches.remove(link);
        self.sync.comparing.gone(link);
        if self.links.primary_id(peer).is_none() {
            self.sync.ranking.unlinked(peer);
        }
        // What waited for its turn, or for the log that was fetched on it.
        self.wake_at(self.turn_ms);
    }

    /// Counts that a peer did not do what it was asked for.
    pub(super) fn count_failure(&mut self, now: Now, link: LinkId, failure: Failure) {
        let Some(peer) = self.links.get(link).map(|entry| &entry.peer) else { return };
        self.sync.ranking.failed(peer.id, AddressGroup::of(peer.address), failure, now.mono_ms);
    }

    pub(super) fn sync_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        self.receipts_turn(now, out);
        if now.mono_ms >= self.sync.next_round_ms {
            self.sync.next_round_ms = now.mono_ms + COMPARE_EVERY_MS;
            self.say_again(now, out);
            self.receipts.forget_asked();
            self.compare_round();
        }
        if self.sync.spread_ms.is_some_and(|at_ms| now.mono_ms >= at_ms) {
            self.sync.spread_ms = None;
            self.sync.next_spread_ms = now.mono_ms + FORK_SPREAD_EVERY_MS;
            let links: Vec<LinkId> = self.links.peers().filter_map(|peer| self.links.primary_id(peer)).collect();
            links.into_iter().for_each(|link| self.compare_soon(link));
        }
        self.compare_turn(now, out);
        self.fetch_turn(now, out);
        self.wake_at(self.sync.next_round_ms);
        self.sync.spread_ms.into_iter().for_each(|at_ms| self.wake_at(at_ms));
    }

    /// Compares with those who may hold something else, and with one more in turn: what it heard of others may be lost.
    fn compare_round(&mut self) {
        let version = self.frontier.version().0;
        let mut all: BTreeMap<AddressGroup, Vec<NodeId>> = BTreeMap::new();
        let mut differing = all.clone();
        for peer in self.links.peers() {
            let Some(link) = self.links.primary_id(peer) else { continue };
            let Some(group) = self.links.get(link).map(|entry| AddressGroup::of(entry.peer.address)) else { continue };
            all.entry(group).or_default().push(peer);
            if !self.sync.comparing.agrees(link, version) {
                differing.entry(group).or_default().push(peer);
            }
        }
        let mut selected = self.sync.differing.select(&differing, COMPARE_ROUND_MAX);
        selected.extend(self.sync.in_turn.select(&all, 1));
        let links: Vec<LinkId> = selected.into_iter().filter_map(|peer| self.links.primary_id(peer)).collect();
        links.into_iter().for_each(|link| self.compare_soon(link));
    }

    /// A fork is news: compares with all peers, which compare too, so that all nodes know of it soon.
    ///
    /// The first fork of an author causes this, and none after it. Authors made up for nothing else cause one round of all
    /// peers every [`FORK_SPREAD_EVERY_MS`], which tells of all their forks: they delay the news of any other by no more.
    pub(super) fn spread_fork(&mut self, now: Now) {
        let at_ms = self.sync.next_spread_ms.max(now.mono_ms);
        self.sync.spread_ms = Some(at_ms);
        self.wake_at(at_ms);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(super) fn logs_told(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        author: NodeId,
        logs: &[Holding],
        more: bool,
        out: &mut Vec<Action>,
    ) {
        if !self.sync.comparing.expects_logs(link, author, logs) {
            return;
        }
        for holding in logs {
            if author == self.own {
                let receipt = |span: &Span| Receipt { log: holding.log, first: span.first, last: span.last };
                let receipts: Vec<Receipt> = holding.ranges.iter().map(receipt).collect();
                self.count_receipts(peer, &receipts, out);
            }
            let key = LogKey { author, log: holding.log };
            if let Some(fork) = holding.fork.as_ref().filter(|fork| fork.key() == key)
                && self.frontier.is_news(peer, fork)
            {
                out.push(Action::Write(WriteAction(Write::Fork(fork.clone()))));
            }
            let is_left = self.is_left_to_author(now, link, key);
            for lack in self.frontier.lacking(peer, author, holding) {
                // Two versions of one log are no business of its author's: it may be the one who made them.
                if lack.doubt || !is_left {
                    self.sync.fetches.want(link, now.mono_ms, key, lack);
                }
            }
        }
        match logs.last().filter(|_| more && !self.sync.fetches.is_full(link)) {
            Some(last) => self.ask(now, link, Question::Logs { author, from: Some(last.log) }, out),
            None => self.compare_step(now, link, out),
        }
    }

    /// Returns true if the author of a log is linked and likely to send it: then none of the others is asked for it.
    ///
    /// That holds for a moment only. What the author has not sent by then is asked of others after the next comparison.
    fn is_left_to_author(&self, now: Now, link: LinkId, key: LogKey) -> bool {
        let Some(of_author) = self.links.primary_id(key.author).filter(|of_author| *of_author != link) else {
            return false;
        };
        let Some(entry) = self.links.well(key.author) else { return false };
        let group = AddressGroup::of(entry.peer.address);
        let is_doubtful = self.sync.ranking.rank(key.author, group, now.mono_ms).is_doubtful();
        let recent = |at_ms: u64| now.mono_ms < at_ms + FETCH_PATIENCE_MS;
        let is_likely = match self.sync.comparing.begun_ms(of_author) {
            None => recent(entry.up_ms),
            Some(begun_ms) => recent(begun_ms) && self.sync.fetches.wants(of_author, now.mono_ms, key),
        };
        !is_doubtful && is_likely
    }

    /// Asks for what is lacking, on all links on which something may be asked for.
    pub(super) fn fetch_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        for link in self.sync.fetches.expire(now.mono_ms) {
            self.count_failure(now, link, Failure::Undelivered);
        }
        let (links, ranking) = (&self.links, &self.sync.ranking);
        let standing = |link| {
            let peer = &links.get(link)?.peer;
            let group = AddressGroup::of(peer.address);
            let rank = ranking.rank(peer.id, group, now.mono_ms);
            Some(Standing { group, rank, paused_until_ms: ranking.paused_until_ms(peer.id) })
        };
        let due = self.sync.fetches.next(now.mono_ms, &self.frontier, standing);
        let sends = due.fetches.into_iter().map(|(link, fetch)| (vec![link], Frame::Fetch(fetch)));
        out.extend(sends.map(|(links, frame)| Action::Send { links, frame }));
        due.drained.into_iter().for_each(|link| self.compare_soon(link));
        due.wake_ms.into_iter().for_each(|at_ms| self.wake_at(at_ms));
    }

    /// A peer asks for history.
    pub(super) fn fetch_asked(&mut self, link: LinkId, peer: NodeId, fetch: Fetch, out: &mut Vec<Action>) {
        let log = self.frontier.log(fetch.key);
        let may = log.is_some_and(|log| self.frontier.in_scope(peer, fetch.key.author, log.audience));
        let group = self.links.get(link).map(|entry| AddressGroup::of(entry.peer.address)).filter(|_| may);
        let bytes = fetch.bytes.clamp(PAGE_BYTES_MIN as u64, PAGE_BYTES_MAX as u64);
        let is_served = group.is_some_and(|group| self.sync.serving.ask(link, group, Fetch { bytes, ..fetch }));
        if !is_served {
            let page = Frame::Page { key: fetch.key, batches: Vec::new(), busy: may };
            out.push(Action::Send { links: vec![link], frame: page });
        }
        self.serve_next(out);
    }

    pub(super) fn history_read(&mut self, link: LinkId, page: HistoryPage, out: &mut Vec<Action>) {
        self.sync.serving.done(link);
        if self.links.get(link).is_some() {
            let frame = Frame::Page { key: page.fetch.key, batches: page.batches, busy: false };
            out.push(Action::Send { links: vec![link], frame });
        }
        self.serve_next(out);
    }

    fn serve_next(&mut self, out: &mut Vec<Action>) {
        while let Some((link, fetch)) = self.sync.serving.next() {
            out.push(Action::ReadHistory { link, fetch });
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(super) fn page_told(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        key: LogKey,
        batches: Vec<Verified>,
        busy: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(fetch) = self.sync.fetches.page_came(link, now.mono_ms, key) else { return };
        let is_vain = batches.is_empty();
        if busy {
            self.sync.fetches.busy(link, now.mono_ms);
        } else {
            let is_asked_for = |batch: &Verified| {
                let header = batch.header();
                header.key() == key && header.first_seq <= fetch.last && header.last_seq() >= fetch.first
            };
            match self.links.get(link).map(|entry| AddressGroup::of(entry.peer.address)) {
                Some(group) if batches.iter().any(is_asked_for) => {
                    self.sync.ranking.delivered(peer, group, now.mono_ms);
                }
                Some(_) | None => self.count_failure(now, link, Failure::Undelivered),
            }
            if self.offer(now, link, peer, batches, Some(link), out) {
                return;
            }
            self.sync.fetches.give_up(link, now.mono_ms, fetch, is_vain, &self.frontier);
        }
        self.fetch_turn(now, out);
    }

    /// A fetched page is on the disk: on with the next. Unless all of it was taken, no more of that log is asked for until
    /// the next comparison.
    pub(super) fn fetch_stored(&mut self, now: Now, link: LinkId, is_whole: bool, out: &mut Vec<Action>) {
        self.sync.fetches.stored(link, is_whole);
        self.fetch_turn(now, out);
    }

    /// A fetched page could not be stored: try again later.
    pub(super) fn fetch_failed(&mut self, now: Now, link: LinkId) {
        self.sync.fetches.failed(link, now.mono_ms + COMPARE_EVERY_MS);
    }
}
