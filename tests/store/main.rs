//! The store against real SQLite files.

mod support;
mod timeline;
