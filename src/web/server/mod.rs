//! The transport below HTTP: listeners, accepted connections, and the check of their user.

pub(crate) mod accept;
mod connection;
pub mod listeners;
mod peer_uid;
#[cfg(target_os = "linux")]
mod sock_diag;
