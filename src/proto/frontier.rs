//! All that is held, log by log, and the hashes by which two nodes find out what one of them lacks.
//!
//! What two nodes compare is their *scope*: the logs for the whole room and those between just these two. Nobody
//! else's direct conversations leave a trace in it. The hashes are part of the written protocol ([`crate::wire`]).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::batch::Verified;
use super::frame::{Holding, Receipt};
use super::ids::{Hash, LogId, LogKey, NodeId, Seq};
use super::limits::{COMPARE_PAGE_BYTES_MAX, LOGS_PER_AUTHOR_MAX, RANGES_PER_LOG_MAX};
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
}

#[derive(Debug, Default)]
struct Author {
    logs: BTreeMap<LogId, Log>,
    /// The hash over the logs for the whole room, until one of them changes.
    room_hash: Option<Hash>,
}

impl Frontier {
    /// What the store held when the node `own` started.
    pub fn new(own: NodeId, logs: Vec<LogRecord>) -> Self {
        let mut authors: BTreeMap<NodeId, Author> = BTreeMap::new();
        for record in logs {
            let held = Ranges::new(record.ranges);
            let log = Log { audience: record.audience, taken: held.clone(), held };
            authors.entry(record.key.author).or_default().logs.insert(record.key.log, log);
        }
        Self { own, authors }
    }

    /// Whether this node may hold a log of `author` for `audience` at all.
    pub fn concerns_us(&self, author: NodeId, audience: Option<NodeId>) -> bool {
        audience.is_none_or(|to| to == self.own || author == self.own)
    }

    /// How a batch stands to what is taken already.
    pub fn fit(&self, batch: &Verified) -> Fit {
        let header = batch.header();
        let Some(author) = self.authors.get(&header.author) else { return Fit::Fits };
        match author.logs.get(&header.log) {
            Some(log) if log.audience != header.audience => Fit::Broken,
            Some(log) => log.taken.fit(batch),
            None if author.logs.len() >= LOGS_PER_AUTHOR_MAX => Fit::Broken,
            None => Fit::Fits,
        }
    }

    /// A batch is on its way to the disk.
    pub fn take(&mut self, batch: &Verified) {
        self.log_mut(batch).taken.add(batch);
    }

    /// A batch is on the disk.
    pub fn hold(&mut self, batch: &Verified) {
        let log = self.log_mut(batch);
        log.held.add(batch);
        log.taken.add(batch);
        if let Some(author) = self.authors.get_mut(&batch.header().author) {
            author.room_hash = None;
        }
    }

    /// A batch could not be stored: whatever of its log is not on the disk may come again.
    pub fn give_up(&mut self, batch: &Verified) {
        let log = self.log_mut(batch);
        log.taken = log.held.clone();
    }

    fn log_mut(&mut self, batch: &Verified) -> &mut Log {
        let header = batch.header();
        let author = self.authors.entry(header.author).or_default();
        author.logs.entry(header.log).or_insert_with(|| Log::new(header.audience))
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
        let logs = self.authors.get(&author).into_iter().flat_map(|author| &author.logs);
        logs.filter(move |(_, log)| !log.held.is_empty() && self.in_scope(peer, author, log.audience))
    }

    /// The hash of what is held of one author in the scope with `peer`; `None` where that is nothing.
    fn author_hash(&mut self, peer: NodeId, author: NodeId) -> Option<Hash> {
        // Only one's own logs and the peer's can be direct ones in their scope: all others share one hash.
        let shared = author != self.own && author != peer;
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
        let differs = |(author, hash): &&(NodeId, Hash)| self.author_hash(peer, *author) != Some(*hash);
        page.iter().filter(differs).map(|(author, _)| *author).collect()
    }

    /// A page of what is held of an author's logs greater than `from`, and whether there are more.
    pub fn logs_page(&self, peer: NodeId, author: NodeId, from: Option<LogId>) -> (Vec<Holding>, bool) {
        let mut page = Vec::new();
        let rest = self.scoped(peer, author).filter(|(id, _)| from.is_none_or(|from| **id > from));
        for (id, log) in rest {
            if page.len() * HOLDING_BYTES + HOLDING_BYTES > COMPARE_PAGE_BYTES_MAX {
                return (page, true);
            }
            page.push(Holding { log: *id, audience: log.audience, ranges: log.held.spans().collect() });
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

    /// What a peer holds of one log of `author` and this node lacks: entries from, entries to.
    pub fn lacking(&self, peer: NodeId, author: NodeId, holding: &Holding) -> Vec<(Seq, Seq)> {
        let ours = self.authors.get(&author).and_then(|author| author.logs.get(&holding.log));
        if !self.in_scope(peer, author, holding.audience) || ours.is_some_and(|log| log.audience != holding.audience) {
            return Vec::new();
        }
        let gaps = |first, last| match ours {
            Some(log) => log.taken.missing(first, last),
            None => vec![(first, last)],
        };
        // What lies the wrong way round is nothing that anybody holds.
        let spans = holding.ranges.iter().filter(|span| span.first <= span.last);
        spans.flat_map(|span| gaps(span.first, span.last)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::log::tests::{branch, chain};

    const US: NodeId = NodeId([1; 32]);
    const PEER: NodeId = NodeId([2; 32]);

    fn holding(batches: &[Verified]) -> Frontier {
        let mut frontier = Frontier::new(US, Vec::new());
        for batch in batches {
            assert_eq!(frontier.fit(batch), Fit::Fits);
            frontier.hold(batch);
        }
        frontier
    }

    #[test]
    fn equal_sets_have_equal_hashes_in_any_order() {
        let c = chain(3);
        let mut reversed = c.clone();
        reversed.reverse();
        assert_eq!(holding(&c).hash(PEER), holding(&reversed).hash(PEER));
        assert_ne!(holding(&c).hash(PEER), holding(&c[..2]).hash(PEER));
    }

    #[test]
    fn a_fork_at_equal_height_differs() {
        let c = chain(2);
        let mut forked = c[..1].to_vec();
        forked.extend(branch(&c[..1], 1, "y"));
        assert_ne!(holding(&c).hash(PEER), holding(&forked).hash(PEER));
    }

    #[test]
    fn what_is_only_on_its_way_to_the_disk_is_not_told() {
        let c = chain(1);
        let mut frontier = Frontier::new(US, Vec::new());
        let empty = frontier.hash(PEER);
        frontier.take(&c[0]);
        assert_eq!(frontier.fit(&c[0]), Fit::Held);
        assert_eq!(frontier.hash(PEER), empty);
        assert_eq!(frontier.logs_page(PEER, c[0].header().author, None), (Vec::new(), false));
        frontier.give_up(&c[0]);
        assert_eq!(frontier.fit(&c[0]), Fit::Fits);
    }

    #[test]
    fn a_difference_is_found_and_named() {
        let c = chain(5);
        let mut theirs = holding(&c);
        let mut ours = holding(&[c[0].clone(), c[3].clone()]);
        let (page, more) = theirs.authors_page(US, None);
        assert!(!more);
        let author = c[0].header().author;
        assert_eq!(ours.differing(PEER, &page), [author]);
        let (logs, _) = theirs.logs_page(US, author, None);
        assert_eq!(ours.lacking(PEER, author, &logs[0]), [(2, 3), (5, 5)]);
        assert_eq!(theirs.lacking(US, author, &ours.logs_page(PEER, author, None).0[0]), []);
    }

    #[test]
    fn a_span_the_wrong_way_round_is_nothing_to_ask_for() {
        let head = chain(1)[0].hash();
        let spans = [(9, 1), (u64::MAX, 0)].map(|(first, last)| crate::proto::frame::Span { first, last, head });
        let told = Holding { log: LogId(7), audience: None, ranges: spans.to_vec() };
        assert_eq!(holding(&[]).lacking(PEER, PEER, &told), []);
    }

    #[test]
    fn direct_logs_are_told_to_nobody_else() {
        let author = chain(1)[0].header().author;
        let frontier = Frontier::new(author, Vec::new());
        assert!(frontier.in_scope(PEER, author, Some(PEER)));
        assert!(!frontier.in_scope(US, author, Some(PEER)));
        assert!(!frontier.in_scope(PEER, US, Some(author)));
        assert!(!frontier.concerns_us(US, Some(PEER)));
    }
}
