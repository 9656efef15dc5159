//! Attacks on two honest nodes from a host on their network. The attacker speaks the protocol and
//! violates it at will. Each attack must fail while the two nodes keep exchanging messages.
//!
//! The floods last a few seconds here. For longer ones on a quiet machine, set
//! `ROOMFUL_FLOOD_SECONDS=30` for `cargo test --release --test attack floods`, with `--nocapture`
//! and one test thread.

// Each test uses a part of it. The tests have this module's name as a prefix, so that tests/run can
// skip them where network namespaces are missing.
mod accept_any_tls;
mod on_a_lan;
mod siege;
mod speaker;
mod writer;
