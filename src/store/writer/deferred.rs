//! Writes that met a full disk. Writes whose result can be a refusal are refused. The others wait
//! for room.

use std::collections::VecDeque;

use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use crate::logging::throttle::WarnThrottle;
use crate::proto::limits::WRITES_DEFERRED_MAX;
use crate::proto::replication::store_api::{Committed, Write, WriteError, WriteResult};

/// Writes that wait for room on the disk.
#[derive(Default)]
pub(crate) struct DeferredWrites {
    writes: VecDeque<Write>,
    /// Limits warnings: a small write may succeed between two failures.
    warnings: WarnThrottle,
}

impl DeferredWrites {
    /// Returns true if no write waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Takes all waiting writes, oldest first.
    pub(crate) fn take(&mut self) -> Vec<Write> {
        self.writes.drain(..).collect()
    }

    /// Refuses the writes of `group` that can be refused, and keeps the others. Beyond
    /// [`WRITES_DEFERRED_MAX`] the oldest are dropped.
    pub(crate) fn defer(&mut self, group: Vec<Write>, answers: &UnboundedSender<Committed>) {
        if self.warnings.permits(()) {
            warn!("the disk is full: messages can't be sent until you free up space");
        }
        for write in group {
            let refusal = match write {
                Write::Append { token, .. } => WriteResult::Failed { token, error: WriteError::DiskFull },
                Write::Mark { member, .. } => WriteResult::NotMarked(member),
                other => {
                    if self.writes.len() == WRITES_DEFERRED_MAX {
                        self.writes.pop_front();
                    }
                    self.writes.push_back(other);
                    continue;
                }
            };
            // The receiver is gone while the node stops.
            let _ = answers.send(refusal.into());
        }
    }
}
