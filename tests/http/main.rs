//! The page's server over real sockets, with a small node behind it.

mod changes;
mod client;
mod fake;
mod files;
mod http;
mod limits;
mod metrics;
mod socket;
mod streams;
mod weight;
