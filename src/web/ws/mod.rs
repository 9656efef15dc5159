//! The WebSocket of a page: handshake, welcome, broadcasts, and the page's own frames.

mod commands;
mod handshake;
pub mod request;
pub(crate) mod session;
mod transport;
mod welcome;
