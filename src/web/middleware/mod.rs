//! The layers that every request passes before its handler, and every answer after it.

pub(crate) mod auth;
pub(crate) mod failure;
pub(crate) mod host;
pub(crate) mod security_headers;
pub(crate) mod service_worker;
pub(crate) mod token_rules;
pub(crate) mod trace;
