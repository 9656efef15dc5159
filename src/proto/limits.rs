//! Every limit of the program, each with its reason. What a peer, a page or a user can make grow ends here.
//!
//! They stand in files by what they are about, and are named without: `limits::TEXT_BYTES_MAX`.

mod history;
mod links;
mod meeting;
mod page;
mod said;
mod store;

pub use history::*;
pub use links::*;
pub use meeting::*;
pub use page::*;
pub use said::*;
pub use store::*;

const _: () = assert!(PUSH_UNRECEIPTED_BYTES_MAX + FETCHES_SERVED_MAX * FRAME_BYTES_MAX < LINK_QUEUE_BYTES_MAX);
const _: () = assert!(BODY_BYTES_MAX < BATCH_BYTES_MAX && BATCH_BYTES_MAX < PAGE_BYTES_MAX);
const _: () = assert!(PAGE_BYTES_MAX + 1024 < FRAME_BYTES_MAX);
const _: () =
    assert!(WEB_CONNECTIONS_MAX + 2 * OWNER_BATCH_MAX + STORE_DESCRIPTORS + DESCRIPTORS_OTHER <= DESCRIPTORS_RESERVED);
const _: () = assert!(PING_AFTER_MS < UNSURE_AFTER_MS && UNSURE_AFTER_MS < LOST_AFTER_MS);
