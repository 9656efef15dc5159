//! The commands for files: `get`, `files`, and the uploads of `send --file`.

mod get;
mod list;
mod progress;
mod upload;

pub use get::{Get, get};
pub use list::files;
pub(super) use upload::upload_all;
