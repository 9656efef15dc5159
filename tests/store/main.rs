//! The store on real SQLite files.

mod altered;
mod changes;
mod damage;
mod deletion;
mod export;
mod fixtures;
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
mod tabs;
mod timeline;
mod undamaged;
