//! Fetching what comparisons (`compare`) show to be lacking: pages of history, asked of whoever holds it.
//!
//! Each node looks after itself: it compares, learns what the other holds, and fetches what it lacks. What is new is
//! fetched before what is old.

use std::collections::VecDeque;

use super::compare::{Comparing, Question};
use super::{Action, Engine, WriteAction};
use crate::proto::batch::Verified;
use crate::proto::clock::Now;
use crate::proto::frame::{Fetch, Frame, Holding, Receipt, Span};
use crate::proto::frontier::Lack;
use crate::proto::ids::{LinkId, LogKey, NodeId};
use crate::proto::limits::{
    COMPARE_EVERY_MS, FETCH_PATIENCE_MS, FETCH_RETRY_MS, FETCHES_SERVED_MAX, PAGE_BYTES_MAX, PAGE_BYTES_MIN, PAGE_MS,
    VAIN_RETRY_MS, WANTS_MAX,
};
use crate::proto::record::{HistoryPage, Write};

/// What is fetched on one link.
#[derive(Debug)]
pub(super) struct Fetching {
    /// Entries that the peer holds and this node lacked when it compared.
    wants: VecDeque<(LogKey, Lack)>,
    /// What was asked for in vain, and until when it is not asked for again.
    vain: Vec<((LogKey, Lack), u64)>,
    step: Step,
    /// As small as can be, until it is known how fast the link is.
    page_bytes: u64,
    not_before_ms: u64,
    /// Whether anything came since the last comparison.
    came: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Asked { fetch: Fetch, at_ms: u64 },
    Storing { key: LogKey },
}

impl Fetching {
    pub(super) fn new() -> Self {
        let (wants, vain) = (VecDeque::new(), Vec::new());
        Self { wants, vain, step: Step::Idle, page_bytes: PAGE_BYTES_MIN as u64, not_before_ms: 0, came: false }
    }

    /// Remembers that something is lacking, unless it was asked for in vain lately.
    fn want(&mut self, mono_ms: u64, want: (LogKey, Lack)) {
        self.vain.retain(|(_, until_ms)| mono_ms < *until_ms);
        let is_vain = self.vain.iter().any(|(vain, _)| *vain == want);
        if !is_vain && self.wants.len() < WANTS_MAX && !self.wants.contains(&want) {
            self.wants.push_back(want);
        }
    }

    /// What was asked for last did not come, and is not to be had now; `is_vain`: not for some time.
    fn give_up(&mut self, mono_ms: u64, is_vain: bool) {
        let want = self.wants.pop_front().filter(|_| is_vain && self.vain.len() < WANTS_MAX);
        self.vain.extend(want.map(|want| (want, mono_ms + VAIN_RETRY_MS)));
        self.step = Step::Idle;
    }

    fn log(&self) -> Option<LogKey> {
        match self.step {
            Step::Idle => None,
            Step::Asked { fetch, .. } => Some(fetch.key),
            Step::Storing { key } => Some(key),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sync {
    pub(super) comparing: Comparing,
    next_round_ms: u64,
    last_peer: Option<NodeId>,
    /// The links for which the store reads history now.
    serving: Vec<LinkId>,
}

impl Sync {
    pub(super) fn new(mono_ms: u64) -> Self {
        let next_round_ms = mono_ms + COMPARE_EVERY_MS;
        Self { comparing: Comparing::default(), next_round_ms, last_peer: None, serving: Vec::new() }
    }
}

impl Engine {
    pub(super) fn sync_link_gone(&mut self, link: LinkId) {
        self.sync.serving.retain(|serving| *serving != link);
        if self.sync.comparing.gone(link) {
            self.wake_at(self.turn_ms);
        }
    }

    pub(super) fn sync_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        self.receipts_turn(now, out);
        if now.mono_ms >= self.sync.next_round_ms {
            self.sync.next_round_ms = now.mono_ms + COMPARE_EVERY_MS;
            self.say_again(now, out);
            self.receipts.forget_asked();
            let last = self.sync.last_peer;
            let next = self.links.peers().find(|peer| last.is_none_or(|last| *peer > last));
            self.sync.last_peer = next.or_else(|| self.links.peers().next());
            if let Some(link) = self.sync.last_peer.and_then(|peer| self.links.primary_id(peer)) {
                self.compare_soon(link);
            }
        }
        self.compare_turn(now, out);
        self.wake_at(self.sync.next_round_ms);
        for link in self.links.ids() {
            self.fetch_turn(now, link, out);
        }
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
            let lacking = self.frontier.lacking(peer, author, holding);
            let Some(entry) = self.links.get_mut(link) else { return };
            lacking.into_iter().for_each(|lack| entry.fetching.want(now.mono_ms, (key, lack)));
        }
        match logs.last().filter(|_| more) {
            Some(last) => self.ask(now, link, Question::Logs { author, from: Some(last.log) }, out),
            None => self.compare_step(now, link, out),
        }
    }

    /// Asks for the next page on a link, if it has none under way and something is still lacking.
    pub(super) fn fetch_turn(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let Some(entry) = self.links.get_mut(link) else { return };
        if let Step::Asked { at_ms, .. } = entry.fetching.step {
            if now.mono_ms < at_ms + FETCH_PATIENCE_MS {
                self.wake_at(at_ms + FETCH_PATIENCE_MS);
                return;
            }
            // No answer: whoever else holds it is asked after the next comparison.
            entry.fetching = Fetching::new();
        }
        if entry.fetching.step != Step::Idle {
            return;
        }
        if now.mono_ms < entry.fetching.not_before_ms {
            let at_ms = entry.fetching.not_before_ms;
            self.wake_at(at_ms);
            return;
        }
        let Some(fetch) = self.next_fetch(link) else { return };
        if let Some(entry) = self.links.get_mut(link) {
            entry.fetching.step = Step::Asked { fetch, at_ms: now.mono_ms };
            out.push(Action::Send { links: vec![link], frame: Frame::Fetch(fetch) });
            self.wake_at(now.mono_ms + FETCH_PATIENCE_MS);
        }
    }

    /// The next gap to fetch on a link: of a log that no other link is fetching.
    fn next_fetch(&mut self, link: LinkId) -> Option<Fetch> {
        let many = self.links.get(link)?.fetching.wants.len();
        let busy: Vec<LogKey> = match many {
            0 => Vec::new(),
            _ => self.links.iter_mut().filter_map(|(_, link)| link.fetching.log()).collect(),
        };
        for _ in 0..many {
            let entry = self.links.get_mut(link)?;
            let (key, lack) = entry.fetching.wants.pop_front()?;
            let bytes = entry.fetching.page_bytes;
            if self.frontier.closed(key.author).is_some() {
                continue;
            }
            let Lack { first, last, doubt } = lack;
            let whole = vec![(first, last)];
            let gaps = match self.frontier.log(key) {
                Some(log) if !doubt => log.missing(first, last),
                Some(_) | None => whole,
            };
            let (Some(oldest), Some(newest)) = (gaps.first(), gaps.last()) else { continue };
            let entry = self.links.get_mut(link)?;
            if busy.contains(&key) {
                entry.fetching.wants.push_back((key, lack));
                continue;
            }
            entry.fetching.wants.push_front((key, lack));
            if doubt {
                return Some(Fetch { key, first, last, bytes });
            }
            // The beginning of a log says its author's name; then the newest, and back from there.
            let (first, last) = if oldest.0 == 1 { (1, 1) } else { *newest };
            return Some(Fetch { key, first, last, bytes });
        }
        let entry = self.links.get_mut(link)?;
        if entry.fetching.wants.is_empty() && std::mem::take(&mut entry.fetching.came) {
            // Everything that was seen to be lacking has come; perhaps there is more by now.
            self.compare_soon(link);
        }
        None
    }

    /// A peer asks for history.
    pub(super) fn fetch_asked(&mut self, link: LinkId, peer: NodeId, fetch: Fetch, out: &mut Vec<Action>) {
        let log = self.frontier.log(fetch.key);
        let may = log.is_some_and(|log| self.frontier.in_scope(peer, fetch.key.author, log.audience));
        let busy = self.sync.serving.len() >= FETCHES_SERVED_MAX || self.sync.serving.contains(&link);
        if !may || busy {
            let page = Frame::Page { key: fetch.key, batches: Vec::new(), busy: may && busy };
            out.push(Action::Send { links: vec![link], frame: page });
            return;
        }
        self.sync.serving.push(link);
        let bytes = fetch.bytes.clamp(PAGE_BYTES_MIN as u64, PAGE_BYTES_MAX as u64);
        out.push(Action::ReadHistory { link, fetch: Fetch { bytes, ..fetch } });
    }

    pub(super) fn history_read(&mut self, link: LinkId, page: HistoryPage, out: &mut Vec<Action>) {
        self.sync.serving.retain(|serving| *serving != link);
        if self.links.get(link).is_some() {
            let frame = Frame::Page { key: page.fetch.key, batches: page.batches, busy: false };
            out.push(Action::Send { links: vec![link], frame });
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
        let Some(entry) = self.links.get_mut(link) else { return };
        let Step::Asked { fetch, at_ms } = entry.fetching.step else { return };
        if fetch.key != key {
            return;
        }
        let fetching = &mut entry.fetching;
        let took_ms = now.mono_ms - at_ms;
        if took_ms > PAGE_MS {
            fetching.page_bytes = (fetching.page_bytes / 2).max(PAGE_BYTES_MIN as u64);
        } else if took_ms < PAGE_MS / 2 {
            fetching.page_bytes = (fetching.page_bytes * 2).min(PAGE_BYTES_MAX as u64);
        }
        fetching.step = Step::Storing { key };
        let is_vain = batches.is_empty();
        if busy {
            fetching.not_before_ms = now.mono_ms + FETCH_RETRY_MS;
            fetching.step = Step::Idle;
        } else if self.offer(now, link, peer, batches, Some(link), out) {
            return;
        } else if let Some(entry) = self.links.get_mut(link) {
            // The peer does not hold it any more, or what it sent does not fit: no use in asking again.
            entry.fetching.give_up(now.mono_ms, is_vain);
        }
        self.fetch_turn(now, link, out);
    }

    /// A fetched page is on the disk: on with the next. Unless all of it was taken, no more of that log is asked for until
    /// the next comparison.
    pub(super) fn fetch_stored(&mut self, now: Now, link: LinkId, is_whole: bool, out: &mut Vec<Action>) {
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.fetching.step = Step::Idle;
        entry.fetching.came |= is_whole;
        // Logs take turns, so that the newest of all of them is here before the old of one.
        if let Some((key, lack)) = entry.fetching.wants.pop_front()
            && is_whole
            && !lack.doubt
        {
            entry.fetching.wants.push_back((key, lack));
        }
        self.fetch_turn(now, link, out);
    }

    /// A fetched page could not be stored: try again later.
    pub(super) fn fetch_failed(&mut self, now: Now, link: LinkId) {
        if let Some(entry) = self.links.get_mut(link) {
            entry.fetching.step = Step::Idle;
            entry.fetching.not_before_ms = now.mono_ms + COMPARE_EVERY_MS;
        }
    }
}
