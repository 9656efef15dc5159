//! What this node holds and whom it is linked with, for the components that compare and fetch.

use crate::proto::engine::peers::link_table::LinkTable;
use crate::proto::replication::frontier::Frontier;

/// References for the time of one call.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) links: &'a LinkTable,
    /// Mutable since it computes hashes when they are asked for.
    pub(crate) frontier: &'a mut Frontier,
}
