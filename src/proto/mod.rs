//! The rules, pure: no socket, clock, thread or random source.

pub mod batch;
pub mod body;
pub mod clock;
pub mod frame;
pub mod ids;
pub mod limits;
pub mod name;
pub mod record;
pub mod roster;
pub mod timeline;
