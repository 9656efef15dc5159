//! The status of the content that is known to the node, for every form of a message.
//!
//! The node keeps it, and the server reads it when it encodes a message: the store knows which
//! content a message names, and not how much of it is here.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::api::{FileJson, MessageJson};
use crate::proto::entries::timeline::Message;
use crate::proto::files::attachment::Attachment;
use crate::proto::files::status::FileStatus;
use crate::proto::ids::Hash;

/// The statuses. Content without one is not here. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FileStatuses(Arc<RwLock<BTreeMap<Hash, FileStatus>>>);

impl FileStatuses {
    /// The status of some content.
    pub fn get(&self, content: &Hash) -> FileStatus {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(content).copied().unwrap_or_default()
    }

    /// Sets the status of some content. Returns true if it changed.
    pub fn set(&self, content: Hash, status: FileStatus) -> bool {
        let mut statuses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = match status == FileStatus::default() {
            true => statuses.remove(&content),
            false => statuses.insert(content, status),
        };
        before.unwrap_or_default() != status
    }

    /// The form of a message, with the status of its files.
    pub fn message(&self, line: &Message) -> MessageJson {
        MessageJson::new(line, |content| self.get(content))
    }

    /// The form of a file.
    pub fn file(&self, file: &Attachment) -> FileJson {
        FileJson::new(file, self.get(&file.content))
    }
}
