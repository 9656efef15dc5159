//! Real nodes under real faults: killed, on failing and full disks, with damaged files, copied,
//! with wrong clocks, on a lossy network. Afterwards every acknowledged message is there once, and
//! all nodes agree. Every test ends with the same checker (`faults/record.rs`), which knows only
//! what was acknowledged and what the nodes list.
//!
//! All random choices come from a seed. A failure prints it, with the command that repeats it.
//! `SEED=…` runs exactly that one, `SEEDS=…` sets their number, `ALL=1` tries every crash point of
//! a recorded run.
//!
//! The tests need strace, faketime, nft and the right to mount and to make network namespaces.
//! `tests/run` provides these; where one is missing, the tests fail and say so.

mod as_root;
mod clocks;
mod copies;
mod crash_points;
mod damage;
// What hosts can do beyond this is for the tests of the LAN.
mod io_errors;
mod record;
mod room;
mod seeds;
mod sync;
mod trace;
