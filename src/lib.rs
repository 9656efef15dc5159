//! Roomful.

pub mod api;
pub mod net;
pub mod proto;
pub mod store;
pub mod wire;
