//! How much is on its way to the disk: whoever writes faster than the disk is not heard until it has caught up.
//!
//! It counts and decides nothing else. Links are read in turn, so that honest ones wait for a commit or two and no longer;
//! nothing that came in is thrown away.

use std::collections::HashMap;

use crate::proto::limits::UNWRITTEN_BYTES_MAX;
use crate::proto::record::{Write, Written};

/// Bytes of batches that the store was asked to keep and has not answered for, by the token of the question.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    bytes: usize,
    by_token: HashMap<u64, usize>,
}

impl Unwritten {
    /// Whether more may be heard.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < UNWRITTEN_BYTES_MAX
    }

    /// The store is asked for this.
    pub(super) fn asked(&mut self, write: &Write) {
        if let Write::Append { token, batches } = write {
            let bytes = batches.iter().map(|append| append.batch.bytes().len()).sum();
            self.bytes += bytes;
            self.by_token.insert(*token, bytes);
        }
    }

    /// The store has answered.
    pub(super) fn answered(&mut self, written: &Written) {
        if let Written::Appended { token, .. } | Written::Failed { token, .. } = written {
            self.bytes -= self.by_token.remove(token).unwrap_or(0);
        }
    }
}
