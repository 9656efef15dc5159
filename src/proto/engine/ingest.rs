//! Ingests batches of other authors: they are checked against what is held, stored, and only then
//! receipted and passed on.

use std::collections::BTreeMap;

use super::ctx::{Ctx, Event};
use super::members::MemberTable;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::Verified;
use crate::proto::entries::body::{Body, shown_status};
use crate::proto::ids::{LinkId, LogKey, NodeId};
use crate::proto::names::name::Name;
use crate::proto::replication::drop_reason::{DropCounters, DropReason};
use crate::proto::replication::frame::Receipt;
use crate::proto::replication::frontier::Frontier;
use crate::proto::replication::log::Fit;
use crate::proto::replication::store_api::{Append, Write};

/// Batches that came in together.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) link: LinkId,
    pub(super) peer: NodeId,
    pub(super) batches: Vec<Verified>,
    /// True if they were fetched: the link asks for more when they are stored.
    pub(super) is_page: bool,
}

/// Batches of others on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct Ingest {
    flights: BTreeMap<u64, IngestInFlight>,
}

#[derive(Debug)]
struct IngestInFlight {
    /// The batches that are new here.
    batches: Vec<Verified>,
    /// The batches that the store only compares: they may be here already, or have no place.
    doubtful: Vec<Verified>,
    /// The link that fetched them, which asks for more when they are stored.
    fetched_on: Option<LinkId>,
}

impl Ingest {
    /// The batches of a log that are on their way to the disk.
    pub(super) fn in_flight(&self, key: LogKey) -> impl Iterator<Item = &Verified> {
        let batches = self.flights.values().flat_map(|flight| &flight.batches);
        batches.filter(move |batch| batch.header().key() == key)
    }

    /// Takes what fits. Returns true if anything was taken.
    pub(super) fn ingest(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        drops: &mut DropCounters,
        incoming: Incoming,
    ) -> bool {
        let Incoming { link, peer, batches, is_page } = incoming;
        let (mut new, mut doubtful, mut appends) = (Vec::new(), Vec::new(), Vec::new());
        for batch in batches {
            let header = batch.header();
            let is_ours = frontier.may_hold(header.author, header.audience);
            if !is_ours || !frontier.is_visible_to(peer, header.author, header.audience) {
                drops.count(DropReason::Misplaced);
                continue;
            }
            match frontier.classify(&batch) {
                Fit::Fits => {
                    if header.author == ctx.own {
                        ctx.emit(Event::OwnLogShared(header.log));
                    }
                    frontier.reserve(&batch);
                    appends.push(Append { batch: batch.clone(), own: None });
                    new.push(batch);
                }
                // The store compares it with what it has there.
                Fit::Overlaps | Fit::Conflicts => {
                    appends.push(Append { batch: batch.clone(), own: None });
                    doubtful.push(batch);
                }
                // On the disk already, so its author may know. What is only on its way is told when
                // it is there.
                Fit::Held if frontier.contains(header.key(), header.last_seq()) => {
                    ctx.emit(receipt_due(&batch, Some(link)));
                }
                Fit::Held => {}
                Fit::Refused => drops.count(DropReason::Misplaced),
                Fit::Closed(closed) => {
                    frontier.on_log_announced(header.key());
                    drops.count(closed.cause());
                }
                Fit::TooManyGaps => drops.count(DropReason::TooManyGaps),
            }
        }
        if appends.is_empty() {
            return false;
        }
        let token = ctx.token();
        ctx.write(Write::Append { token, batches: appends });
        let fetched_on = is_page.then_some(link);
        self.flights.insert(token, IngestInFlight { batches: new, doubtful, fetched_on });
        true
    }

    /// Batches are on the disk, except for those of logs of which the store `refused` something.
    pub(super) fn on_committed(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &mut MemberTable,
        token: u64,
        refused: &[LogKey],
    ) {
        let Some(mut flight) = self.flights.remove(&token) else { return };
        let before = flight.batches.len();
        let is_stored = |batch: &Verified| !refused.contains(&batch.header().key());
        flight.batches.retain(is_stored);
        let is_whole = !flight.batches.is_empty() && flight.batches.len() == before;
        // Stored before, or just now because what stood in its way was removed. The author may not
        // know the former.
        for batch in flight.doubtful.iter().filter(|batch| is_stored(batch)) {
            frontier.commit(batch);
            ctx.emit(receipt_due(batch, None));
        }
        for batch in &flight.batches {
            frontier.commit(batch);
            ctx.emit(receipt_due(batch, None));
            note_profile(ctx, members, batch);
        }
        ctx.emit(Event::BatchesStored(flight.batches));
        if let Some(link) = flight.fetched_on {
            ctx.emit(Event::PageStored { link, is_whole });
        }
    }

    /// Batches could not be stored.
    pub(super) fn on_failed(&mut self, ctx: &mut Ctx, frontier: &mut Frontier, token: u64) {
        let Some(flight) = self.flights.remove(&token) else { return };
        for batch in &flight.batches {
            frontier.release(batch);
        }
        if let Some(link) = flight.fetched_on {
            ctx.emit(Event::PageFailed(link));
        }
    }
}

fn receipt_due(batch: &Verified, only_on: Option<LinkId>) -> Event {
    let header = batch.header();
    let receipt = Receipt { log: header.log, first: header.first_seq, last: header.last_seq() };
    Event::ReceiptDue { author: header.author, receipt, only_on }
}

/// Takes over the names that an author gives itself in a batch.
fn note_profile(ctx: &mut Ctx, members: &mut MemberTable, batch: &Verified) {
    let author = batch.header().author;
    if author == ctx.own {
        return;
    }
    for (index, slot) in batch.header().entries.iter().enumerate() {
        if let Some(Body::Profile { name, status }) = batch.body(index)
            && let Ok(name) = Name::new(&name)
        {
            members.change(ctx, |now, roster| roster.named(now, author, &name, Stamp(slot.time)));
            let status = shown_status(status.as_deref());
            members.change(ctx, |_, roster| roster.set_status(author, status, Stamp(slot.time)));
        }
    }
}
