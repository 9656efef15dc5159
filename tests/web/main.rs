//! The page's server as browsers, scripts and strangers meet it: over real sockets, with a small node behind it.

mod client;
mod fake;
mod http;
mod limits;
mod socket;
