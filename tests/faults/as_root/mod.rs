//! Faults that need the right to mount and to make network namespaces. The tests have this module's
//! name as a prefix, so that tests/run can skip them where that right is missing.

mod crashes;
mod delay;
mod full_disk;
mod middle;
mod mutated;
mod network;
mod unwritable;
