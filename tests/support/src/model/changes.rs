//! Messages that change on the disk of a simulated node, and deletions, which take the place of
//! what they delete.

use std::collections::BTreeMap;

use roomful::proto::clock::Stamp;
use roomful::proto::entries::appearance::Appearance;
use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::deletion::strip;
use roomful::proto::entries::message_state::{MessageState, Readers};
use roomful::proto::entries::timeline::{Conversation, Message, Order};
use roomful::proto::ids::{EntryId, LogId, LogKey, NodeId, Seq};
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::UndeletedEdit;

use super::store::Disk;

impl Disk {
    /// The entries held that change a message.
    pub(super) fn state(&self, id: EntryId, readers: Readers) -> MessageState {
        let mut state = MessageState::new(readers);
        for (key, seq) in self.changes.get(&id).into_iter().flatten() {
            let Some(batch) = self.batch_of(*key, *seq) else { continue };
            let index = (seq - batch.header().first_seq) as usize;
            let Some(body) = batch.body(index).filter(|body| body.changes() == Some(id)) else { continue };
            let order = Order { place: self.places[&(*key, *seq)], author: key.author, log: key.log, seq: *seq };
            state.apply(order, Stamp(batch.header().entries[index].time), batch.header().audience, &body);
        }
        state
    }

    /// Notes what the entries of a batch change. Returns the messages that are here.
    pub(super) fn note_changes(&mut self, batch: &Verified) -> Vec<(LogKey, Seq)> {
        let header = batch.header();
        let mut changed = Vec::new();
        for index in 0..header.entries.len() {
            let (seq, body) = (header.first_seq + index as Seq, batch.body(index));
            if let Some(Body::Topic { channel, .. }) = &body {
                self.topic_entries.insert((header.key(), seq));
                let conversation = Conversation::Channel(Name::from_lossy(channel, "general"));
                self.new_tops.push((conversation, self.places[&(header.key(), seq)], batch.entry_id(index)));
            }
            let Some(id) = body.and_then(|body| body.changes()) else { continue };
            self.changes.entry(id).or_default().insert((header.key(), seq));
            let authors = self.authors.range((id.log, NodeId([0; 32]))..=(id.log, NodeId([0xff; 32])));
            let mut keys = authors.map(|(log, author)| LogKey { log: *log, author: *author });
            let Some(target) = keys.find(|key| self.holds(*key, id)) else { continue };
            changed.push((target, id.seq));
            if let Some(line) = self.line(target, id.seq) {
                self.new_tops.push((line.conversation, self.places[&(header.key(), seq)], batch.entry_id(index)));
            }
        }
        changed
    }

    /// The topics of the channels, each the last in order.
    pub fn topics(&self) -> BTreeMap<String, String> {
        let mut topics: BTreeMap<String, (Order, String)> = BTreeMap::new();
        for (key, seq) in &self.topic_entries {
            let (Some(batch), Some(place)) = (self.batch_of(*key, *seq), self.places.get(&(*key, *seq))) else {
                continue;
            };
            let body = batch.body((seq - batch.header().first_seq) as usize);
            let Some(Body::Topic { channel, text }) = body.filter(|_| batch.header().audience.is_none()) else {
                continue;
            };
            let order = Order { place: *place, author: key.author, log: key.log, seq: *seq };
            if topics.get(&channel).is_none_or(|(last, _)| *last < order) {
                topics.insert(channel, (order, text));
            }
        }
        topics.into_iter().map(|(channel, (_, text))| (channel, text)).collect()
    }

    /// The log of an entry that is held.
    fn find(&self, id: EntryId) -> Option<LogKey> {
        let authors = self.authors.range((id.log, NodeId([0; 32]))..=(id.log, NodeId([0xff; 32])));
        let mut keys = authors.map(|(log, author): &(LogId, NodeId)| LogKey { log: *log, author: *author });
        keys.find(|key| self.holds(*key, id))
    }

    /// The message that an entry changes, if both are held.
    pub(super) fn message_of_change(&self, key: LogKey, seq: Seq) -> Option<(LogKey, Seq)> {
        let batch = self.batch_of(key, seq)?;
        let id = batch.body((seq - batch.header().first_seq) as usize)?.changes()?;
        Some((self.find(id)?, id.seq))
    }

    /// Puts deletions in the place of what they delete, whichever of the two has just come.
    pub(super) fn strip_deleted(&mut self, batch: &Verified) {
        let mut ids: Vec<EntryId> = (0..batch.header().entries.len()).map(|index| batch.entry_id(index)).collect();
        ids.extend(batch.body(0).and_then(|body| body.changes()));
        for id in ids {
            for (key, seq) in self.changes.get(&id).cloned().unwrap_or_default() {
                let (Some(target), Some(deletion)) = (self.find(id), self.batch_of(key, seq)) else { continue };
                let Some(held) = self.batch_of(target, id.seq) else { continue };
                let Some(stripped) = strip(held, (id.seq - held.header().first_seq) as usize, deletion) else {
                    continue;
                };
                let bytes = stripped.bytes().len() as i64 - held.bytes().len() as i64;
                *self.resized.entry(target).or_default() += bytes;
                self.batches.insert((target, stripped.header().first_seq), stripped);
            }
        }
    }

    /// What is shown of a message whose body is gone. Nothing is of an edit.
    pub(super) fn deleted_line(&self, batch: &Verified, index: usize, deletion: &Body) -> Option<Message> {
        let Body::Delete { channel: Some(channel), .. } = deletion else { return None };
        let changes = Appearance { deleted: true, ..Appearance::default() };
        Some(Message { changes: Box::new(changes), ..self.blank(batch, index, Some(channel))? })
    }

    /// Own edits of deleted messages whose text is still here.
    pub(super) fn undeleted_edits(&self) -> Vec<UndeletedEdit> {
        let mut found = Vec::new();
        for (id, changes) in &self.changes {
            let own = || changes.iter().filter(|(key, _)| key.author == self.own);
            if own().next().is_none() {
                continue;
            }
            let Some(line) = self.find(*id).and_then(|key| self.line(key, id.seq)) else { continue };
            for (key, seq) in own().filter(|_| line.changes.deleted) {
                let Some(batch) = self.batch_of(*key, *seq) else { continue };
                let index = (seq - batch.header().first_seq) as usize;
                if matches!(batch.body(index), Some(Body::Edit { entry, .. }) if entry == *id) {
                    found.push(UndeletedEdit { id: batch.entry_id(index), audience: batch.header().audience });
                }
            }
        }
        found
    }
}
