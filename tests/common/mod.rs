//! What the black-box tests share: real nodes as processes of their own, and the doors that the contract opens to them.
//! Nothing here imports the program; what a test knows of a node it learned through its command line, HTTP or WebSocket.

// Each test binary compiles this module for itself and uses a part of it.
#![allow(dead_code, unused_imports)]

pub(crate) mod api;
pub(crate) mod command;
pub(crate) mod lab;
pub(crate) mod links;
pub(crate) mod node;
pub(crate) mod socket;
pub(crate) mod wait;

pub(crate) use anyhow::{Context, Result, bail, ensure};
pub(crate) use serde_json::{Value, json};
