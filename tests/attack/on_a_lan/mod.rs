//! The attacks, one kind per file.

mod changes;
mod content;
mod earlier_version;
mod eavesdropping;
mod floods;
mod forgery;
mod forks;
mod future;
mod impersonation;
mod link_exhaustion;
mod resource_exhaustion;
mod slow_peers;
mod withholding;
