//! Roomful.

pub mod net;
pub mod proto;
pub mod wire;
