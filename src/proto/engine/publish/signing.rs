//! Signs what this node's user says: drafts become one batch at the end of an own log.

use std::collections::VecDeque;

use ed25519_dalek::SigningKey;

use crate::proto::clock::{Stamp, next_stamp};
use crate::proto::engine::ctx::Ctx;
use crate::proto::engine::io::AskId;
use crate::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::entries::body::{Body, SALT_BYTES};
use crate::proto::entries::timeline::{Conversation, Place};
use crate::proto::files::attachment::Attachment;
use crate::proto::ids::{EntryId, Hash, LogId, LogKey, NodeId, RoomId, Seq};
use crate::proto::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, NAME_BYTES_MAX};
use crate::proto::names::name::Name;
use crate::proto::replication::frontier::Frontier;
use crate::proto::replication::store_api::{IdempotencyKey, UnpublishedEntry};

/// Bytes of header, signature and marks that a batch needs beside its bodies, for each entry and
/// once.
const ENTRY_OVERHEAD_BYTES: usize = 64;
const BATCH_OVERHEAD_BYTES: usize = 512;
/// The most bytes that a mention needs in a body.
const MENTION_BYTES: usize = 48;

/// An entry that waits to be signed.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The request that is answered. None: no request waits.
    pub(crate) asker: Option<AskId>,
    pub(crate) body: Body,
    pub(crate) conversation: Option<Conversation>,
    pub(crate) reference: Option<IdempotencyKey>,
    /// The entry that is said again, since its log ended before it.
    pub(crate) again: Option<UnpublishedEntry>,
}

/// The end of an own log, where the next entry goes.
#[derive(Clone, Debug)]
pub(crate) struct LogHead {
    pub(crate) log: LogId,
    next_seq: Seq,
    prev: Option<Hash>,
    last_time: Option<Stamp>,
    /// The name and the status that its last `Profile` says.
    profile: Option<(Name, Option<String>)>,
    /// The entry that it named last because of its place, and where it did so: the log goes on
    /// below it.
    below: Option<(EntryId, Seq)>,
}

/// The log to go on with, and the entry below which the next one goes.
#[derive(Debug)]
pub(crate) struct SignTarget<'a> {
    /// None: the whole room.
    pub(crate) audience: Option<NodeId>,
    /// The end of the log. None: a new one begins.
    pub(crate) head: &'a mut Option<LogHead>,
    /// The entry with the greatest place in the conversations of the drafts.
    pub(crate) seen: Option<(Place, EntryId)>,
}

/// A signed batch, and what became of the drafts.
#[derive(Debug, Default)]
pub(crate) struct Signed {
    /// None: none of the drafts needs one.
    pub(crate) batch: Option<Verified>,
    /// The `ref` of each entry in the batch.
    pub(crate) refs: Vec<Option<IdempotencyKey>>,
    /// The requests of the entries.
    pub(crate) askers: Vec<(EntryId, Option<AskId>, Option<IdempotencyKey>)>,
    /// Requests that need no entry of their own.
    pub(crate) askers_without_entry: Vec<AskId>,
    /// The entries that are said again.
    pub(crate) republished: Vec<UnpublishedEntry>,
}

/// The key of this node, and what each batch says of it.
#[derive(Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    room: RoomId,
    pub(crate) name: Name,
    /// What the user is doing.
    pub(crate) status: Option<String>,
}

impl Signer {
    pub(crate) fn new(key: SigningKey, room: RoomId, name: Name, status: Option<String>) -> Self {
        Self { key, room, name, status }
    }

    /// What the user is called, and what they are doing.
    pub(crate) fn profile(&self) -> Body {
        Body::Profile { name: self.name.as_str().to_owned(), status: self.status.clone() }
    }

    /// Signs the next 1 to 64 drafts as one batch.
    pub(crate) fn sign(
        &self,
        ctx: &mut Ctx,
        frontier: &Frontier,
        target: SignTarget<'_>,
        drafts: &mut VecDeque<Draft>,
    ) -> Signed {
        let SignTarget { audience, head, seen } = target;
        let mut signed = Signed::default();
        let seen_time = Stamp(seen.map_or(0, |(place, _)| place));
        // A clock that was set back by more than a minute can't go on with a log whose times must
        // grow.
        let wall_ms = ctx.now.wall_ms;
        let goes_on = |head: &LogHead| next_stamp(wall_ms, head.last_time, seen_time).is_some();
        let mut at = head.take().filter(goes_on).unwrap_or_else(|| LogHead::new(LogId(ctx.random())));
        let Some(mut time) = next_stamp(wall_ms, at.last_time, seen_time) else { return signed };
        let log = at.log;
        // What its own log holds, or has named, is above whatever goes on there, if nothing between
        // was lost.
        let own = frontier.log(LogKey { author: ctx.own, log });
        let is_whole = |seq| own.is_some_and(|own| own.missing(seq, at.next_seq - 1).is_empty());
        let named_in = |id: &EntryId| at.below.filter(|(below, _)| below == id).map(|(_, seq)| seq);
        let held_in = |id: &EntryId| (id.log == log).then_some(id.seq);
        let is_above = |id: &EntryId| held_in(id).is_some_and(is_whole) || named_in(id).is_some_and(is_whole);
        let highest = seen.filter(|(place, _)| *place >= time.0).map(|(_, id)| id).filter(|id| !is_above(id));
        // What is answered may yet turn out to stand further down, and the answer has to stay below
        // it.
        let answered = |draft: &Draft| draft.body.reply_to().filter(|id| id.log != log);
        let first = drafts.iter().find(|draft| !matches!(draft.body, Body::Profile { .. }));
        let after = highest.or_else(|| first.and_then(answered));
        let names_other = |draft: &Draft| answered(draft).is_some_and(|id| after != Some(id));

        let mut bodies: Vec<Vec<u8>> = Vec::new();
        let mut entries = Vec::new();
        let mut askers = Vec::new();
        let mut bytes = BATCH_OVERHEAD_BYTES;
        let mut add = |body: &Body, bodies: &mut Vec<Vec<u8>>, salt| {
            let body = body.encode(salt);
            entries.push(slot(time, &body));
            time = Stamp(time.0 + 1);
            bodies.push(body);
        };
        // A batch names one entry. If the first answer has to stand below two, the name, said
        // again, stands between them.
        let is_between = highest.is_some() && first.is_some_and(names_other);
        let profile = (self.name.clone(), self.status.clone());
        if at.profile.as_ref() != Some(&profile) || is_between {
            add(&self.profile(), &mut bodies, ctx.random_bytes());
            signed.refs.push(None);
            at.profile = Some(profile);
        }
        while let Some(draft) = drafts.front() {
            let full = bodies.len() >= BATCH_ENTRIES_MAX || bytes + size(&draft.body) > BATCH_BYTES_MAX;
            // An answer to something else begins a batch of its own, which can name that. A
            // deletion stands alone.
            let deletes = is_deletion(&draft.body);
            if full || names_other(draft) || (deletes && !bodies.is_empty()) {
                break;
            }
            bytes += size(&draft.body);
            let Some(draft) = drafts.pop_front() else { break };
            if matches!(draft.body, Body::Profile { .. }) {
                // The name is said already, in front of everything.
                signed.askers_without_entry.extend(draft.asker);
                continue;
            }
            add(&draft.body, &mut bodies, ctx.random_bytes());
            askers.push((bodies.len() - 1, draft.asker, draft.reference.clone()));
            signed.refs.push(draft.reference);
            signed.republished.extend(draft.again);
            if deletes {
                break;
            }
        }
        if bodies.is_empty() {
            *head = Some(at);
            return signed;
        }
        let header = Header {
            version: HEADER_VERSION,
            room: self.room,
            author: ctx.own,
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
        *head = Some(at);
        let ids = askers.into_iter().map(|(index, asker, reference)| (batch.entry_id(index), asker, reference));
        signed.askers = ids.collect();
        signed.batch = Some(batch);
        signed
    }
}

impl LogHead {
    fn new(log: LogId) -> Self {
        Self { log, next_seq: 1, prev: None, last_time: None, profile: None, below: None }
    }
}

/// Returns true if a body deletes an entry: it is signed alone, so that it fits where the deleted
/// body stood.
fn is_deletion(body: &Body) -> bool {
    matches!(body, Body::Delete { .. })
}

/// The most bytes that a body needs in a batch.
fn size(body: &Body) -> usize {
    let text = match body {
        Body::Say { text, files, mentions, .. } => {
            text.len() + mentions.0.len() * MENTION_BYTES + files.0.iter().map(file_size).sum::<usize>()
        }
        Body::Edit { text, mentions, .. } => text.len() + mentions.0.len() * MENTION_BYTES,
        Body::Hooray { text, .. } | Body::Topic { text, .. } => text.len(),
        Body::Profile { status, .. } => status.as_ref().map_or(0, String::len),
        Body::Delete { .. } | Body::React { .. } | Body::File { .. } => 0,
    };
    text + NAME_BYTES_MAX + 2 * ENTRY_OVERHEAD_BYTES + SALT_BYTES
}

/// The most bytes that a file needs in a body.
fn file_size(file: &Attachment) -> usize {
    let preview = file.preview.as_ref().map_or(0, |bytes| bytes.len());
    file.name.len() + file.media_type.len() + preview + ENTRY_OVERHEAD_BYTES
}
