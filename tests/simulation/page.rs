//! The page of a simulated node: what it received, and what it must never receive: a message twice,
//! a reordering backwards, or a reply above what its author had seen.

use std::collections::BTreeMap;

use roomful::proto::engine::AskId;
use roomful::proto::entries::appearance::Appearance;
use roomful::proto::entries::timeline::{Conversation, Delivery, Message, Order, Place};
use roomful::proto::ids::EntryId;

#[derive(Default)]
pub struct Page {
    /// What it shows, and where.
    pub shown: BTreeMap<EntryId, (Conversation, Order)>,
    /// How each of these looks.
    pub looks: BTreeMap<EntryId, (String, Appearance)>,
    /// The topics of channels.
    pub topics: BTreeMap<String, String>,
    /// How many others hold an own message, as it was told last.
    pub held: BTreeMap<EntryId, Delivery>,
    /// The greatest place shown in each conversation, and its value when each message was sent.
    tops: BTreeMap<Conversation, Place>,
    seen: BTreeMap<AskId, (Conversation, Place)>,
}

impl Page {
    /// It is loaded anew.
    pub fn afresh(&mut self, lines: Vec<Message>, topics: BTreeMap<String, String>) {
        self.topics = topics;
        self.shown.clear();
        self.looks.clear();
        self.tops.clear();
        lines.iter().for_each(|line| self.line(line));
        // Removed messages no longer count. A sent message may name one of them in `after`, and
        // have no place yet.
        for (_, place) in self.seen.values_mut() {
            *place = 0;
        }
    }

    pub fn line(&mut self, line: &Message) {
        let before = self.shown.insert(line.id, (line.conversation.clone(), line.order));
        assert!(before.is_none(), "{:?} was shown twice", line.id);
        self.update(line);
    }

    pub fn moved(&mut self, line: &Message) {
        let before = self.shown.insert(line.id, (line.conversation.clone(), line.order));
        assert!(before.is_some(), "{:?} moved and was never shown", line.id);
        self.update(line);
    }

    fn update(&mut self, line: &Message) {
        self.looks.insert(line.id, (line.text.clone(), (*line.changes).clone()));
        let top = self.tops.entry(line.conversation.clone()).or_insert(0);
        *top = (*top).max(line.order.place);
    }

    /// Its user says something: it has to stand behind all that is shown there now.
    pub fn asks(&mut self, asker: AskId, conversation: &Conversation) {
        let top = self.tops.get(conversation).copied().unwrap_or(0);
        self.seen.insert(asker, (conversation.clone(), top));
    }

    pub fn said(&mut self, asker: AskId, line: &Message) {
        let (_, seen) = self.seen.remove(&asker).expect("a question that was asked");
        assert!(line.order.place > seen, "{line:?} stands above what its author had seen");
    }

    pub fn held(&mut self, id: EntryId, held: Delivery) {
        let before = self.held.insert(id, held);
        assert!(before.is_none_or(|before| before.held_by < held.held_by), "who holds a message never shrinks");
    }
}
