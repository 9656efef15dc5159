//! The store against real SQLite files.

mod altered;
mod damage;
mod export;
mod forks;
mod marks;
mod order;
mod own;
mod page_storage;
mod rows;
mod samples;
mod search;
mod support;
mod tabs;
mod timeline;
