//! Statements on single tables, for the components that share them. No function here knows what a
//! message looks like.

pub(crate) mod attachments;
pub(crate) mod batches;
pub(crate) mod changes;
pub(crate) mod conversations;
pub(crate) mod forks;
pub(crate) mod logs;
pub(crate) mod members;
pub(crate) mod node;
pub(crate) mod notices;
pub(crate) mod page_storage;
pub(crate) mod receipts;
pub(crate) mod refs;
pub(crate) mod runs;
pub(crate) mod search_index;
pub(crate) mod unpublished;
