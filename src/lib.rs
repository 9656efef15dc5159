//! Roomful.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod greeting;
pub mod identity;
pub mod net;
pub mod node;
pub mod proto;
pub mod signals;
pub mod store;
pub mod web;
pub mod wire;
