//! The store of a simulated node: maps instead of SQL, the same rules.

mod changes;
pub mod forks;
pub mod store;
