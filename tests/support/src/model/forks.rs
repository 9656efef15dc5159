//! Forked logs on the disk of a simulated node: the rule of `proto::replication::fork` over maps.
//! To make one, sign two batches for one position (`proto::entries::batch::sign` with the same key,
//! log and first number) and give each to another node.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::timeline::recompute_places;
use roomful::proto::ids::{Hash, LogKey, NodeId, Seq};
use roomful::proto::replication::fork::{BatchLookup, Fork, ForkPoint, SignedHeader, adopt, detect};
use roomful::proto::replication::log::{Fit, HeldBatches};
use roomful::proto::replication::store_api::{LogChanges, LogRecord, UnpublishedEntry};

use super::store::Disk;

/// What a disk knows of forks.
#[derive(Clone, Debug, Default)]
pub struct Forks {
    pub known: BTreeMap<LogKey, Fork>,
    /// Own messages that fell, by their place in a batch; none: said again.
    pub fallen: BTreeMap<(Hash, usize), Option<UnpublishedEntry>>,
    /// The audiences of logs from which something was removed, kept even if nothing of them is
    /// left.
    pub audiences: BTreeMap<LogKey, Option<NodeId>>,
    /// Since the engine was told last.
    refused: BTreeSet<LogKey>,
    new: Vec<UnpublishedEntry>,
    messages: bool,
    runs: u64,
}

impl Forks {
    /// The engine has to hear what is held of this log, and pages begin anew.
    pub fn lacks(&mut self, key: LogKey) {
        self.refused.insert(key);
        self.messages = true;
    }

    pub fn said_again(&mut self, number: u64) {
        for fallen in self.fallen.values_mut() {
            fallen.take_if(|fallen| fallen.number == number);
        }
    }
}

struct HeldLog<'a> {
    disk: &'a Disk,
    key: LogKey,
    end: Option<ForkPoint>,
}

impl BatchLookup for HeldLog<'_> {
    type Error = Infallible;

    fn neighbours(&mut self, seq: Seq) -> Result<Vec<SignedHeader>, Infallible> {
        let admits = |batch: &&Verified| self.end.is_none_or(|end| end.admits(batch.header(), batch.hash()));
        let range = |from, to| self.disk.batches.range((self.key, from)..(self.key, to)).map(|(_, batch)| batch);
        let before = range(0, seq).rev().find(admits);
        let rest = range(seq, Seq::MAX).filter(admits).take(2);
        Ok(before.into_iter().chain(rest).map(SignedHeader::of).collect())
    }

    fn cut(&mut self, end: ForkPoint) -> Result<(), Infallible> {
        self.end = Some(end);
        Ok(())
    }
}

impl Disk {
    /// Whether a batch is to be stored, after whatever it does to its log. What is refused of a new
    /// one of this node is the engine's to say again.
    pub fn admit(&mut self, batch: &Verified, is_new_own: bool) -> bool {
        let key = batch.header().key();
        let held = self.batches.get(&(key, batch.header().first_seq));
        if held.is_some_and(|held| held.hash() == batch.hash()) {
            return false;
        }
        if self.fits(batch) {
            return true;
        }
        let known = self.forks.known.get(&key).cloned();
        let mut held = HeldLog { disk: self, key, end: known.as_ref().map(Fork::end) };
        let Ok(fork) = detect(&mut held, known, &SignedHeader::of(batch));
        if let Some(fork) = fork {
            self.forked(key, fork);
        }
        let fits = self.fits(batch);
        if !fits {
            self.forks.refused.insert(key);
            if !is_new_own {
                self.keep_fallen(batch);
            }
        }
        fits
    }

    pub fn fork_told(&mut self, fork: Fork) {
        let key = fork.key();
        let known = self.forks.known.get(&key).cloned();
        let mut held = HeldLog { disk: self, key, end: known.as_ref().map(Fork::end) };
        let Ok(fork) = adopt(&mut held, known, fork);
        if let Some(fork) = fork {
            self.forked(key, fork);
        }
    }

    /// What the engine has to hear since it heard last.
    pub fn changed(&mut self) -> LogChanges {
        if self.forks.refused.is_empty() && self.forks.new.is_empty() {
            return LogChanges::default();
        }
        let snapshot = self.snapshot();
        let refused = std::mem::take(&mut self.forks.refused);
        let audience = |key: &LogKey| self.forks.audiences.get(key).copied().flatten();
        let empty =
            |key: &LogKey| LogRecord { key: *key, audience: audience(key), ranges: Vec::new(), bytes: 0, fork: None };
        let record = |key: LogKey| snapshot.logs.iter().find(|log| log.key == key).cloned().unwrap_or(empty(&key));
        let mut changed = LogChanges {
            logs: refused.into_iter().map(record).collect(),
            fallen: std::mem::take(&mut self.forks.new),
            ..LogChanges::default()
        };
        if std::mem::take(&mut self.forks.messages) {
            self.forks.runs += 1;
            (changed.run, changed.tops) = (Some(self.forks.runs.to_string()), snapshot.tops);
        }
        changed
    }

    fn fits(&self, batch: &Verified) -> bool {
        let key = batch.header().key();
        // Those next to it are enough: what is held fits together.
        let (before, rest) = (self.batches.range((key, 0)..(key, batch.header().first_seq)), batch.header().first_seq);
        let mut ranges = HeldBatches::default();
        for (_, held) in before.rev().take(1).chain(self.batches.range((key, rest)..(key, Seq::MAX)).take(1)) {
            ranges.add(held);
        }
        let end = self.forks.known.get(&key).map(Fork::end);
        ranges.fit(batch) == Fit::Fits && end.is_none_or(|end| end.admits(batch.header(), batch.hash()))
    }

    fn forked(&mut self, key: LogKey, fork: Fork) {
        let end = fork.end();
        self.forks.known.insert(key, fork);
        self.forks.refused.insert(key);
        let held = self.batches.range((key, 0)..(key, Seq::MAX)).map(|(_, batch)| batch);
        let gone: Vec<Verified> = held.filter(|batch| !end.admits(batch.header(), batch.hash())).cloned().collect();
        let mut unsettled = Vec::new();
        for batch in &gone {
            let header = batch.header();
            self.keep_fallen(batch);
            self.forks.messages |= (header.first_seq..=header.last_seq()).any(|seq| self.line(key, seq).is_some());
            unsettled.extend(self.take_out(batch));
        }
        let Ok(_) = recompute_places(self, unsettled);
    }

    fn keep_fallen(&mut self, batch: &Verified) {
        if batch.header().author != self.own {
            return;
        }
        for index in 0..batch.header().entries.len() {
            let Some(body) = batch.body(index).filter(|body| !matches!(body, Body::Profile { .. })) else { continue };
            let number = self.forks.fallen.len() as u64 + 1;
            let key = (batch.hash(), index);
            if self.forks.fallen.contains_key(&key) {
                continue;
            }
            let fallen = UnpublishedEntry { number, audience: batch.header().audience, body, reference: None };
            self.forks.fallen.insert(key, Some(fallen.clone()));
            self.forks.new.push(fallen);
        }
    }
}
