//! Backpressure: while too many bytes are on their way to the disk, nothing is read from the
//! network.
//!
//! Links are read in turn, so that honest peers wait for a commit or two and no longer. Nothing
//! that came in is dropped.

use std::collections::HashMap;

use crate::proto::limits::UNWRITTEN_BYTES_MAX;
use crate::proto::replication::store_api::{Appended, Write, WriteResult};

/// The bytes of batches that were given to the store and not answered yet, by the token of the
/// write.
#[derive(Debug, Default)]
pub(super) struct PendingWriteBytes {
    bytes: usize,
    by_token: HashMap<u64, usize>,
}

impl PendingWriteBytes {
    /// Returns true if more may be read from the network.
    pub(super) fn is_below_limit(&self) -> bool {
        self.bytes < UNWRITTEN_BYTES_MAX
    }

    /// A write goes to the store.
    pub(super) fn on_submitted(&mut self, write: &Write) {
        if let Write::Append { token, batches } = write {
            let bytes = batches.iter().map(|append| append.batch.bytes().len()).sum();
            self.bytes += bytes;
            self.by_token.insert(*token, bytes);
        }
    }

    /// The store has completed a write.
    pub(super) fn on_completed(&mut self, written: &WriteResult) {
        if let WriteResult::Appended(Appended { token, .. }) | WriteResult::Failed { token, .. } = written {
            self.bytes -= self.by_token.remove(token).unwrap_or(0);
        }
    }
}
