//! Five hosts on one switch with real broadcast: network namespaces on a bridge. Also unplugged
//! cables, machines with two users, and machines on two networks.

// Each test uses a part of it. The tests have this module's name as a prefix, so that tests/run can
// skip them where network namespaces are missing.
mod on_a_lan;
