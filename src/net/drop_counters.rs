//! Counters of what the network side dropped or refused, shared by its tasks.

use std::sync::{Arc, Mutex, PoisonError};

use crate::proto::replication::drop_reason::{DropCounters, DropReason};

/// The shared counters. All clones are the same.
#[derive(Clone, Default)]
pub(super) struct DropCounts(Arc<Mutex<DropCounters>>);

impl DropCounts {
    /// Adds one to the counter of `cause`.
    pub(super) fn count(&self, cause: DropReason) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(cause);
    }

    /// Adds one to the counter of `cause`, if there is one.
    pub(super) fn count_some(&self, cause: Option<DropReason>) {
        if let Some(cause) = cause {
            self.count(cause);
        }
    }

    /// Returns a copy of all counters.
    pub(super) fn tally(&self) -> DropCounters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
