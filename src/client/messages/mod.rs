//! The commands that send, change and print messages.

mod change;
mod export;
pub(super) mod html;
mod input;
mod lines;
mod once;
mod search;
mod seen;
mod send;
mod tail;

pub use change::{delete, edit, react, status};
pub use export::{Format, export};
pub use lines::{SendLines, send_lines};
pub use search::search;
pub use send::{Send, send};
pub use tail::{Tail, tail};
