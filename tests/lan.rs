//! Five hosts on one switch, with real broadcast: network namespaces on a bridge. What works on loopback must work where every
//! host has a network of its own, cables are pulled, and a machine has two users or two networks.

#[path = "common/mod.rs"]
mod common;
// Each of those who use it needs a part of it.
#[allow(dead_code)]
#[path = "lan/hosts.rs"]
mod hosts;
// The tests have this module's name before theirs, so that tests/run can leave them out by it where there are no namespaces.
#[path = "lan/on_a_lan.rs"]
mod on_a_lan;
