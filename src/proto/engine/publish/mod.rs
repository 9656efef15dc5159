//! Publishes what this node's user says: drafts gather while a commit is under way, are signed
//! together (`signing`), and go out once they are on the disk.

pub(crate) mod idempotency;
pub(crate) mod latest_places;
mod outgoing;
pub(crate) mod signing;
pub(crate) mod undeleted;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::proto::clock::Stamp;
use crate::proto::commands::SayCommand;
use crate::proto::engine::ctx::{Ctx, Event};
use crate::proto::engine::io::{AskId, ChangeInput, Reply};
use crate::proto::engine::members::MemberTable;
use crate::proto::entries::body::Body;
use crate::proto::entries::timeline::{Conversation, MessageKind, Place};
use crate::proto::ids::{EntryId, LogId, LogKey, NodeId};
use crate::proto::limits::{BATCH_ENTRIES_MAX, SAYS_WAITING_MAX, SIGN_AT_ONCE_MAX};
use crate::proto::names::name::Name;
use crate::proto::replication::frontier::Frontier;
use crate::proto::replication::store_api::{
    Append, IdempotencyKey, OwnBatch, UndeletedEdit, UnpublishedEntry, Write, WriteError,
};
use idempotency::{ClaimResult, Refs};
use latest_places::LatestPlaces;
use outgoing::{InFlightBatch, OutgoingLog};
use signing::{Draft, SignTarget, Signed, Signer};
use undeleted::UndeletedEdits;

/// The user's own logs: what waits to be signed, is being committed, or was sent.
#[derive(Debug)]
pub(crate) struct Publisher {
    signer: Signer,
    /// By audience; none: the whole room.
    logs: BTreeMap<Option<NodeId>, OutgoingLog>,
    waiting: usize,
    refs: Refs,
    latest: LatestPlaces,
    /// Entries to be said again as soon as there is room.
    unpublished: Vec<UnpublishedEntry>,
    undeleted: UndeletedEdits,
}

impl Publisher {
    /// `unpublished`: the entries that the last run had still to say again.
    pub(crate) fn new(
        signer: Signer,
        latest: LatestPlaces,
        mut refs: Refs,
        unpublished: Vec<UnpublishedEntry>,
        undeleted: UndeletedEdits,
    ) -> Self {
        reserve_refs(&mut refs, &unpublished);
        Self { signer, logs: BTreeMap::new(), waiting: 0, refs, latest, unpublished, undeleted }
    }

    /// The idempotency keys of own entries.
    pub(crate) fn refs(&self) -> &Refs {
        &self.refs
    }

    /// The store has this `ref`, for this entry.
    pub(crate) fn on_ref_found(&mut self, reference: IdempotencyKey, id: EntryId) {
        self.refs.remember(reference, id);
    }

    /// The own name, as it is now.
    pub(crate) fn name(&self) -> &Name {
        &self.signer.name
    }

    /// Never writes to this log again.
    pub(crate) fn retire_log(&mut self, log: LogId) {
        for outgoing in self.logs.values_mut() {
            outgoing.head.take_if(|head| head.log == log);
        }
    }

    /// Messages, and entries that changed one or a topic, stand at these places. The next entry of
    /// a conversation goes below them.
    pub(crate) fn observe(&mut self, tops: Vec<(Conversation, Place, EntryId)>) {
        tops.into_iter().for_each(|(conversation, place, id)| self.latest.observe(conversation, place, id));
    }

    /// The order of all messages was computed anew.
    pub(crate) fn reset_latest(&mut self, latest: LatestPlaces) {
        self.latest = latest;
    }

    pub(crate) fn say(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &MemberTable,
        asker: AskId,
        say: SayCommand,
    ) {
        if let Err(answer) = self.may_say(ctx, members, &say) {
            return ctx.answer(asker, answer);
        }
        if let Some(reference) = &say.reference
            && self.is_duplicate(ctx, asker, reference)
        {
            return;
        }
        let SayCommand { kind, conversation, text, reply_to, mentions, files, reference } = say;
        let (audience, channel) = match &conversation {
            Conversation::Direct(to) => (Some(*to), None),
            Conversation::Channel(channel) => (None, Some(channel.as_str().to_owned())),
        };
        let body = match kind {
            MessageKind::Say => Body::Say { text, channel, reply_to, files, mentions: mentions.unwrap_or_default() },
            MessageKind::Hooray => Body::Hooray { text, channel },
        };
        let draft = Draft { asker: Some(asker), body, conversation: Some(conversation), reference, again: None };
        self.draft(ctx, frontier, members, audience, draft);
    }

    fn may_say(&self, ctx: &Ctx, members: &MemberTable, say: &SayCommand) -> Result<(), Reply> {
        if ctx.is_stopping {
            return Err(Reply::Stopping);
        }
        let to = say.recipient();
        if to == Some(ctx.own) {
            return Err(Reply::Oneself);
        }
        if to.is_some_and(|to| members.get(to).is_none()) {
            return Err(Reply::NoSuchMember);
        }
        if self.waiting >= SAYS_WAITING_MAX {
            return Err(Reply::Busy);
        }
        Ok(())
    }

    /// Returns true if a `ref` was claimed before, and answers the repetition: it never makes a
    /// second message.
    pub(crate) fn is_duplicate(&mut self, ctx: &mut Ctx, asker: AskId, reference: &IdempotencyKey) -> bool {
        let answer = match self.refs.claim(asker, reference) {
            ClaimResult::New => return false,
            ClaimResult::Waits => return true,
            ClaimResult::Said(id) => Reply::SaidBefore(id),
            ClaimResult::Other => Reply::RefUsed,
        };
        ctx.answer(asker, answer);
        true
    }

    /// The user has another name: kept for the next start, and told to all as an entry.
    pub(crate) fn rename(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &mut MemberTable,
        asker: AskId,
        name: Name,
    ) {
        if ctx.is_stopping {
            return ctx.answer(asker, Reply::Stopping);
        }
        ctx.write(Write::OwnName(name.clone()));
        if name == self.signer.name {
            return ctx.answer(asker, Reply::Done);
        }
        self.signer.name = name.clone();
        let own = ctx.own;
        members.change(ctx, |now, roster| roster.named(now, own, &name, Stamp::from_ms(now.wall_ms)));
        let (body, asker) = (self.signer.profile(), Some(asker));
        let draft = Draft { asker, body, conversation: None, reference: None, again: None };
        self.draft(ctx, frontier, members, None, draft);
    }

    /// The user says what they are doing: told to all as an entry.
    pub(crate) fn set_status(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &mut MemberTable,
        asker: AskId,
        status: Option<String>,
    ) {
        if ctx.is_stopping {
            return ctx.answer(asker, Reply::Stopping);
        }
        if status == self.signer.status {
            return ctx.answer(asker, Reply::Done);
        }
        self.signer.status.clone_from(&status);
        let own = ctx.own;
        members.change(ctx, |now, roster| roster.set_status(own, status.as_deref(), Stamp::from_ms(now.wall_ms)));
        let (body, asker) = (self.signer.profile(), Some(asker));
        let draft = Draft { asker, body, conversation: None, reference: None, again: None };
        self.draft(ctx, frontier, members, None, draft);
    }

    /// The user changes a message or a topic.
    pub(crate) fn change(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &MemberTable,
        asker: AskId,
        change: ChangeInput,
    ) {
        if ctx.is_stopping {
            return ctx.answer(asker, Reply::Stopping);
        }
        if self.waiting >= SAYS_WAITING_MAX {
            return ctx.answer(asker, Reply::Busy);
        }
        if let Some(reference) = &change.reference
            && self.is_duplicate(ctx, asker, reference)
        {
            return;
        }
        let ChangeInput { conversation, body, reference } = change;
        let audience = match &conversation {
            Conversation::Direct(to) => Some(*to),
            Conversation::Channel(_) => None,
        };
        let conversation = Some(conversation);
        let draft = Draft { asker: Some(asker), body, conversation, reference, again: None };
        self.draft(ctx, frontier, members, audience, draft);
    }

    /// Says again what this node's user said in logs that ended before it, and deletes edits of
    /// deleted messages, each entry once.
    pub(crate) fn republish(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &MemberTable,
        unpublished: Vec<UnpublishedEntry>,
    ) {
        reserve_refs(&mut self.refs, &unpublished);
        self.unpublished.extend(unpublished);
        if ctx.is_stopping || self.waiting >= SAYS_WAITING_MAX {
            return;
        }
        for entry in std::mem::take(&mut self.unpublished) {
            let (body, audience) = (entry.body.clone(), entry.audience);
            let conversation = Conversation::of(ctx.own, ctx.own, audience, body.channel());
            let conversation = conversation.filter(|_| body.is_message() || matches!(body, Body::Topic { .. }));
            let reference = entry.reference.clone();
            let draft = Draft { asker: None, body, conversation, reference, again: Some(entry) };
            self.draft(ctx, frontier, members, audience, draft);
        }
        for UndeletedEdit { id, audience } in self.undeleted.take() {
            let body = Body::delete(id);
            let draft = Draft { asker: None, body, conversation: None, reference: None, again: None };
            self.draft(ctx, frontier, members, audience, draft);
        }
    }

    /// These own edits are to be deleted, since the user deleted their message.
    pub(crate) fn note_undeleted(&mut self, edits: Vec<UndeletedEdit>) {
        self.undeleted.add(edits);
    }

    fn draft(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &MemberTable,
        audience: Option<NodeId>,
        draft: Draft,
    ) {
        self.waiting += 1;
        self.logs.entry(audience).or_default().queue.push_back(draft);
        self.sign_next(ctx, frontier, members, audience);
    }

    /// Signs what has gathered for an audience, unless a commit is under way.
    fn sign_next(&mut self, ctx: &mut Ctx, frontier: &mut Frontier, members: &MemberTable, audience: Option<NodeId>) {
        let Some(outgoing) = self.logs.get_mut(&audience) else { return };
        if outgoing.flight.is_some() || outgoing.queue.is_empty() {
            return;
        }
        let many = outgoing.queue.len().min(SIGN_AT_ONCE_MAX);
        let mut drafts: VecDeque<Draft> = outgoing.queue.drain(..many).collect();
        self.waiting -= drafts.len();
        let of: Arc<[NodeId]> = match audience {
            Some(to) => [to].into(),
            None => members.reachable().into(),
        };
        let token = ctx.token();
        let mut flight = InFlightBatch::new(token, of.clone());
        let mut appends = Vec::new();
        while !drafts.is_empty() {
            let next = drafts.iter().take(BATCH_ENTRIES_MAX);
            let seen = newest_entry(&self.latest, next.filter_map(|draft| draft.conversation.as_ref()));
            let target = SignTarget { audience, head: &mut outgoing.head, seen };
            let Signed { batch, refs, askers, askers_without_entry, republished } =
                self.signer.sign(ctx, frontier, target, &mut drafts);
            flight.askers_without_entry.extend(askers_without_entry);
            let Some(batch) = batch else { break };
            let numbers = republished.iter().map(|entry| entry.number).collect();
            flight.republished.extend(republished);
            flight.askers.extend(askers.into_iter().map(|(id, asker, reference)| (id, (asker, reference))));
            frontier.reserve(&batch);
            flight.batches.push(batch.clone());
            appends.push(Append { batch, own: Some(OwnBatch { refs, of: of.to_vec(), again: numbers }) });
        }
        if flight.batches.is_empty() {
            flight.askers_without_entry.iter().for_each(|asker| ctx.answer(*asker, Reply::Done));
        } else {
            ctx.write(Write::Append { token, batches: appends });
            outgoing.flight = Some(flight);
        }
    }

    /// Returns true if a write with this token is one of this node's own batches.
    pub(crate) fn is_own(&self, token: u64) -> bool {
        self.logs.values().any(|outgoing| outgoing.flight.as_ref().is_some_and(|flight| flight.token == token))
    }

    /// Own batches are on the disk: they go out, and their requests are answered, those for
    /// `messages` by the caller once it has shown them. Returns these requests.
    pub(crate) fn on_committed(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &MemberTable,
        token: u64,
        messages: &[EntryId],
        refused: &[LogKey],
    ) -> BTreeMap<EntryId, AskId> {
        let Some((audience, mut flight)) = self.take_in_flight(token) else { return BTreeMap::new() };
        if flight.batches.iter().any(|batch| refused.contains(&batch.header().key())) {
            // The log had ended meanwhile. What of it was not stored is not said; the caller may
            // ask again.
            self.reject(ctx, &mut flight, messages, &Reply::Busy);
            flight.batches.clear();
        }
        for batch in &flight.batches {
            frontier.commit(batch);
        }
        ctx.emit(Event::OwnBatches { audience, batches: flight.batches });
        let mut askers = BTreeMap::new();
        for id in messages {
            ctx.emit(Event::MessageCommitted { id: *id, of: flight.of.clone() });
            let Some((asker, reference)) = flight.askers.get(id) else { continue };
            askers.extend(asker.map(|asker| (*id, asker)));
            if let Some(reference) = reference {
                let again = self.refs.commit(reference, *id, ctx.now.wall_ms);
                again.into_iter().for_each(|asker| ctx.answer(asker, Reply::SaidBefore(*id)));
            }
        }
        // An entry that is no message changed one: its request is answered, and pages are told of
        // the message.
        let is_change = |id: &EntryId| !messages.contains(id);
        for (id, (asker, reference)) in flight.askers.into_iter().filter(|(id, _)| is_change(id)) {
            asker.into_iter().for_each(|asker| ctx.answer(asker, Reply::Done));
            let again =
                reference.map(|reference| self.refs.commit(&reference, id, ctx.now.wall_ms)).unwrap_or_default();
            again.into_iter().for_each(|asker| ctx.answer(asker, Reply::SaidBefore(id)));
        }
        flight.askers_without_entry.into_iter().for_each(|asker| ctx.answer(asker, Reply::Done));
        self.sign_next(ctx, frontier, members, audience);
        askers
    }

    /// Own batches could not be stored: nothing of them was said.
    pub(crate) fn on_failed(
        &mut self,
        ctx: &mut Ctx,
        frontier: &mut Frontier,
        members: &MemberTable,
        token: u64,
        error: WriteError,
    ) {
        let Some((audience, mut flight)) = self.take_in_flight(token) else { return };
        for batch in &flight.batches {
            frontier.release(batch);
        }
        let answer = match error {
            WriteError::DiskFull => Reply::DiskFull,
        };
        self.reject(ctx, &mut flight, &[], &answer);
        // A part of them may stand on the disk all the same, and a later repair finds it. No place
        // of a log is signed twice, so that it can't prove a fork: the next entry begins a new log.
        if let Some(outgoing) = self.logs.get_mut(&audience) {
            outgoing.head = None;
        }
        self.sign_next(ctx, frontier, members, audience);
    }

    /// Answers for everything in a flight that is not in `messages`, and releases its refs: it may
    /// be asked for again. Refs of entries that are said again stay taken.
    fn reject(&mut self, ctx: &mut Ctx, flight: &mut InFlightBatch, messages: &[EntryId], answer: &Reply) {
        let mut askers = std::mem::take(&mut flight.askers_without_entry);
        let is_said = |id: &EntryId| messages.contains(id);
        for (_, (asker, reference)) in flight.askers.extract_if(.., |id, _| !is_said(id)) {
            askers.extend(asker);
            let Some(reference) = reference else { continue };
            let is_kept = flight.republished.iter().any(|entry| entry.reference.as_ref() == Some(&reference));
            askers.extend(if is_kept { self.refs.take_repeats(&reference) } else { self.refs.release(&reference) });
        }
        for body in flight.batches.iter().filter_map(|batch| batch.body(0)) {
            if let Body::Delete { entry, .. } = body {
                self.undeleted.on_failed(entry);
            }
        }
        self.unpublished.append(&mut flight.republished);
        askers.into_iter().for_each(|asker| ctx.answer(asker, answer.clone()));
    }

    fn take_in_flight(&mut self, token: u64) -> Option<(Option<NodeId>, InFlightBatch)> {
        self.logs.iter_mut().find_map(|(audience, outgoing)| {
            let flight = outgoing.flight.take_if(|flight| flight.token == token)?;
            Some((*audience, flight))
        })
    }
}

/// The refs of entries that are to be said again stand for these, and for no new ones.
fn reserve_refs(refs: &mut Refs, unpublished: &[UnpublishedEntry]) {
    unpublished.iter().filter_map(|entry| entry.reference.as_ref()).for_each(|reference| refs.reserve(reference));
}

/// The entry with the greatest place in any of these conversations.
fn newest_entry<'a>(
    latest: &LatestPlaces,
    conversations: impl Iterator<Item = &'a Conversation>,
) -> Option<(Place, EntryId)> {
    conversations.filter_map(|conversation| latest.of(conversation)).max_by_key(|(place, _)| *place)
}
