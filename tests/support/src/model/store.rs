//! The store of a simulated node: maps instead of SQL, the same rules, and a disk that keeps only
//! commits.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::mention::Mentions;
use roomful::proto::entries::message_state::Readers;
use roomful::proto::entries::timeline::{
    Conversation, Delivery, Message, MessageKind, Notice, Order, Place, Places, assign_places, recompute_places,
};
use roomful::proto::ids::{Arrival, EntryId, LogId, LogKey, NodeId, Seq};
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::Fetch;
use roomful::proto::replication::store_api::{
    Appended, HistoryPage, LogRecord, MemberReceipt, MemberRecord, Snapshot, TrackedMessage, Write, WriteResult,
};

use super::forks::Forks;

/// What a simulated node has on its disk.
#[derive(Clone, Debug)]
pub struct Disk {
    pub own: NodeId,
    pub batches: BTreeMap<(LogKey, Seq), Verified>,
    pub places: BTreeMap<(LogKey, Seq), Place>,
    arrivals: BTreeMap<(LogKey, Seq), Arrival>,
    last_arrival: Arrival,
    members: BTreeMap<NodeId, MemberRecord>,
    receipts: Vec<MemberReceipt>,
    own_lines: Vec<TrackedMessage>,
    pub forks: Forks,
    pub name: Option<Name>,
    /// The first entries of batches that name an entry in `after`.
    named: BTreeSet<(EntryId, LogKey, Seq)>,
    /// Whose logs are called so: numbers are random, but a cheat may take another's.
    pub(super) authors: BTreeSet<(LogId, NodeId)>,
    /// The entries that change a message, by the message.
    pub(super) changes: BTreeMap<EntryId, BTreeSet<(LogKey, Seq)>>,
    /// The entries that set a topic.
    pub(super) topic_entries: BTreeSet<(LogKey, Seq)>,
    /// The places of changes that were stored and not told yet.
    pub(super) new_tops: Vec<(Conversation, Place, EntryId)>,
    /// The bytes by which logs shrank or grew because of deletions, and that were not told yet.
    pub(super) resized: BTreeMap<LogKey, i64>,
}

impl Disk {
    pub fn new(own: NodeId) -> Self {
        Self {
            own,
            batches: BTreeMap::new(),
            places: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            last_arrival: 0,
            members: BTreeMap::new(),
            receipts: Vec::new(),
            own_lines: Vec::new(),
            forks: Forks::default(),
            name: None,
            named: BTreeSet::new(),
            authors: BTreeSet::new(),
            changes: BTreeMap::new(),
            topic_entries: BTreeSet::new(),
            new_tops: Vec::new(),
            resized: BTreeMap::new(),
        }
    }

    /// What an engine is told at its start.
    pub fn snapshot(&self) -> Snapshot {
        let mut logs: BTreeMap<LogKey, (Option<NodeId>, roomful::proto::replication::log::HeldBatches)> =
            BTreeMap::new();
        for batch in self.batches.values() {
            let log = logs.entry(batch.header().key()).or_insert_with(|| (batch.header().audience, Default::default()));
            log.1.add(batch);
        }
        for fork in self.forks.known.values() {
            logs.entry(fork.key()).or_insert_with(|| (fork.proof()[0].header().audience, Default::default()));
        }
        let logs = logs.into_iter().map(|(key, (audience, ranges))| {
            let fork = self.forks.known.get(&key).cloned();
            LogRecord { key, audience, ranges: ranges.runs(), bytes: ranges.bytes(), fork }
        });
        let mut tops: BTreeMap<Conversation, (Place, EntryId)> = BTreeMap::new();
        for line in self.lines() {
            let top = tops.entry(line.conversation).or_insert((line.order.place, line.id));
            *top = (*top).max((line.order.place, line.id));
        }
        Snapshot {
            logs: logs.collect(),
            tops: tops.into_iter().map(|(conversation, (place, id))| (conversation, place, id)).collect(),
            members: self.members.values().cloned().collect(),
            marks: Vec::new(),
            own: self.own_lines.clone(),
            receipts: self.receipts.clone(),
            fallen: self.forks.fallen.values().flatten().cloned().collect(),
            refs: Vec::new(),
            statuses: Vec::new(),
            to_delete: self.undeleted_edits(),
        }
    }

    /// Whether this node knows that `member` holds its own entry.
    pub fn knows_held(&self, member: NodeId, id: EntryId) -> bool {
        let names = |receipt: &MemberReceipt| {
            receipt.member == member && receipt.log == id.log && (receipt.first..=receipt.last).contains(&id.seq)
        };
        self.receipts.iter().any(names)
    }

    /// Does one piece of work, as if it were committed now.
    pub fn write(&mut self, write: Write) -> Option<WriteResult> {
        match write {
            Write::Append { token, batches } => {
                let (before, topics_before) = (self.last_arrival, self.topics());
                let mut moved = BTreeSet::new();
                for append in batches {
                    let own = append.own.as_ref();
                    if !self.admit(&append.batch, own.is_some()) {
                        continue;
                    }
                    for number in own.iter().flat_map(|own| &own.again) {
                        self.forks.said_again(*number);
                    }
                    self.append(&append.batch, &mut moved);
                    if let Some(own) = own {
                        let ids = (0..append.batch.header().entries.len()).map(|index| append.batch.entry_id(index));
                        self.own_lines.extend(ids.map(|id| TrackedMessage { id, of: own.of.clone() }));
                    }
                }
                // A change that stands elsewhere now may count, or not any more.
                let changes = moved.iter().filter_map(|(key, seq)| self.message_of_change(*key, *seq));
                let moved: BTreeSet<_> = changes.chain(moved.iter().copied()).collect();
                let moved = moved.into_iter().filter_map(|(key, seq)| self.line(key, seq));
                let moved: Vec<_> = moved.filter(|line| line.arrival <= before).collect();
                let new = self.arrivals.iter().filter(|(_, arrival)| **arrival > before);
                let mut new: Vec<_> = new.map(|((key, seq), arrival)| (*arrival, *key, *seq)).collect();
                new.sort_unstable();
                let lines: Vec<_> = new.into_iter().filter_map(|(_, key, seq)| self.line(key, seq)).collect();
                let (resized, to_delete) = (std::mem::take(&mut self.resized), self.undeleted_edits());
                let changed = self.changed();
                let resized = resized.into_iter().filter(|(key, _)| changed.logs.iter().all(|log| log.key != *key));
                let resized = resized.collect();
                let mut tops = std::mem::take(&mut self.new_tops);
                let topics = self.topics().into_iter().filter(|(name, text)| topics_before.get(name) != Some(text));
                let topics = topics.map(|(name, text)| (Name::from_lossy(&name, "general"), text)).collect();
                let places = lines.iter().chain(&moved);
                tops.extend(places.map(|line| (line.conversation.clone(), line.order.place, line.id)));
                let ids = |lines: &[Message]| lines.iter().map(|line| line.id).collect();
                let (messages, moved) = (ids(&lines), ids(&moved));
                let read = Vec::new();
                let appended = Appended {
                    token,
                    messages,
                    moved,
                    tops,
                    topics,
                    changed,
                    read,
                    resized,
                    to_delete,
                    released: Vec::new(),
                };
                Some(WriteResult::Appended(appended))
            }
            Write::Fork(fork) => {
                self.fork_told(fork);
                Some(WriteResult::Changed(self.changed()))
            }
            Write::Receipts(receipts) => {
                self.receipts.extend(receipts.iter().copied());
                Some(WriteResult::Receipts(receipts))
            }
            Write::Notice { wall_ms, kind, member, name } => {
                self.last_arrival += 1;
                Some(WriteResult::Noted(Notice { arrival: self.last_arrival, wall_ms, kind, member, name }))
            }
            Write::Member(record) => {
                self.members.insert(record.id, record);
                None
            }
            Write::OwnName(name) => {
                self.name = Some(name);
                None
            }
            Write::Read { .. } | Write::Mark { .. } => None,
        }
    }

    fn append(&mut self, batch: &Verified, moved: &mut BTreeSet<(LogKey, Seq)>) {
        let header = batch.header();
        let key = header.key();
        assert!(self.batches.insert((key, header.first_seq), batch.clone()).is_none(), "a batch is stored once");
        for seq in header.first_seq..=header.last_seq() {
            self.last_arrival += 1;
            self.arrivals.insert((key, seq), self.last_arrival);
        }
        self.authors.insert((key.log, key.author));
        self.named.extend(header.after.map(|after| (after, key, header.first_seq)));
        let Ok(changed) = assign_places(self, batch);
        moved.extend(changed);
        moved.extend(self.note_changes(batch));
        self.strip_deleted(batch);
    }

    /// Takes a batch out, with all that hangs on its being there. Returns what stood on it.
    pub fn take_out(&mut self, batch: &Verified) -> Vec<(LogKey, Seq)> {
        let header = batch.header();
        let key = header.key();
        let mut standing = vec![(key, header.last_seq() + 1)];
        for (index, seq) in (header.first_seq..=header.last_seq()).enumerate() {
            self.places.remove(&(key, seq));
            standing.extend(self.naming(batch.entry_id(index)));
        }
        self.batches.remove(&(key, header.first_seq));
        self.forks.audiences.insert(key, header.audience);
        if let Some(after) = header.after {
            self.named.remove(&(after, key, header.first_seq));
        }
        standing
    }

    /// The disk changes a batch: it is found out, set aside, and known to be lacking.
    pub fn damage(&mut self, batch: &Verified) -> WriteResult {
        let standing = self.take_out(batch);
        let Ok(_) = recompute_places(self, standing);
        self.forks.lacks(batch.header().key());
        WriteResult::Changed(self.changed())
    }

    /// Whether this entry is here.
    pub fn holds(&self, key: LogKey, id: EntryId) -> bool {
        let index = |batch: &Verified| (id.seq - batch.header().first_seq) as usize;
        self.batch_of(key, id.seq).is_some_and(|batch| batch.entry_id(index(batch)) == id)
    }

    /// Returns true if the place of a message depends on missing entries: what it names in `after`,
    /// directly or indirectly, was removed with a forked log, or is on no disk.
    pub fn stood_on_what_is_gone(&self, line: &Message) -> bool {
        let mut under = vec![(LogKey { author: line.order.author, log: line.order.log }, line.order.seq)];
        let mut looked_at = BTreeSet::new();
        while let Some((key, seq)) = under.pop() {
            let Some(batch) = self.batch_of(key, seq) else { return true };
            let first = batch.header().first_seq;
            if !looked_at.insert((key, first)) {
                continue;
            }
            under.extend((first > 1).then(|| (key, first - 1)));
            let Some(named) = batch.header().after else { continue };
            let logs = self.authors.range((named.log, NodeId([0; 32]))..).take_while(|(log, _)| *log == named.log);
            let mut keys = logs.map(|(log, author)| LogKey { author: *author, log: *log });
            let Some(key) = keys.find(|key| self.holds(*key, named)) else { return true };
            under.push((key, named.seq));
        }
        false
    }

    /// The first entries of batches that name an entry.
    fn naming(&self, id: EntryId) -> Vec<(LogKey, Seq)> {
        let least = LogKey { author: NodeId([0; 32]), log: LogId(0) };
        let named = self.named.range((id, least, 0)..).take_while(|(named, ..)| *named == id);
        named.map(|(_, key, seq)| (*key, *seq)).collect()
    }

    pub(super) fn batch_of(&self, key: LogKey, seq: Seq) -> Option<&Verified> {
        let (_, batch) = self.batches.range((key, 0)..=(key, seq)).next_back()?;
        (batch.header().last_seq() >= seq).then_some(batch)
    }

    /// The message at a place of a log, if it is one.
    pub fn line(&self, key: LogKey, seq: Seq) -> Option<Message> {
        let batch = self.batch_of(key, seq)?;
        let header = batch.header();
        let index = (seq - header.first_seq) as usize;
        if let Some(deletion) = batch.deletion(index) {
            return self.deleted_line(batch, index, &deletion);
        }
        let (said, mentions, channel, reply_to, kind) = match batch.body(index)? {
            Body::Say { text, channel, reply_to, mentions, .. } => {
                (text, mentions, channel, reply_to, MessageKind::Say)
            }
            Body::Hooray { text, channel } => (text, Mentions::default(), channel, None, MessageKind::Hooray),
            _ => return None,
        };
        let readers = Readers { author: key.author, audience: header.audience };
        let (text, changes) = self.state(batch.entry_id(index), readers).current(said, &mentions);
        let (kind, reply_to) = if changes.deleted { (MessageKind::Say, None) } else { (kind, reply_to) };
        let line = self.blank(batch, index, channel.as_deref())?;
        Some(Message { kind, text, reply_to, changes: Box::new(changes), ..line })
    }

    /// A message of which only the place is known yet.
    pub(super) fn blank(&self, batch: &Verified, index: usize, channel: Option<&str>) -> Option<Message> {
        let (header, seq) = (batch.header(), batch.header().first_seq + index as Seq);
        let key = header.key();
        Some(Message {
            id: batch.entry_id(index),
            arrival: self.arrivals[&(key, seq)],
            order: Order { place: self.places[&(key, seq)], author: key.author, log: key.log, seq },
            time: Stamp(header.entries[index].time),
            name: Name::from_lossy("somebody", "somebody"),
            conversation: Conversation::of(self.own, key.author, header.audience, channel)?,
            to: header.audience,
            kind: MessageKind::Say,
            text: String::new(),
            reply_to: None,
            reply: None,
            changes: Box::default(),
            held: (key.author == self.own).then_some(Delivery { held_by: 0, of: 0 }),
        })
    }

    /// The message with this id, if it is one.
    pub fn message(&self, id: EntryId) -> Option<Message> {
        let authors = self.authors.range((id.log, NodeId([0; 32]))..=(id.log, NodeId([0xff; 32])));
        let mut keys = authors.map(|(log, author)| LogKey { log: *log, author: *author });
        keys.find(|key| self.holds(*key, id)).and_then(|key| self.line(key, id.seq))
    }

    /// All messages in the order of the room.
    pub fn lines(&self) -> Vec<Message> {
        let mut lines: Vec<Message> = self.places.keys().filter_map(|(key, seq)| self.line(*key, *seq)).collect();
        lines.sort_by_key(|line| line.order);
        lines
    }

    /// A page of history for a peer.
    pub fn history(&self, fetch: Fetch) -> HistoryPage {
        let mut batches: Vec<Verified> = Vec::new();
        let mut bytes = 0;
        for batch in self.batches.range((fetch.key, 0)..=(fetch.key, fetch.last)).rev().map(|(_, batch)| batch) {
            bytes += batch.bytes().len() as u64;
            let last = batch.header().last_seq();
            let hangs = batches.last().is_none_or(|next| next.header().first_seq == last + 1);
            if !hangs || last < fetch.first || (bytes > fetch.bytes && !batches.is_empty()) {
                break;
            }
            batches.push(batch.clone());
        }
        batches.reverse();
        HistoryPage { fetch, batches }
    }
}

impl Places for Disk {
    type Error = Infallible;

    fn place(&mut self, key: LogKey, seq: Seq) -> Result<Option<Place>, Infallible> {
        Ok(self.places.get(&(key, seq)).copied())
    }

    fn place_of_id(&mut self, id: EntryId) -> Result<Option<Place>, Infallible> {
        let authors = self.authors.range((id.log, NodeId([0; 32]))..=(id.log, NodeId([0xff; 32])));
        let mut keys = authors.map(|(log, author)| LogKey { log: *log, author: *author });
        let found = keys.find(|key| self.holds(*key, id));
        Ok(found.and_then(|key| self.places.get(&(key, id.seq)).copied()))
    }

    fn signed(&mut self, key: LogKey, seq: Seq) -> Result<Option<(Stamp, Option<EntryId>)>, Infallible> {
        Ok(self.batch_of(key, seq).map(|batch| {
            let header = batch.header();
            let time = Stamp(header.entries[(seq - header.first_seq) as usize].time);
            (time, header.after.filter(|_| seq == header.first_seq))
        }))
    }

    fn dependents(&mut self, key: LogKey, seq: Seq) -> Result<Vec<(LogKey, Seq)>, Infallible> {
        let Some(batch) = self.batch_of(key, seq) else { return Ok(Vec::new()) };
        Ok(self.naming(batch.entry_id((seq - batch.header().first_seq) as usize)))
    }

    fn put(&mut self, key: LogKey, seq: Seq, place: Place) -> Result<(), Infallible> {
        self.places.insert((key, seq), place);
        Ok(())
    }
}
