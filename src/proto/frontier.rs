//! All that is held, log by log, and the hashes by which two nodes find out what one of them lacks.
//!
//! What two nodes compare is their *scope*: the logs for the whole room and those between just these two, but none that
//! one of the two takes no further (`closing`). Nobody else's direct conversations leave a trace in it. The hashes are
//! part of the written protocol ([`crate::wire`]).

mod closing;
mod unmet;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::batch::Verified;
use super::closed::{Closed, Closings};
use super::fork::{End, Fork};
use super::frame::{Holding, Receipt};
use super::ids::{Hash, LogId, LogKey, NodeId, Seq};
use super::limits::{COMPARE_PAGE_BYTES_MAX, RANGES_PER_LOG_MAX};
use super::log::{Fit, Log, Ranges};
use super::record::LogRecord;

/// Bytes that an author takes in a page of hashes: two byte strings of 32 and the marks around them.
const AUTHOR_BYTES: usize = 72;

/// Bytes that a log with all its ranges takes in a page, at the most.
const HOLDING_BYTES: usize = 48 + 56 * (RANGES_PER_LOG_MAX + 1);

/// All logs that a node holds something of, or is just taking.
#[derive(Debug)]
pub struct Frontier {
    own: NodeId,
    authors: BTreeMap<NodeId, Author>,
    /// Most bytes that the logs of one other author may take.
    quota: u64,
    /// Whether there is room on the disk for the own user only.
    little_disk: bool,
    /// Who was met; of others only so much is kept.
    unmet: unmet::Unmet,
    /// What each peer takes no further.
    told: BTreeMap<NodeId, Closings>,
    /// Authors of whom there is something new to tell: they closed or opened, or take noticeably more.
    news: BTreeSet<NodeId>,
    /// How often what is held changed, and how often that of the own logs.
    version: (u64, u64),
}

#[derive(Debug, Default)]
struct Author {
    logs: BTreeMap<LogId, Log>,
    /// The hash over the logs for the whole room, until one of them changes.
    room_hash: Option<Hash>,
    /// What the logs take, with what is on its way to the disk.
    bytes: u64,
    /// Why no further log of theirs is begun, if one more was seen.
    crowded: Option<Closed>,
    /// What was told of it last.
    noticed: closing::Noticed,
}

impl Frontier {
    /// What the store held when the node `own` started. The logs of one other author may take `quota` bytes.
    pub fn new(own: NodeId, logs: Vec<LogRecord>, quota: u64) -> Self {
        let (authors, told, news) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let unmet = unmet::Unmet::new(own);
        let mut frontier = Self { own, authors, quota, little_disk: false, unmet, told, news, version: (0, 0) };
        for record in logs {
            frontier.replace(record, std::iter::empty());
        }
        frontier
    }

    /// The store holds something else of a log than was to be expected. `flying`: what of it is on its way there still.
    pub fn replace<'a>(&mut self, record: LogRecord, flying: impl Iterator<Item = &'a Verified>) {
        let key = record.key;
        let mut log = log(record);
        for batch in flying {
            if log.taken.fit(batch) == Fit::Fits {
                log.taken.add(batch);
            }
        }
        self.change(key, log.audience, |known| *known = log);
        self.forget_hash(key.author);
    }

    /// Changes what is known of a log, and counts again what its author takes.
    fn change(&mut self, key: LogKey, audience: Option<NodeId>, change: impl FnOnce(&mut Log)) {
        let author = self.authors.entry(key.author).or_default();
        let before = author.logs.len();
        let log = author.logs.entry(key.log).or_insert_with(|| {
            self.unmet.keeps_one_more(key.author, before);
            Log::new(audience)
        });
        author.bytes -= log.taken.bytes();
        change(log);
        author.bytes += log.taken.bytes();
        self.notice(key.author);
    }

    /// Counts the changes of what is held: of all logs, and of the own ones. It grows, and starts anew with the node.
    pub fn version(&self) -> (u64, u64) {
        self.version
    }

    /// What is held of an author has changed.
    fn forget_hash(&mut self, author: NodeId) {
        self.version.0 += 1;
        self.version.1 += u64::from(author == self.own);
        if let Some(author) = self.authors.get_mut(&author) {
            author.room_hash = None;
        }
    }

    /// Whether this node may hold a log of `author` for `audience` at all.
    pub fn concerns_us(&self, author: NodeId, audience: Option<NodeId>) -> bool {
        audience.is_none_or(|to| to == self.own || author == self.own)
    }

    /// How a batch stands to what is taken already, and whether more of its author is.
    pub fn fit(&self, batch: &Verified) -> Fit {
        match (self.place(batch), self.closed_to(batch.header().key())) {
            (Fit::Fits | Fit::Inside | Fit::Contradicts | Fit::TooManyGaps, Some(closed)) => Fit::Closed(closed),
            (fit, _) => fit,
        }
    }

    fn place(&self, batch: &Verified) -> Fit {
        let header = batch.header();
        let Some(author) = self.authors.get(&header.author) else { return Fit::Fits };
        match author.logs.get(&header.log) {
            Some(log) if log.audience != header.audience => Fit::Refused,
            Some(log) => match log.fork.as_ref().map(Fork::end) {
                Some(end) if !end.admits(header, batch.hash()) => {
                    // Beyond the end nothing can show that the log ended earlier; but what this node itself wrote there is not lost.
                    if header.first_seq > end.seq && header.author != self.own {
                        Fit::Refused
                    } else {
                        Fit::Contradicts
                    }
                }
                Some(_) | None => log.taken.fit(batch),
            },
            None => Fit::Fits,
        }
    }

    /// A batch is on its way to the disk.
    pub fn take(&mut self, batch: &Verified) {
        self.change(batch.header().key(), batch.header().audience, |log| log.taken.add(batch));
    }

    /// A batch is on the disk.
    pub fn hold(&mut self, batch: &Verified) {
        let header = batch.header();
        self.change(header.key(), header.audience, |log| {
            log.held.add(batch);
            log.taken.add(batch);
        });
        self.forget_hash(header.author);
    }

    /// A batch could not be stored: whatever of its log is not on the disk may come again.
    pub fn give_up(&mut self, batch: &Verified) {
        let key = batch.header().key();
        self.change(key, batch.header().audience, |log| log.taken = log.held.clone());
        // An own log of which nothing was stored is never gone on with.
        if key.author == self.own
            && let Some(own) = self.authors.get_mut(&key.author)
        {
            own.logs.extract_if(.., |log, held| *log == key.log && held.held.is_empty()).for_each(drop);
        }
    }

    /// Returns true if an entry of this author is on the disk.
    pub fn has_stored(&self, author: NodeId) -> bool {
        self.authors.get(&author).is_some_and(|author| author.logs.values().any(|log| !log.held.is_empty()))
    }

    /// The members to whom this node's user wrote directly.
    pub fn written_to(&self) -> BTreeSet<NodeId> {
        let own = self.authors.get(&self.own).into_iter().flat_map(|own| own.logs.values());
        own.filter(|log| !log.held.is_empty()).filter_map(|log| log.audience).collect()
    }

    /// Whether the entry is on the disk.
    pub fn holds(&self, key: LogKey, seq: Seq) -> bool {
        self.log(key).is_some_and(|log| log.held.contains(seq))
    }

    /// What is known of one log.
    pub fn log(&self, key: LogKey) -> Option<&Log> {
        self.authors.get(&key.author)?.logs.get(&key.log)
    }

    /// Whether `peer` may know of a log: it is for the whole room, or between the two of us.
    pub fn in_scope(&self, peer: NodeId, author: NodeId, audience: Option<NodeId>) -> bool {
        match audience {
            None => true,
            Some(to) => (author == self.own && to == peer) || (author == peer && to == self.own),
        }
    }

    /// The logs of an author in the scope with `peer` of which something is on the disk, ascending.
    fn scoped(&self, peer: NodeId, author: NodeId) -> impl Iterator<Item = (&LogId, &Log)> {
        let known = self.authors.get(&author).filter(|_| self.is_compared(peer, author));
        let logs = known.into_iter().flat_map(|author| &author.logs);
        logs.filter(move |(_, log)| log.is_of_note() && self.in_scope(peer, author, log.audience))
    }

    /// The hash of what is held of one author in the scope with `peer`; `None` where that is nothing.
    fn author_hash(&mut self, peer: NodeId, author: NodeId) -> Option<Hash> {
        // Only one's own logs and the peer's can be direct ones in their scope: all others share one hash.
        let shared = author != self.own && author != peer && self.is_compared(peer, author);
        if let Some(known) = self.authors.get(&author).and_then(|author| author.room_hash).filter(|_| shared) {
            return Some(known);
        }
        let mut hasher = blake3::Hasher::new();
        let mut empty = true;
        for (id, log) in self.scoped(peer, author) {
            empty = false;
            let spans = log.held.spans();
            hasher.update(&id.0.to_be_bytes());
            hasher.update(&(spans.len() as u64).to_be_bytes());
            for span in spans {
                hasher.update(&span.first.to_be_bytes());
                hasher.update(&span.last.to_be_bytes());
                hasher.update(&span.head.0);
            }
            if let Some(End { seq, head }) = log.fork.as_ref().map(Fork::end) {
                hasher.update(&seq.to_be_bytes());
                hasher.update(&head.unwrap_or(Hash([0; 32])).0);
            }
        }
        let hash = (!empty).then(|| Hash(*hasher.finalize().as_bytes()));
        if let Some(author) = self.authors.get_mut(&author).filter(|_| shared) {
            author.room_hash = hash;
        }
        hash
    }

    /// The hash of everything held in the scope with `peer`.
    pub fn hash(&mut self, peer: NodeId) -> Hash {
        let ids: Vec<NodeId> = self.authors.keys().copied().collect();
        let mut hasher = blake3::Hasher::new();
        for id in ids {
            if let Some(hash) = self.author_hash(peer, id) {
                hasher.update(&id.0);
                hasher.update(&hash.0);
            }
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// A page of hashes of the authors greater than `from`, and whether there are more.
    pub fn authors_page(&mut self, peer: NodeId, from: Option<NodeId>) -> (Vec<(NodeId, Hash)>, bool) {
        let start = from.map_or(Bound::Unbounded, Bound::Excluded);
        let ids: Vec<NodeId> = self.authors.range((start, Bound::Unbounded)).map(|(id, _)| *id).collect();
        let mut page = Vec::new();
        for id in ids {
            if page.len() * AUTHOR_BYTES + AUTHOR_BYTES > COMPARE_PAGE_BYTES_MAX {
                return (page, true);
            }
            if let Some(hash) = self.author_hash(peer, id) {
                page.push((id, hash));
            }
        }
        (page, false)
    }

    /// Which authors of a peer's page differ from what is held here.
    pub fn differing(&mut self, peer: NodeId, page: &[(NodeId, Hash)]) -> Vec<NodeId> {
        let differs = |(author, hash): &&(NodeId, Hash)| {
            self.is_compared(peer, *author) && self.author_hash(peer, *author) != Some(*hash)
        };
        page.iter().filter(differs).map(|(author, _)| *author).collect()
    }

    /// A page of what is held of an author's logs greater than `from`, and whether there are more.
    pub fn logs_page(&self, peer: NodeId, author: NodeId, from: Option<LogId>) -> (Vec<Holding>, bool) {
        let mut page = Vec::new();
        let rest = self.scoped(peer, author).filter(|(id, _)| from.is_none_or(|from| **id > from));
        let mut bytes = 0;
        for (id, log) in rest {
            let proof = log.fork.iter().flat_map(Fork::proof).map(|signed| signed.bytes().len() + 8);
            bytes += HOLDING_BYTES + proof.sum::<usize>();
            if bytes > COMPARE_PAGE_BYTES_MAX && !page.is_empty() {
                return (page, true);
            }
            let (audience, ranges, fork) = (log.audience, log.held.spans().collect(), log.fork.clone());
            page.push(Holding { log: *id, audience, ranges, fork });
        }
        (page, false)
    }

    /// All that is held of this node's own logs in the scope with `peer`: what a peer that holds the same has stored.
    pub fn own_spans(&self, peer: NodeId) -> Vec<Receipt> {
        let spans = |(id, log): (&LogId, &Log)| -> Vec<Receipt> {
            log.held.spans().map(|span| Receipt { log: *id, first: span.first, last: span.last }).collect()
        };
        self.scoped(peer, self.own).flat_map(spans).collect()
    }

    /// What a peer holds of one log of `author` and this node lacks.
    pub fn lacking(&mut self, peer: NodeId, author: NodeId, holding: &Holding) -> Vec<Lack> {
        self.sees(LogKey { author, log: holding.log });
        if !self.is_compared(peer, author) {
            return Vec::new();
        }
        let ours = self.authors.get(&author).and_then(|author| author.logs.get(&holding.log));
        if !self.in_scope(peer, author, holding.audience) || ours.is_some_and(|log| log.audience != holding.audience) {
            return Vec::new();
        }
        // What lies the wrong way round is nothing that anybody holds.
        let spans = holding.ranges.iter().filter(|span| span.first <= span.last);
        let Some(log) = ours else {
            return spans.map(|span| Lack { first: span.first, last: span.last, doubt: false }).collect();
        };
        let mut lacking = Vec::new();
        for span in spans {
            let gaps = log.missing(span.first, span.last).into_iter();
            lacking.extend(gaps.map(|(first, last)| Lack { first, last, doubt: false }));
            // The same entries with another end, or the end of a forked log: somewhere before there are two of one.
            let mut same_last = log.held.spans().filter(|ours| ours.last == span.last);
            let end = log.fork.as_ref().map(Fork::end).filter(|_| log.lacks_end());
            let end = end.map(|end| end.seq).filter(|seq| (span.first..=span.last).contains(seq));
            let other = same_last.any(|ours| ours.head != span.head).then_some(span.last);
            lacking.extend(end.or(other).map(|last| Lack { first: 1, last, doubt: true }));
        }
        lacking
    }

    /// Whether a fork that a peer tells says something new of a log that this node may hold.
    pub fn is_news(&self, peer: NodeId, fork: &Fork) -> bool {
        let (key, audience) = (fork.key(), fork.proof()[0].header().audience);
        let allowed = self.in_scope(peer, key.author, audience)
            && self.concerns_us(key.author, audience)
            && self.closed_to(key).is_none();
        let known = self.authors.get(&key.author);
        let known = known.map_or(Ok(None), |author| match author.logs.get(&key.log) {
            Some(log) if log.audience != audience => Err(()),
            Some(log) => Ok(log.fork.as_ref()),
            None => Ok(None),
        });
        allowed && known.is_ok_and(|known| known.is_none_or(|known| fork.end() < known.end()))
    }

    /// The authors who signed two things for one place.
    pub fn forked(&self) -> impl Iterator<Item = NodeId> {
        let is_forked = |(_, author): &(&NodeId, &Author)| author.logs.values().any(|log| log.fork.is_some());
        self.authors.iter().filter(is_forked).map(|(id, _)| *id)
    }
}

/// Part of a log that a peer holds and this node lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The first entry.
    pub first: Seq,
    /// The last entry.
    pub last: Seq,
    /// Whether something else may be held for these entries: they are wanted all the same, from the last one back.
    pub doubt: bool,
}

fn log(record: LogRecord) -> Log {
    let held = Ranges::new(record.ranges, record.bytes);
    Log { audience: record.audience, taken: held.clone(), held, fork: record.fork }
}

#[cfg(test)]
mod tests;
