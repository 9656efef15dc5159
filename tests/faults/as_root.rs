//! What needs the right to mount and to make network namespaces. The tests have this module's name before theirs, so that tests/run
//! can leave them out by it where that right cannot be had.

mod crashes;
mod delay;
mod full_disk;
mod middle;
mod mutated;
mod network;
mod unwritable;
