//! Keeps the history complete: compares with peers (`compare`), fetches what is lacking (`fetch`),
//! and serves others (`serving`).
//!
//! Each node looks after itself: it compares, learns what the other holds, and fetches what it
//! lacks. What is new is fetched before what is old.

pub(crate) mod compare;
pub(crate) mod fetch;
pub(crate) mod ranking;
pub(crate) mod rotation;
pub(crate) mod serving;
pub(crate) mod turns;
pub(crate) mod view;

use std::collections::BTreeMap;

use crate::proto::engine::ctx::{Ctx, Event};
use crate::proto::engine::io::Action;
use crate::proto::engine::peers::link_table::{Link, LinkTable};
use crate::proto::entries::batch::Verified;
use crate::proto::ids::{Hash, LinkId, LogId, LogKey, NodeId};
use crate::proto::limits::{
    COMPARE_EVERY_MS, COMPARE_ROUND_MAX, FETCH_PATIENCE_MS, FORK_SPREAD_EVERY_MS, PAGE_BYTES_MAX, PAGE_BYTES_MIN,
};
use crate::proto::links::address_group::AddressGroup;
use crate::proto::replication::frame::{Fetch, Frame, HeldRange, LogHoldings, Receipt};
use crate::proto::replication::frontier::Frontier;
use crate::proto::replication::store_api::{HistoryPage, Write};
use compare::{AuthorsPage, ComparePage, Comparisons};
use fetch::{Fetches, LinkRank};
use ranking::{PeerFailure, PeerRanking};
use rotation::Rotation;
use serving::Serving;
use view::View;

/// Comparisons, fetches and answers under way, and which peers answered before.
#[derive(Debug)]
pub(crate) struct Sync {
    comparing: Comparisons,
    fetches: Fetches,
    ranking: PeerRanking,
    serving: Serving,
    next_round_ms: u64,
    /// The peers that each round compares with in any case.
    in_turn: Rotation,
    /// The peers that it compares with since they may hold something else.
    differing: Rotation,
    /// When to compare with all peers because of a fork; none: no need.
    spread_ms: Option<u64>,
    /// When that may be next, because of the fork of another author.
    next_spread_ms: u64,
}

/// The logs of an author that a peer holds.
#[derive(Debug)]
pub(crate) struct LogsPage {
    pub(crate) author: NodeId,
    pub(crate) logs: Vec<LogHoldings>,
    /// True if there are more behind these.
    pub(crate) more: bool,
}

impl Sync {
    pub(crate) fn new(mono_ms: u64) -> Self {
        Self {
            comparing: Comparisons::default(),
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

    /// A link is gone. `is_last`: its peer has no other one.
    pub(crate) fn on_link_lost(&mut self, ctx: &mut Ctx, link: LinkId, peer: NodeId, is_last: bool) {
        self.serving.remove(link);
        self.fetches.remove(link);
        self.comparing.remove(link);
        if is_last {
            self.ranking.unlinked(peer);
        }
        // What waited for its turn, or for the log that was fetched on it, goes on.
        ctx.wake_now();
    }

    /// Counts that a peer did not do what it was asked for.
    fn count_failure(&mut self, ctx: &Ctx, links: &LinkTable, link: LinkId, failure: PeerFailure) {
        let Some(entry) = links.get(link) else { return };
        self.ranking.failed(entry.peer.id, entry.group(), failure, ctx.mono_ms());
    }

    /// Returns true once every [`COMPARE_EVERY_MS`]: then the round begins.
    pub(crate) fn is_round_due(&mut self, ctx: &Ctx) -> bool {
        let is_due = ctx.mono_ms() >= self.next_round_ms;
        if is_due {
            self.next_round_ms = ctx.mono_ms() + COMPARE_EVERY_MS;
        }
        is_due
    }

    /// Compares and fetches what is due.
    pub(crate) fn poll(&mut self, ctx: &mut Ctx, view: &mut View<'_>) {
        if self.spread_ms.is_some_and(|at_ms| ctx.mono_ms() >= at_ms) {
            self.spread_ms = None;
            self.next_spread_ms = ctx.mono_ms() + FORK_SPREAD_EVERY_MS;
            view.links.primaries().for_each(|link| self.comparing.schedule(ctx, view, link));
        }
        self.comparing.poll(ctx, view, &mut self.ranking);
        self.poll_fetch(ctx, view);
        ctx.wake_at(self.next_round_ms);
        self.spread_ms.into_iter().for_each(|at_ms| ctx.wake_at(at_ms));
    }

    /// Compares on a link as soon as those before it at its address are through.
    pub(crate) fn schedule_compare(&mut self, ctx: &mut Ctx, view: &View<'_>, link: LinkId) {
        self.comparing.schedule(ctx, view, link);
    }

    /// Compares with peers that may hold something else, and with one more in turn: what it told
    /// may be lost.
    pub(crate) fn begin_round(&mut self, ctx: &mut Ctx, view: &View<'_>) {
        let version = view.frontier.version().0;
        let mut all: BTreeMap<AddressGroup, Vec<NodeId>> = BTreeMap::new();
        let mut differing = all.clone();
        for link in view.links.primaries() {
            let Some((peer, group)) = view.links.get(link).map(|entry| (entry.peer.id, entry.group())) else {
                continue;
            };
            all.entry(group).or_default().push(peer);
            if !self.comparing.agrees(link, version) {
                differing.entry(group).or_default().push(peer);
            }
        }
        let mut selected = self.differing.select(&differing, COMPARE_ROUND_MAX);
        selected.extend(self.in_turn.select(&all, 1));
        let links = selected.into_iter().filter_map(|peer| view.links.primary_id(peer));
        links.for_each(|link| self.comparing.schedule(ctx, view, link));
    }

    /// A fork is news: compares with all peers, which compare too, so that all nodes know of it
    /// soon.
    ///
    /// The first fork of an author causes this, and none after it. Authors made up for nothing else
    /// cause one round of all peers every [`FORK_SPREAD_EVERY_MS`], which tells of all their forks:
    /// they delay the news of any other by no more.
    pub(crate) fn spread_fork(&mut self, ctx: &mut Ctx) {
        let at_ms = self.next_spread_ms.max(ctx.mono_ms());
        self.spread_ms = Some(at_ms);
        ctx.wake_at(at_ms);
    }

    /// A peer asks whether this node holds the same.
    pub(crate) fn on_compare(
        &mut self,
        ctx: &mut Ctx,
        view: &mut View<'_>,
        link: LinkId,
        hash: Hash,
        from: Option<NodeId>,
    ) {
        self.comparing.on_compare(ctx, view, link, hash, from);
    }

    /// A peer answers with the authors of whom it holds something else. Returns true if that was
    /// asked: then the comparison is to be continued, once the peer knows which authors this node
    /// ignores.
    pub(crate) fn on_authors(&mut self, ctx: &mut Ctx, view: &mut View<'_>, link: LinkId, page: &AuthorsPage) -> bool {
        self.comparing.on_authors(ctx, view, &mut self.ranking, link, page)
    }

    /// Asks the next question of a comparison. If it ended, fetches what it found, and begins the
    /// next one.
    pub(crate) fn continue_compare(&mut self, ctx: &mut Ctx, view: &mut View<'_>, link: LinkId) {
        let is_full = self.fetches.is_full(link);
        if self.comparing.advance(ctx, view, &self.ranking, link, is_full) {
            self.poll_fetch(ctx, view);
            self.comparing.begin_next(ctx, view, &self.ranking);
        }
    }

    /// A peer answers with the logs of an author that it holds.
    pub(crate) fn on_logs(&mut self, ctx: &mut Ctx, view: &mut View<'_>, link: LinkId, peer: NodeId, page: &LogsPage) {
        let LogsPage { author, logs, more } = page;
        let author = *author;
        if !self.comparing.expects_logs(link, author, logs) {
            return;
        }
        for holding in logs {
            if author == ctx.own {
                let receipt = |span: &HeldRange| Receipt { log: holding.log, first: span.first, last: span.last };
                let receipts: Vec<Receipt> = holding.ranges.iter().map(receipt).collect();
                ctx.emit(Event::OwnEntriesHeld { member: peer, receipts });
            }
            let key = LogKey { author, log: holding.log };
            if let Some(fork) = holding.fork.as_ref().filter(|fork| fork.key() == key)
                && view.frontier.is_news(peer, fork)
            {
                ctx.write(Write::Fork(fork.clone()));
            }
            let is_left = self.is_left_to_author(ctx, view.links, link, key);
            for lack in view.frontier.missing_ranges(peer, author, holding) {
                // Two versions of one log are not left to its author: it may have made both.
                if lack.is_fork_suspect || !is_left {
                    self.fetches.want(link, ctx.mono_ms(), key, lack);
                }
            }
        }
        match logs.last().filter(|_| *more && !self.fetches.is_full(link)) {
            Some(last) => {
                let question = ComparePage::Logs { author, from: Some(last.log) };
                self.comparing.ask(ctx, view, &self.ranking, link, question);
            }
            None => self.continue_compare(ctx, view, link),
        }
    }

    /// Returns true if the author of a log is linked and likely to send it: then none of the others
    /// is asked for it.
    ///
    /// That holds for a moment only. What the author has not sent by then is asked of others after
    /// the next comparison.
    fn is_left_to_author(&self, ctx: &Ctx, links: &LinkTable, link: LinkId, key: LogKey) -> bool {
        let mono_ms = ctx.mono_ms();
        let Some(of_author) = links.primary_id(key.author).filter(|of_author| *of_author != link) else {
            return false;
        };
        let Some(entry) = links.responsive(key.author) else { return false };
        let is_doubtful = self.ranking.rank(key.author, entry.group(), mono_ms).is_doubtful();
        let recent = |at_ms: u64| mono_ms < at_ms + FETCH_PATIENCE_MS;
        let is_likely = match self.comparing.begun_ms(of_author) {
            None => recent(entry.up_ms),
            Some(begun_ms) => recent(begun_ms) && self.fetches.wants(of_author, mono_ms, key),
        };
        !is_doubtful && is_likely
    }

    /// Asks for what is lacking, on all links on which something may be asked for.
    fn poll_fetch(&mut self, ctx: &mut Ctx, view: &mut View<'_>) {
        let mono_ms = ctx.mono_ms();
        for link in self.fetches.expire(mono_ms) {
            self.count_failure(ctx, view.links, link, PeerFailure::Undelivered);
        }
        let (links, ranking) = (view.links, &self.ranking);
        let standing = |link| {
            let entry = links.get(link)?;
            let (id, group) = (entry.peer.id, entry.group());
            let rank = ranking.rank(id, group, mono_ms);
            Some(LinkRank { group, rank, paused_until_ms: ranking.paused_until_ms(id) })
        };
        let due = self.fetches.next(mono_ms, view.frontier, standing);
        due.fetches.into_iter().for_each(|(link, fetch)| ctx.send(link, Frame::Fetch(fetch)));
        due.drained.into_iter().for_each(|link| self.comparing.schedule(ctx, view, link));
        due.wake_ms.into_iter().for_each(|at_ms| ctx.wake_at(at_ms));
    }

    /// A peer asks for history.
    pub(crate) fn on_fetch(&mut self, ctx: &mut Ctx, view: &View<'_>, link: LinkId, peer: NodeId, fetch: Fetch) {
        let log = view.frontier.log(fetch.key);
        let may = log.is_some_and(|log| view.frontier.is_visible_to(peer, fetch.key.author, log.audience));
        let group = view.links.get(link).map(Link::group).filter(|_| may);
        let bytes = fetch.bytes.clamp(PAGE_BYTES_MIN as u64, PAGE_BYTES_MAX as u64);
        let is_served = group.is_some_and(|group| self.serving.ask(link, group, Fetch { bytes, ..fetch }));
        if !is_served {
            ctx.send(link, Frame::Page { key: fetch.key, batches: Vec::new(), busy: may });
        }
        self.serve_next(ctx);
    }

    /// The store has read history for a peer.
    pub(crate) fn on_history_read(&mut self, ctx: &mut Ctx, links: &LinkTable, link: LinkId, page: HistoryPage) {
        self.serving.done(link);
        if let Some(up) = links.get(link) {
            let batches = serving::readable(page.batches, up.peer.version);
            ctx.send(link, Frame::Page { key: page.fetch.key, batches, busy: false });
        }
        self.serve_next(ctx);
    }

    fn serve_next(&mut self, ctx: &mut Ctx) {
        while let Some((link, fetch)) = self.serving.next() {
            ctx.out.push(Action::ReadHistory { link, fetch });
        }
    }

    /// A page of history came. Returns the request it answers, if it is to be ingested.
    pub(crate) fn on_page(
        &mut self,
        ctx: &mut Ctx,
        view: &mut View<'_>,
        link: LinkId,
        key: LogKey,
        batches: &[Verified],
        busy: bool,
    ) -> Option<Fetch> {
        let mono_ms = ctx.mono_ms();
        let fetch = self.fetches.page_came(link, mono_ms, key)?;
        if busy {
            self.fetches.busy(link, mono_ms);
            self.poll_fetch(ctx, view);
            return None;
        }
        let is_asked_for = |batch: &Verified| {
            let header = batch.header();
            header.key() == key && header.first_seq <= fetch.last && header.last_seq() >= fetch.first
        };
        match view.links.get(link) {
            Some(entry) if batches.iter().any(is_asked_for) => {
                self.ranking.delivered(entry.peer.id, entry.group(), mono_ms);
            }
            Some(_) | None => self.count_failure(ctx, view.links, link, PeerFailure::Undelivered),
        }
        Some(fetch)
    }

    /// Nothing of a page was ingested. `is_vain`: nothing was in it.
    pub(crate) fn on_page_unused(
        &mut self,
        ctx: &mut Ctx,
        view: &mut View<'_>,
        link: LinkId,
        fetch: Fetch,
        is_vain: bool,
    ) {
        self.fetches.give_up(link, ctx.mono_ms(), fetch, is_vain, view.frontier);
        self.poll_fetch(ctx, view);
    }

    /// A fetched page is on the disk: on with the next. Unless all of it was taken, no more of that
    /// log is asked for until the next comparison.
    pub(crate) fn on_page_stored(&mut self, ctx: &mut Ctx, view: &mut View<'_>, link: LinkId, is_whole: bool) {
        self.fetches.stored(link, is_whole);
        self.poll_fetch(ctx, view);
    }

    /// A fetched page could not be stored: tries again later.
    pub(crate) fn on_page_failed(&mut self, ctx: &Ctx, link: LinkId) {
        self.fetches.failed(link, ctx.mono_ms() + COMPARE_EVERY_MS);
    }
}

/// Answers which logs of an author this node holds.
pub(crate) fn on_ask_logs(
    ctx: &mut Ctx,
    frontier: &Frontier,
    link: LinkId,
    peer: NodeId,
    author: NodeId,
    from: Option<LogId>,
) {
    let (logs, more) = frontier.logs_page(peer, author, from);
    ctx.send(link, Frame::Logs { author, logs, more });
}
