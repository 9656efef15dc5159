//! Finds out what is lacking: hashes are compared with peers, from the whole down to single logs.
//!
//! Comparisons with peers at different addresses go on beside each other. At one address they take
//! turns (`turns`), so a peer that answers slowly, never or without end holds up none but those at
//! its own address, and these no longer than a turn takes.
//!
//! A node that is asked and sees a difference compares too, so both sides of a healed split are
//! soon whole. Only what was asked for is heard, and pages have to go on from where they were.

use std::collections::{BTreeMap, VecDeque};

use super::ranking::{PeerFailure, PeerRanking, Rank};
use super::turns::{Claim, Turns};
use super::view::View;
use crate::proto::engine::ctx::{Ctx, Event};
use crate::proto::engine::peers::link_table::Link;
use crate::proto::ids::{Hash, LinkId, LogId, NodeId};
use crate::proto::limits::{COMPARE_AGAIN_MS, COMPARE_TURN_MS, COMPARISONS_MAX, DOUBTFUL_MS, FETCH_PATIENCE_MS};
use crate::proto::replication::frame::{Frame, LogHoldings};

/// The question that a comparison asks next, or waits for the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComparePage {
    /// Does the peer hold the same? If not, which authors greater than this one differ?
    Authors { from: Option<NodeId> },
    /// Which logs of this author, greater than this one, does the peer hold?
    Logs { author: NodeId, from: Option<LogId> },
}

/// One comparison under way.
#[derive(Debug)]
struct Comparison {
    question: ComparePage,
    asked_ms: u64,
    /// The version of the frontier when this node asked, see [`Frontier::version`]: if the peer
    /// holds the same, it holds this.
    ///
    /// [`Frontier::version`]: crate::proto::replication::frontier::Frontier::version
    version: u64,
    own_version: u64,
    /// Authors that differ and were not asked about yet: those of one page.
    authors: VecDeque<NodeId>,
    /// The last author of the page, if there are more.
    more_from: Option<NodeId>,
}

/// Authors of whom a peer holds something else than this node.
#[derive(Debug)]
pub(crate) struct AuthorsPage {
    /// True if the peer holds the same.
    pub(crate) same: bool,
    pub(crate) authors: Vec<(NodeId, Hash)>,
    /// True if there are more behind these.
    pub(crate) more: bool,
}

/// The results of the comparisons on a link.
#[derive(Debug, Default)]
struct Past {
    begun_ms: Option<u64>,
    /// The version of what this node held when the peer held the same.
    agreed: Option<u64>,
    /// The hash that the peer asked with last.
    asked: Option<Hash>,
}

/// All comparisons.
#[derive(Debug, Default)]
pub(crate) struct Comparisons {
    turns: Turns,
    current: BTreeMap<LinkId, Comparison>,
    /// Comparisons that wait again, since their turn was over before they were through.
    paused: BTreeMap<LinkId, Comparison>,
    /// Links to compare on later, and when.
    later: BTreeMap<LinkId, u64>,
    past: BTreeMap<LinkId, Past>,
}

impl Comparisons {
    /// A link is gone. Returns true if a comparison ends with it.
    pub(crate) fn remove(&mut self, link: LinkId) -> bool {
        self.turns.remove(link);
        self.paused.remove(&link);
        self.later.remove(&link);
        self.past.remove(&link);
        self.current.remove(&link).is_some()
    }

    /// Returns true if this page of logs is what was asked for, and goes on from there.
    pub(crate) fn expects_logs(&self, link: LinkId, author: NodeId, logs: &[LogHoldings]) -> bool {
        match self.current.get(&link).map(|current| current.question) {
            Some(ComparePage::Logs { author: asked, from }) => {
                asked == author && is_ascending(from, logs.iter().map(|holding| holding.log))
            }
            Some(ComparePage::Authors { .. }) | None => false,
        }
    }

    /// Returns true if the peer held the same as this node holds at `version`, when the two
    /// compared last.
    pub(crate) fn agrees(&self, link: LinkId, version: u64) -> bool {
        self.past.get(&link).is_some_and(|past| past.agreed == Some(version))
    }

    /// Returns when a comparison on this link began last.
    pub(crate) fn begun_ms(&self, link: LinkId) -> Option<u64> {
        self.past.get(&link)?.begun_ms
    }

    fn agree(&mut self, link: LinkId, version: u64) {
        self.past.entry(link).or_default().agreed = Some(version);
    }

    /// A peer asks, and holds something else. Returns true if this node compares too.
    ///
    /// It does so at once, or, if it compared a moment ago, after a rest. After the rest only if
    /// the peer has changed since it asked last: two that differ for good would compare for ever.
    fn asked(&mut self, link: LinkId, mono_ms: u64, hash: Hash) -> bool {
        let past = self.past.entry(link).or_default();
        let has_changed = past.asked.replace(hash) != Some(hash);
        let Some(rested_ms) = past.begun_ms.map(|at_ms| at_ms + COMPARE_AGAIN_MS) else { return true };
        if mono_ms < rested_ms && has_changed {
            self.later.entry(link).or_insert(rested_ms);
        }
        mono_ms >= rested_ms
    }

    /// Returns the links whose answer was not waited for any longer.
    fn expire(&mut self, mono_ms: u64) -> Vec<(LinkId, u64)> {
        let is_late = |_: &LinkId, current: &mut Comparison| mono_ms >= current.asked_ms + FETCH_PATIENCE_MS;
        let late: Vec<(LinkId, u64)> =
            self.current.extract_if(.., is_late).map(|(link, current)| (link, current.asked_ms)).collect();
        late.iter().for_each(|(link, _)| self.turns.end(*link));
        late
    }

    /// Returns when something is due next.
    fn next_ms(&self, mono_ms: u64) -> Option<u64> {
        let deadlines = self.current.values().map(|current| current.asked_ms + FETCH_PATIENCE_MS);
        deadlines.chain(self.later.values().copied()).chain(self.turns.next_ms(mono_ms)).min()
    }
}

/// Returns true if `page` ascends from what was asked for.
fn is_ascending<T: Ord>(from: Option<T>, page: impl Iterator<Item = T>) -> bool {
    from.into_iter().chain(page).is_sorted_by(|one, next| one < next)
}

/// The length of a comparison's turn, in milliseconds.
fn turn_ms(rank: Rank) -> u64 {
    if rank == Rank::Proven { COMPARE_TURN_MS } else { DOUBTFUL_MS }
}

impl Comparisons {
    /// Compares on this link as soon as those before it at its address are through.
    pub(crate) fn schedule(&mut self, ctx: &mut Ctx, view: &View<'_>, link: LinkId) {
        let Some(group) = view.links.get(link).map(Link::group) else { return };
        self.later.remove(&link);
        self.turns.wait(link, group);
        ctx.wake_now();
    }

    /// Gives up questions that were not answered, and asks what is due.
    pub(crate) fn poll(&mut self, ctx: &mut Ctx, view: &mut View<'_>, ranking: &mut PeerRanking) {
        let mono_ms = ctx.mono_ms();
        for (link, asked_ms) in self.expire(mono_ms) {
            // A link that is silent as a whole is no reason to think ill of its peer: its machine
            // may sleep.
            if let Some(entry) = view.links.get(link).filter(|entry| entry.heard_ms > asked_ms) {
                ranking.failed(entry.peer.id, entry.group(), PeerFailure::Silent, mono_ms);
            }
        }
        let later = self.later.extract_if(.., |_, at_ms| mono_ms >= *at_ms);
        let due: Vec<LinkId> = later.map(|(link, _)| link).collect();
        due.into_iter().for_each(|link| self.schedule(ctx, view, link));
        self.begin_next(ctx, view, ranking);
        if let Some(next_ms) = self.next_ms(mono_ms) {
            ctx.wake_at(next_ms);
        }
        let paused = |link| view.links.get(link).map(|entry| ranking.paused_until_ms(entry.peer.id));
        if let Some(paused_ms) = self.turns.waiting().filter_map(paused).filter(|at_ms| *at_ms > mono_ms).min() {
            ctx.wake_at(paused_ms);
        }
    }

    /// Begins the comparisons whose turn it is.
    pub(crate) fn begin_next(&mut self, ctx: &mut Ctx, view: &mut View<'_>, ranking: &PeerRanking) {
        let mono_ms = ctx.mono_ms();
        loop {
            let Self { turns, current, paused, past, .. } = self;
            let claim = |link: LinkId| {
                let entry = view.links.get(link)?;
                let id = entry.peer.id;
                let is_ready = !current.contains_key(&link) && mono_ms >= ranking.paused_until_ms(id);
                let rank = ranking.rank(id, entry.group(), mono_ms);
                is_ready.then(|| Claim { order: (rank, ranking.answer_ms(id)), turn_ms: turn_ms(rank) })
            };
            let Some(link) = turns.begin(mono_ms, COMPARISONS_MAX, claim) else { return };
            past.entry(link).or_default().begun_ms = Some(mono_ms);
            let comparison = paused.remove(&link).unwrap_or_else(Comparison::new);
            let question = comparison.question;
            current.insert(link, comparison);
            self.ask(ctx, view, ranking, link, question);
        }
    }

    /// Asks the next question of a comparison, unless its turn is over.
    pub(crate) fn ask(
        &mut self,
        ctx: &mut Ctx,
        view: &mut View<'_>,
        ranking: &PeerRanking,
        link: LinkId,
        question: ComparePage,
    ) {
        let Some((peer, group)) = view.links.get(link).map(|entry| (entry.peer.id, entry.group())) else { return };
        let mono_ms = ctx.mono_ms();
        let turn_ms = turn_ms(ranking.rank(peer, group, mono_ms));
        let Self { turns, current, paused, .. } = self;
        let Some(comparison) = current.get_mut(&link) else { return };
        comparison.question = question;
        if turns.is_over(link, mono_ms, COMPARISONS_MAX, turn_ms) {
            paused.extend(current.remove(&link).map(|comparison| (link, comparison)));
            turns.end(link);
            turns.wait(link, group);
            return self.begin_next(ctx, view, ranking);
        }
        comparison.asked_ms = mono_ms;
        let frame = match question {
            ComparePage::Authors { from } => {
                (comparison.version, comparison.own_version) = view.frontier.version();
                Frame::Compare { hash: view.frontier.hash(peer), from, linked: linked(view, from) }
            }
            ComparePage::Logs { author, from } => Frame::AskLogs { author, from },
        };
        ctx.send(link, frame);
        ctx.wake_at(mono_ms + FETCH_PATIENCE_MS);
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
        let Some(peer) = view.links.get(link).map(|entry| entry.peer.id) else { return };
        let same = view.frontier.hash(peer) == hash;
        if same {
            let receipts = view.frontier.own_ranges_shared_with(peer);
            ctx.emit(Event::OwnEntriesHeld { member: peer, receipts });
            self.agree(link, view.frontier.version().0);
        }
        let (authors, more) = if same { (Vec::new(), false) } else { view.frontier.authors_page(peer, from) };
        ctx.send(link, Frame::Authors { same, authors, more, linked: linked(view, from) });
        if !same && from.is_none() {
            if self.asked(link, ctx.mono_ms(), hash) {
                self.schedule(ctx, view, link);
            } else if let Some(later_ms) = self.later.get(&link) {
                ctx.wake_at(*later_ms);
            }
        }
    }

    /// A peer answers with the authors of whom it holds something else. Returns false if that was
    /// not asked.
    pub(crate) fn on_authors(
        &mut self,
        ctx: &mut Ctx,
        view: &mut View<'_>,
        ranking: &mut PeerRanking,
        link: LinkId,
        page: &AuthorsPage,
    ) -> bool {
        let AuthorsPage { same, authors, more } = page;
        let Some(peer) = view.links.get(link).map(|entry| entry.peer.id) else { return false };
        let Some(current) = self.current.get_mut(&link) else { return false };
        let ComparePage::Authors { from } = current.question else { return false };
        if !is_ascending(from, authors.iter().map(|(author, _)| *author)) {
            return false;
        }
        ranking.answered(peer, ctx.mono_ms() - current.asked_ms);
        let differing = if *same { Vec::new() } else { view.frontier.differing_authors(peer, authors) };
        let own_is_equal = authors.iter().any(|(author, _)| *author == ctx.own) && !differing.contains(&ctx.own);
        current.authors.extend(differing);
        current.more_from = if *more { authors.last().map(|(author, _)| *author) } else { None };
        let (version, own_version) = (current.version, current.own_version);
        if *same {
            self.agree(link, version);
        }
        // A receipt may have been lost with a link, or with this node's last run: equal hashes say
        // the same. What was written since this node asked is not in them.
        let receipts = match same {
            true if own_version == view.frontier.version().1 => view.frontier.own_ranges_shared_with(peer),
            false if own_is_equal => view.frontier.own_ranges_shared_with(peer),
            true | false => Vec::new(),
        };
        ctx.emit(Event::OwnEntriesHeld { member: peer, receipts });
        true
    }

    /// Asks the next question of a comparison, or ends it: also if no more is remembered of what is
    /// lacking. Returns true if it ended.
    pub(crate) fn advance(
        &mut self,
        ctx: &mut Ctx,
        view: &mut View<'_>,
        ranking: &PeerRanking,
        link: LinkId,
        is_full: bool,
    ) -> bool {
        let Some(current) = self.current.get_mut(&link) else { return false };
        let next = match current.authors.pop_front() {
            _ if is_full => None,
            Some(author) => Some(ComparePage::Logs { author, from: None }),
            None => current.more_from.take().map(|from| ComparePage::Authors { from: Some(from) }),
        };
        match next {
            Some(question) => self.ask(ctx, view, ranking, link, question),
            None => {
                self.current.remove(&link);
                self.turns.end(link);
            }
        }
        next.is_none()
    }
}

/// The peers of this node, which the first question and its answer tell.
fn linked(view: &View<'_>, from: Option<NodeId>) -> Vec<NodeId> {
    if from.is_none() { view.links.peers().collect() } else { Vec::new() }
}

impl Comparison {
    fn new() -> Self {
        let (question, authors) = (ComparePage::Authors { from: None }, VecDeque::new());
        Self { question, asked_ms: 0, version: 0, own_version: 0, authors, more_from: None }
    }
}
