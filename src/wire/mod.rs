//! Doc to come.

pub mod beacon;
mod forms;
pub mod frame;

use crate::proto::batch::BatchError;

/// The numbers of the types of frames, as the table above.
mod kind {
    pub(super) const HELLO: u64 = 0;
    pub(super) const PROOF: u64 = 1;
    pub(super) const INTRO: u64 = 2;
    pub(super) const CLOSE: u64 = 3;
    pub(super) const PING: u64 = 4;
    pub(super) const PONG: u64 = 5;
    pub(super) const PUSH: u64 = 6;
    pub(super) const RECEIPT: u64 = 7;
    pub(super) const COMPARE: u64 = 8;
    pub(super) const AUTHORS: u64 = 9;
    pub(super) const ASK_LOGS: u64 = 10;
    pub(super) const LOGS: u64 = 11;
    pub(super) const FETCH: u64 = 12;
    pub(super) const PAGE: u64 = 13;
}

/// Why bytes are no frame or beacon. A link on which this happens is closed with the reason "protocol"; a beacon is
/// counted and dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than a frame or beacon may be.
    #[error("longer than it may be")]
    TooLong,
    /// A beacon of another version: nothing can be said of what follows.
    #[error("of another version")]
    Version,
    /// Not of the form that the protocol says.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A batch in it does not verify.
    #[error("a batch that does not verify: {0}")]
    Batch(#[from] BatchError),
}

impl From<minicbor::decode::Error> for WireError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed("not the CBOR of the fields")
    }
}
