//! Changes of the tables: one function for each kind of write. Each works within the caller's
//! transaction and does not commit.

pub(crate) mod append;
pub(crate) mod apply;
pub(crate) mod changes;
pub(crate) mod dispatch;
pub(crate) mod fork;
pub(crate) mod index;
pub(crate) mod marks;
pub(crate) mod ordering;
pub(crate) mod quarantine;
pub(crate) mod row_cache;
pub(crate) mod state;
pub(crate) mod strip;
pub(crate) mod truncate;
