//! Shared test support: real nodes as processes, hosts on a network, browsers, and a scripted node.
//!
//! [`api`], [`command`], [`lab`], [`node`] and [`socket`] use the program only through its command
//! line, HTTP and WebSocket.

pub mod api;
pub mod command;
pub mod driver;
pub mod fake_node;
pub mod hosts;
pub mod lab;
pub mod links;
pub mod model;
pub mod node;
pub mod page;
pub mod second_user;
pub mod shapes;
pub mod socket;
pub mod wait;

pub use anyhow::{Context, Result, bail, ensure};
pub use serde_json::{Value, json};
