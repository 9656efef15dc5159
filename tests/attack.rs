//! An attacker on the network of two honest nodes: somebody who speaks the protocol and keeps to none of it. Whatever he
//! does is refused, the two still talk while he does it, and they stand afterwards.
//!
//! The floods last a few seconds here. For measured ones on a quiet machine:
//! `ROOMFUL_FLOOD_SECONDS=30 cargo test --release --test attack -- --nocapture --test-threads 1 floods`.

#[path = "common/mod.rs"]
mod common;
// Each of those who use it needs a part of it.
#[allow(dead_code)]
#[path = "lan/hosts.rs"]
mod hosts;
// The tests have this module's name before theirs, so that tests/run can leave them out by it where there are no namespaces.
#[path = "attack/on_a_lan.rs"]
mod on_a_lan;
#[path = "attack/siege.rs"]
mod siege;
#[path = "attack/speaker.rs"]
mod speaker;
#[path = "attack/trusting.rs"]
mod trusting;
#[path = "attack/writer.rs"]
mod writer;
