//! The logs that a node holds, and what it exchanges with its peers.

pub mod author_limits;
pub mod drop_reason;
pub mod fork;
pub mod frame;
pub mod frontier;
pub mod log;
pub mod range_set;
pub mod receipts;
pub mod store_api;
