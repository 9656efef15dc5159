//! What this node's user says: drafts gather while a commit is under way, are signed together, and go out once they
//! are on the disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand::Rng as _;

use super::refs::{Known, Refs};
use super::{Action, Answer, AskId, Engine, Say, WriteAction};
use crate::proto::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::body::{Body, SALT_BYTES};
use crate::proto::clock::{Now, Stamp, next_stamp};
use crate::proto::ids::{EntryId, Hash, LogId, LogKey, NodeId, Seq};
use crate::proto::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, SAYS_WAITING_MAX, SIGN_AT_ONCE_MAX};
use crate::proto::name::Name;
use crate::proto::record::{Append, Fallen, OwnBatch, Ref, Write, WriteError};
use crate::proto::timeline::{Conversation, Line, Place};

/// Bytes of header, signature and marks that a batch needs beside its bodies, for each entry and once.
const ENTRY_OVERHEAD_BYTES: usize = 64;
const BATCH_OVERHEAD_BYTES: usize = 512;

/// What waits to be signed.
#[derive(Debug)]
pub(super) struct Draft {
    /// None: nobody waits for an answer.
    pub(super) asker: Option<AskId>,
    pub(super) body: Body,
    pub(super) conversation: Option<Conversation>,
    pub(super) reference: Option<Ref>,
    /// What was said before, in a log that ended before it.
    pub(super) again: Option<Fallen>,
}

/// Where the next entry of an own log goes.
#[derive(Clone, Debug)]
struct Tip {
    log: LogId,
    next_seq: Seq,
    prev: Option<Hash>,
    last_time: Option<Stamp>,
    /// The name that its last `Profile` says.
    profile: Option<Name>,
    /// What it named last because of where that stood, and in which entry: the log goes on below it.
    below: Option<(EntryId, Seq)>,
}

/// The own log for one audience, of this start of the program.
#[derive(Debug, Default)]
struct Stream {
    tip: Option<Tip>,
    queue: VecDeque<Draft>,
    flight: Option<Flight>,
}

/// Own batches on their way to the disk.
#[derive(Debug)]
struct Flight {
    token: u64,
    batches: Vec<Verified>,
    of: Arc<[NodeId]>,
    askers: BTreeMap<EntryId, (Option<AskId>, Option<Ref>)>,
    /// Questions that are answered by the commit alone.
    others: Vec<AskId>,
    /// What is said again.
    again: Vec<Fallen>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// By audience; none: the whole room.
    streams: BTreeMap<Option<NodeId>, Stream>,
    waiting: usize,
    refs: Refs,
    /// What is to be said again as soon as there is room.
    pub(super) fallen: Vec<Fallen>,
}

impl Talk {
    /// `fallen`: what the last run had still to say again.
    pub(super) fn new(fallen: Vec<Fallen>) -> Self {
        Self { fallen, ..Self::default() }
    }

    /// Whether more than this waits to be signed.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.waiting >= most
    }

    /// Never writes to this log again.
    pub(super) fn leave(&mut self, log: LogId) {
        let is_it = |tip: &mut Tip| tip.log == log;
        for stream in self.streams.values_mut() {
            stream.tip.take_if(is_it);
        }
    }
}

impl Engine {
    pub(super) fn say(&mut self, now: Now, asker: AskId, say: Say, out: &mut Vec<Action>) {
        if let Err(answer) = self.may_say(&say) {
            out.push(Action::Answer { asker, answer });
            return;
        }
        if let Some(reference) = &say.reference
            && self.is_said_already(asker, reference, out)
        {
            return;
        }
        let Say { to, channel, text, reply_to, hooray, reference } = say;
        let conversation = match to {
            Some(to) => Conversation::Direct(to),
            None => Conversation::Channel(channel.clone()),
        };
        let channel = to.is_none().then(|| channel.as_str().to_owned());
        let body = if hooray { Body::Hooray { text, channel } } else { Body::Say { text, channel, reply_to } };
        let conversation = Some(conversation);
        self.draft(now, to, Draft { asker: Some(asker), body, conversation, reference, again: None }, out);
    }

    fn may_say(&self, say: &Say) -> Result<(), Answer> {
        if self.stopping {
            return Err(Answer::Stopping);
        }
        if say.to == Some(self.own) {
            return Err(Answer::Oneself);
        }
        if say.to.is_some_and(|to| self.roster.member(to).is_none()) {
            return Err(Answer::NoSuchMember);
        }
        if self.talk.waiting >= SAYS_WAITING_MAX {
            return Err(Answer::Busy);
        }
        Ok(())
    }

    /// The same `ref` never makes a second message: answers a repetition.
    fn is_said_already(&mut self, asker: AskId, reference: &Ref, out: &mut Vec<Action>) -> bool {
        let answer = match self.talk.refs.claim(asker, reference) {
            Known::New => return false,
            Known::Waits => return true,
            Known::Said(id) => Answer::SaidBefore(id),
            Known::Other => Answer::RefUsed,
        };
        out.push(Action::Answer { asker, answer });
        true
    }

    /// The user has another name: kept for the next start, and told to all as an entry.
    pub(super) fn rename(&mut self, now: Now, asker: AskId, name: Name, out: &mut Vec<Action>) {
        if self.stopping {
            out.push(Action::Answer { asker, answer: Answer::Stopping });
            return;
        }
        out.push(Action::Write(WriteAction(Write::OwnName(name.clone()))));
        if name == self.name {
            out.push(Action::Answer { asker, answer: Answer::Done });
            return;
        }
        self.name = name.clone();
        let changes = self.roster.named(now, self.own, &name, Stamp::from_ms(now.wall_ms));
        self.changed(now, changes, out);
        let body = Body::Profile { name: name.as_str().to_owned(), status: None };
        let asker = Some(asker);
        self.draft(now, None, Draft { asker, body, conversation: None, reference: None, again: None }, out);
    }

    pub(super) fn draft(&mut self, now: Now, audience: Option<NodeId>, draft: Draft, out: &mut Vec<Action>) {
        self.talk.waiting += 1;
        self.talk.streams.entry(audience).or_default().queue.push_back(draft);
        self.sign_next(now, audience, out);
    }

    /// Signs what has gathered for an audience, unless a commit is under way.
    fn sign_next(&mut self, now: Now, audience: Option<NodeId>, out: &mut Vec<Action>) {
        let Some(stream) = self.talk.streams.get_mut(&audience) else { return };
        if stream.flight.is_some() || stream.queue.is_empty() {
            return;
        }
        let many = stream.queue.len().min(SIGN_AT_ONCE_MAX);
        let mut drafts: VecDeque<Draft> = stream.queue.drain(..many).collect();
        let mut tip = stream.tip.clone();
        self.talk.waiting -= drafts.len();
        let of: Arc<[NodeId]> = match audience {
            Some(to) => [to].into(),
            None => self.roster.here().into(),
        };
        let token = self.token();
        let mut flight = Flight {
            token,
            batches: Vec::new(),
            of: of.clone(),
            askers: BTreeMap::new(),
            others: Vec::new(),
            again: Vec::new(),
        };
        let mut appends = Vec::new();
        while !drafts.is_empty() {
            let so_far = flight.again.len();
            let Some((batch, refs)) = self.sign_batch(now, audience, &mut tip, &mut drafts, &mut flight) else { break };
            let again = flight.again[so_far..].iter().map(|fallen| fallen.number).collect();
            self.frontier.take(&batch);
            flight.batches.push(batch.clone());
            appends.push(Append { batch, own: Some(OwnBatch { refs, of: of.to_vec(), again }) });
        }
        let done = flight.batches.is_empty();
        if done {
            out.extend(flight.others.iter().map(|asker| Action::Answer { asker: *asker, answer: Answer::Done }));
        } else {
            out.push(Action::Write(WriteAction(Write::Append { token, batches: appends })));
        }
        if let Some(stream) = self.talk.streams.get_mut(&audience) {
            stream.tip = tip;
            stream.flight = (!done).then_some(flight);
        }
    }

    /// Signs the next 1 to 64 drafts as one batch; `None` if none of them needs one.
    fn sign_batch(
        &mut self,
        now: Now,
        audience: Option<NodeId>,
        tip: &mut Option<Tip>,
        drafts: &mut VecDeque<Draft>,
        flight: &mut Flight,
    ) -> Option<(Verified, Vec<Option<Ref>>)> {
        let seen = self.greatest(drafts.iter().take(BATCH_ENTRIES_MAX).filter_map(|draft| draft.conversation.as_ref()));
        let seen_time = Stamp(seen.map_or(0, |(place, _)| place));
        // A clock that was set back by more than a minute can't go on with a log whose times must grow.
        let goes_on = |tip: &Tip| next_stamp(now.wall_ms, tip.last_time, seen_time).is_some();
        let mut at = tip.take().filter(goes_on).unwrap_or_else(|| self.new_log());
        let mut time = next_stamp(now.wall_ms, at.last_time, seen_time)?;
        let log = at.log;
        // What its own log holds, or has named, is above whatever goes on there, if nothing between was lost.
        let own = self.frontier.log(LogKey { author: self.own, log });
        let is_whole = |seq| own.is_some_and(|own| own.missing(seq, at.next_seq - 1).is_empty());
        let named_in = |id: &EntryId| at.below.filter(|(below, _)| below == id).map(|(_, seq)| seq);
        let held_in = |id: &EntryId| (id.log == log).then_some(id.seq);
        let is_above = |id: &EntryId| held_in(id).is_some_and(is_whole) || named_in(id).is_some_and(is_whole);
        let highest = seen.filter(|(place, _)| *place >= time.0).map(|(_, id)| id).filter(|id| !is_above(id));
        // What is answered may yet turn out to stand further down, and the answer has to stay below it.
        let answered = |draft: &Draft| draft.body.answers().filter(|id| id.log != log);
        let first = drafts.iter().find(|draft| !matches!(draft.body, Body::Profile { .. }));
        let after = highest.or_else(|| first.and_then(answered));
        let names_other = |draft: &Draft| answered(draft).is_some_and(|id| after != Some(id));

        let mut bodies: Vec<Vec<u8>> = Vec::new();
        let mut entries = Vec::new();
        let mut refs = Vec::new();
        let mut askers = Vec::new();
        let mut bytes = BATCH_OVERHEAD_BYTES;
        let mut add = |body: &Body, bodies: &mut Vec<Vec<u8>>, salt| {
            let body = body.encode(salt);
            entries.push(slot(time, &body));
            time = Stamp(time.0 + 1);
            bodies.push(body);
        };
        // A batch names one entry. If the first answer has to stand below two, the name, said again, stands between them.
        let is_between = highest.is_some() && first.is_some_and(names_other);
        if at.profile.as_ref() != Some(&self.name) || is_between {
            let body = Body::Profile { name: self.name.as_str().to_owned(), status: None };
            add(&body, &mut bodies, self.salt());
            refs.push(None);
            at.profile = Some(self.name.clone());
        }
        while let Some(draft) = drafts.front() {
            let full = bodies.len() >= BATCH_ENTRIES_MAX || bytes + size(&draft.body) > BATCH_BYTES_MAX;
            // An answer to something else begins a batch of its own, which can name that.
            if full || names_other(draft) {
                break;
            }
            bytes += size(&draft.body);
            let Some(draft) = drafts.pop_front() else { break };
            if matches!(draft.body, Body::Profile { .. }) {
                // The name is said already, in front of everything.
                flight.others.extend(draft.asker);
                continue;
            }
            add(&draft.body, &mut bodies, self.salt());
            askers.push((bodies.len() - 1, draft.asker, draft.reference.clone()));
            refs.push(draft.reference);
            flight.again.extend(draft.again);
        }
        if bodies.is_empty() {
            *tip = Some(at);
            return None;
        }
        let header = Header {
            version: HEADER_VERSION,
            room: self.room,
            author: self.own,
            audience,
            log: at.log,
            first_seq: at.next_seq,
            prev: at.prev,
            after,
            entries,
        };
        let batch = sign(&self.key, header, &bodies);
        (at.next_seq, at.prev) = (batch.header().last_seq() + 1, Some(batch.hash()));
        at.last_time = Some(batch.header().last_time());
        at.below = highest.map(|id| (id, batch.header().first_seq)).or(at.below);
        *tip = Some(at);
        for (index, asker, reference) in askers {
            flight.askers.insert(batch.entry_id(index), (asker, reference));
        }
        Some((batch, refs))
    }

    /// The entry with the greatest place in any of these conversations.
    fn greatest<'a>(&self, conversations: impl Iterator<Item = &'a Conversation>) -> Option<(Place, EntryId)> {
        conversations.filter_map(|conversation| self.tops.of(conversation)).max_by_key(|(place, _)| *place)
    }

    fn new_log(&mut self) -> Tip {
        let log = LogId(self.random());
        Tip { log, next_seq: 1, prev: None, last_time: None, profile: None, below: None }
    }

    fn salt(&mut self) -> [u8; SALT_BYTES] {
        let mut salt = [0; SALT_BYTES];
        self.rng.fill_bytes(&mut salt);
        salt
    }

    /// Own batches are on the disk: they go out, and whoever asked is answered. `None` if the token is not an own one.
    pub(super) fn own_stored(
        &mut self,
        now: Now,
        token: u64,
        lines: &[Line],
        refused: &[LogKey],
        out: &mut Vec<Action>,
    ) -> Option<BTreeMap<EntryId, AskId>> {
        let (audience, mut flight) = self.landed(token)?;
        if flight.batches.iter().any(|batch| refused.contains(&batch.header().key())) {
            // The log had ended meanwhile. What of it was not stored is not said; whoever asked may ask again.
            flight.batches.clear();
            self.unsaid(&mut flight, lines, &Answer::Busy, out);
        }
        for batch in &flight.batches {
            self.frontier.hold(batch);
        }
        self.push(audience, &flight.batches, out);
        let mut askers = BTreeMap::new();
        for line in lines {
            self.receipts.follow(line.id, flight.of.clone());
            let Some((asker, reference)) = flight.askers.get(&line.id) else { continue };
            askers.extend(asker.map(|asker| (line.id, asker)));
            let answer = |asker: AskId| Action::Answer { asker, answer: Answer::Said(Box::new(line.clone())) };
            out.extend(asker.map(answer));
            let again = reference.as_ref().map(|reference| self.talk.refs.said(reference, line.id));
            let before = |asker: AskId| Action::Answer { asker, answer: Answer::SaidBefore(line.id) };
            out.extend(again.into_iter().flatten().map(before));
        }
        out.extend(flight.others.into_iter().map(|asker| Action::Answer { asker, answer: Answer::Done }));
        self.sign_next(now, audience, out);
        Some(askers)
    }

    /// Own batches could not be stored: nothing of them was said. False if the token is not an own one.
    pub(super) fn own_failed(&mut self, now: Now, token: u64, error: WriteError, out: &mut Vec<Action>) -> bool {
        let Some((audience, mut flight)) = self.landed(token) else { return false };
        for batch in &flight.batches {
            self.frontier.give_up(batch);
        }
        let answer = match error {
            WriteError::DiskFull => Answer::DiskFull,
        };
        self.unsaid(&mut flight, &[], &answer, out);
        // A part of them may stand on the disk all the same, and a later repair finds it. No place of a log is signed twice, so
        // that it can't prove a fork: what is said next begins a new log.
        if let Some(stream) = self.talk.streams.get_mut(&audience) {
            stream.tip = None;
        }
        self.sign_next(now, audience, out);
        true
    }

    /// Answers for everything in a flight that is not in `lines`, and forgets its refs: it may be asked for again.
    fn unsaid(&mut self, flight: &mut Flight, lines: &[Line], answer: &Answer, out: &mut Vec<Action>) {
        let mut askers = std::mem::take(&mut flight.others);
        let said = |id: &EntryId| lines.iter().any(|line| line.id == *id);
        for (_, (asker, reference)) in flight.askers.extract_if(.., |id, _| !said(id)) {
            askers.extend(asker);
            let again = reference.map(|reference| self.talk.refs.unsaid(&reference));
            askers.extend(again.into_iter().flatten());
        }
        self.talk.fallen.append(&mut flight.again);
        out.extend(askers.into_iter().map(|asker| Action::Answer { asker, answer: answer.clone() }));
    }

    fn landed(&mut self, token: u64) -> Option<(Option<NodeId>, Flight)> {
        let mut streams = self.talk.streams.iter_mut();
        streams.find_map(|(audience, stream)| {
            let flight = stream.flight.take_if(|flight| flight.token == token)?;
            Some((*audience, flight))
        })
    }
}

/// At most so many bytes does this body need in a batch.
fn size(body: &Body) -> usize {
    let text = match body {
        Body::Say { text, .. } | Body::Hooray { text, .. } | Body::Edit { text, .. } => text.len(),
        Body::Delete { .. } | Body::React { .. } | Body::Profile { .. } | Body::File { .. } => 0,
    };
    text + crate::proto::limits::NAME_BYTES_MAX + 2 * ENTRY_OVERHEAD_BYTES + SALT_BYTES
}
