//! Recovery: finds damage and repairs it.
//!
//! - `inspect`, `wal` and `state_file` check the files before anything is written.
//! - `audit` compares the tables with the signed batches. `rebuild`, `survey` and `local_rows`
//!   rebuild contradicting tables in place. In the running node, `free_space` checks for room
//!   first.
//! - `times` clears times in the far future.
//! - `repair` replaces a file that SQLite cannot read. `salvage`, `legible` and `scan` fill the new
//!   one.
//! - `copies` lists and removes the files that were set aside.
//! - `repair_notes` keeps the reports for the user.

pub(crate) mod audit;
pub(crate) mod copies;
pub(crate) mod free_space;
pub(crate) mod inspect;
pub(crate) mod legible;
pub(crate) mod local_rows;
pub(crate) mod rebuild;
pub(crate) mod repair;
pub(crate) mod repair_notes;
pub(crate) mod salvage;
pub(crate) mod scan;
pub(crate) mod state_file;
pub(crate) mod survey;
pub(crate) mod times;
pub(crate) mod wal;
