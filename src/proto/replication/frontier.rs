//! What is held of each log, and the hashes by which two nodes find out what one of them lacks.
//!
//! Two nodes compare their *scope*: the logs for the whole room and those between just these two,
//! without authors of whom one of the two takes no more (`authors`). Direct conversations with
//! others leave no trace in it. The hashes are part of the written protocol ([`crate::wire`]).

mod authors;
mod unverified;

use std::collections::{BTreeMap, BTreeSet};

use self::authors::{AuthorState, Authors};
use super::author_limits::{LimitReason, LimitedAuthors};
use super::fork::{Fork, ForkPoint};
use super::frame::{LogHoldings, Receipt};
use super::log::{Fit, HeldBatches, LogState};
use super::range_set::SeqRange;
use super::store_api::LogRecord;
use crate::proto::entries::batch::Verified;
use crate::proto::ids::{Hash, LogId, LogKey, NodeId, Seq};
use crate::proto::limits::{COMPARE_PAGE_BYTES_MAX, RANGES_PER_LOG_MAX};

/// Bytes that an author takes in a page of hashes: two byte strings of 32 and the marks around
/// them.
const AUTHOR_BYTES: usize = 72;

/// Bytes that a log with all its ranges takes in a page, at the most.
const HOLDING_BYTES: usize = 48 + 56 * (RANGES_PER_LOG_MAX + 1);

/// All logs that a node holds something of, or is just taking.
#[derive(Debug)]
pub struct Frontier {
    own: NodeId,
    authors: Authors,
    /// The authors of whom each peer takes no more, as it says.
    peer_limits: BTreeMap<NodeId, LimitedAuthors>,
    /// The number of changes of what is held, in all logs and in the own ones.
    version: (u64, u64),
}

impl Frontier {
    /// The frontier of the node `own` as its store has it. The logs of one other author may take
    /// `quota` bytes.
    pub fn new(own: NodeId, logs: Vec<LogRecord>, quota: u64) -> Self {
        let authors = Authors::new(own, quota);
        let mut frontier = Self { own, authors, peer_limits: BTreeMap::new(), version: (0, 0) };
        for record in logs {
            frontier.reload_log(record, std::iter::empty());
        }
        frontier
    }

    /// Replaces what is known of a log by what the store holds. `flying`: its batches on their way
    /// there.
    pub fn reload_log<'a>(&mut self, record: LogRecord, flying: impl Iterator<Item = &'a Verified>) {
        let key = record.key;
        let mut log = log(record);
        for batch in flying {
            if log.taken.fit(batch) == Fit::Fits {
                log.taken.add(batch);
            }
        }
        self.authors.change_log(key, log.audience, |known| *known = log);
        self.forget_hash(key.author);
    }

    /// Counts the changes of what is held: of all logs, and of the own ones. It grows, and starts
    /// anew with the node.
    pub fn version(&self) -> (u64, u64) {
        self.version
    }

    /// Drops the cached hash of an author, since what is held of it has changed.
    fn forget_hash(&mut self, author: NodeId) {
        self.version.0 += 1;
        self.version.1 += u64::from(author == self.own);
        if let Some(author) = self.authors.get_mut(author) {
            author.room_hash = None;
        }
    }

    /// Returns true if this node may hold a log of `author` for `audience` at all.
    pub fn may_hold(&self, author: NodeId, audience: Option<NodeId>) -> bool {
        audience.is_none_or(|to| to == self.own || author == self.own)
    }

    /// Returns how a batch fits to what is taken already, unless no more of its author is.
    pub fn classify(&self, batch: &Verified) -> Fit {
        match (self.place(batch), self.authors.limit_of_log(batch.header().key())) {
            (Fit::Fits | Fit::Overlaps | Fit::Conflicts | Fit::TooManyGaps, Some(closed)) => Fit::Closed(closed),
            (fit, _) => fit,
        }
    }

    fn place(&self, batch: &Verified) -> Fit {
        let header = batch.header();
        let Some(author) = self.authors.get(header.author) else { return Fit::Fits };
        match author.logs.get(&header.log) {
            Some(log) if log.audience != header.audience => Fit::Refused,
            Some(log) => match log.fork.as_ref().map(Fork::end) {
                Some(end) if !end.admits(header, batch.hash()) => {
                    // Beyond the end nothing can show that the log ended earlier. Own entries there
                    // are not lost.
                    if header.first_seq > end.seq && header.author != self.own { Fit::Refused } else { Fit::Conflicts }
                }
                Some(_) | None => log.taken.fit(batch),
            },
            None => Fit::Fits,
        }
    }

    /// A batch is on its way to the disk.
    pub fn reserve(&mut self, batch: &Verified) {
        self.authors.change_log(batch.header().key(), batch.header().audience, |log| log.taken.add(batch));
    }

    /// A batch is on the disk.
    pub fn commit(&mut self, batch: &Verified) {
        let header = batch.header();
        self.authors.change_log(header.key(), header.audience, |log| {
            log.held.add(batch);
            log.taken.add(batch);
        });
        self.forget_hash(header.author);
    }

    /// Deleted bodies were removed from a log: its batches take so many bytes more, or fewer.
    pub fn resize_log(&mut self, key: LogKey, bytes: i64) {
        let Some(audience) = self.log(key).map(|log| log.audience) else { return };
        self.authors.change_log(key, audience, |log| {
            log.held.resize(bytes);
            log.taken.resize(bytes);
        });
    }

    /// A batch could not be stored: what of its log is not on the disk may come again.
    pub fn release(&mut self, batch: &Verified) {
        let key = batch.header().key();
        self.authors.change_log(key, batch.header().audience, |log| log.taken = log.held.clone());
        // An own log of which nothing was stored is never gone on with.
        if key.author == self.own
            && let Some(own) = self.authors.get_mut(key.author)
        {
            own.logs.extract_if(.., |log, held| *log == key.log && held.held.is_empty()).for_each(drop);
        }
    }

    /// Returns true if an entry of this author is on the disk.
    pub fn has_stored(&self, author: NodeId) -> bool {
        self.authors.get(author).is_some_and(|author| author.logs.values().any(|log| !log.held.is_empty()))
    }

    /// The members to whom this node's user wrote directly.
    pub fn direct_recipients(&self) -> BTreeSet<NodeId> {
        let own = self.authors.get(self.own).into_iter().flat_map(|own| own.logs.values());
        own.filter(|log| !log.held.is_empty()).filter_map(|log| log.audience).collect()
    }

    /// Returns true if the entry is on the disk.
    pub fn contains(&self, key: LogKey, seq: Seq) -> bool {
        self.log(key).is_some_and(|log| log.held.contains(seq))
    }

    /// The state of one log.
    pub fn log(&self, key: LogKey) -> Option<&LogState> {
        self.authors.log(key)
    }

    /// Returns true if `peer` may know of a log: it is for the whole room, or between the two
    /// nodes.
    pub fn is_visible_to(&self, peer: NodeId, author: NodeId, audience: Option<NodeId>) -> bool {
        match audience {
            None => true,
            Some(to) => (author == self.own && to == peer) || (author == peer && to == self.own),
        }
    }

    /// The logs of an author in the scope with `peer` of which something is on the disk, ascending.
    fn scoped(&self, peer: NodeId, author: NodeId) -> impl Iterator<Item = (&LogId, &LogState)> {
        let known = self.authors.get(author).filter(|_| self.is_in_comparison(peer, author));
        let logs = known.into_iter().flat_map(|author| &author.logs);
        logs.filter(move |(_, log)| log.has_anything_to_report() && self.is_visible_to(peer, author, log.audience))
    }

    /// The hash of what is held of one author in the scope with `peer`. `None`: nothing is.
    fn author_hash(&mut self, peer: NodeId, author: NodeId) -> Option<Hash> {
        // Only the own logs and the peer's can be direct ones in their scope: all others share one
        // hash.
        let shared = author != self.own && author != peer && self.is_in_comparison(peer, author);
        if let Some(known) = self.authors.get(author).and_then(|author| author.room_hash).filter(|_| shared) {
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
            if let Some(ForkPoint { seq, head }) = log.fork.as_ref().map(Fork::end) {
                hasher.update(&seq.to_be_bytes());
                hasher.update(&head.unwrap_or(Hash([0; 32])).0);
            }
        }
        let hash = (!empty).then(|| Hash(*hasher.finalize().as_bytes()));
        if let Some(author) = self.authors.get_mut(author).filter(|_| shared) {
            author.room_hash = hash;
        }
        hash
    }

    /// The hash of everything held in the scope with `peer`.
    pub fn hash(&mut self, peer: NodeId) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for id in self.authors.ids_after(None) {
            if let Some(hash) = self.author_hash(peer, id) {
                hasher.update(&id.0);
                hasher.update(&hash.0);
            }
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// A page of hashes of the authors greater than `from`, and whether there are more.
    pub fn authors_page(&mut self, peer: NodeId, from: Option<NodeId>) -> (Vec<(NodeId, Hash)>, bool) {
        let mut page = Vec::new();
        for id in self.authors.ids_after(from) {
            if page.len() * AUTHOR_BYTES + AUTHOR_BYTES > COMPARE_PAGE_BYTES_MAX {
                return (page, true);
            }
            if let Some(hash) = self.author_hash(peer, id) {
                page.push((id, hash));
            }
        }
        (page, false)
    }

    /// The authors of a peer's page that differ from what is held here.
    pub fn differing_authors(&mut self, peer: NodeId, page: &[(NodeId, Hash)]) -> Vec<NodeId> {
        let differs = |(author, hash): &&(NodeId, Hash)| {
            self.is_in_comparison(peer, *author) && self.author_hash(peer, *author) != Some(*hash)
        };
        page.iter().filter(differs).map(|(author, _)| *author).collect()
    }

    /// A page of what is held of an author's logs greater than `from`, and whether there are more.
    pub fn logs_page(&self, peer: NodeId, author: NodeId, from: Option<LogId>) -> (Vec<LogHoldings>, bool) {
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
            page.push(LogHoldings { log: *id, audience, ranges, fork });
        }
        (page, false)
    }

    /// The own entries in the scope with `peer`, as receipts: a peer that holds the same has stored
    /// them.
    pub fn own_ranges_shared_with(&self, peer: NodeId) -> Vec<Receipt> {
        let spans = |(id, log): (&LogId, &LogState)| -> Vec<Receipt> {
            log.held.spans().map(|span| Receipt { log: *id, first: span.first, last: span.last }).collect()
        };
        self.scoped(peer, self.own).flat_map(spans).collect()
    }

    /// The parts of a log of `author` that a peer holds and this node lacks.
    pub fn missing_ranges(&mut self, peer: NodeId, author: NodeId, holding: &LogHoldings) -> Vec<Gap> {
        self.on_log_announced(LogKey { author, log: holding.log });
        if !self.is_in_comparison(peer, author) {
            return Vec::new();
        }
        let ours = self.authors.get(author).and_then(|author| author.logs.get(&holding.log));
        if !self.is_visible_to(peer, author, holding.audience)
            || ours.is_some_and(|log| log.audience != holding.audience)
        {
            return Vec::new();
        }
        // Ranges that end before they begin are ignored.
        let spans = holding.ranges.iter().filter(|span| span.first <= span.last);
        let Some(log) = ours else {
            return spans.map(|span| Gap { first: span.first, last: span.last, is_fork_suspect: false }).collect();
        };
        let mut lacking = Vec::new();
        for span in spans {
            let gaps = log.missing(span.first, span.last).into_iter();
            lacking.extend(gaps.map(|SeqRange { first, last }| Gap { first, last, is_fork_suspect: false }));
            // The same entries with another end, or the end of a forked log: somewhere before there
            // are two of one.
            let mut same_last = log.held.spans().filter(|ours| ours.last == span.last);
            let end = log.fork.as_ref().map(Fork::end).filter(|_| log.is_missing_fork_head());
            let end = end.map(|end| end.seq).filter(|seq| (span.first..=span.last).contains(seq));
            let other = same_last.any(|ours| ours.head != span.head).then_some(span.last);
            lacking.extend(end.or(other).map(|last| Gap { first: 1, last, is_fork_suspect: true }));
        }
        lacking
    }

    /// Returns true if a fork that a peer tells is new, and of a log that this node may hold.
    pub fn is_news(&self, peer: NodeId, fork: &Fork) -> bool {
        let (key, audience) = (fork.key(), fork.proof()[0].header().audience);
        let allowed = self.is_visible_to(peer, key.author, audience)
            && self.may_hold(key.author, audience)
            && self.authors.limit_of_log(key).is_none();
        let known = self.authors.get(key.author);
        let known = known.map_or(Ok(None), |author| match author.logs.get(&key.log) {
            Some(log) if log.audience != audience => Err(()),
            Some(log) => Ok(log.fork.as_ref()),
            None => Ok(None),
        });
        allowed && known.is_ok_and(|known| known.is_none_or(|known| fork.end() < known.end()))
    }

    /// The reason why no more of an author is taken. None: more is. The own user's messages always
    /// are.
    pub fn closed(&self, author: NodeId) -> Option<LimitReason> {
        self.authors.closed(author)
    }

    /// Registers a log that a peer announced: it may be one too many of its author.
    pub fn on_log_announced(&mut self, key: LogKey) {
        self.authors.on_log_announced(key);
    }

    /// Keeps the rest of the disk for the own user, or not any more.
    pub fn set_disk_low(&mut self, is_low: bool) {
        self.authors.set_disk_low(is_low);
    }

    /// The bytes of an author's logs, with those on their way to the disk.
    pub fn bytes(&self, author: NodeId) -> u64 {
        self.authors.bytes(author)
    }

    /// Returns the authors whose limit changed since this was asked last, or that take noticeably
    /// more.
    pub fn drain_changes(&mut self) -> Vec<NodeId> {
        self.authors.drain_changes()
    }

    /// The authors of whom no more is taken, for the peers.
    pub fn limits(&self) -> LimitedAuthors {
        self.authors.limits()
    }

    /// An author was met, or means something to this node's user: its logs are kept whatever is
    /// kept of others.
    pub fn mark_verified(&mut self, id: NodeId) {
        self.authors.mark_verified(id);
    }

    /// Returns true if nothing is held of an author nor taken, since so much is kept of others that
    /// are unverified.
    pub fn ignores(&self, author: NodeId) -> bool {
        self.authors.ignores(author)
    }

    /// A peer takes no more of these authors. After its link is gone, it limits none.
    pub fn on_limits(&mut self, peer: NodeId, limits: LimitedAuthors) {
        if limits == LimitedAuthors::default() {
            self.peer_limits.remove(&peer);
        } else {
            self.peer_limits.insert(peer, limits);
        }
    }

    /// Returns true if a peer takes no more of the own user's messages.
    pub fn is_limited_by(&self, peer: NodeId) -> bool {
        self.peer_limits.get(&peer).is_some_and(|limits| limits.contains(peer, self.own))
    }

    /// Returns true if both this node and a peer take more of an author: then its logs are
    /// compared.
    fn is_in_comparison(&self, peer: NodeId, author: NodeId) -> bool {
        let closed_there = self.peer_limits.get(&peer).is_some_and(|limits| limits.contains(peer, author));
        !closed_there && self.closed(author).is_none()
    }

    /// The authors that signed two batches for one position.
    pub fn forked(&self) -> impl Iterator<Item = NodeId> {
        let is_forked = |(_, author): &(NodeId, &AuthorState)| author.logs.values().any(|log| log.fork.is_some());
        self.authors.iter().filter(is_forked).map(|(id, _)| id)
    }
}

/// Part of a log that a peer holds and this node lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first entry.
    pub first: Seq,
    /// The last entry.
    pub last: Seq,
    /// True if other entries may be held in their place. They are wanted all the same, from the
    /// last one back.
    pub is_fork_suspect: bool,
}

fn log(record: LogRecord) -> LogState {
    let held = HeldBatches::new(record.ranges, record.bytes);
    LogState { audience: record.audience, taken: held.clone(), held, fork: record.fork }
}

#[cfg(test)]
mod tests;
