//! The rules, pure: no socket, clock, thread or random source.

pub mod announce;
pub mod batch;
pub mod body;
pub mod book;
pub mod bucket;
pub mod clock;
pub mod engine;
pub mod frame;
pub mod frontier;
pub mod ids;
pub mod limits;
pub mod log;
pub mod name;
pub mod receipts;
pub mod record;
pub mod roster;
pub mod session;
pub mod timeline;
