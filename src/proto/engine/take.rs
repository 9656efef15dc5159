//! What others say: checked against what is held, stored, and only then shown and receipted.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Engine, Show, WriteAction};
use crate::proto::batch::Verified;
use crate::proto::body::Body;
use crate::proto::clock::{Now, Stamp};
use crate::proto::frame::{Frame, Receipt};
use crate::proto::ids::{LinkId, LogKey, NodeId};
use crate::proto::limits::{FRAME_RECEIPTS_MAX, PUSH_UNRECEIPTED_BYTES_MAX, RECEIPT_GATHER_MS};
use crate::proto::log::Fit;
use crate::proto::name::Name;
use crate::proto::record::{Append, MemberReceipt, Write, WriteError, Written};
use crate::proto::refusal::Cause;
use crate::proto::timeline::Line;

/// Batches of others on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct Taking {
    flights: BTreeMap<u64, Flight>,
    /// When the gathered receipts go out.
    receipts_ms: Option<u64>,
}

#[derive(Debug)]
struct Flight {
    /// What is new here.
    batches: Vec<Verified>,
    /// What the store only looks at, since it may be here already, or have no place.
    doubtful: Vec<Verified>,
    /// The link that fetched them, which asks for more when they are stored.
    fetched_on: Option<LinkId>,
}

impl Taking {
    /// What of a log is on its way to the disk.
    pub(super) fn flying(&self, key: LogKey) -> impl Iterator<Item = &Verified> {
        let batches = self.flights.values().flat_map(|flight| &flight.batches);
        batches.filter(move |batch| batch.header().key() == key)
    }
}

impl Engine {
    /// A peer sent what it wrote.
    pub(super) fn pushed(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        batches: Vec<Verified>,
        out: &mut Vec<Action>,
    ) {
        self.offer(now, link, peer, batches, None, out);
    }

    /// Takes what fits of the batches that came on a link. Returns whether anything was taken.
    pub(super) fn offer(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        batches: Vec<Verified>,
        fetched_on: Option<LinkId>,
        out: &mut Vec<Action>,
    ) -> bool {
        let (mut new, mut doubtful, mut appends) = (Vec::new(), Vec::new(), Vec::new());
        for batch in batches {
            let header = batch.header();
            let ours = self.frontier.concerns_us(header.author, header.audience);
            if !ours || !self.frontier.in_scope(peer, header.author, header.audience) {
                self.refused.count(Cause::Misplaced);
                continue;
            }
            match self.frontier.fit(&batch) {
                Fit::Fits => {
                    if header.author == self.own {
                        self.is_written_elsewhere(header.log);
                    }
                    self.frontier.take(&batch);
                    appends.push(Append { batch: batch.clone(), own: None });
                    new.push(batch);
                }
                // The store looks at what it has there, and says what is to be thought of it.
                Fit::Inside | Fit::Contradicts => {
                    appends.push(Append { batch: batch.clone(), own: None });
                    doubtful.push(batch);
                }
                // On the disk already, so its author may know; what is only on its way is told when it is there.
                Fit::Held if self.frontier.holds(header.key(), header.last_seq()) => {
                    if header.author == peer || self.relay_for(header.author) == Some(link) {
                        self.owe_receipt(now, &batch);
                    }
                }
                Fit::Held => {}
                Fit::Refused => self.refused.count(Cause::Misplaced),
                Fit::Closed(closed) => {
                    self.frontier.sees(header.key());
                    self.refused.count(closed.cause());
                }
                Fit::TooManyGaps => self.refused.count(Cause::TooManyGaps),
            }
        }
        if appends.is_empty() {
            return false;
        }
        let token = self.token();
        out.push(Action::Write(WriteAction(Write::Append { token, batches: appends })));
        self.taking.flights.insert(token, Flight { batches: new, doubtful, fetched_on });
        true
    }

    /// The store has done something.
    pub(super) fn written(&mut self, now: Now, written: Written, out: &mut Vec<Action>) {
        match written {
            Written::Appended { token, lines, moved, changed } => {
                let refused: Vec<LogKey> = changed.logs.iter().map(|log| log.key).collect();
                let asked = self.own_stored(now, token, &lines, &refused, out);
                if asked.is_none() {
                    self.taken(now, token, &refused, out);
                }
                // First what moved: a tab that goes away between the two comes back for the new lines.
                for line in moved {
                    self.place_top(&line);
                    out.push(Action::Show(Show::Moved(line)));
                }
                for line in lines {
                    self.place_top(&line);
                    let asker = asked.as_ref().and_then(|askers| askers.get(&line.id)).copied();
                    out.push(Action::Show(Show::Line { line, asker }));
                }
                self.logs_changed(now, changed, out);
            }
            Written::Changed(changed) => self.logs_changed(now, changed, out),
            Written::Receipts(receipts) => {
                for receipt in receipts {
                    let grown = self.receipts.add(receipt, now.wall_ms);
                    out.extend(grown.into_iter().map(|(id, held)| Action::Show(Show::Held { id, held })));
                }
            }
            Written::Failed { token, error } => self.failed(now, token, error, out),
            Written::Marked(marked) => {
                self.frontier.meets(marked.member);
                let changes = self.roster.mark(marked.member, marked.marks);
                self.changed(now, changes, out);
                out.extend(marked.run.map(|run| Action::Show(Show::Afresh(run))));
            }
            Written::NotMarked(_) => {}
            Written::Noted(notice) => out.push(Action::Show(Show::Notice(notice))),
            Written::Read { conversation, arrival } => out.push(Action::Show(Show::Read { conversation, arrival })),
        }
    }

    /// Batches of others are on the disk, but for those of logs of which the store `refused` something.
    fn taken(&mut self, now: Now, token: u64, refused: &[LogKey], out: &mut Vec<Action>) {
        let Some(mut flight) = self.taking.flights.remove(&token) else { return };
        let before = flight.batches.len();
        let is_stored = |batch: &Verified| !refused.contains(&batch.header().key());
        flight.batches.retain(is_stored);
        let is_whole = !flight.batches.is_empty() && flight.batches.len() == before;
        // Stored before, or just now because what stood in its way had fallen. Whoever sent it may not know the former.
        for batch in flight.doubtful.iter().filter(|batch| is_stored(batch)) {
            self.frontier.hold(batch);
            self.owe_receipt(now, batch);
        }
        for batch in &flight.batches {
            self.frontier.hold(batch);
            self.owe_receipt(now, batch);
            self.note_profile(now, batch, out);
        }
        self.pass_on(&flight.batches, out);
        if let Some(link) = flight.fetched_on {
            self.fetch_stored(now, link, is_whole, out);
        }
    }

    fn failed(&mut self, now: Now, token: u64, error: WriteError, out: &mut Vec<Action>) {
        if self.own_failed(now, token, error, out) {
            return;
        }
        let Some(flight) = self.taking.flights.remove(&token) else { return };
        for batch in &flight.batches {
            self.frontier.give_up(batch);
        }
        if let Some(link) = flight.fetched_on {
            self.fetch_failed(now, link);
        }
    }

    /// Names that are said in a batch.
    fn note_profile(&mut self, now: Now, batch: &Verified, out: &mut Vec<Action>) {
        let author = batch.header().author;
        if author == self.own {
            return;
        }
        for (index, slot) in batch.header().entries.iter().enumerate() {
            if let Some(Body::Profile { name, .. }) = batch.body(index)
                && let Ok(name) = Name::new(&name)
            {
                let changes = self.roster.named(now, author, &name, Stamp(slot.time));
                self.changed(now, changes, out);
            }
        }
    }

    /// Remembers the greatest place of each conversation.
    fn place_top(&mut self, line: &Line) {
        self.tops.stands(line.conversation.clone(), line.order.place, line.id);
    }

    /// Remembers that the author is to be told that a batch is stored, directly or through whoever passes on.
    fn owe_receipt(&mut self, now: Now, batch: &Verified) {
        let header = batch.header();
        let author = header.author;
        let direct = self.links.primary_id(author);
        let Some(link) = direct.or_else(|| self.relay_for(author)).and_then(|link| self.links.get_mut(link)) else {
            return;
        };
        let owed = if direct.is_some() { &mut link.receipts } else { link.relay.receipts.entry(author).or_default() };
        match owed.last_mut() {
            Some(last) if last.log == header.log && last.last + 1 == header.first_seq => last.last = header.last_seq(),
            _ => owed.push(Receipt { log: header.log, first: header.first_seq, last: header.last_seq() }),
        }
        if self.taking.receipts_ms.is_none() {
            self.taking.receipts_ms = Some(now.mono_ms + RECEIPT_GATHER_MS);
            self.wake_at(now.mono_ms + RECEIPT_GATHER_MS);
        }
    }

    /// Sends the receipts that have gathered.
    pub(super) fn receipts_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(due_ms) = self.taking.receipts_ms else { return };
        if now.mono_ms < due_ms {
            self.wake_at(due_ms);
            return;
        }
        self.taking.receipts_ms = None;
        let own = self.own;
        for (id, link) in self.links.iter_mut() {
            let mut send = |frame| out.push(Action::Send { links: vec![id], frame });
            for receipts in std::mem::take(&mut link.receipts).chunks(FRAME_RECEIPTS_MAX) {
                send(Frame::Receipt(receipts.to_vec()));
            }
            for (author, receipts) in std::mem::take(&mut link.relay.receipts) {
                for receipts in receipts.chunks(FRAME_RECEIPTS_MAX) {
                    send(Frame::Carry { author, from: own, receipts: receipts.to_vec() });
                }
            }
        }
    }

    /// A peer says that it has stored own batches.
    pub(super) fn receipted(
        &mut self,
        now: Now,
        link: LinkId,
        peer: NodeId,
        receipts: &[Receipt],
        out: &mut Vec<Action>,
    ) {
        self.count_receipts(peer, receipts, out);
        self.pushed_is_stored(now, link, receipts);
    }

    /// What was pushed on a link is on the other's disk: there is room for more.
    pub(super) fn pushed_is_stored(&mut self, now: Now, link: LinkId, receipts: &[Receipt]) {
        let Some(entry) = self.links.get_mut(link) else { return };
        let is_named = |(log, last, _): &(_, u64, usize)| {
            receipts.iter().any(|receipt| receipt.log == *log && receipt.first <= *last && *last <= receipt.last)
        };
        entry.unreceipted.retain(|pushed| !is_named(pushed));
        entry.unreceipted_bytes = entry.unreceipted.iter().map(|(_, _, bytes)| bytes).sum();
        if entry.behind && entry.unreceipted_bytes <= PUSH_UNRECEIPTED_BYTES_MAX / 2 {
            entry.behind = false;
            // The peer sees from the comparison that it lacks something, and fetches it.
            self.compare_soon(link);
            self.wake_at(now.mono_ms);
        }
    }

    /// Keeps receipts for entries that this node has really written; they count once they are on the disk.
    pub(super) fn count_receipts(&mut self, member: NodeId, receipts: &[Receipt], out: &mut Vec<Action>) {
        let is_written = |receipt: &Receipt| {
            let key = LogKey { author: self.own, log: receipt.log };
            self.frontier.holds(key, receipt.first) && self.frontier.holds(key, receipt.last)
        };
        let news = receipts.iter().filter(|receipt| is_written(receipt) && self.receipts.is_news(member, **receipt));
        let news: BTreeSet<Receipt> = news.copied().collect();
        if !news.is_empty() {
            let kept = news.into_iter().map(|Receipt { log, first, last }| MemberReceipt { member, log, first, last });
            let kept: Vec<MemberReceipt> = kept.collect();
            kept.iter().for_each(|receipt| self.receipts.asks(*receipt));
            out.push(Action::Write(WriteAction(Write::Receipts(kept))));
        }
    }
}
