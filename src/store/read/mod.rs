//! Queries: functions of one connection, each within one read transaction. None changes the
//! database.

pub(crate) mod appearance;
pub(crate) mod decoded;
pub(crate) mod engine_snapshot;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod find_ids;
pub(crate) mod lookup;
pub(crate) mod message;
pub(crate) mod page;
pub(crate) mod resume;
pub(crate) mod search;
pub(crate) mod topics;
pub(crate) mod undeleted;
pub(crate) mod versions;
