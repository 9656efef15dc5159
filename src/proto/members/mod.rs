//! The members of a room, as this node knows them.

pub mod member;
pub mod notices;
pub mod roster;
pub mod safety;
