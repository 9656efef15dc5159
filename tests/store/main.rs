//! The store against real SQLite files.

mod altered;
mod damage;
mod export;
mod forks;
mod killed;
mod marks;
mod matrix;
mod order;
mod own;
mod page_storage;
mod past;
mod rows;
mod salvage;
mod samples;
mod search;
mod support;
mod tabs;
mod timeline;
mod undamaged;
