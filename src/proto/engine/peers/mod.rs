//! The peers: their addresses, the links to them, and how present they are.

pub(crate) mod admission;
pub(crate) mod discovery;
pub(crate) mod duplicate_links;
pub(crate) mod flow_control;
pub(crate) mod link_table;
pub(crate) mod presence;
pub(crate) mod relay;
