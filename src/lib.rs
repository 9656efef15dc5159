//! Roomful.
