//! The bodies and queries of requests, read and checked as far as that needs no state of the node.

pub(crate) mod attachments;
pub(crate) mod byte_range;
pub(crate) mod change;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod line_splitter;
pub(crate) mod query;
pub(crate) mod say;
