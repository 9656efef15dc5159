//! The own logs that this start of the program goes on with, and what of them is on its way to the
//! disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::signing::{Draft, LogHead};
use crate::proto::engine::io::AskId;
use crate::proto::entries::batch::Verified;
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::replication::store_api::{IdempotencyKey, UnpublishedEntry};

/// The own log for one audience, of this start of the program.
#[derive(Debug, Default)]
pub(super) struct OutgoingLog {
    pub(super) head: Option<LogHead>,
    pub(super) queue: VecDeque<Draft>,
    pub(super) flight: Option<InFlightBatch>,
}

/// Own batches on their way to the disk.
#[derive(Debug)]
pub(super) struct InFlightBatch {
    pub(super) token: u64,
    pub(super) batches: Vec<Verified>,
    pub(super) of: Arc<[NodeId]>,
    pub(super) askers: BTreeMap<EntryId, (Option<AskId>, Option<IdempotencyKey>)>,
    /// Requests that are answered by the commit alone.
    pub(super) askers_without_entry: Vec<AskId>,
    /// The entries that are said again.
    pub(super) republished: Vec<UnpublishedEntry>,
}

impl InFlightBatch {
    /// An empty one. `of`: the members in reach.
    pub(super) fn new(token: u64, of: Arc<[NodeId]>) -> Self {
        let (batches, askers_without_entry, republished) = (Vec::new(), Vec::new(), Vec::new());
        Self { token, batches, of, askers: BTreeMap::new(), askers_without_entry, republished }
    }
}
