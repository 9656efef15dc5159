//! The error of bytes that are no frame or beacon.

use crate::proto::batch::BatchError;

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
