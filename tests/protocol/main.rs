//! The rules and the encoding of the protocol, without sockets.

mod corpora;
mod golden;
mod properties;
