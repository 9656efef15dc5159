//! `roomful doctor`: finds out why two nodes do not see each other, from what this node knows.

mod diagnosis;
mod observations;
mod report;

pub(super) use observations::{DialFailure, Observations};
pub(super) use report::report;
