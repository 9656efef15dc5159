//! Finding out what is lacking: hashes are compared with one peer at a time, from the whole down to single logs.
//!
//! A node that is asked and sees a difference compares too, so both sides of a healed split are soon whole. Only what was
//! asked for is heard, and pages have to go on from where they were: whoever answers without end holds up nobody, since
//! comparisons take turns.

use std::collections::{BTreeMap, VecDeque};

use super::{Action, Engine};
use crate::proto::clock::Now;
use crate::proto::frame::{Frame, Holding, Receipt};
use crate::proto::ids::{Hash, LinkId, LogId, NodeId};
use crate::proto::limits::{COMPARE_AGAIN_MS, COMPARE_TURN_MS, FETCH_PATIENCE_MS};

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
    link: LinkId,
    question: Question,
    /// When the answer is given up.
    deadline_ms: u64,
    /// When others have their turn, if there are any.
    turn_ends_ms: u64,
    /// This node's own entries in what was asked about: if the peer holds the same, it holds them.
    own: Vec<Receipt>,
    /// Authors that differ and were not asked about yet: those of one page.
    authors: VecDeque<NodeId>,
    /// The last author of the page, if there are more.
    more_from: Option<NodeId>,
}

/// All comparisons: one at a time, the others wait.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    /// Links to compare on soon.
    due: VecDeque<LinkId>,
    current: Option<Comparison>,
    /// Those among the due that have begun, and whose turn was over.
    paused: BTreeMap<LinkId, Comparison>,
}

impl Comparing {
    /// A link is gone. Returns whether a comparison ends with it.
    pub(super) fn gone(&mut self, link: LinkId) -> bool {
        self.due.retain(|due| *due != link);
        self.paused.remove(&link);
        self.current.take_if(|current| current.link == link).is_some()
    }

    /// Whether this page of logs is what was asked for, and goes on from there.
    pub(super) fn expects_logs(&self, link: LinkId, author: NodeId, logs: &[Holding]) -> bool {
        match self.current.as_ref().filter(|current| current.link == link).map(|current| current.question) {
            Some(Question::Logs { author: asked, from }) => {
                asked == author && goes_on(from, logs.iter().map(|holding| holding.log))
            }
            Some(Question::Authors { .. }) | None => false,
        }
    }
}

/// Whether `page` ascends from what was asked for.
fn goes_on<T: Ord>(from: Option<T>, page: impl Iterator<Item = T>) -> bool {
    from.into_iter().chain(page).is_sorted_by(|one, next| one < next)
}

impl Engine {
    /// Compares on this link as soon as the comparisons before it are through.
    pub(super) fn compare_soon(&mut self, link: LinkId) {
        if !self.sync.comparing.due.contains(&link) {
            self.sync.comparing.due.push_back(link);
        }
        self.wake_at(self.turn_ms);
    }

    pub(super) fn compare_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        self.sync.comparing.current.take_if(|current| now.mono_ms >= current.deadline_ms);
        self.compare_next(now, out);
        if let Some(current) = &self.sync.comparing.current {
            self.wake_at(current.deadline_ms);
        }
    }

    fn compare_next(&mut self, now: Now, out: &mut Vec<Action>) {
        while self.sync.comparing.current.is_none() {
            let Some(link) = self.sync.comparing.due.pop_front() else { return };
            let Some(entry) = self.links.get_mut(link) else { continue };
            entry.compared_ms = Some(now.mono_ms);
            let begun = self.sync.comparing.paused.remove(&link);
            let comparison = begun.unwrap_or_else(|| Comparison::new(link));
            let (question, turn_ends_ms) = (comparison.question, now.mono_ms + COMPARE_TURN_MS);
            self.sync.comparing.current = Some(Comparison { turn_ends_ms, ..comparison });
            self.ask(now, link, question, out);
        }
    }

    /// Asks the next question of the comparison under way, unless its turn is over.
    pub(super) fn ask(&mut self, now: Now, link: LinkId, question: Question, out: &mut Vec<Action>) {
        let comparing = &mut self.sync.comparing;
        let Some(current) = comparing.current.as_mut().filter(|current| current.link == link) else { return };
        current.question = question;
        if now.mono_ms >= current.turn_ends_ms && comparing.due.iter().any(|due| *due != link) {
            comparing.due.retain(|due| *due != link);
            comparing.due.push_back(link);
            comparing.paused.extend(comparing.current.take().map(|current| (link, current)));
            return self.compare_next(now, out);
        }
        let deadline_ms = now.mono_ms + FETCH_PATIENCE_MS;
        current.deadline_ms = deadline_ms;
        self.wake_at(deadline_ms);
        let Some(peer) = self.links.get(link).map(|link| link.peer.id) else { return };
        let frame = match question {
            Question::Authors { from } => {
                let own = self.frontier.own_spans(peer);
                if let Some(current) = &mut self.sync.comparing.current {
                    current.own = own;
                }
                let linked = if from.is_none() { self.links.peers().collect() } else { Vec::new() };
                Frame::Compare { hash: self.frontier.hash(peer), from, linked }
            }
            Question::Logs { author, from } => Frame::AskLogs { author, from },
        };
        out.push(Action::Send { links: vec![link], frame });
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
        }
        let (authors, more) = if same { (Vec::new(), false) } else { self.frontier.authors_page(peer, from) };
        let linked = if from.is_none() { self.links.peers().collect() } else { Vec::new() };
        out.push(Action::Send { links: vec![link], frame: Frame::Authors { same, authors, more, linked } });
        let lately = |at_ms: u64| now.mono_ms < at_ms + COMPARE_AGAIN_MS;
        let rested = self.links.get(link).is_some_and(|link| !link.compared_ms.is_some_and(lately));
        if !same && from.is_none() && rested {
            self.compare_soon(link);
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
        let Some(current) = self.sync.comparing.current.as_mut().filter(|current| current.link == link) else { return };
        let Question::Authors { from } = current.question else { return };
        if !goes_on(from, authors.iter().map(|(author, _)| *author)) {
            return;
        }
        let differing = if same { Vec::new() } else { self.frontier.differing(peer, authors) };
        let own_is_equal = authors.iter().any(|(author, _)| *author == self.own) && !differing.contains(&self.own);
        current.authors.extend(differing);
        current.more_from = if more { authors.last().map(|(author, _)| *author) } else { None };
        // A receipt may have been lost with a link, or with this node's last run: equal hashes say the same.
        let held = match same {
            true => std::mem::take(&mut current.own),
            false if own_is_equal => self.frontier.own_spans(peer),
            false => Vec::new(),
        };
        self.count_receipts(peer, &held, out);
        self.pass_over(link, authors, more, out);
        self.compare_step(now, link, out);
    }

    /// The next question of the comparison under way, or its end.
    pub(super) fn compare_step(&mut self, now: Now, link: LinkId, out: &mut Vec<Action>) {
        let Some(current) = &mut self.sync.comparing.current else { return };
        let next = match current.authors.pop_front() {
            Some(author) => Some(Question::Logs { author, from: None }),
            None => current.more_from.take().map(|from| Question::Authors { from: Some(from) }),
        };
        match next {
            Some(question) => self.ask(now, link, question, out),
            None => {
                self.sync.comparing.current = None;
                self.fetch_turn(now, link, out);
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
    fn new(link: LinkId) -> Self {
        let question = Question::Authors { from: None };
        let (own, authors) = (Vec::new(), VecDeque::new());
        Self { link, question, deadline_ms: 0, turn_ends_ms: 0, own, authors, more_from: None }
    }
}
