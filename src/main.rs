//! Roomful.
fn main() {}
