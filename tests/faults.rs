//! Real nodes under real faults: killed, on failing and full disks, with damaged files, copied, with wrong clocks, on a network that
//! loses packets. Whatever happened, what was acknowledged is there afterwards, once, and all nodes agree: every test ends with
//! the same checker (`faults/judge.rs`), which knows nothing but what was acknowledged and what the nodes list.
//!
//! What is drawn is drawn from a seed; a failure names it, with the command that repeats it. `SEED=…` runs exactly that one,
//! `SEEDS=…` so many, `ALL=1` every crash point of a recorded run. The tests need strace, faketime, nft and the right to mount and
//! to make network namespaces: `tests/run` sees to that, and where something is missing they fail and say so.

#[path = "faults/as_root.rs"]
mod as_root;
#[path = "faults/clocks.rs"]
mod clocks;
#[path = "common/mod.rs"]
mod common;
#[path = "faults/copies.rs"]
mod copies;
#[path = "faults/crash_points.rs"]
mod crash_points;
#[path = "faults/damage.rs"]
mod damage;
// What hosts can do beyond this is for the tests of the LAN.
#[allow(dead_code)]
#[path = "lan/hosts.rs"]
mod hosts;
#[path = "faults/io_errors.rs"]
mod io_errors;
#[path = "faults/judge.rs"]
mod judge;
#[path = "faults/room.rs"]
mod room;
#[path = "faults/seeds.rs"]
mod seeds;
#[path = "faults/sync.rs"]
mod sync;
#[path = "faults/trace.rs"]
mod trace;
