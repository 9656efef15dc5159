//! Finds out what is lacking: hashes are compared with peers, from the whole down to single logs.
//!
//! Comparisons with peers at different addresses go on beside each other. At one address they take
//! turns (`turns`), so a peer that answers slowly, never or without end holds up none but those at
//! its own address, and these no longer than a turn takes.
//!
//! A node that is asked and sees a difference compares too, so both sides of a healed split are soon
//! whole. Only what was asked for is heard, and pages have to go on from where they were.

use std::collections::{BTreeMap, VecDeque};

use super::ranking::{Failure, Rank};
use super::turns::{Claim, Turns};
use super::{Action, Engine};
use crate::proto::address_group::AddressGroup;
use crate::proto::clock::Now;
use crate::proto::frame::{Frame, Holding};
use crate::proto::ids::{Hash, LinkId, LogId, NodeId};
use crate::proto::limits::{COMPARE_AGAIN_MS, COMPARE_TURN_MS, COMPARISONS_MAX, DOUBTFUL_MS, FETCH_PATIENCE_MS};

/// What a comparison asks next, or waits to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Do we hold the same? If not, of which authors greater than this one?
    Authors { from: Option<NodeId> },
    /// What of this author, of logs greater than this one?
    Logs { author: NodeId, from: Option<LogId> },
}

/// One comparison under way.
#[derive(Debug)]
struct Comparison {
    question: Question,
    asked_ms: u64,
    /// What this node held when it asked, as [`Frontier::version`] counts it: if the peer holds the same, it holds this.
    ///
    /// [`Frontier::version`]: crate::proto::frontier::Frontier::version
    version: u64,
    own_version: u64,
    /// Authors that differ and were not asked about yet: those of one page.
    authors: VecDeque<NodeId>,
    /// The last author of the page, if there are more.
    more_from: Option<NodeId>,
}

/// What came of the comparisons on a link.
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
pub(super) struct Comparing {
    turns: Turns,
    current: BTreeMap<LinkId, Comparison>,
    /// Those that wait again, since their turn was over before they were through.
    paused: BTreeMap<LinkId, Comparison>,
    /// Links to compare on later, and when.
    later: BTreeMap<LinkId, u64>,
    past: BTreeMap<LinkId, Past>,
}

impl Comparing {
    /// A link is gone. Returns true if a comparison ends with it.
    pub(super) fn gone(&mut self, link: LinkId) -> bool {
        self.turns.remove(link);
        self.paused.remove(&link);
        self.later.remove(&link);
        self.past.remove(&link);
        self.current.remove(&link).is_some()
    }

    /// Returns true if this page of logs is what was asked for, and goes on from there.
    pub(super) fn expects_logs(&self, link: LinkId, author: NodeId, logs: &[Holding]) -> bool {
        match self.current.get(&link).map(|current| current.question) {
            Some(Question::Logs { author: asked, from }) => {
                asked == author && goes_on(from, logs.iter().map(|holding| holding.log))
            }
            Some(Question::Authors { .. }) | None => false,
        }
    }

    /// Returns true if the peer held the same as this node holds at `version`, when the two compared last.
    pub(super) fn agrees(&self, link: LinkId, version: u64) -> bool {
        self.past.get(&link).is_some_and(|past| past.agreed == Some(version))
    }

    /// Returns when a comparison on this link began last.
    pub(super) fn begun_ms(&self, link: LinkId) -> Option<u64> {
        self.past.get(&link)?.begun_ms
    }

    fn agree(&mut self, link: LinkId, version: u64) {
        self.past.entry(link).or_default().agreed = Some(version);
    }

    /// A peer asks, and holds something else. Returns true if this node compares too.
    ///
    /// It does so at once, or, if it compared a moment ago, after a rest. After the rest only if the peer has changed since it
    /// asked last: two that differ for good would compare for ever.
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
fn goes_on<T: Ord>(from: Option<T>, page: impl Iterator<Item = T>) -> bool {
    from.into_iter().chain(page).is_sorted_by(|one, next| one < next)
}

/// How long the turn of a comparison is, in milliseconds.
fn turn_ms(rank: Rank) -> u64 {
    if rank == Rank::Proven { COMPARE_TURN_MS } else { DOUBTFUL_MS }
}

impl Engine {
    /// Compares on this link as soon as those before it at its address are through.
    pub(super) fn compare_soon(&mut self, link: LinkId) {
        let Some(group) = self.links.get(link).map(|entry| AddressGroup::of(entry.peer.address)) else { return };
        self.sync.comparing.later.remove(&link);
        self.sync.comparing.turns.wait(link, group);
        self.wake_at(self.turn_ms);
    }

    pub(super) fn compare_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        for (link, asked_ms) in self.sync.comparing.expire(now.mono_ms) {
            // A link that is silent as a whole is no reason to think ill of its peer: its machine may sleep.
            if self.links.get(link).is_some_and(|entry| entry.heard_ms > asked_ms) {
                self.count_failure(now, link, Failure::Silent);
            }
        }
        let later = self.sync.comparing.later.extract_if(.., |_, at_ms| now.mono_ms >= *at_ms);
        let due: Vec<LinkId> = later.map(|(link, _)| link).collect();
        due.into_iter().for_each(|link| self.compare_soon(link));
        self.compare_next(now, out);
        if let Some(next_ms) = self.sync.comparing.next_ms(now.mono_ms) {
            self.wake_at(next_ms);
        }
        let paused = |link| self.links.get(link).map(|entry| self.sync.ranking.paused_until_ms(entry.peer.id));
        let paused_ms =
            self.sync.comparing.turns.waiting().filter_map(paused).filter(|at_ms| *at_ms > now.mono_ms).min();
        if let Some(paused_ms) = paused_ms {
            self.wake_at(paused_ms);
        }
    }

    fn compare_next(&mut self, now: Now, out: &mut Vec<Action>) {
        loop {
            let (ranking, links) = (&self.sync.ranking, &self.links);
            let Comparing { turns, current, paused, past, .. } = &mut self.sync.comparing;
            let claim = |link: LinkId| {
                let peer = &links.get(link)?.peer;
                let is_ready = !current.contains_key(&link) && now.mono_ms >= ranking.paused_until_ms(peer.id);
                let rank = ranking.rank(peer.id, AddressGroup::of(peer.address), now.mono_ms);
                is_ready.then(|| Claim { order: (rank, ranking.answer_ms(peer.id)), turn_ms: turn_ms(rank) })
            };
            let Some(link) = turns.begin(now.mono_ms, COMPARISONS_MAX, claim) else { return };
            past.entry(link).or_default().begun_ms = Some(now.mono_ms);
            let comparison = paused.remove(&link).unwrap_or_else(Comparison::new);
            let question = comparison.question;
            current.insert(link, comparison);
            self.ask(now, link, question, out);
        }
    }

    /// Asks the next question of a comparison, unless its turn is over.
    pub(super) fn ask(&mut self, now: Now, link: LinkId, question: Question, out: &mut Vec<Action>) {
        let Some((peer, group)) =
            self.links.get(link).map(|entry| (entry.peer.id, AddressGroup::of(entry.peer.address)))
        else {
            return;
        };
        let turn_ms = turn_ms(self.sync.ranking.rank(peer, group, now.mono_ms));
        let Comparing { turns, current, paused, .. } = &mut self.sync.comparing;
        let Some(comparison) = current.get_mut(&link) else { return };
        comparison.question = question;
        if turns.is_over(link, now.mono_ms, COMPARISONS_MAX, turn_ms) {
            paused.extend(current.remove(&link).map(|comparison| (link, comparison)));
            turns.end(link);
            turns.wait(link, group);
            return self.compare_next(now, out);
        }
        comparison.asked_ms = now.mono_ms;
        let frame = match question {
            Question::Authors { from } => {
                (comparison.version, comparison.own_version) = self.frontier.version();
                let linked = if from.is_none() { self.links.peers().collect() } else { Vec::new() };
                Frame::Compare { hash: self.frontier.hash(peer), from, linked }
            }
            Question::Logs { author, from } => Frame::AskLogs { author, from },
        };
        out.push(Action::Send { links: vec![link], frame });
        self.wake_at(now.mono_ms + FETCH_PATIENCE_MS);
    }

    /// A peer asks whether we hold the same.
    pub(super) fn compare_asked(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        hash: Hash,
        from: Option<NodeId>,
        out: &mut Vec<Action>,
    ) {
        let same = self.frontier.hash(peer) == hash;
        if same {
            let held = self.frontier.own_spans(peer);
            self.count_receipts(peer, &held, out);
            self.sync.comparing.agree(link, self.frontier.version().0);
        }
        let (authors, more) = if same { (Vec::new(), false) } else { self.frontier.authors_page(peer, from) };
        let linked = if from.is_none() { self.links.peers().collect() } else { Vec::new() };
        out.push(Action::Send { links: vec![link], frame: Frame::Authors { same, authors, more, linked } });
        if !same && from.is_none() {
            if self.sync.comparing.asked(link, now.mono_ms, hash) {
                self.compare_soon(link);
            } else if let Some(later_ms) = self.sync.comparing.later.get(&link) {
                self.wake_at(*later_ms);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(super) fn authors_told(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        same: bool,
        authors: &[(NodeId, Hash)],
        more: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(current) = self.sync.comparing.current.get_mut(&link) else { return };
        let Question::Authors { from } = current.question else { return };
        if !goes_on(from, authors.iter().map(|(author, _)| *author)) {
            return;
        }
        self.sync.ranking.answered(peer, now.mono_ms - current.asked_ms);
        let differing = if same { Vec::new() } else { self.frontier.differing(peer, authors) };
        let own_is_equal = authors.iter().any(|(author, _)| *author == self.own) && !differing.contains(&self.own);
        current.authors.extend(differing);
        current.more_from = if more { authors.last().map(|(author, _)| *author) } else { None };
        let (version, own_version) = (current.version, current.own_version);
        if same {
            self.sync.comparing.agree(link, version);
        }
        // A receipt may have been lost with a link, or with this node's last run: equal hashes say the same. What was written
        // since this node asked is not in them.
        let held = match same {
            true if own_version == self.frontier.version().1 => self.frontier.own_spans(peer),
            false if own_is_equal => self.frontier.own_spans(peer),
            true | false => Vec::new(),
        };
        self.count_receipts(peer, &held, out);
        self.pass_over(link, authors, more, out);
        self.compare_step(now, link, out);
    }

    /// Asks the next question of a comparison, or ends it: also if no more is remembered of what is lacking.
    pub(super) fn compare_step(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let is_full = self.sync.fetches.is_full(link);
        let Some(current) = self.sync.comparing.current.get_mut(&link) else { return };
        let next = match current.authors.pop_front() {
            _ if is_full => None,
            Some(author) => Some(Question::Logs { author, from: None }),
            None => current.more_from.take().map(|from| Question::Authors { from: Some(from) }),
        };
        match next {
            Some(question) => self.ask(now, link, question, out),
            None => {
                self.sync.comparing.current.remove(&link);
                self.sync.comparing.turns.end(link);
                self.fetch_turn(now, out);
                self.compare_next(now, out);
            }
        }
    }

    pub(super) fn logs_asked(
        &mut self,
        link: LinkId,
        peer: NodeId,
        author: NodeId,
        from: Option<LogId>,
        out: &mut Vec<Action>,
    ) {
        let (logs, more) = self.frontier.logs_page(peer, author, from);
        out.push(Action::Send { links: vec![link], frame: Frame::Logs { author, logs, more } });
    }
}

impl Comparison {
    fn new() -> Self {
        let (question, authors) = (Question::Authors { from: None }, VecDeque::new());
        Self { question, asked_ms: 0, version: 0, own_version: 0, authors, more_from: None }
    }
}
