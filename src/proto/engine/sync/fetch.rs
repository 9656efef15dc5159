//! Plans the fetching of what comparisons found to be lacking: which gap is asked for on which
//! link.
//!
//! One page is under way for each address, and one for each log, as long as the peer answers in
//! time: within [`PAGE_MS`], or [`DOUBTFUL_MS`] for a probe.
//!
//! A probe is a request for little, so that it may be sent to several peers at once. Peers that are
//! not proven are probed, and so are all others while a proven one does not answer: to deliver
//! something costs a stranger nothing. Each peer that does not answer lets one more probe of its
//! address and of that log go out, so their number doubles every [`DOUBTFUL_MS`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::ranking::Rank;
use crate::proto::ids::{LinkId, LogKey};
use crate::proto::limits::{
    DOUBTFUL_MS, FETCH_OVERDUE_MS, FETCH_PATIENCE_MS, FETCH_RETRY_MS, FETCHES_MAX, PAGE_BYTES_MAX, PAGE_BYTES_MIN,
    PAGE_MS, PROBES_PER_ADDRESS_MAX, VAIN_RETRY_MS, WANTS_MAX,
};
use crate::proto::links::address_group::AddressGroup;
use crate::proto::replication::frame::Fetch;
use crate::proto::replication::frontier::{Frontier, Gap};
use crate::proto::replication::range_set::SeqRange;

/// The gaps to be fetched on one link.
#[derive(Debug)]
struct FetchState {
    /// The gaps that the peer can fill, as of the last comparison.
    wants: BTreeMap<LogKey, VecDeque<Gap>>,
    /// The number of gaps in `wants`.
    count: usize,
    /// The log asked for last. The one behind it is next, so that the newest entries of all logs
    /// come before the old ones of one log.
    last: Option<LogKey>,
    /// Gaps that were asked for in vain, and until when they are not asked for again.
    vain: VecDeque<((LogKey, Gap), u64)>,
    step: Step,
    /// The size of the next page: small until it is known how fast the link is.
    page_bytes: u64,
    not_before_ms: u64,
    /// True if anything came since the last comparison.
    came: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Asked { fetch: Fetch, lack: Gap, at_ms: u64, is_overdue: bool, is_probe: bool },
    Storing { key: LogKey, lack: Gap },
}

/// The criteria by which a link is asked for a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkRank {
    pub(crate) group: AddressGroup,
    pub(crate) rank: Rank,
    /// Its peer is not asked before this.
    pub(crate) paused_until_ms: u64,
}

/// The requests and times that are due on all links.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// The pages to ask for now.
    pub(crate) fetches: Vec<(LinkId, Fetch)>,
    /// Links on which all known gaps are filled. There may be new ones.
    pub(crate) drained: Vec<LinkId>,
    /// When something is due next, if nothing happens before.
    pub(crate) wake_ms: Option<u64>,
}

impl Due {
    fn wake(&mut self, at_ms: u64) {
        self.wake_ms = Some(self.wake_ms.map_or(at_ms, |before| before.min(at_ms)));
    }
}

/// The gaps to be fetched on all links.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    by_link: BTreeMap<LinkId, FetchState>,
}

/// A page under way.
#[derive(Debug)]
struct PageInFlight {
    key: LogKey,
    group: AddressGroup,
    rank: Rank,
    is_probe: bool,
    /// When it was asked for; none: it is being stored.
    at_ms: Option<u64>,
}

impl PageInFlight {
    /// Returns true if others still wait for it.
    fn is_in_time(&self, mono_ms: u64) -> bool {
        let patience_ms = if self.is_probe { DOUBTFUL_MS } else { PAGE_MS };
        self.at_ms.is_none_or(|at_ms| mono_ms < at_ms + patience_ms)
    }
}

/// Pages under way, and which other requests they delay.
#[derive(Debug, Default)]
struct UnderWay {
    pages: Vec<PageInFlight>,
}

impl UnderWay {
    /// Returns true if a peer of that rank is only to be probed for pages like these.
    fn is_probe(&self, rank: Rank, mono_ms: u64, is_like: impl Fn(&PageInFlight) -> bool) -> bool {
        let is_stalled = |page: &PageInFlight| page.rank == Rank::Proven && is_like(page) && !page.is_in_time(mono_ms);
        rank != Rank::Proven || self.pages.iter().any(is_stalled)
    }

    /// Returns true if one more page like these has to wait; of probes, `most` go out at once.
    fn holds_up(&self, is_probe: bool, mono_ms: u64, most: usize, is_like: impl Fn(&PageInFlight) -> bool) -> bool {
        let (mut probes, mut late) = (0, 0);
        for page in self.pages.iter().filter(|page| is_like(page)) {
            match page.is_in_time(mono_ms) {
                true if !page.is_probe || !is_probe => return true,
                true => probes += 1,
                false => late += 1,
            }
        }
        probes >= most.min(late + 1)
    }

    /// Returns how many pages of peers of that rank, or a better one, are waited for.
    fn count(&self, rank: Rank, mono_ms: u64) -> usize {
        self.pages.iter().filter(|page| page.rank <= rank && page.is_in_time(mono_ms)).count()
    }

    /// Returns when one of them holds up fewer than now, or is overdue.
    fn next_ms(&self, mono_ms: u64) -> Option<u64> {
        let asked = self.pages.iter().filter_map(|page| page.at_ms);
        let steps = |at_ms| [DOUBTFUL_MS, PAGE_MS, FETCH_OVERDUE_MS].map(|step_ms| at_ms + step_ms);
        asked.flat_map(steps).filter(|at_ms| *at_ms > mono_ms).min()
    }
}

impl FetchState {
    fn new(vain: VecDeque<((LogKey, Gap), u64)>) -> Self {
        let (step, page_bytes) = (Step::Idle, PAGE_BYTES_MIN as u64);
        Self { wants: BTreeMap::new(), count: 0, last: None, vain, step, page_bytes, not_before_ms: 0, came: false }
    }

    /// Takes the gap that was asked for last out of those that are wanted.
    fn take(&mut self, key: LogKey, lack: Gap) -> bool {
        let Some(lacks) = self.wants.get_mut(&key) else { return false };
        let Some(at) = lacks.iter().position(|wanted| *wanted == lack) else { return false };
        lacks.remove(at);
        self.count -= 1;
        if lacks.is_empty() {
            self.wants.remove(&key);
        }
        true
    }

    /// Selects the next gap, of a log that is not `held_up`.
    fn select(&mut self, frontier: &Frontier, held_up: impl Fn(LogKey) -> bool) -> Option<(Fetch, Gap)> {
        let mut at = self.last;
        for _ in 0..self.wants.len() {
            let behind = at.and_then(|at| self.wants.range((Bound::Excluded(at), Bound::Unbounded)).next());
            let (key, _) = behind.or_else(|| self.wants.first_key_value())?;
            let key = *key;
            at = Some(key);
            if frontier.closed(key.author).is_some() {
                self.count -= self.wants.remove(&key).map_or(0, |lacks| lacks.len());
                continue;
            }
            if held_up(key) {
                continue;
            }
            while let Some(lack) = self.wants.get(&key).and_then(|lacks| lacks.front().copied()) {
                let Gap { first, last, is_fork_suspect: doubt } = lack;
                let gaps = match frontier.log(key) {
                    Some(log) if !doubt => log.missing(first, last),
                    Some(_) | None => vec![SeqRange { first, last }],
                };
                let (Some(oldest), Some(newest)) = (gaps.first(), gaps.last()) else {
                    self.take(key, lack);
                    continue;
                };
                // The beginning of a log tells its author's name. Then the newest entries come, and
                // back from there.
                let is_start = oldest.first == 1 && !doubt;
                let SeqRange { first, last } = if is_start { SeqRange { first: 1, last: 1 } } else { *newest };
                self.last = Some(key);
                return Some((Fetch { key, first, last, bytes: self.page_bytes }, lack));
            }
        }
        None
    }
}

impl Fetches {
    /// Remembers that a peer holds what this node lacks, unless it was asked for in vain lately.
    pub(crate) fn want(&mut self, link: LinkId, mono_ms: u64, key: LogKey, lack: Gap) {
        let fetching = self.by_link.entry(link).or_insert_with(|| FetchState::new(VecDeque::new()));
        fetching.vain.retain(|(_, until_ms)| mono_ms < *until_ms);
        if fetching.count >= WANTS_MAX || fetching.vain.iter().any(|(vain, _)| *vain == (key, lack)) {
            return;
        }
        let lacks = fetching.wants.entry(key).or_default();
        if !lacks.contains(&lack) {
            lacks.push_back(lack);
            fetching.count += 1;
        }
    }

    /// Returns true if no more is remembered for a link.
    pub(crate) fn is_full(&self, link: LinkId) -> bool {
        self.by_link.get(&link).is_some_and(|fetching| fetching.count >= WANTS_MAX)
    }

    /// Returns true if something of a log is to be fetched on a link, and its peer is not too busy
    /// to send it.
    pub(crate) fn wants(&self, link: LinkId, mono_ms: u64, key: LogKey) -> bool {
        let is_wanted = |fetching: &FetchState| mono_ms >= fetching.not_before_ms && fetching.wants.contains_key(&key);
        self.by_link.get(&link).is_some_and(is_wanted)
    }

    /// A link is gone.
    pub(crate) fn remove(&mut self, link: LinkId) {
        self.by_link.remove(&link);
    }

    /// Gives up what was not answered for too long. Returns the links whose answer is overdue, each
    /// once.
    pub(crate) fn expire(&mut self, mono_ms: u64) -> Vec<LinkId> {
        let mut overdue = Vec::new();
        for (link, fetching) in &mut self.by_link {
            let Step::Asked { at_ms, is_overdue, .. } = &mut fetching.step else { continue };
            let at_ms = *at_ms;
            if mono_ms >= at_ms + FETCH_OVERDUE_MS && !std::mem::replace(is_overdue, true) {
                overdue.push(*link);
            }
            if mono_ms >= at_ms + FETCH_PATIENCE_MS {
                // What else it holds is found by the next comparison with it.
                *fetching = FetchState::new(std::mem::take(&mut fetching.vain));
            }
        }
        overdue
    }

    /// Selects what to ask for now: first on the links of the best rank, and of those on the
    /// fastest.
    pub(crate) fn next(
        &mut self,
        mono_ms: u64,
        frontier: &Frontier,
        standing: impl Fn(LinkId) -> Option<LinkRank>,
    ) -> Due {
        let (mut due, mut under_way, mut idle) = (Due::default(), UnderWay::default(), Vec::new());
        for (link, fetching) in &self.by_link {
            let Some(standing) = standing(*link) else { continue };
            let LinkRank { group, rank, .. } = standing;
            let mut goes_on =
                |key, is_probe, at_ms| under_way.pages.push(PageInFlight { key, group, rank, is_probe, at_ms });
            match fetching.step {
                Step::Idle => idle.push((standing.rank, Reverse(fetching.page_bytes), *link, standing)),
                Step::Asked { fetch, at_ms, is_probe, .. } => {
                    goes_on(fetch.key, is_probe, Some(at_ms));
                    due.wake(at_ms + FETCH_PATIENCE_MS);
                }
                Step::Storing { key, .. } => goes_on(key, false, None),
            }
        }
        idle.sort_by_key(|(rank, page_bytes, link, _)| (*rank, *page_bytes, *link));
        for (rank, _, link, standing) in idle {
            let Some(fetching) = self.by_link.get_mut(&link) else { continue };
            if fetching.wants.is_empty() {
                due.drained.extend(std::mem::take(&mut fetching.came).then_some(link));
                continue;
            }
            let ready_ms = fetching.not_before_ms.max(standing.paused_until_ms);
            if mono_ms < ready_ms {
                due.wake(ready_ms);
                continue;
            }
            let group = standing.group;
            let is_at_address = |page: &PageInFlight| page.group == group;
            let is_probe = under_way.is_probe(rank, mono_ms, is_at_address);
            if under_way.count(rank, mono_ms) >= FETCHES_MAX
                || under_way.holds_up(is_probe, mono_ms, PROBES_PER_ADDRESS_MAX, is_at_address)
            {
                continue;
            }
            let is_probe_of = |key| is_probe || under_way.is_probe(rank, mono_ms, |page| page.key == key);
            let is_held_up =
                |key| under_way.holds_up(is_probe_of(key), mono_ms, FETCHES_MAX, |page: &PageInFlight| page.key == key);
            match fetching.select(frontier, is_held_up) {
                Some((mut fetch, lack)) => {
                    let (key, is_probe) = (fetch.key, is_probe_of(fetch.key));
                    if is_probe {
                        fetch.bytes = PAGE_BYTES_MIN as u64;
                    }
                    fetching.step = Step::Asked { fetch, lack, at_ms: mono_ms, is_overdue: false, is_probe };
                    under_way.pages.push(PageInFlight { key, group, rank, is_probe, at_ms: Some(mono_ms) });
                    due.fetches.push((link, fetch));
                }
                None if fetching.wants.is_empty() => {
                    due.drained.extend(std::mem::take(&mut fetching.came).then_some(link));
                }
                None => {}
            }
        }
        under_way.next_ms(mono_ms).into_iter().for_each(|at_ms| due.wake(at_ms));
        due
    }

    /// A page came. Returns what was asked for, if it is the answer to that.
    pub(crate) fn page_came(&mut self, link: LinkId, mono_ms: u64, key: LogKey) -> Option<Fetch> {
        let fetching = self.by_link.get_mut(&link)?;
        let Step::Asked { fetch, lack, at_ms, .. } = fetching.step else { return None };
        if fetch.key != key {
            return None;
        }
        let took_ms = mono_ms - at_ms;
        if took_ms > PAGE_MS {
            fetching.page_bytes = (fetching.page_bytes / 2).max(PAGE_BYTES_MIN as u64);
        } else if took_ms < PAGE_MS / 2 && fetch.bytes == fetching.page_bytes {
            fetching.page_bytes = (fetching.page_bytes * 2).min(PAGE_BYTES_MAX as u64);
        }
        fetching.step = Step::Storing { key, lack };
        Some(fetch)
    }

    /// The peer is too busy to answer now.
    pub(crate) fn busy(&mut self, link: LinkId, mono_ms: u64) {
        if let Some(fetching) = self.by_link.get_mut(&link) {
            fetching.step = Step::Idle;
            fetching.not_before_ms = mono_ms + FETCH_RETRY_MS;
        }
    }

    /// Nothing of the page that came was taken. `is_vain`: the peer sent nothing, and is not asked
    /// for that for some time.
    ///
    /// If another peer was faster, the gap has shrunk, and what is left of it is still wanted.
    pub(crate) fn give_up(&mut self, link: LinkId, mono_ms: u64, fetch: Fetch, is_vain: bool, frontier: &Frontier) {
        let Some(fetching) = self.by_link.get_mut(&link) else { return };
        let Step::Storing { key, lack } = std::mem::replace(&mut fetching.step, Step::Idle) else { return };
        let is_overtaken = !lack.is_fork_suspect && frontier.log(key).is_some_and(|log| log.taken.contains(fetch.last));
        if is_overtaken && !is_vain {
            return;
        }
        let was_wanted = fetching.take(key, lack);
        if was_wanted && is_vain {
            if fetching.vain.len() >= WANTS_MAX {
                fetching.vain.pop_front();
            }
            fetching.vain.push_back(((key, lack), mono_ms + VAIN_RETRY_MS));
        }
    }

    /// A page is on the disk. Unless all of it was taken, no more of that log is asked for until
    /// the next comparison.
    pub(crate) fn stored(&mut self, link: LinkId, is_whole: bool) {
        let Some(fetching) = self.by_link.get_mut(&link) else { return };
        let Step::Storing { key, lack } = std::mem::replace(&mut fetching.step, Step::Idle) else { return };
        fetching.came |= is_whole;
        if !is_whole || lack.is_fork_suspect {
            fetching.take(key, lack);
        }
    }

    /// A page could not be stored: the link rests until `until_ms`.
    pub(crate) fn failed(&mut self, link: LinkId, until_ms: u64) {
        if let Some(fetching) = self.by_link.get_mut(&link) {
            fetching.step = Step::Idle;
            fetching.not_before_ms = until_ms;
        }
    }
}

#[cfg(test)]
mod tests;
