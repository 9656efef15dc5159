//! Addresses to dial, links to keep, and the admission of peers.

pub mod address_book;
pub mod address_group;
pub mod beacon_schedule;
pub mod eviction;
pub mod link_budget;
pub mod newcomers;
pub mod room_key;
pub mod room_proof;
pub mod token_bucket;
pub mod version_range;
