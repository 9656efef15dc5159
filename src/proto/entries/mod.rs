//! Entries, the batches that carry them, and how messages appear and are ordered.

pub mod appearance;
pub mod batch;
pub mod body;
pub mod body_range;
pub mod deletion;
pub mod emoji;
pub mod kind;
pub mod mention;
pub mod message_state;
pub mod timeline;
pub mod tokenizer;
