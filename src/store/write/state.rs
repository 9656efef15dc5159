//! The state that the writer keeps between writes: the highest arrival number, and row ids.

use rusqlite::Connection;

use super::row_cache::RowIdCache;
use crate::proto::ids::{Arrival, NodeId};
use crate::store::error::StoreError;
use crate::store::tables::runs::max_arrival;

/// The writer's view of the tables. A rollback makes it invalid, so it is read again.
pub(crate) struct WriteState {
    pub(crate) own: NodeId,
    /// The highest arrival number given.
    pub(crate) highest: Arrival,
    pub(crate) numbers: RowIdCache,
    /// True if the transaction removed bodies or copies whose bytes may still be in the files.
    pub(crate) has_stripped: bool,
}

impl WriteState {
    /// Reads the state of a database.
    pub(crate) fn new(db: &Connection, own: NodeId) -> Result<Self, StoreError> {
        Ok(Self { own, highest: max_arrival(db)?, numbers: RowIdCache::default(), has_stripped: false })
    }
}
