//! Roomful.

pub mod proto;
