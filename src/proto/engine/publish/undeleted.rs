//! Own edits of messages that the user deleted: each is deleted too, once, so that its text goes.

use std::collections::BTreeMap;

use crate::proto::ids::EntryId;
use crate::proto::replication::store_api::UndeletedEdit;

/// Own edits that have to be deleted, because their message was.
#[derive(Debug, Default)]
pub(crate) struct UndeletedEdits {
    waiting: Vec<UndeletedEdit>,
    /// Edits whose deletion was drafted.
    drafted: BTreeMap<EntryId, UndeletedEdit>,
}

impl UndeletedEdits {
    /// Goes on with the edits that the last run left.
    pub(crate) fn new(waiting: Vec<UndeletedEdit>) -> Self {
        Self { waiting, drafted: BTreeMap::new() }
    }

    /// Adds edits. Those whose deletion was drafted are left out.
    pub(crate) fn add(&mut self, edits: Vec<UndeletedEdit>) {
        self.waiting.extend(edits.into_iter().filter(|edit| !self.drafted.contains_key(&edit.id)));
    }

    /// Takes the edits whose deletion is to be drafted now.
    pub(crate) fn take(&mut self) -> Vec<UndeletedEdit> {
        let mut edits = std::mem::take(&mut self.waiting);
        edits.retain(|edit| self.drafted.insert(edit.id, *edit).is_none());
        edits
    }

    /// The deletion of an entry could not be stored. That of an edit is drafted again.
    pub(crate) fn on_failed(&mut self, deleted: EntryId) {
        self.waiting.extend(self.drafted.remove(&deleted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::LogId;

    #[test]
    fn an_edit_is_deleted_once_unless_that_failed() {
        let edit = UndeletedEdit { id: EntryId { log: LogId(1), seq: 2, check: [3; 16] }, audience: None };
        let mut edits = UndeletedEdits::new(vec![edit]);
        edits.add(vec![edit]);
        assert_eq!(edits.take(), [edit]);
        edits.add(vec![edit]);
        assert_eq!(edits.take(), []);
        edits.on_failed(EntryId { seq: 3, ..edit.id });
        assert_eq!(edits.take(), []);
        edits.on_failed(edit.id);
        assert_eq!(edits.take(), [edit]);
    }
}
