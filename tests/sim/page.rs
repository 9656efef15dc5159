//! What the page of a simulated node was told, and what must never happen to it: a message twice, one that goes back, an
//! answer that stands above what its author had seen.

use std::collections::BTreeMap;

use roomful::proto::engine::AskId;
use roomful::proto::ids::EntryId;
use roomful::proto::timeline::{Conversation, Held, Line, Order, Place};

#[derive(Default)]
pub struct Page {
    /// What it shows, and where.
    pub shown: BTreeMap<EntryId, (Conversation, Order)>,
    /// How many others hold an own message, as it was told last.
    pub held: BTreeMap<EntryId, Held>,
    /// The greatest place that it showed in each conversation, and what that was when each question was asked.
    tops: BTreeMap<Conversation, Place>,
    seen: BTreeMap<AskId, (Conversation, Place)>,
}

impl Page {
    /// It is loaded anew.
    pub fn afresh(&mut self, lines: Vec<Line>) {
        self.shown.clear();
        self.tops.clear();
        lines.iter().for_each(|line| self.line(line));
        // What is gone is no more above or below anything; and what was asked may name it in `after`, and stand nowhere yet.
        for (_, place) in self.seen.values_mut() {
            *place = 0;
        }
    }

    pub fn line(&mut self, line: &Line) {
        let before = self.shown.insert(line.id, (line.conversation.clone(), line.order));
        assert!(before.is_none(), "{:?} was shown twice", line.id);
        self.raise(line);
    }

    pub fn moved(&mut self, line: &Line) {
        let before = self.shown.insert(line.id, (line.conversation.clone(), line.order));
        assert!(before.is_some(), "{:?} moved and was never shown", line.id);
        self.raise(line);
    }

    fn raise(&mut self, line: &Line) {
        let top = self.tops.entry(line.conversation.clone()).or_insert(0);
        *top = (*top).max(line.order.place);
    }

    /// Its user says something: it has to stand behind all that is shown there now.
    pub fn asks(&mut self, asker: AskId, conversation: &Conversation) {
        let top = self.tops.get(conversation).copied().unwrap_or(0);
        self.seen.insert(asker, (conversation.clone(), top));
    }

    pub fn said(&mut self, asker: AskId, line: &Line) {
        let (_, seen) = self.seen.remove(&asker).expect("a question that was asked");
        assert!(line.order.place > seen, "{line:?} stands above what its author had seen");
    }

    pub fn held(&mut self, id: EntryId, held: Held) {
        let before = self.held.insert(id, held);
        assert!(before.is_none_or(|before| before.held_by < held.held_by), "who holds a message never shrinks");
    }
}
