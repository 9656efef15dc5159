//! All limits of the program, each with its reason. Anything that a peer, a page or a user can make
//! grow is bounded here.
//!
//! The constants are grouped by topic in files and used without the file's name:
//! `limits::TEXT_BYTES_MAX`.

mod discovery;
mod files;
mod history;
mod links;
mod message;
mod store;
mod web;

pub use discovery::*;
pub use files::*;
pub use history::*;
pub use links::*;
pub use message::*;
pub use store::*;
pub use web::*;

const _: () = assert!(PUSH_UNRECEIPTED_BYTES_MAX + FETCHES_SERVED_MAX * FRAME_BYTES_MAX < LINK_QUEUE_BYTES_MAX);
const _: () = assert!(BODY_BYTES_MAX < BATCH_BYTES_MAX && STRIPPED_BATCH_BYTES_MAX < PAGE_BYTES_MAX);
const _: () = assert!(PAGE_BYTES_MAX + 1024 < FRAME_BYTES_MAX);
const _: () =
    assert!(WEB_CONNECTIONS_MAX + 2 * OWNER_BATCH_MAX + STORE_DESCRIPTORS + DESCRIPTORS_OTHER <= DESCRIPTORS_RESERVED);
const _: () = assert!(PING_AFTER_MS < UNSURE_AFTER_MS && UNSURE_AFTER_MS < LOST_AFTER_MS);
